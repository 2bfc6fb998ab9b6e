import { z } from 'zod'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import type { Json } from '../../../model/json.ts'
import { dependents, OS_ARCHES, OS_NAMES, type Template, type TemplateDisk } from '../../../model/template.ts'
import { refuseName } from '../../../model/vm.ts'
import type { Applied, ChangingStep, Context, Lock, Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { accessPm, refuseAccess, refusePm } from '../storlink/access.ts'
import { counted } from '../storlink/contents.ts'

/** What the operations on templates have in common: who is acted on, what is locked, what is protected. */

export const templateField = field(z.string().refine(isUuid, 'is not a UUID'), { title: 'Template', from: 'template' })
const templateParams = z.object({ template: templateField })
export type TemplateParams = z.infer<typeof templateParams>

export const describing = {
  os: field(z.enum(OS_NAMES).default('OTHER'), { title: 'OS' }),
  osArch: field(z.enum(OS_ARCHES).default('X64'), { title: 'OS architecture' }),
  desc: field(z.string().default(''), { title: 'Description' }),
}

/** How VMs made from it are booted, unless that is said with them. */
export const booting = {
  type: field(z.enum(['hvm', 'pvh', 'pv']).default('hvm'), {
    title: 'Type',
    help: 'of VMs made from it',
    advanced: true,
  }),
  kernel: field(z.string().optional(), { title: 'Kernel', help: 'on the PM, for PV and PVH', advanced: true }),
  ramdisk: field(z.string().optional(), { title: 'Ramdisk', advanced: true }),
  cmdline: field(z.string().optional(), { title: 'Kernel command line', advanced: true }),
  bootloader: field(z.string().optional(), { title: 'Boot loader', help: 'pygrub, for PV', advanced: true }),
  firmware: field(z.string().optional(), { title: 'Firmware', help: 'bios or uefi, for HVM', advanced: true }),
}

/** The UUID of a template that is still to be made. */
export const newTemplateField = field(z.string().refine(isUuid, 'is not a UUID').optional(), {
  title: 'UUID',
  help: 'of the template; none given: a new one',
  advanced: true,
})

type FromTarget = 'subjectKind' | 'target' | 'subject' | 'locks' | 'touches'

/** An operation on one template: it is its own, and its PM has to stay. */
export function templateOperation<P extends TemplateParams, F extends Json>(
  operation: Omit<Operation<P, F>, FromTarget>,
): Operation<P, F> {
  return {
    subjectKind: 'template',
    target: { param: 'template', kind: 'template' },
    subject: ({ template }, view) => ({ kind: 'template', id: template, name: view.needTemplate(template).name }),
    locks: ({ template }, view) => [
      { key: `template:${template}`, mode: 'exclusive' },
      { key: `vm:${template}`, mode: 'exclusive' },
      { key: `pm:${pmOf(view.needTemplate(template), view)}`, mode: 'shared' },
    ],
    touches: ({ template }, view) => {
      const row = view.getTemplate(template)
      return row === undefined ? [] : [pmOf(row, view)]
    },
    ...operation,
  }
}

/** The PM that a template is worked on through: where it is booted, or where its disks are reached. */
function pmOf(template: Template, view: View): string {
  const storlink = view.getStorlink(template.disks[0]?.storlink ?? 0)
  return view.getVm(template.uuid)?.pm ?? (storlink && accessPm(storlink, view)?.uuid) ?? template.pm
}

export type NewTemplateParams = {
  readonly name: string
  readonly storlink: number
  readonly template?: string | undefined
}

/** An operation that makes a template on a storlink. */
export function newTemplateOperation<P extends NewTemplateParams, F extends Json>(
  operation: Omit<Operation<P, F>, Exclude<FromTarget, 'target'> | 'complete'>,
  more: Pick<Operation<P, F>, 'locks' | 'touches'>,
): Operation<P, F> {
  return {
    subjectKind: 'template',
    complete: (p) => ({ ...p, template: p.template ?? newUuid() }),
    subject: ({ template, name }) => ({ kind: 'template', id: template ?? name, name }),
    touches: more.touches,
    locks(p, view) {
      const storlink = view.getStorlink(p.storlink)
      const locks: Lock[] = [
        { key: `template:${p.template}`, mode: 'exclusive' },
        { key: `name:template:${p.name}`, mode: 'exclusive' },
        { key: `storlink:${p.storlink}`, mode: 'shared' },
        { key: `pm:${storlink && (accessPm(storlink, view)?.uuid ?? storlink.pm)}`, mode: 'shared' },
      ]
      return [...locks, ...more.locks(p, view).filter(({ key }) => !locks.some((lock) => lock.key === key))]
    },
    ...operation,
  }
}

/** Why a template of that name cannot be made there, or undefined. */
export function refuseNew({ name, storlink, template }: NewTemplateParams, view: View): string | undefined {
  const wrong = refuseName(name)
  if (wrong) return wrong
  const taken = view.templates().find((other) => other.name === name)
  if (taken) return `the name ${name} is taken by template ${taken.uuid}`
  if (template !== undefined && (view.getTemplate(template) || view.getVm(template)))
    return `there is a template or VM with UUID ${template}`
  const row = view.getStorlink(storlink)
  if (!row) return `storlink ${storlink} does not exist`
  return refuseAccess(row, view)
}

/** Why a template cannot be worked on, or undefined: by its PM, or because VMs read from its disks. */
export function refuseTouch(template: Template, view: View): string | undefined {
  const lying = dependents(template, view.vms())
  if (lying.length > 0) return `disks of ${counted('VM', lying)} lie on it`
  const storlink = view.getStorlink(template.disks[0]?.storlink ?? 0)
  return refusePm(storlink ? accessPm(storlink, view) : view.getPm(template.pm), view.getPm(template.pm))
}

/** Disks of templates are not written to. How far that binds is the level's affair: root may write to any file. */
export function protectStep(
  pm: string,
  disks: readonly TemplateDisk[],
  made: boolean,
  name = 'protect its disks',
): ChangingStep {
  return {
    name,
    shows: disks.map((disk) => `forbid writing to ${disk.path}`),
    async do(cx) {
      for (const disk of disks) await setWritable(cx, pm, disk, false)
      return null
    },
    isApplied: (cx) => areWritable(cx, pm, disks, false),
    async undo(cx) {
      // What the same job has made goes as it is; what was there before is as it was.
      if (made) return
      for (const disk of disks) await setWritable(cx, pm, disk, true)
    },
  }
}

/**
 * The opposite, and its undo protects them again: only what the job itself has unlocked, which is all of it, since
 * nobody else may lie on it meanwhile. `name` says what for.
 */
export function unprotectStep(name: string, { disks }: Template, pm: string): ChangingStep {
  return {
    name,
    shows: disks.map((disk) => `allow writing to ${disk.path}`),
    async do(cx) {
      for (const disk of disks) await setWritable(cx, pm, disk, true)
      return null
    },
    isApplied: (cx) => areWritable(cx, pm, disks, true),
    async undo(cx) {
      for (const disk of disks) await setWritable(cx, pm, disk, false)
    },
  }
}

async function setWritable(cx: Context, pm: string, disk: TemplateDisk, writable: boolean): Promise<void> {
  const driver = cx.volumes(cx.view.needStorlink(disk.storlink).level)
  await driver.setWritable(cx.host(pm), disk.path, writable, cx.tag)
}

/** Said once more, it is the same: where they are not all so, all are told again. */
async function areWritable(
  cx: Context,
  pm: string,
  disks: readonly TemplateDisk[],
  writable: boolean,
): Promise<Applied> {
  for (const { path, storlink } of disks) {
    const { level } = cx.view.needStorlink(storlink)
    if ((await cx.volumes(level).isWritable(cx.host(pm), path)) !== writable) return 'again'
  }
  return true
}

/** The row, as the last of what is made. */
export function recordStep(uuid: string, template: (view: View) => Template): ChangingStep {
  return {
    name: 'record',
    async do(cx) {
      await cx.inventory.putTemplate(template(cx.view))
      return null
    },
    isApplied: async (cx) => cx.view.getTemplate(uuid) !== undefined || 'again',
    undo: (cx) => cx.inventory.dropTemplate(uuid),
  }
}
