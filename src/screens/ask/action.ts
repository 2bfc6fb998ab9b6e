import type { AnyOperation } from '../../engine/jobs/operation.ts'
import { describeParams, type Field } from '../../engine/jobs/params.ts'
import type { View } from '../../engine/store/view.ts'
import { toPengxError } from '../../model/error.ts'
import type { Subject } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import { getLayer } from '../../model/layer.ts'
import type { AppContext } from '../app/context.ts'

/** What can be asked of the engine about what is chosen, and why not: nothing here opens or starts anything. */

export type RawParams = Readonly<Record<string, Json>>

/** One operation on one subject: what would be asked of the engine, or why not. */
export interface Action {
  readonly subject: Subject
  readonly raw: RawParams
  readonly params?: Json
  readonly refusal?: string
}

/** Operations whose target is a text, but which take something that stands in a list. */
const TAKES: Readonly<Record<string, Subject['kind']>> = { 'vm.adopt': 'vm' }

/** The values that name the subject, or undefined where the operation does not act on such a thing. */
export function rawFor(operation: AnyOperation, subject: Subject): RawParams | undefined {
  if (operation.target.kind === subject.kind) return { [operation.target.param]: subject.id }
  if (TAKES[operation.name] === subject.kind) return { [operation.target.param]: subject.id }
  return undefined
}

/** What can be asked of a thing, in the order of menus. */
export function operationsOn(app: AppContext, subject: Subject): AnyOperation[] {
  return [...app.engine.operations.values()].filter((operation) => rawFor(operation, subject) !== undefined)
}

/** Fields that somebody has to fill in before it can be asked. */
export function openFields(operation: AnyOperation, raw: RawParams): Field[] {
  return describeParams(operation.params).filter(
    (field) => field.required && field.default === undefined && !(field.name in raw),
  )
}

/** It cannot be asked, or means nothing, before somebody has said what: a form comes first. */
export function needsForm(operation: AnyOperation, raw: RawParams, view: View): boolean {
  if (openFields(operation, raw).length > 0) return true
  return describeParams(operation.params).some(
    ({ name, kind, default: standard, advanced, from }) =>
      !(name in raw) &&
      standard === undefined &&
      !advanced &&
      kind !== 'flag' &&
      from !== 'pm' &&
      !(from === 'config' && !isOneOfSeveral(raw, view)),
  )
}

/** Which file: asked for of a VM under care, and of a found one that none or several describe, as far as is known. */
function isOneOfSeveral(raw: RawParams, view: View): boolean {
  if ('vm' in raw) return true
  const vm = view.getVm(String(raw.what))
  const files = vm?.origin === 'found' ? view.getPm(vm.pm)?.seen.configs : undefined
  return files !== undefined && files.filter((file) => file.vm === vm!.uuid).length !== 1
}

/** What is refused depends on what the form says: something is missing without it, it changes what is there, or has to be insisted on. */
function isSettledByForm(app: AppContext, operation: AnyOperation, subject: Subject, raw: RawParams): boolean {
  if (openFields(operation, raw).length > 0) return true
  const present = presentValues(app, operation, subject, raw)
  const open = describeParams(operation.params).filter(({ name }) => !(name in raw))
  if (open.some(({ name }) => name in present)) return true
  const isAllowed = (said: RawParams) => check(app, operation, { ...raw, ...said }).refusal === undefined
  if (open.some(({ name, choices = [] }) => choices.some((choice) => isAllowed({ [name]: choice })))) return true
  const flags = open.filter(({ kind }) => kind === 'flag')
  const insisting = Object.fromEntries(flags.map(({ name, default: standard }) => [name, standard !== true]))
  return flags.length > 0 && isAllowed(insisting)
}

export function actionOn(app: AppContext, operation: AnyOperation, subject: Subject, extra: RawParams = {}): Action {
  // What a form was opened with names the first of many; each is asked for itself.
  const raw = { ...extra, ...rawFor(operation, subject) }
  const checked = check(app, operation, raw)
  return { subject, raw, ...checked }
}

/** Decoded parameters, or why they are refused; never throws and does no I/O. */
export function check(
  app: AppContext,
  operation: AnyOperation,
  raw: RawParams,
): { readonly params?: Json; readonly refusal?: string } {
  try {
    const params = app.engine.decode(operation.name, raw)
    const refusal = app.engine.refuse(operation.name, params)
    return refusal === undefined ? { params } : { params, refusal }
  } catch (error) {
    return { refusal: toPengxError(error).message }
  }
}

/**
 * What a dialog is headed by: for what is done with a backup that is who the operation itself says it is about, as a name
 * like `monday` says little alone.
 */
export function headName(app: AppContext, operation: AnyOperation, raw: RawParams, name: string): string {
  if (operation.target.kind !== 'backup') return name
  try {
    return operation.subject(app.engine.decode(operation.name, raw), app.engine.view).name
  } catch {
    return name
  }
}

/** Why a key for an operation does nothing now, as the footer, help and menus show it. */
export function refusalOf(
  app: AppContext,
  name: string,
  subjects: readonly Subject[],
  extra: RawParams = {},
  settled = false,
): string | undefined {
  const operation = app.engine.operations.get(name)
  if (operation === undefined) return 'this version cannot do that'
  if (subjects.length === 0) return 'nothing is chosen'
  let reason: string | undefined
  for (const subject of subjects.slice(0, 500)) {
    const raw = rawFor(operation, subject)
    if (raw === undefined) return `${operation.title} is not for a ${subject.kind}`
    if (
      !settled &&
      needsForm(operation, { ...extra, ...raw }, app.engine.view) &&
      isSettledByForm(app, operation, subject, { ...extra, ...raw })
    )
      return readOnlyReason(app)
    const { refusal } = actionOn(app, operation, subject, extra)
    if (refusal === undefined) return undefined
    reason ??= refusal
  }
  return reason
}

export function readOnlyReason(app: AppContext): string | undefined {
  return app.engine.readOnly ? 'pengx runs read-only' : undefined
}

/** What a thing is now, for a form that changes it: only what differs is sent. What is made of it has nothing yet. */
export function presentValues(
  app: AppContext,
  operation: AnyOperation,
  { kind, id }: Subject,
  raw: RawParams,
): RawParams {
  if (operation.name.endsWith('.create')) return {}
  const { view } = app.engine
  const template = kind === 'template' ? view.getTemplate(id) : undefined
  if (template !== undefined) {
    const { name, os, osArch, desc } = template
    return { name, os, osArch, desc }
  }
  const storlink = kind === 'storlink' ? view.getStorlink(Number(id)) : undefined
  if (storlink !== undefined) {
    const { name, desc, link, type, level, shared } = storlink
    return { name, desc, link, type, level, shared }
  }
  const schedule = kind === 'schedule' ? view.getSchedule(id) : undefined
  if (schedule !== undefined) {
    const { storlink: where, cron, incremental, retention, rateMib: rate, enabled } = schedule
    return { storlink: where, cron, incremental, ...retention, rate, enabled }
  }
  const vm = kind === 'vm' ? view.getVm(id) : undefined
  if (vm === undefined) return {}
  if (typeof raw.snapshot === 'string') {
    const { name = '', note: desc = '' } = getLayer(vm, raw.snapshot) ?? {}
    return { name, desc }
  }
  if ('nic' in raw) {
    const { ip, bridge } = vm.nics.find((nic) => String(nic.id) === raw.nic) ?? { ip: '', bridge: '' }
    return { ip, bridge }
  }
  const { name, desc, os, osArch, vcpuCount, memoryMib, maxmemMib } = vm
  return { name, desc, os, osArch, vcpus: vcpuCount, memory: memoryMib, maxmem: maxmemMib }
}
