import type { Subject } from '../../model/job.ts'
import { scoreMatch } from '../../ui/fuzzy.ts'
import type { AppContext } from '../app/context.ts'
import { openFields, operationsOn, rawFor, readOnlyReason, refusalOf } from '../ask/action.ts'
import { ask, askFresh } from '../ask/ask.ts'
import { type MenuItem, openPicker } from '../ask/picker.ts'
import { screenOf, screens } from '../catalog.ts'
import type { KeyRow } from '../screen.ts'
import { count, kindWord, pmStatus, vmStatus } from '../words.ts'
import { isThere, keyRefusal, MOVING, runKey } from './keyRows.ts'

const MOST = 60

/** `:` one list of places, actions on what is chosen, things, and everything else that can be done. */
export function openPalette(app: AppContext, everywhere: readonly KeyRow[]): void {
  const subjects = screenOf(app).subjects(app)
  const places = placeItems(app)
  const actions = [...actionItems(app, subjects), ...freshItems(app), ...keyItems(app, everywhere)]
  openPicker(app, {
    name: 'palette',
    title: 'Go to, or do',
    typing: true,
    foot: 'type a place, a name, an action   ↵ takes it   esc leaves',
    items: (typed) => {
      if (typed.trim() === '') return [...places, ...actions].slice(0, MOST)
      return best(typed, [...places, ...actions], thingItems(app, typed))
    },
  })
}

function best(
  typed: string,
  fixed: readonly MenuItem[],
  things: readonly { item: MenuItem; score: number }[],
): MenuItem[] {
  const scored = fixed.flatMap((item) => {
    const score = scoreMatch(typed, item.label, item.note)
    return score === undefined ? [] : [{ item, score }]
  })
  return [...scored, ...things]
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST)
    .map(({ item }) => item)
}

function placeItems(app: AppContext): MenuItem[] {
  return screens
    .filter(({ digit, place }) => digit !== undefined || place)
    .map((screen) => ({
      key: screen.digit,
      label: screen.title,
      note: screen.also === undefined ? 'a place' : `a place: ${screen.also.replaceAll(' ', ', ')}`,
      run: () => app.jump({ screen: screen.name }),
    }))
}

/** Things whose names answer what was typed; only these become items, however many there are. */
function thingItems(app: AppContext, typed: string): { item: MenuItem; score: number }[] {
  const view = app.engine.view
  const found: { item: MenuItem; score: number }[] = []
  for (const pm of view.pms()) {
    const score = scoreMatch(typed, pm.name)
    if (score === undefined) continue
    found.push({
      score: score + 1,
      item: { label: pm.name, note: `PM, ${pmStatus(pm).text}`, run: () => app.go({ screen: 'perf', id: pm.uuid }) },
    })
  }
  for (const vm of view.vms()) {
    const score = scoreMatch(typed, vm.name)
    if (score === undefined) continue
    const note = () => `VM on ${view.getPm(vm.pm)?.name ?? '?'}, ${vmStatus(vm, undefined, app.engine).text}`
    found.push({
      score,
      item: {
        label: vm.name,
        get note() {
          return note()
        },
        run: () => app.go({ screen: 'vm', id: vm.uuid }),
      },
    })
  }
  for (const { uuid, name } of view.templates()) {
    const score = scoreMatch(typed, name)
    const run = () => app.go({ screen: 'template', id: uuid })
    if (score !== undefined) found.push({ score, item: { label: name, note: 'template', run } })
  }
  for (const { id, name } of view.storlinks()) {
    const score = scoreMatch(typed, name)
    const run = () => app.jump({ screen: 'storage', id: String(id) })
    if (score !== undefined) found.push({ score, item: { label: name, note: `storlink ${id}`, run } })
  }
  for (const { uuid, name, vmName } of view.backups()) {
    const score = scoreMatch(typed, name)
    const run = () => app.jump({ screen: 'backups', id: uuid })
    if (score !== undefined) found.push({ score, item: { label: name, note: `backup of ${vmName}`, run } })
  }
  return found.sort((a, b) => b.score - a.score).slice(0, MOST)
}

/** Keys that stand for an operation, so that menus show them. */
function keyOf(app: AppContext, operation: string): string | undefined {
  return screenOf(app).keys.find((row) => row.operation === operation && isThere(app, row))?.key
}

/** Every operation on what is chosen, in the fixed order of the catalog; refused ones with their reason. */
function actionItems(app: AppContext, subjects: readonly Subject[]): MenuItem[] {
  const first = subjects[0]
  if (first === undefined) return []
  const on = subjects.length === 1 ? first.name : count(subjects.length, kindWord(first.kind))
  return operationsOn(app, first).map((operation) => {
    const reason = refusalOf(app, operation.name, subjects)
    return {
      key: keyOf(app, operation.name),
      label: `${operation.title} ${on}`,
      note: operation.help,
      ...(reason === undefined ? {} : { reason }),
      run: () => ask(app, operation.name, subjects),
    }
  })
}

/** Operations that need no row: their form asks for everything. */
function freshItems(app: AppContext): MenuItem[] {
  const subjects = screenOf(app).subjects(app)
  const reason = readOnlyReason(app)
  return [...app.engine.operations.values()]
    .filter((operation) => subjects[0] === undefined || rawFor(operation, subjects[0]) === undefined)
    .map((operation) => ({
      key: keyOf(app, operation.name),
      label: openFields(operation, {}).length > 0 ? `${operation.title} …` : operation.title,
      note: operation.help,
      ...(reason === undefined ? {} : { reason }),
      run: () => askFresh(app, operation.name),
    }))
}

function keyItems(app: AppContext, rows: readonly KeyRow[]): MenuItem[] {
  return rows
    .filter((row) => isThere(app, row))
    .map((row) => {
      const reason = keyRefusal(app, row)
      return {
        key: row.key,
        label: row.title,
        note: row.help ?? (row.operation ? app.engine.operations.get(row.operation)?.help : undefined),
        ...(reason === undefined ? {} : { reason }),
        run: () => runKey(app, row),
      }
    })
}

/** `?` every key that works here, and why it does nothing now; typing narrows. */
export function openHelp(app: AppContext, everywhere: readonly KeyRow[]): void {
  const screen = screenOf(app)
  const moving = MOVING.map(([key, label]): MenuItem => ({ key, label, note: 'moves or marks', run: () => undefined }))
  const places = placeItems(app).filter(({ key }) => key !== undefined)
  const items = [...keyItems(app, screen.keys), ...keyItems(app, everywhere), ...places, ...moving]
  openPicker(app, {
    name: 'help',
    title: `Keys on ${screen.title}`,
    typing: true,
    foot: 'type to narrow   ↵ does it   esc leaves',
    items: (typed) => (typed.trim() === '' ? items : items.filter((item) => matches(typed, item))),
  })
}

function matches(typed: string, item: MenuItem): boolean {
  return item.key === typed || scoreMatch(typed, item.label, `${item.note ?? ''} ${item.reason ?? ''}`) !== undefined
}

/** `x` every action on what is chosen; letters are the keys themselves. */
export function openActions(app: AppContext): void {
  const screen = screenOf(app)
  const subjects = screen.subjects(app)
  const operations = new Set<string>(
    subjects[0] === undefined ? [] : operationsOn(app, subjects[0]).map(({ name }) => name),
  )
  const own = screen.keys.filter((row) => row.operation === undefined || !operations.has(row.operation))
  const items = [...actionItems(app, subjects), ...keyItems(app, own)]
  const on =
    subjects.length === 1 ? subjects[0]!.name : subjects.length === 0 ? screen.title : `${subjects.length} chosen`
  openPicker(app, {
    name: 'actions',
    title: `Actions on ${on}`,
    typing: false,
    foot: 'a key or ↵ does it   grey: not now   esc leaves',
    items: () => items,
  })
}
