import type { AnyOperation, Preview } from '../../engine/jobs/operation.ts'
import { describeParams, type Field } from '../../engine/jobs/params.ts'
import { type TextInput, textInput } from '../../ui/textInput.ts'
import type { RawParams } from './action.ts'

/** A field as it is being filled in: always text, typed by its schema only when the form is sent. */
export interface FieldState {
  readonly field: Field
  readonly input: TextInput
  /** What it is now, in a form that changes something: sent only when it differs. */
  readonly was?: string
  /** For a list with known choices: the one under the cursor. */
  readonly at: number
  /** For one of many choices: the letters that were typed to find it. */
  readonly sought?: string
  readonly error?: string
}

export interface FormState {
  readonly operation: AnyOperation
  readonly given: RawParams
  readonly fields: readonly FieldState[]
  /** Index into the rows that are shown; the row after the last plain field folds and unfolds the rest. */
  readonly row: number
  readonly unfolded: boolean
  readonly problem?: string
  readonly previews?: readonly Preview[]
}

export function isFolded(field: Field, values: Readonly<Record<string, string>>): boolean {
  return field.advanced === true && !field.unfoldedBy?.some((name) => (values[name] ?? '').trim() !== '')
}

/** Rows of the form from top to bottom: fields by index, and the fold between plain and advanced ones. */
export function formRows(state: FormState): readonly (number | 'fold')[] {
  const plain: number[] = []
  const advanced: number[] = []
  const values = valuesOf(state)
  state.fields.forEach(({ field }, index) => {
    ;(isFolded(field, values) ? advanced : plain).push(index)
  })
  if (advanced.length === 0) return plain
  return state.unfolded ? [...plain, 'fold', ...advanced] : [...plain, 'fold']
}

/** A form as it is opened: every field but those that are given, with what it is now or its standard value. */
export function emptyForm(operation: AnyOperation, given: RawParams, present: RawParams): FormState {
  const fields = describeParams(operation.params)
    .filter(({ name }) => !(name in given))
    .map((field): FieldState => {
      const now = field.required || field.default !== undefined ? undefined : present[field.name]
      if (now === undefined || now === null) return { field, input: textInput(textOf(field)), at: 0 }
      return { field, input: textInput(String(now)), at: 0, was: String(now) }
    })
  return { operation, given, fields, row: 0, unfolded: false }
}

function textOf(field: Field): string {
  const standard = field.default
  if (standard === undefined || standard === null) return ''
  if (Array.isArray(standard)) return standard.join(', ')
  return String(standard)
}

export function valuesOf(state: FormState): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [name, value] of Object.entries(state.given)) values[name] = String(value)
  for (const { field, input } of state.fields) values[field.name] = input.text
  return values
}

/** The values of a list as it is typed: with commas. */
export function listed(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
