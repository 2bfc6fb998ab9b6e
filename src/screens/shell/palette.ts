import type { Subject } from '../../model/job.ts'
import { scoreMatch } from '../../ui/fuzzy.ts'
import type { Desk } from '../app/context.ts'
import { ask, askFresh, openFields, operationsOn, rawFor, readOnlyReason, refusalOf } from '../ask/actions.ts'
import { type Item, openPicker } from '../ask/picker.ts'
import { screenOf, screens } from '../catalog.ts'
import type { KeyRow } from '../screen.ts'
import { count, kindWord, pmStatus, vmStatus } from '../words.ts'
import { isThere, keyRefusal, MOVING, runKey } from './keyRows.ts'

const MOST = 60

/** `:` one list of places, actions on what is chosen, things, and everything else that can be done. */
export function openPalette(desk: Desk, everywhere: readonly KeyRow[]): void {
  const subjects = screenOf(desk).subjects(desk)
  const places = placeItems(desk)
  const actions = [...actionItems(desk, subjects), ...freshItems(desk), ...keyItems(desk, everywhere)]
  openPicker(desk, {
    name: 'palette',
    title: 'Go to, or do',
    typing: true,
    foot: 'type a place, a name, an action   ↵ takes it   esc leaves',
    items: (typed) => {
      if (typed.trim() === '') return [...places, ...actions].slice(0, MOST)
      return best(typed, [...places, ...actions], thingItems(desk, typed))
    },
  })
}

function best(typed: string, fixed: readonly Item[], things: readonly { item: Item; score: number }[]): Item[] {
  const scored = fixed.flatMap((item) => {
    const score = scoreMatch(typed, item.label, item.note)
    return score === undefined ? [] : [{ item, score }]
  })
  return [...scored, ...things]
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST)
    .map(({ item }) => item)
}

function placeItems(desk: Desk): Item[] {
  return screens
    .filter(({ digit }) => digit !== undefined)
    .map((screen) => ({
      key: screen.digit!,
      label: screen.title,
      note: screen.also === undefined ? 'a place' : `a place: ${screen.also.replaceAll(' ', ', ')}`,
      run: () => desk.jump({ screen: screen.name }),
    }))
}

/** Things whose names answer what was typed; only these become items, however many there are. */
function thingItems(desk: Desk, typed: string): { item: Item; score: number }[] {
  const view = desk.engine.view
  const found: { item: Item; score: number }[] = []
  for (const pm of view.pms()) {
    const score = scoreMatch(typed, pm.name)
    if (score === undefined) continue
    found.push({
      score: score + 1,
      item: { label: pm.name, note: `PM, ${pmStatus(pm).text}`, run: () => desk.go({ screen: 'perf', id: pm.uuid }) },
    })
  }
  for (const vm of view.vms()) {
    const score = scoreMatch(typed, vm.name)
    if (score === undefined) continue
    const note = () => `VM on ${view.getPm(vm.pm)?.name ?? '?'}, ${vmStatus(vm, undefined, desk.engine).text}`
    found.push({
      score,
      item: {
        label: vm.name,
        get note() {
          return note()
        },
        run: () => desk.go({ screen: 'vm', id: vm.uuid }),
      },
    })
  }
  for (const { uuid, name } of view.templates()) {
    const score = scoreMatch(typed, name)
    const run = () => desk.go({ screen: 'template', id: uuid })
    if (score !== undefined) found.push({ score, item: { label: name, note: 'template', run } })
  }
  for (const { id, name } of view.storlinks()) {
    const score = scoreMatch(typed, name)
    const run = () => desk.jump({ screen: 'storage', id: String(id) })
    if (score !== undefined) found.push({ score, item: { label: name, note: `storlink ${id}`, run } })
  }
  return found.sort((a, b) => b.score - a.score).slice(0, MOST)
}

/** Keys that stand for an operation, so that menus show them. */
function keyOf(desk: Desk, operation: string): string | undefined {
  return screenOf(desk).keys.find((row) => row.operation === operation && isThere(desk, row))?.key
}

/** Every operation on what is chosen, in the fixed order of the catalog; refused ones with their reason. */
function actionItems(desk: Desk, subjects: readonly Subject[]): Item[] {
  const first = subjects[0]
  if (first === undefined) return []
  const on = subjects.length === 1 ? first.name : count(subjects.length, kindWord(first.kind))
  return operationsOn(desk, first).map((operation) => {
    const reason = refusalOf(desk, operation.name, subjects)
    return {
      key: keyOf(desk, operation.name),
      label: `${operation.title} ${on}`,
      note: operation.help,
      ...(reason === undefined ? {} : { reason }),
      run: () => ask(desk, operation.name, subjects),
    }
  })
}

/** Operations that need no row: their form asks for everything. */
function freshItems(desk: Desk): Item[] {
  const subjects = screenOf(desk).subjects(desk)
  const reason = readOnlyReason(desk)
  return [...desk.engine.operations.values()]
    .filter((operation) => subjects[0] === undefined || rawFor(operation, subjects[0]) === undefined)
    .map((operation) => ({
      key: keyOf(desk, operation.name),
      label: openFields(operation, {}).length > 0 ? `${operation.title} …` : operation.title,
      note: operation.help,
      ...(reason === undefined ? {} : { reason }),
      run: () => askFresh(desk, operation.name),
    }))
}

function keyItems(desk: Desk, rows: readonly KeyRow[]): Item[] {
  return rows
    .filter((row) => isThere(desk, row))
    .map((row) => {
      const reason = keyRefusal(desk, row)
      return {
        key: row.key,
        label: row.title,
        note: row.help ?? (row.operation ? desk.engine.operations.get(row.operation)?.help : undefined),
        ...(reason === undefined ? {} : { reason }),
        run: () => runKey(desk, row),
      }
    })
}

/** `?` every key that works here, and why it does nothing now; typing narrows. */
export function openHelp(desk: Desk, everywhere: readonly KeyRow[]): void {
  const screen = screenOf(desk)
  const moving = MOVING.map(([key, label]): Item => ({ key, label, note: 'moves or marks', run: () => undefined }))
  const items = [...keyItems(desk, screen.keys), ...keyItems(desk, everywhere), ...placeItems(desk), ...moving]
  openPicker(desk, {
    name: 'help',
    title: `Keys on ${screen.title}`,
    typing: true,
    foot: 'type to narrow   ↵ does it   esc leaves',
    items: (typed) => (typed.trim() === '' ? items : items.filter((item) => matches(typed, item))),
  })
}

function matches(typed: string, item: Item): boolean {
  return item.key === typed || scoreMatch(typed, item.label, `${item.note ?? ''} ${item.reason ?? ''}`) !== undefined
}

/** `x` every action on what is chosen; letters are the keys themselves. */
export function openActions(desk: Desk): void {
  const screen = screenOf(desk)
  const subjects = screen.subjects(desk)
  const operations = new Set<string>(
    subjects[0] === undefined ? [] : operationsOn(desk, subjects[0]).map(({ name }) => name),
  )
  const own = screen.keys.filter((row) => row.operation === undefined || !operations.has(row.operation))
  const items = [...actionItems(desk, subjects), ...keyItems(desk, own)]
  const on =
    subjects.length === 1 ? subjects[0]!.name : subjects.length === 0 ? screen.title : `${subjects.length} chosen`
  openPicker(desk, {
    name: 'actions',
    title: `Actions on ${on}`,
    typing: false,
    foot: 'a key or ↵ does it   grey: not now   esc leaves',
    items: () => items,
  })
}
