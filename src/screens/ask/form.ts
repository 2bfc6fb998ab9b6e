import type { AnyOperation } from '../../engine/jobs/operation.ts'
import type { AppContext } from '../app/context.ts'
import type { Overlay } from '../app/state.ts'
import { check, type RawParams } from './action.ts'
import { choicesOf } from './choices.ts'
import { fieldAfterKey } from './formField.ts'
import { emptyForm, type FormState, formRows, listed, valuesOf } from './formState.ts'
import { drawForm } from './formView.ts'

/**
 * A form drawn from an operation's parameters. Errors stand beside the field they are about; what the operation
 * itself refuses stands below. Sends raw values: the engine decodes them once more by the same schema.
 */
export function openForm(
  app: AppContext,
  operation: AnyOperation,
  given: RawParams,
  send: (raw: RawParams) => void,
  present: RawParams = {},
): void {
  let state = emptyForm(operation, given, present)
  const close = () => app.close(overlay)

  const overlay: Overlay = {
    name: 'form',
    draw: (width, height) => drawForm(app, state, width, height),
    handleKey(key) {
      if (key === 'esc') return close()
      if (key === 'enter' || key === 'ctrl-s') {
        const sent = submit(app, state)
        state = sent.state
        if (sent.raw !== undefined) {
          close()
          send(sent.raw)
        }
      } else if (key === 'ctrl-p') plan()
      else state = formAfterKey(app, state, key)
      app.repaint()
    },
  }

  /** What it would do, with the fields as they stand. */
  const plan = () => {
    const sent = submit(app, state)
    state = sent.state
    if (sent.raw === undefined) return
    const raw = sent.raw
    app.attempt(async () => {
      const previews = [await app.engine.preview(operation.name, app.engine.decode(operation.name, raw))]
      state = { ...state, previews }
      app.repaint()
    })
  }
  app.open(overlay)
}

function formAfterKey(app: AppContext, state: FormState, key: string): FormState {
  const rows = formRows(state)
  const step = (by: number) => ({ ...state, row: (state.row + by + rows.length) % rows.length })
  if (key === 'tab' || key === 'down') return step(1)
  if (key === 'shift-tab' || key === 'up') return step(-1)
  const row = rows[state.row]!
  if (row === 'fold') {
    return key === 'space' || key === 'right' || key === 'left' ? { ...state, unfolded: !state.unfolded } : state
  }
  const fieldState = state.fields[row]!
  const next = fieldAfterKey(fieldState, choicesOf(fieldState.field, app.view(), valuesOf(state)), key)
  if (next === undefined) return state
  return {
    ...state,
    problem: undefined,
    previews: undefined,
    fields: state.fields.with(row, { ...next, error: undefined }),
  }
}

/** Raw values where everything is in order, else the form with its errors and the cursor on the first of them. */
function submit(app: AppContext, state: FormState): { readonly state: FormState; readonly raw?: RawParams } {
  const missing = state.fields.filter(
    ({ field, input }) => field.required && field.default === undefined && input.text.trim() === '',
  )
  if (missing.length > 0) {
    return { state: withErrors(state, new Map(missing.map(({ field }) => [field.name, 'is missing']))) }
  }
  const emptied = state.fields.filter(({ field, input, was }) => was && !field.clearable && input.text.trim() === '')
  if (emptied.length > 0) {
    return { state: withErrors(state, new Map(emptied.map(({ field }) => [field.name, 'cannot be taken away']))) }
  }
  const raw: Record<string, RawParams[string]> = { ...state.given }
  for (const { field, input, was } of state.fields) {
    if (field.kind === 'list') raw[field.name] = listed(input.text)
    else if (input.text !== (was ?? '') && (input.text.trim() !== '' || was)) raw[field.name] = input.text
  }
  const { refusal } = check(app, state.operation, raw)
  if (refusal !== undefined) return { state: blame(state, refusal) }
  return { state: withErrors(state, new Map()), raw }
}

/** `memory: too small` belongs beside the field `memory`; what names no field stands below the form. */
function blame(state: FormState, message: string): FormState {
  const match = /^(\w+)(?:: | )(.*)$/s.exec(message)
  const named = match && state.fields.some(({ field }) => field.name === match[1])
  return named
    ? withErrors(state, new Map([[match[1]!, match[2]!]]))
    : { ...withErrors(state, new Map()), problem: message }
}

function withErrors(state: FormState, errors: ReadonlyMap<string, string>): FormState {
  const fields = state.fields.map((fieldState) => ({ ...fieldState, error: errors.get(fieldState.field.name) }))
  const next: FormState = { ...state, fields, problem: undefined }
  const wrong = fields.findIndex(({ error }) => error !== undefined)
  if (wrong < 0) return next
  const unfolded = state.unfolded || fields[wrong]!.field.advanced === true
  return { ...next, unfolded, row: formRows({ ...next, unfolded }).indexOf(wrong) }
}
