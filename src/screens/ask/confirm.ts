import type { AnyOperation, Preview } from '../../engine/jobs/operation.ts'
import { describeParams, type Field } from '../../engine/jobs/params.ts'
import { formatAge } from '../../lib/age.ts'
import { wrapCells } from '../../lib/text.ts'
import { type Backup, isGood } from '../../model/backup.ts'
import { toPengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import { withKeyNames } from '../../ui/keymap.ts'
import { type Line, line, type Span, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import { drawInput, editText, textInput } from '../../ui/textInput.ts'
import type { AppContext } from '../app/context.ts'
import type { Overlay } from '../app/state.ts'
import { backupSign, capital, count, kindWord, signSpan, vmSign } from '../words.ts'
import { type Action, check, headName } from './action.ts'
import { choicesOf } from './choices.ts'
import { drawPlan } from './plan.ts'

/**
 * The question before something that disrupts or destroys. It stays on what was chosen when the key was pressed,
 * whatever moves behind it, and shows the operation's own plan. `y` allows what disrupts; what destroys wants the
 * name, and until then the safe button has the cursor.
 */
export function openConfirm(
  app: AppContext,
  operation: AnyOperation,
  actions: readonly Action[],
  level: 1 | 2,
  start: (actions: readonly Action[]) => void,
): void {
  let current = actions
  let allowed = actions.filter(({ refusal }) => refusal === undefined)
  const refused = actions.filter(({ refusal }) => refusal !== undefined)
  const word = allowed.length === 1 ? allowed[0]!.subject.name : `${allowed.length}`
  const options = optionFields(operation)
  let previews: readonly Preview[] = []
  let problem: string | undefined
  let loading = 0
  let showCommands = false
  let scroll = 0
  let typed = textInput()
  let focus = 0

  const load = async () => {
    const mine = ++loading
    previews = []
    problem = undefined
    try {
      const found: Preview[] = []
      for (const { params } of allowed.slice(0, 20)) found.push(await app.engine.preview(operation.name, params!))
      if (mine === loading) previews = found
    } catch (error) {
      if (mine === loading) problem = toPengxError(error).message
    }
    if (mine === loading) {
      loading = 0
      app.repaint()
    }
  }

  const close = () => app.close(overlay)
  const confirm = () => {
    close()
    start(current)
  }
  const matches = () => typed.text === word
  /** The safe button, the options, the other button. */
  const stops = 2 + options.length

  const turn = (field: Field, by: number) => {
    const values: Json[] = field.kind === 'flag' ? [true, false] : [...(field.choices ?? [])]
    const at = values.indexOf(optionValue(allowed[0]!, field))
    const value = values[(at + by + values.length) % values.length]!
    current = current.map((action) => withValue(app, operation, action, field.name, value))
    allowed = current.filter(({ refusal }) => refusal === undefined)
    void load()
  }

  const handleLevel1Key = (key: string) => {
    if (key === 'y' || key === 'Y') return confirm()
    if (key === 'n' || key === 'esc' || key === 'q') return close()
    if (key === 'm' || key === 'ctrl-l') showCommands = !showCommands
    else if (key === 'enter') return focus === stops - 1 ? confirm() : close()
    else handleCommonKey(key)
    app.repaint()
  }

  const handleLevel2Key = (key: string) => {
    const continues = [...key].length === 1 && word.startsWith(typed.text + key)
    if (key === 'esc') return close()
    if (key === 'ctrl-l' || (key === 'm' && !continues)) showCommands = !showCommands
    else if (key === 'enter') {
      if (matches()) return confirm()
      if (focus === 0 && typed.text === '') return close()
      app.say(`to allow it, type ${word} exactly`)
    } else if (!handleCommonKey(key)) {
      const next = editText(typed, key)
      if (next !== undefined) typed = next
    }
    app.repaint()
  }

  const handleCommonKey = (key: string): boolean => {
    const option = options[focus - 1]
    if (key === 'tab') focus = (focus + 1) % stops
    else if (key === 'shift-tab') focus = (focus + stops - 1) % stops
    else if (option && (key === 'left' || key === 'right')) turn(option, key === 'left' ? -1 : 1)
    else if (key === 'left' || key === 'right') focus = focus === 0 ? stops - 1 : 0
    else if (key === 'down') scroll++
    else if (key === 'up') scroll = Math.max(scroll - 1, 0)
    else return false
    return true
  }

  const overlay: Overlay = {
    name: 'confirm',
    handleKey: level === 1 ? handleLevel1Key : handleLevel2Key,
    draw(width, height) {
      const boxWidth = Math.min(width - 4, 84)
      const inner = boxWidth - 4
      const { ascii } = app.options.theme
      const question = `${capital(operation.title)} ${nameAll(app, operation, allowed)}${level === 2 && operation.danger === 'destroys' ? ' for good' : ''}?`
      const head = [...subjectLines(app, allowed, refused, inner), ...partLines(app, operation, allowed[0])]
      for (const [index, field] of options.entries()) {
        const value = String(optionValue(allowed[0] ?? actions[0]!, field))
        const pieces: Span[] = [span(field.name.padEnd(10), 'dim'), button(`‹ ${value} ›`, focus === index + 1)]
        head.push([...pieces, span(withKeyNames('   tab, then ← → changes it', ascii), 'dim')])
      }
      const plan: Line[] =
        problem !== undefined
          ? [[], ...wrapCells(problem, inner).map((text) => line(span(text, 'bad')))]
          : previews.length === 0
            ? [[], line(span('looking at what it would do …', 'dim'))]
            : [[], ...drawPlan(previews, showCommands, inner)]
      const foot = level === 1 ? footLevel1(focus === stops - 1) : footLevel2()
      const room = Math.max(height - 2 - head.length - foot.length, 1)
      scroll = Math.min(scroll, Math.max(plan.length - room, 0))
      const body = [...head, ...plan.slice(scroll, scroll + room), ...foot].map((content) => [
        { text: ' ' },
        ...content,
      ])
      const note =
        plan.length > room ? `${withKeyNames('↑ ↓', ascii)} ${scroll + room} of ${plan.length} lines` : undefined
      const tone = level === 2 ? 'bad' : 'warn'
      return { lines: panel(body, boxWidth, body.length + 2, { title: question, note, tone }), width: boxWidth }
    },
  }

  const footLevel1 = (onYes: boolean): Line[] => [
    [],
    line(
      { ...button('n no', !onYes && focus === 0), hit: 'answer n' },
      '   ',
      { ...button('y yes', onYes), hit: 'answer y' },
      span('      m shows the commands', 'dim'),
    ),
  ]
  const footLevel2 = (): Line[] => [
    [],
    line('Type  ', span(word, 'strong'), '  to allow it: ', ...drawInput(typed)),
    [],
    line(
      { ...button('Keep', focus === 0 && !matches()), hit: 'answer esc' },
      '   ',
      matches()
        ? button(capital(operation.title), true)
        : span(`${capital(operation.title)} (needs ${allowed.length === 1 ? 'the name' : 'the number'})`, 'dim'),
      span(`      ${word.startsWith(`${typed.text}m`) ? 'ctrl-l' : 'm'} shows the commands`, 'dim'),
    ),
  ]

  app.open(overlay)
  void load()
}

/** Choices and flags that change what is done, and that a person may want to turn here. */
function optionFields(operation: AnyOperation): Field[] {
  return describeParams(operation.params).filter(
    (field) =>
      !field.advanced &&
      field.name !== operation.target.param &&
      field.default !== undefined &&
      (field.kind === 'choice' || field.kind === 'flag'),
  )
}

function optionValue({ params }: Action, field: Field): Json {
  const value = (params as Readonly<Record<string, Json>> | undefined)?.[field.name]
  return value ?? field.default ?? null
}

function withValue(app: AppContext, operation: AnyOperation, action: Action, name: string, value: Json): Action {
  if (action.params === undefined) return action
  const raw = { ...action.raw, [name]: value }
  const checked = check(app, operation, raw)
  return checked.params === undefined ? action : { subject: action.subject, raw, ...checked }
}

function subjectLines(app: AppContext, allowed: readonly Action[], refused: readonly Action[], width: number): Line[] {
  const lines: Line[] = []
  for (const { subject } of allowed.slice(0, 8)) lines.push(subjectLine(app, subject))
  if (allowed.length > 8) lines.push(line(span(`          and ${allowed.length - 8} more`, 'dim')))
  for (const { subject, refusal } of refused.slice(0, 4)) {
    const [first = '', ...rest] = wrapCells(`${subject.name}: ${refusal}`, width - 10)
    lines.push(line(span('not'.padEnd(10), 'warn'), first))
    for (const text of rest) lines.push(line('          ', text))
  }
  if (refused.length > 4) lines.push(line(span(`          and ${refused.length - 4} more are refused`, 'dim')))
  return lines
}

function subjectLine(app: AppContext, subject: Action['subject']): Line {
  const label = span(kindWord(subject.kind).padEnd(10), 'dim')
  const backup = subject.kind === 'backup' ? app.engine.view.getBackup(subject.id) : undefined
  if (backup !== undefined) return line(label, ...backupWords(app, backup))
  const schedule = subject.kind === 'schedule' ? app.engine.view.getSchedule(subject.id) : undefined
  if (schedule !== undefined) return line(label, span(subject.name, 'strong'), `, ${schedule.cron}`)
  const vm = subject.kind === 'vm' ? app.engine.view.getVm(subject.id) : undefined
  if (vm === undefined) return line(label, span(subject.name, 'strong'))
  const pm = app.engine.view.getPm(vm.pm)
  return line(label, span(vm.name, 'strong'), ` on ${pm?.name ?? '?'}, `, signSpan(vmSign(vm)))
}

function backupWords(app: AppContext, backup: Backup): Line {
  const { name, vm, vmName, createdAt } = backup
  const sign = backupSign(backup, isGood(backup, app.engine.view.backupsOf(vm)), app.now())
  const age = formatAge(app.now() - createdAt)
  return line(span(name, 'strong'), ` of ${vmName}, ${age} old, `, signSpan(sign))
}

/** Which of its parts is meant: a disk, an interface. */
function partLines(app: AppContext, operation: AnyOperation, action: Action | undefined): Line[] {
  const values: Readonly<Record<string, string>> = Object.fromEntries(
    Object.entries(action?.raw ?? {}).map(([name, value]) => [name, String(value)]),
  )
  return describeParams(operation.params).flatMap((field): Line[] => {
    if (field.from !== 'disk' && field.from !== 'nic' && field.from !== 'snapshot') return []
    const label = choicesOf(field, app.engine.view, values).find(({ value }) => value === values[field.name])?.label
    return label === undefined ? [] : [line(span(field.title.toLowerCase().padEnd(10), 'dim'), span(label, 'strong'))]
  })
}

function nameAll(app: AppContext, operation: AnyOperation, allowed: readonly Action[]): string {
  return allowed.length === 1
    ? headName(app, operation, allowed[0]!.raw, allowed[0]!.subject.name)
    : count(allowed.length, kindWord(allowed[0]?.subject.kind ?? 'vm'))
}

function button(text: string, focused: boolean): Span {
  return focused ? { text: `[ ${text} ]`, inverse: true } : { text: `[ ${text} ]` }
}
