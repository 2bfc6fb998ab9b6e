import { formatAge } from '../../lib/age.ts'
import { formatMib } from '../../lib/bytes.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { dependents, madeFrom, type Template, templateMib } from '../../model/template.ts'
import type { Vm } from '../../model/vm.ts'
import { type Span, span } from '../../ui/line.ts'
import { nameColumn, noteColumn, pmColumn, pmName, uuidColumn } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import type { ListDef } from '../app/list.ts'
import { jobSign, jobStatus, vmSign } from '../words.ts'

/** The columns of templates, and what a filter finds in them. */

/** The VM that runs on its own disks while it is looked after. */
export const upkeepOf = (template: Template, app: AppContext): Vm | undefined => app.view().getVm(template.uuid)

export function templateStatus(template: Template, app: AppContext): Span {
  const job = app.view().jobOn('template', template.uuid)
  if (job !== undefined) return span(jobStatus(job, app.engine), jobSign(job).tone)
  const upkeep = upkeepOf(template, app)
  if (upkeep === undefined) return span('○ ready')
  const { glyph, word, tone } = vmSign(upkeep)
  return span(`${glyph} ${upkeep.seen.state === 'running' ? 'booted' : word}`, tone)
}

/** Nobody may write to its disks, except while it is booted for upkeep. */
export function templateLock(template: Template, app: AppContext): Span {
  return upkeepOf(template, app) === undefined ? span('locked', 'dim') : span('open', 'warn')
}

interface VmsOfTemplate {
  /** Made from it, whether their disks lie on its or were copied. */
  readonly made: readonly Vm[]
  /** Their disks lie on its. */
  readonly dependents: readonly Vm[]
}

const vmsByTemplate = new WeakMap<object, Map<Template, VmsOfTemplate>>()

/** Looked for once for each state of the list of VMs. */
export function vmsOfTemplate(template: Template, app: AppContext): VmsOfTemplate {
  const vms = app.view().vms()
  const known = getOrMake(vmsByTemplate, vms, () => new Map<Template, VmsOfTemplate>())
  return getOrMake(known, template, () => ({ made: madeFrom(template, vms), dependents: dependents(template, vms) }))
}

function storlinkNames(template: Template, app: AppContext): string {
  const ids = [...new Set(template.disks.map(({ storlink }) => storlink))]
  return ids.map((id) => `${id} ${app.view().getStorlink(id)?.name ?? '?'}`).join(', ')
}

export const templateList: ListDef<Template> = {
  name: 'templates',
  sort: { column: 'name', down: false },
  empty: 'no template yet: n of a VM, N empty, i of an image that is there',
  columns: [
    nameColumn,
    {
      name: 'status',
      title: 'STATUS',
      width: 13,
      grow: 18,
      kind: 'text',
      cell: templateStatus,
      sort: (template, app) => templateStatus(template, app).text.slice(2),
      live: true,
    },
    { ...pmColumn, drop: 3 },
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
      sort: (template, app) => templateLock(template, app).text,
      live: true,
    },
    {
      name: 'vms',
      title: 'VMS',
      width: 5,
      kind: 'number',
      drop: 2,
      cell: (template, app) => String(vmsOfTemplate(template, app).made.length),
      sort: (template, app) => vmsOfTemplate(template, app).made.length,
      live: true,
    },
    {
      name: 'booted',
      title: 'BOOTED',
      width: 7,
      kind: 'age',
      drop: 4,
      cell: ({ bootedAt }, app) => (bootedAt === undefined ? '–' : formatAge(app.now() - bootedAt)),
      sort: ({ bootedAt }) => (bootedAt === undefined ? undefined : -bootedAt),
    },
    {
      name: 'lying',
      title: 'OVERLAYS',
      width: 8,
      kind: 'number',
      wide: true,
      drop: 11,
      cell: (template, app) => String(vmsOfTemplate(template, app).dependents.length),
      sort: (template, app) => vmsOfTemplate(template, app).dependents.length,
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
      cell: ({ createdAt }, app) => formatAge(app.now() - createdAt),
      sort: ({ createdAt }) => -createdAt,
    },
    { ...noteColumn, drop: 15 },
    { ...uuidColumn, drop: 16 },
  ],
  rows: (app) => app.view().templates(),
  id: ({ uuid }) => uuid,
  subject: ({ uuid, name }) => ({ kind: 'template', id: uuid, name }),
  words: (template, app) =>
    `${template.name} ${pmName(template, app)} ${template.os} ${template.osArch} ${template.type} ${template.desc} ${template.uuid}`,
  filters: {
    name: ({ name }) => name,
    status: (template, app) => templateStatus(template, app).text,
    pm: pmName,
    os: ({ os, osArch }) => `${os} ${osArch}`,
    lock: (template, app) => templateLock(template, app).text,
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
