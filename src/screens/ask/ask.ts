import type { AnyOperation, Danger } from '../../engine/jobs/operation.ts'
import { describeParams } from '../../engine/jobs/params.ts'
import { toPengxError } from '../../model/error.ts'
import type { Subject } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import type { AppContext } from '../app/context.ts'
import { count } from '../words.ts'
import {
  type Action,
  actionOn,
  check,
  needsForm,
  presentValues,
  type RawParams,
  rawFor,
  readOnlyReason,
  refusalOf,
} from './action.ts'
import { openConfirm } from './confirm.ts'
import { openForm } from './form.ts'

/** From a key to jobs: a form where something has to be said, a question where it disrupts, then each is started. */

/** How much is asked before: 0 nothing, 1 a `y`, 2 the name. */
function questionLevel(danger: Danger, production: boolean): 0 | 1 | 2 {
  const level = { safe: 0, disrupts: 1, destroys: 2 }[danger] + (production ? 1 : 0)
  return Math.min(level, 2) as 0 | 1 | 2
}

/**
 * A key, a menu line or the palette asks for an operation on what is chosen at this moment. `settled`: what is given says
 * all, and no form comes first.
 */
export function ask(
  app: AppContext,
  name: string,
  subjects: readonly Subject[],
  extra: RawParams = {},
  settled = false,
) {
  const operation = app.engine.operations.get(name)
  if (operation === undefined) return app.say(`this version has no ${name}`)
  if (subjects.length === 0) return app.say('nothing is chosen')
  const first = rawFor(operation, subjects[0]!)
  if (first === undefined) return askFresh(app, name, extra)
  if (!settled && needsForm(operation, { ...first, ...extra }, app.engine.view)) {
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

/** An operation that makes something new: its form first. */
export function askFresh(app: AppContext, name: string, given: RawParams = {}) {
  const operation = app.engine.operations.get(name)
  if (operation === undefined) return app.say(`this version has no ${name}`)
  const refusal = readOnlyReason(app)
  if (refusal !== undefined) return app.say(refusal)
  const proceedNew = (raw: RawParams) => proceedWith(app, operation, [newAction(app, operation, raw)])
  if (describeParams(operation.params).every(({ name: field }) => field in given)) return proceedNew(given)
  openForm(app, operation, given, proceedNew)
}

function newAction(app: AppContext, operation: AnyOperation, raw: RawParams): Action {
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

function proceed(app: AppContext, operation: AnyOperation, subjects: readonly Subject[], extra: RawParams) {
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
    let about = ''
    for (const { subject, params, refusal } of actions) {
      if (refusal !== undefined || params === undefined) continue
      try {
        const job = await app.engine.start(operation.name, params, 'terminal')
        started.push(`job ${job.number}`)
        about = job.subject.name
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
    } else if (started.length === 1) app.say(`${started[0]}: ${operation.title} ${about}`, 'busy')
    else app.say(`${count(started.length, 'job')} started: ${operation.title}`, 'busy')
  })
}
