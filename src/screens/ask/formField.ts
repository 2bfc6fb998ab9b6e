import { typedBy } from '../../ui/keymap.ts'
import { editText, textInput } from '../../ui/textInput.ts'
import type { Choice } from './choices.ts'
import { type FieldState, listed } from './formState.ts'

/** One field of a form under the keys: text that is edited, one of several choices, or a set of them. */
export function fieldAfterKey(fieldState: FieldState, choices: readonly Choice[], key: string): FieldState | undefined {
  const { field } = fieldState
  if (field.kind === 'list' && choices.length > 0) return setAfterKey(fieldState, choices, key)
  if (choices.length === 0 || isOther(fieldState, choices)) {
    const input = editText(fieldState.input, key)
    return input && { ...fieldState, input }
  }
  if (isPath(field) && (key === 'backspace' || (key !== 'space' && typedBy(key) !== undefined)))
    return { ...fieldState, input: textInput(typedBy(key)) }
  return choiceAfterKey(fieldState, choices, key)
}

/** Its choices are files that were found. */
export function isPath({ from }: FieldState['field']): boolean {
  return from === 'iso' || from === 'config'
}

/** A path may be one that nobody has found yet: it is then a text like any other. */
export function isOther({ field, input }: FieldState, choices: readonly Choice[]): boolean {
  return isPath(field) && input.text !== '' && !choices.some(({ value }) => value === input.text)
}

/** Arrows go from one to the next; letters go to the one whose name they are. */
function choiceAfterKey(fieldState: FieldState, choices: readonly Choice[], key: string): FieldState | undefined {
  const { field } = fieldState
  const options = field.required ? choices : [{ value: '', label: '' }, ...choices]
  const at = options.findIndex(({ value }) => value === fieldState.input.text)
  const pick = (index: number, sought = ''): FieldState => ({
    ...fieldState,
    sought,
    input: textInput(options[(index + options.length) % options.length]!.value),
  })
  if (key === 'right' || key === 'space') return pick(at + 1)
  if (key === 'left') return pick(at <= 0 ? options.length - 1 : at - 1)
  if (key === 'backspace' || key === 'delete') return field.required ? undefined : pick(0)
  const typed = typedBy(key)?.toLowerCase()
  if (typed === undefined) return undefined
  const longer = `${fieldState.sought ?? ''}${typed}`
  const found = seek(options, longer, Math.max(at, 0))
  if (found !== undefined) return pick(found, longer)
  const next = seek(options, typed, at + 1)
  return next === undefined ? undefined : pick(next, typed)
}

/** The first from there on, around the end, whose label begins with it; else the first that has it anywhere. */
function seek(options: readonly Choice[], text: string, from: number): number | undefined {
  const order = [...options.keys()].map((index) => (from + index) % options.length)
  const label = (index: number) => options[index]!.label.toLowerCase()
  return order.find((index) => label(index).startsWith(text)) ?? order.find((index) => label(index).includes(text))
}

/** A list of known things: arrows choose one, the space bar takes it in or out. */
function setAfterKey(fieldState: FieldState, choices: readonly Choice[], key: string): FieldState | undefined {
  const at = Math.min(fieldState.at, choices.length - 1)
  if (key === 'right') return { ...fieldState, at: (at + 1) % choices.length }
  if (key === 'left') return { ...fieldState, at: (at + choices.length - 1) % choices.length }
  if (key !== 'space') return undefined
  const taken = new Set(listed(fieldState.input.text))
  const value = choices[at]!.value
  if (!taken.delete(value)) taken.add(value)
  return { ...fieldState, input: textInput([...taken].join(', ')) }
}
