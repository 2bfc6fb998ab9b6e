import { formatAge } from '../../lib/age.ts'
import { formatMib } from '../../lib/bytes.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { naturalKey } from '../../lib/text.ts'
import { lyingOn, madeFrom, type Template, templateMib } from '../../model/template.ts'
import type { Vm } from '../../model/vm.ts'
import { type Span, span } from '../../ui/line.ts'
import type { Desk } from '../app/context.ts'
import type { ListDef } from '../app/list.ts'
import { jobSign, jobStatus, vmSign } from '../words.ts'

/** The columns of templates, and what a filter finds in them. */

const pmName = (template: Template, desk: Desk) => desk.view().getPm(template.pm)?.name ?? '?'

/** The VM that runs on its own disks while it is looked after. */
export const upkeepOf = (template: Template, desk: Desk): Vm | undefined => desk.view().getVm(template.uuid)

export function templateStatus(template: Template, desk: Desk): Span {
  const job = desk.view().jobOn('template', template.uuid)
  if (job !== undefined) return span(jobStatus(job, desk.engine), jobSign(job).tone)
  const upkeep = upkeepOf(template, desk)
  if (upkeep === undefined) return span('○ ready')
  const { glyph, word, tone } = vmSign(upkeep)
  return span(`${glyph} ${upkeep.seen.state === 'running' ? 'booted' : word}`, tone)
}

/** Nobody may write to its disks, except while it is booted for upkeep. */
export function templateLock(template: Template, desk: Desk): Span {
  return upkeepOf(template, desk) === undefined ? span('locked', 'dim') : span('open', 'warn')
}

interface Dependants {
  /** Made from it, whether their disks lie on its or were copied. */
  readonly made: readonly Vm[]
  /** Their disks lie on its. */
  readonly lying: readonly Vm[]
}

const dependants = new WeakMap<object, Map<Template, Dependants>>()

/** Looked for once for each state of the list of VMs. */
export function dependantsOf(template: Template, desk: Desk): Dependants {
  const vms = desk.view().vms()
  const known = getOrMake(dependants, vms, () => new Map<Template, Dependants>())
  return getOrMake(known, template, () => ({ made: madeFrom(template, vms), lying: lyingOn(template, vms) }))
}

export function storlinkNames(template: Template, desk: Desk): string {
  const ids = [...new Set(template.disks.map(({ storlink }) => storlink))]
  return ids.map((id) => `${id} ${desk.view().getStorlink(id)?.name ?? '?'}`).join(', ')
}

export const templateList: ListDef<Template> = {
  name: 'templates',
  sort: { column: 'name', down: false },
  empty: 'no template yet: n of a VM, N empty, i of an image that is there',
  columns: [
    {
      name: 'name',
      title: 'NAME',
      width: 12,
      grow: 34,
      kind: 'text',
      cell: ({ name }) => name,
      sort: ({ name }) => naturalKey(name),
    },
    {
      name: 'status',
      title: 'STATUS',
      width: 13,
      grow: 18,
      kind: 'text',
      cell: templateStatus,
      sort: (template, desk) => templateStatus(template, desk).text.slice(2),
      live: true,
    },
    {
      name: 'pm',
      title: 'PM',
      width: 5,
      grow: 12,
      kind: 'text',
      drop: 3,
      cell: pmName,
      sort: (template, desk) => naturalKey(pmName(template, desk)),
    },
    { name: 'os', title: 'OS', width: 8, kind: 'text', cell: ({ os }) => os, sort: ({ os }) => os },
    {
      name: 'arch',
      title: 'ARCH',
      width: 4,
      kind: 'text',
      drop: 5,
      cell: ({ osArch }) => osArch,
      sort: ({ osArch }) => osArch,
    },
    {
      name: 'size',
      title: 'SIZE',
      width: 9,
      kind: 'size',
      cell: (template) => formatMib(templateMib(template)),
      sort: templateMib,
    },
    {
      name: 'lock',
      title: 'LOCK',
      width: 6,
      kind: 'text',
      drop: 1,
      cell: templateLock,
      sort: (template, desk) => templateLock(template, desk).text,
      live: true,
    },
    {
      name: 'vms',
      title: 'VMS',
      width: 5,
      kind: 'number',
      drop: 2,
      cell: (template, desk) => String(dependantsOf(template, desk).made.length),
      sort: (template, desk) => dependantsOf(template, desk).made.length,
      live: true,
    },
    {
      name: 'booted',
      title: 'BOOTED',
      width: 7,
      kind: 'age',
      drop: 4,
      cell: ({ bootedAt }, desk) => (bootedAt === undefined ? '–' : formatAge(desk.now() - bootedAt)),
      sort: ({ bootedAt }) => (bootedAt === undefined ? undefined : -bootedAt),
    },
    {
      name: 'lying',
      title: 'OVERLAYS',
      width: 8,
      kind: 'number',
      wide: true,
      drop: 11,
      cell: (template, desk) => String(dependantsOf(template, desk).lying.length),
      sort: (template, desk) => dependantsOf(template, desk).lying.length,
      live: true,
    },
    {
      name: 'type',
      title: 'TYPE',
      width: 4,
      kind: 'text',
      wide: true,
      drop: 12,
      cell: ({ type }) => type.toUpperCase(),
      sort: ({ type }) => type,
    },
    { name: 'storlink', title: 'STORLINK', width: 14, kind: 'text', wide: true, drop: 13, cell: storlinkNames },
    {
      name: 'created',
      title: 'MADE',
      width: 5,
      kind: 'age',
      wide: true,
      drop: 14,
      cell: ({ createdAt }, desk) => formatAge(desk.now() - createdAt),
      sort: ({ createdAt }) => -createdAt,
    },
    {
      name: 'desc',
      title: 'NOTE',
      width: 14,
      grow: 40,
      kind: 'text',
      wide: true,
      drop: 15,
      cell: ({ desc }) => desc,
      sort: ({ desc }) => desc,
    },
    { name: 'uuid', title: 'UUID', width: 36, kind: 'text', wide: true, drop: 16, cell: ({ uuid }) => uuid },
  ],
  rows: (desk) => desk.view().templates(),
  id: ({ uuid }) => uuid,
  subject: ({ uuid, name }) => ({ kind: 'template', id: uuid, name }),
  words: (template, desk) =>
    `${template.name} ${pmName(template, desk)} ${template.os} ${template.osArch} ${template.type} ${template.desc} ${template.uuid}`,
  filters: {
    name: ({ name }) => name,
    status: (template, desk) => templateStatus(template, desk).text,
    pm: pmName,
    os: ({ os, osArch }) => `${os} ${osArch}`,
    lock: (template, desk) => templateLock(template, desk).text,
    type: ({ type }) => type,
    storlink: storlinkNames,
    desc: ({ desc }) => desc,
  },
  liveFilters: ['status', 'lock'],
  copies: ({ uuid, name, disks }) => [
    ['uuid', uuid],
    ['name', name],
    ...disks.map(({ path }): [string, string] => ['path', path]),
  ],
}
