import type { TargetKind } from '../../engine/jobs/operation.ts'
import { describeParams } from '../../engine/jobs/params.ts'
import { padCells, wrapCells } from '../../lib/text.ts'
import { isNoun, nounName } from '../../model/noun.ts'
import { keyLabel, withKeyNames } from '../../ui/keymap.ts'
import { type Line, line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import { drawInput } from '../../ui/textInput.ts'
import type { AppContext } from '../app/context.ts'
import { capital } from '../words.ts'
import { headName } from './action.ts'
import { choicesOf } from './choices.ts'
import { isOther, isPath } from './formField.ts'
import { type FieldState, type FormState, formRows, isFolded, listed, valuesOf } from './formState.ts'
import { drawPlan } from './plan.ts'

const TITLE = 22

export function drawForm(
  app: AppContext,
  state: FormState,
  width: number,
  height: number,
): { readonly lines: readonly Line[]; readonly width: number } {
  const boxWidth = Math.min(width - 2, 96)
  const inner = boxWidth - 4
  const rows = formRows(state)
  const given = givenRows(app, state)
  const drawn = rows.map((row, index) => drawRow(app, state, row, index === state.row, inner))
  const foot = footer(state, rows[state.row]!, inner, app.options.theme.ascii)
  const plan = state.previews === undefined ? [] : [[], ...drawPlan(state.previews, true, inner)]
  const room = Math.max(height - 2 - foot.length, 3)
  const cursorEnd = drawn.slice(0, state.row + 1).reduce((sum, lines) => sum + lines.length, given.length)
  const all = [...given, ...drawn.flat(), ...plan]
  const from = Math.min(Math.max(cursorEnd - room + 1, 0), Math.max(all.length - room, 0))
  const begin = plan.length > 0 ? Math.max(all.length - room, 0) : from
  const body = [...all.slice(begin, begin + room), ...foot].map((content) => [{ text: ' ' }, ...content])
  const note =
    all.length > room ? `${begin + 1}–${Math.min(begin + room, all.length)} of ${all.length} lines` : undefined
  return {
    lines: panel(body, boxWidth, body.length + 2, { title: headingOf(app, state), note, tone: 'accent' }),
    width: boxWidth,
  }
}

function headingOf(app: AppContext, { operation, given }: FormState): string {
  const { param, kind } = operation.target
  const id = param in given ? String(given[param]) : undefined
  const name = id === undefined ? undefined : headName(app, operation, given, nameOf(app, kind, id) ?? id)
  return capital(name === undefined ? operation.title : `${operation.title} ${name}`)
}

function nameOf({ engine: { view } }: AppContext, kind: TargetKind, id: string): string | undefined {
  // What is taken under care is named by a text, and may be a VM that was found.
  const thing = view.find(isNoun(kind) ? kind : 'vm', id)
  return thing && nounName(thing)
}

/** What is settled before: which disk, which template. */
function givenRows(app: AppContext, state: FormState): Line[] {
  const values = valuesOf(state)
  return describeParams(state.operation.params).flatMap((field): Line[] => {
    if (!(field.name in state.given) || field.name === state.operation.target.param) return []
    const value = values[field.name]!
    const label = choicesOf(field, app.view(), values).find((choice) => choice.value === value)?.label ?? value
    return [line('  ', padCells(field.title, TITLE - 1), '  ', span(label, 'strong'))]
  })
}

function drawRow(app: AppContext, state: FormState, row: number | 'fold', focused: boolean, width: number): Line[] {
  const cursor = span(focused ? '▸ ' : '  ', 'accent')
  if (row === 'fold') {
    const values = valuesOf(state)
    const hidden = state.fields.filter(({ field }) => isFolded(field, values)).length
    const text = state.unfolded ? '- advanced' : `+ advanced (${hidden} more)`
    return [line(cursor, { ...span(text, 'dim'), ...(focused ? { inverse: true as const } : {}) })]
  }
  const fieldState = state.fields[row]!
  const { field } = fieldState
  const star = field.required && field.default === undefined ? '*' : ' '
  const unit = field.unit ? ` ${field.unit}` : ''
  const lines: Line[] = [
    line(
      cursor,
      padCells(field.title, TITLE - 1),
      span(star, 'warn'),
      ' ',
      ...drawValue(app, state, fieldState, focused),
      span(unit, 'dim'),
    ),
  ]
  if (fieldState.error !== undefined) {
    for (const text of wrapCells(fieldState.error, width - TITLE - 5)) {
      lines.push(line(' '.repeat(TITLE + 3), span(`✗ ${text}`, 'bad')))
    }
  }
  return lines
}

function drawValue(app: AppContext, state: FormState, fieldState: FieldState, focused: boolean): Line {
  const { field, input } = fieldState
  const choices = choicesOf(field, app.view(), valuesOf(state))
  if (field.kind === 'list' && choices.length > 0) {
    const taken = listed(input.text)
    return choices.flatMap(({ value, label }, index) => {
      const text = `[${taken.includes(value) ? 'x' : ' '}] ${label}`
      const here = focused && index === Math.min(fieldState.at, choices.length - 1)
      return [here ? { text, inverse: true as const } : { text }, { text: '  ' }]
    })
  }
  if (choices.length > 0 && !isOther(fieldState, choices)) {
    const label = choices.find(({ value }) => value === input.text)?.label ?? input.text
    const shown = label === '' ? '–' : label
    return focused ? line({ text: `‹ ${shown} ›`, inverse: true }) : line(shown)
  }
  if (!focused) {
    if (input.text === '') return line(span('–', 'dim'))
    return line(field.secret ? '*'.repeat([...input.text].length) : input.text)
  }
  return drawInput(input, field.secret === true)
}

function footer(state: FormState, row: number | 'fold', width: number, ascii: boolean): Line[] {
  const help =
    row === 'fold' ? 'space shows the rest or folds it away' : withKeyNames(helpOf(state.fields[row]!), ascii)
  const problem =
    state.problem === undefined ? [] : wrapCells(state.problem, width).map((text) => line(span(text, 'bad')))
  return [
    [],
    ...wrapCells(help, width).map((text) => line(span(text, 'dim'))),
    ...problem,
    line(
      span(keyLabel('enter', ascii), 'accent'),
      ' go on   ',
      span('ctrl-p', 'accent'),
      ' the plan   ',
      span('tab', 'accent'),
      ' next   ',
      span('esc', 'accent'),
      ' leave',
      span('     * has to be given', 'dim'),
    ),
  ]
}

function helpOf({ field }: FieldState): string {
  const how =
    field.kind === 'list' && field.from
      ? '← → chooses, space takes it in or out'
      : field.kind === 'list'
        ? 'several, with commas'
        : field.kind === 'flag' || field.kind === 'choice' || field.from
          ? isPath(field)
            ? '← → chooses, or type a path'
            : '← → or letters of its name choose'
          : ''
  return [field.help, how].filter(Boolean).join('; ')
}
