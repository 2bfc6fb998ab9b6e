import type { AnyOperation, Danger } from '../../engine/jobs/operation.ts'
import { describeParams, type Field } from '../../engine/jobs/params.ts'
import { toPengxError } from '../../model/error.ts'
import type { Subject } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import { getLayer } from '../../model/layer.ts'
import type { AppContext } from '../app/context.ts'
import { count } from '../words.ts'
import { openConfirm } from './confirm.ts'
import { openForm } from './form.ts'

export type Raw = Readonly<Record<string, Json>>

/** One operation on one subject: what would be asked of the engine, or why not. */
export interface Action {
  readonly subject: Subject
  readonly raw: Raw
  readonly params?: Json
  readonly refusal?: string
}

/** Operations whose target is a text, but which take something that stands in a list. */
const TAKES: Readonly<Record<string, Subject['kind']>> = { 'vm.adopt': 'vm' }

/** The values that name the subject, or undefined where the operation does not act on such a thing. */
export function rawFor(operation: AnyOperation, subject: Subject): Raw | undefined {
  if (operation.target.kind === subject.kind) return { [operation.target.param]: subject.id }
  if (TAKES[operation.name] === subject.kind) return { [operation.target.param]: subject.id }
  return undefined
}

/** What can be asked of a thing, in the order of menus. */
export function operationsOn(app: AppContext, subject: Subject): AnyOperation[] {
  return [...app.engine.operations.values()].filter((operation) => rawFor(operation, subject) !== undefined)
}

/** Fields that somebody has to fill in before it can be asked. */
export function openFields(operation: AnyOperation, raw: Raw): Field[] {
  return describeParams(operation.params).filter(
    (field) => field.required && field.default === undefined && !(field.name in raw),
  )
}

/** It cannot be asked, or means nothing, before somebody has said what: a form comes first. */
function needsForm(operation: AnyOperation, raw: Raw): boolean {
  if (openFields(operation, raw).length > 0) return true
  return describeParams(operation.params).some(
    ({ name, kind, default: standard, advanced, from }) =>
      !(name in raw) && standard === undefined && !advanced && kind !== 'flag' && from !== 'pm',
  )
}

/** What is refused depends on what the form says: something is missing without it, it changes what is there, or has to be insisted on. */
function isSettledByForm(app: AppContext, operation: AnyOperation, subject: Subject, raw: Raw): boolean {
  if (openFields(operation, raw).length > 0) return true
  const present = presentValues(app, operation, subject, raw)
  const open = describeParams(operation.params).filter(({ name }) => !(name in raw))
  if (open.some(({ name }) => name in present)) return true
  const flags = open.filter(({ kind }) => kind === 'flag')
  const insisting = Object.fromEntries(flags.map(({ name, default: standard }) => [name, standard !== true]))
  return flags.length > 0 && check(app, operation, { ...raw, ...insisting }).refusal === undefined
}

export function actionOn(app: AppContext, operation: AnyOperation, subject: Subject, extra: Raw = {}): Action {
  // What a form was opened with names the first of many; each is asked for itself.
  const raw = { ...extra, ...rawFor(operation, subject) }
  const checked = check(app, operation, raw)
  return { subject, raw, ...checked }
}

/** Decoded parameters, or why they are refused; never throws and does no I/O. */
export function check(
  app: AppContext,
  operation: AnyOperation,
  raw: Raw,
): { readonly params?: Json; readonly refusal?: string } {
  try {
    const params = app.engine.decode(operation.name, raw)
    const refusal = app.engine.refuse(operation.name, params)
    return refusal === undefined ? { params } : { params, refusal }
  } catch (error) {
    return { refusal: toPengxError(error).message }
  }
}

/** Why a key for an operation does nothing now, as the footer, help and menus show it. */
export function refusalOf(
  app: AppContext,
  name: string,
  subjects: readonly Subject[],
  extra: Raw = {},
): string | undefined {
  const operation = app.engine.operations.get(name)
  if (operation === undefined) return 'this version cannot do that'
  if (subjects.length === 0) return 'nothing is chosen'
  let reason: string | undefined
  for (const subject of subjects.slice(0, 500)) {
    const raw = rawFor(operation, subject)
    if (raw === undefined) return `${operation.title} is not for a ${subject.kind}`
    if (needsForm(operation, { ...extra, ...raw }) && isSettledByForm(app, operation, subject, { ...extra, ...raw }))
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

/** How much is asked before: 0 nothing, 1 a `y`, 2 the name. */
export function questionLevel(danger: Danger, production: boolean): 0 | 1 | 2 {
  const level = { safe: 0, disrupts: 1, destroys: 2 }[danger] + (production ? 1 : 0)
  return Math.min(level, 2) as 0 | 1 | 2
}

/** A key, a menu line or the palette asks for an operation on what is chosen at this moment. */
export function ask(app: AppContext, name: string, subjects: readonly Subject[], extra: Raw = {}) {
  const operation = app.engine.operations.get(name)
  if (operation === undefined) return app.say(`this version has no ${name}`)
  if (subjects.length === 0) return app.say('nothing is chosen')
  const first = rawFor(operation, subjects[0]!)
  if (first === undefined) return askFresh(app, name, extra)
  if (needsForm(operation, { ...first, ...extra })) {
    const refusal = refusalOf(app, name, subjects, extra)
    if (refusal !== undefined) return app.say(`${operation.title} ${subjects[0]!.name}: ${refusal}`)
    const present = subjects.length === 1 ? presentValues(app, operation, subjects[0]!, { ...first, ...extra }) : {}
    return openForm(
      app,
      operation,
      { ...first, ...extra },
      (raw) => proceed(app, operation, subjects, { ...extra, ...raw }),
      present,
    )
  }
  proceed(app, operation, subjects, extra)
}

/** What a thing is now, for a form that changes it: only what differs is sent. What is made of it has nothing yet. */
function presentValues(app: AppContext, operation: AnyOperation, { kind, id }: Subject, raw: Raw): Raw {
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

/** An operation that makes something new: its form first. */
export function askFresh(app: AppContext, name: string, given: Raw = {}) {
  const operation = app.engine.operations.get(name)
  if (operation === undefined) return app.say(`this version has no ${name}`)
  const refusal = readOnlyReason(app)
  if (refusal !== undefined) return app.say(refusal)
  const proceedNew = (raw: Raw) => proceedWith(app, operation, [newAction(app, operation, raw)])
  if (describeParams(operation.params).every(({ name: field }) => field in given)) return proceedNew(given)
  openForm(app, operation, given, proceedNew)
}

function newAction(app: AppContext, operation: AnyOperation, raw: Raw): Action {
  const checked = check(app, operation, raw)
  const name = String(raw[operation.target.param] ?? '')
  const subject = checked.params === undefined ? undefined : subjectOf(app, operation, checked.params)
  return { subject: subject ?? { kind: operation.subjectKind, id: name, name }, raw, ...checked }
}

function subjectOf(app: AppContext, operation: AnyOperation, params: Json): Subject | undefined {
  try {
    return operation.subject(params, app.engine.view)
  } catch {
    return undefined
  }
}

function proceed(app: AppContext, operation: AnyOperation, subjects: readonly Subject[], extra: Raw) {
  proceedWith(
    app,
    operation,
    subjects.map((subject) => actionOn(app, operation, subject, extra)),
  )
}

function proceedWith(app: AppContext, operation: AnyOperation, actions: readonly Action[]) {
  const allowed = actions.filter((action) => action.refusal === undefined)
  if (allowed.length === 0) {
    const more = actions.length > 1 ? ` (and ${actions.length - 1} more)` : ''
    return app.say(`${operation.title} ${actions[0]!.subject.name}: ${actions[0]!.refusal}${more}`)
  }
  const level = questionLevel(operation.danger, app.options.production)
  const start = () => startAll(app, operation, actions)
  if (level === 0 && allowed.length === actions.length) return start()
  openConfirm(app, operation, actions, level === 0 ? 1 : level, (changed) => startAll(app, operation, changed))
}

/** Starts what is not refused; each is a job of its own. */
function startAll(app: AppContext, operation: AnyOperation, actions: readonly Action[]) {
  app.attempt(async () => {
    const started: string[] = []
    const failures: string[] = []
    for (const { subject, params, refusal } of actions) {
      if (refusal !== undefined || params === undefined) continue
      try {
        const job = await app.engine.start(operation.name, params, 'terminal')
        started.push(`job ${job.number}`)
      } catch (error) {
        failures.push(`${subject.name}: ${toPengxError(error).message}`)
      }
    }
    if (failures.length > 0) {
      const also = started.length > 0 ? `${count(started.length, 'job')} started; ` : ''
      app.say(
        `${also}${operation.title} ${failures[0]}${failures.length > 1 ? ` (and ${failures.length - 1} more)` : ''}`,
        'bad',
      )
    } else if (started.length === 1)
      app.say(`${started[0]}: ${operation.title} ${actions.find((o) => !o.refusal)?.subject.name}`, 'busy')
    else app.say(`${count(started.length, 'job')} started: ${operation.title}`, 'busy')
  })
}
