import type { Engine } from '../engine/engine.ts'
import { formatMib } from '../lib/bytes.ts'
import { shortUuid } from '../lib/ids.ts'
import type { Storlink } from '../model/storlink.ts'
import { dependents, madeFrom, type Template, templateMib } from '../model/template.ts'
import { byName, iso, listing, pmName } from './listing.ts'

/** What `pengx storlinks` and `templates` print. */
export const storlinks = listing<Storlink>(
  (engine) => engine.view.storlinks(),
  (engine) => [
    { title: 'ID', align: 'right', text: (link) => String(link.id) },
    { title: 'NAME', text: (link) => link.name },
    { title: 'PM', text: (link) => (link.shared ? `${pmName(engine, link.pm)} (shared)` : pmName(engine, link.pm)) },
    { title: 'TYPE', text: (link) => link.type },
    { title: 'LEVEL', text: (link) => link.level },
    { title: 'LINK', text: (link) => link.link },
    { title: 'SIZE', align: 'right', text: (link) => formatMib(link.sizeMib) },
    { title: 'FREE', align: 'right', text: (link) => formatMib(link.freeMib) },
  ],
  (link, engine) => ({
    id: link.id,
    name: link.name,
    pm: pmName(engine, link.pm),
    pmUuid: link.pm,
    link: link.link,
    type: link.type,
    level: link.level,
    shared: link.shared,
    desc: link.desc,
    ...(link.uuid === undefined ? {} : { uuid: link.uuid }),
    problems: Object.entries(link.problems ?? {}).map(([pm, problem]) => ({ pm: pmName(engine, pm), problem })),
    sizeMib: link.sizeMib,
    freeMib: link.freeMib,
    createdAt: iso(link.createdAt),
  }),
)

/** While a template is booted for upkeep, a VM of its UUID runs on its disks. */
const upkeepState = (template: Template, engine: Engine) => engine.view.getVm(template.uuid)?.seen.state

export const templates = listing<Template>(
  (engine) => byName(engine.view.templates()),
  (engine) => [
    { title: 'NAME', text: (template) => template.name },
    { title: 'PM', text: (template) => pmName(engine, template.pm) },
    { title: 'OS', text: (template) => template.os },
    { title: 'ARCH', text: (template) => template.osArch },
    { title: 'TYPE', text: (template) => template.type },
    { title: 'SIZE', align: 'right', text: (template) => formatMib(templateMib(template)) },
    { title: 'VMS', align: 'right', text: (template) => String(madeFrom(template, engine.view.vms()).length) },
    { title: 'UPKEEP', text: (template) => upkeepState(template, engine) ?? '' },
    { title: 'UUID', text: (template) => shortUuid(template.uuid) },
    { title: 'DESCRIPTION', text: (template) => template.desc },
  ],
  (template, engine) => ({
    uuid: template.uuid,
    name: template.name,
    pm: pmName(engine, template.pm),
    pmUuid: template.pm,
    os: template.os,
    osArch: template.osArch,
    type: template.type,
    desc: template.desc,
    sizeMib: templateMib(template),
    disks: template.disks.map(({ uuid, format, sizeMib, path, storlink }) => ({
      uuid,
      format,
      sizeMib,
      path,
      storlink,
    })),
    vms: madeFrom(template, engine.view.vms()).map((vm) => vm.uuid),
    overlays: dependents(template, engine.view.vms()).map((vm) => vm.uuid),
    upkeep: upkeepState(template, engine),
    createdAt: iso(template.createdAt),
    bootedAt: iso(template.bootedAt),
  }),
)
