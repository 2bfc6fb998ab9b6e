import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { openEditor, type XlEditor } from '../../../src/engine/tools/xl/editor.ts'
import { parseStatements, type XlStatement } from '../../../src/engine/tools/xl/syntax.ts'
import { PengxError } from '../../../src/model/error.ts'
import { anyConfigText, anyValue, LIST_KEYS, VALUE_KEYS } from '../../support/configTexts.ts'

type XlNode = XlStatement['node']

type Edit =
  | { readonly kind: 'set'; readonly key: string; readonly value: string | number }
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'replace'; readonly key: string; readonly value: string; readonly index: number }
  | { readonly kind: 'take'; readonly key: string; readonly index: number }

const index = fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 5)
const key = (own: string[], others: string[]) =>
  fc.oneof({ arbitrary: fc.constantFrom(...own), weight: 8 }, { arbitrary: fc.constantFrom(...others), weight: 1 })
const valueKey = key([...VALUE_KEYS], [...LIST_KEYS, 'odd', 'uuid'])
const listKey = key([...LIST_KEYS], [...VALUE_KEYS, 'odd', 'pci'])
const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key: valueKey, value: fc.oneof(anyValue, fc.nat(), fc.constant(-5)) }),
  fc.record({ kind: fc.constant('put' as const), key: listKey, value: anyValue }),
  fc.record({ kind: fc.constant('replace' as const), key: listKey, value: anyValue, index }),
  fc.record({ kind: fc.constant('take' as const), key: listKey, index }),
)

function apply(editor: XlEditor, edit: Edit): void {
  if (edit.kind === 'set') editor.setValue(edit.key, edit.value)
  else if (edit.kind === 'put') editor.insertItem(edit.key, edit.value)
  else if (edit.kind === 'replace') editor.replaceItem(edit.key, edit.index, edit.value)
  else editor.removeItem(edit.key, edit.index)
}

/** Why an edit cannot be made, said from what was read alone. */
function refusalOf(given: readonly XlStatement[], edit: Edit): string | undefined {
  const [first, ...later] = given
  if (later.some(({ op }) => op === '=')) return 'given twice'
  if (edit.kind === 'set') {
    if (!first) return undefined
    if (later.length > 0) return 'put together'
    if (typeof first.value !== 'string') return 'a list'
    const isSame = first.value === `${edit.value}`
    return first.op === '+=' && typeof edit.value === 'number' && !isSame ? 'an added number' : undefined
  }
  if (given.some(({ value }) => typeof value === 'string')) return 'no list'
  const items = given.flatMap(({ value }) => value)
  if (items.some((item) => typeof item !== 'string')) return 'an item that is a list'
  return edit.kind !== 'put' && edit.index >= items.length ? 'no such item' : undefined
}

const LEXEME = /"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|#[^\n]*|[0-9][0-9a-fx]*|[^ \t\n]/g
const lexemes = (text: string): string[] => text.match(LEXEME) ?? []
const isAtom = (lexeme: string) => /^["'0-9]/.test(lexeme)

function isSubsequence<T>(few: ArrayLike<T>, many: ArrayLike<T>): boolean {
  let at = 0
  for (let one = 0; one < many.length && at < few.length; one++) if (many[one] === few[at]) at++
  return at === few.length
}

/** What the longer list has beside the shorter. */
function surplus(few: readonly string[], many: readonly string[]): string[] {
  const rest = [...many]
  for (const one of few) rest.splice(rest.indexOf(one), 1)
  return rest
}

/** For each comment of a list which item it stands behind, on its line; -1: none. */
function commentPlaces(list: string): number[] {
  const places: number[] = []
  let count = 0
  for (const line of list.match(/(?:"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|#[^\n]*|[^\n"'#])+/g) ?? []) {
    const found = lexemes(line)
    const atoms = found.filter(isAtom).length
    count += atoms
    if (found.at(-1)?.startsWith('#')) places.push(atoms === 0 ? -1 : count - 1)
  }
  return places
}

const flat = (statements: readonly XlStatement[]) => statements.map(({ key: name, op, value }) => ({ name, op, value }))
const cut = (text: string, { at, end }: { at: number; end: number }) => text.slice(at, end)

/** The list and item that an index means. */
function findItem(given: readonly XlStatement[], wanted: number): { list: XlNode; item: XlNode; at: number } {
  let at = wanted
  for (const { node } of given) {
    if (node.kind !== 'list') throw new Error('only lists are asked')
    if (at < node.items.length) return { list: node, item: node.items[at]!, at }
    at -= node.items.length
  }
  throw new Error('there is no such item')
}

function checkReplaced(text: string, after: string, node: XlNode, value: string | number): void {
  const was = cut(text, node)
  const rest = text.length - node.end
  const is = after.slice(node.at, after.length - rest)
  expect(after).toBe(text.slice(0, node.at) + is + text.slice(node.end))
  expect(lexemes(is)).toEqual([is])
  if (node.kind === 'list') throw new Error('only atoms are replaced')
  if (node.text === `${value}`) expect(is).toBe(was)
  else if (node.kind === 'string') expect(is[0]).toBe(was[0]!)
  else expect(is[0]).toBe(/^[0-9][0-9a-fx]*$/.test(`${value}`) ? `${value}`[0]! : '"')
}

/** Of two texts whose lists differ: the lists, when all around them is the same. */
function listsOf(text: string, after: string, list: XlNode): [string, string] {
  expect(after.slice(0, list.at)).toBe(text.slice(0, list.at))
  expect(after.slice(after.length - (text.length - list.end))).toBe(text.slice(list.end))
  return [cut(text, list), after.slice(list.at, after.length - (text.length - list.end))]
}

function checkPut(text: string, after: string, given: readonly XlStatement[]): void {
  const lists = given.map(({ node }) => node as XlNode & { kind: 'list' })
  const list = lists.findLast(({ items }) => items.length > 0) ?? lists.at(-1)!
  const [was, is] = listsOf(text, after, list)
  expect([isSubsequence(was, is), isSubsequence(lexemes(was), lexemes(is))]).toEqual([true, true])
  const added = surplus(lexemes(was), lexemes(is))
  expect(added.filter((lexeme) => !isAtom(lexeme))).toEqual(list.items.length === 0 ? [] : [','])
  expect(added.filter(isAtom)).toHaveLength(1)
  const neighbour = list.items.at(-1)
  if (neighbour?.kind === 'string') expect(added.find(isAtom)![0]).toBe(neighbour.quote!)
  expect(commentPlaces(is)).toEqual(commentPlaces(was))
}

function checkTaken(text: string, after: string, given: readonly XlStatement[], wanted: number): void {
  const { list, item, at } = findItem(given, wanted)
  if (list.kind !== 'list') throw new Error('it is a list')
  const [was, is] = listsOf(text, after, list)
  expect([isSubsequence(is, was), isSubsequence(lexemes(is), lexemes(was))]).toEqual([true, true])
  const commas = list.items.length > 1 || list.commas.length === 1 ? [','] : []
  expect(surplus(lexemes(is), lexemes(was)).sort()).toEqual([cut(text, item), ...commas].sort())
  const before = commentPlaces(was)
  const places = commentPlaces(is)
  expect(places).toHaveLength(before.length)
  const previous = list.items[at - 1]
  const isAlone = !previous || text.slice(previous.end, item.at).includes('\n')
  for (const [number, place] of before.entries()) {
    if (place === at) expect(places[number]).toBe(isAlone ? -1 : at - 1)
    else expect(places[number]).toBe(place > at ? place - 1 : place)
  }
}

/** Makes the edit and holds what came of it against what was meant; says what kind of thing happened. */
function check(text: string, edit: Edit): string {
  const before = parseStatements(text)
  const given = before.filter((statement) => statement.key === edit.key)
  const editor = openEditor(text, 'a.cfg')
  const refusal = refusalOf(given, edit)
  if (refusal !== undefined) {
    expect(() => apply(editor, edit)).toThrow(PengxError)
    expect(editor.text).toBe(text)
    return `${edit.kind} refused: ${refusal}`
  }
  const items = given.flatMap(({ value }) => value) as string[]
  apply(editor, edit)
  const after = parseStatements(editor.text)
  const now = after.filter((statement) => statement.key === edit.key)
  expect(flat(after.filter((one) => one.key !== edit.key))).toEqual(flat(before.filter((one) => one.key !== edit.key)))
  if (edit.kind === 'set') expect(now.map(({ value }) => value)).toEqual([`${edit.value}`])
  else {
    const meant = [...items]
    if (edit.kind === 'put') meant.push(edit.value)
    else if (edit.kind === 'replace') meant[edit.index] = edit.value
    else meant.splice(edit.index, 1)
    expect(now.flatMap(({ value }) => value)).toEqual(meant)
    expect(editor.items(edit.key)).toEqual(meant)
  }
  if (given.length === 0) {
    expect(editor.text.startsWith(text)).toBe(true)
    expect(lexemes(editor.text.slice(text.length))[0]).toStartWith(edit.key[0]!)
    if (edit.kind === 'set') editor.removeValue(edit.key)
    else editor.removeItem(edit.key, 0)
    expect(editor.text).toBe(text)
    return `${edit.kind} of an absent key`
  }
  if (now.length < given.length) {
    // a line as pengx adds it, at the end of the file
    expect(text.startsWith(editor.text)).toBe(true)
    expect(text.slice(editor.text.length)).toMatch(/^\n?[a-z]+ = \[ "[^\n]*" \]\n?$/)
    return 'take of a whole line'
  }
  expect(now.map(({ op }) => op)).toEqual(given.map(({ op }) => op))
  if (edit.kind === 'set') checkReplaced(text, editor.text, given[0]!.node, edit.value)
  else if (edit.kind === 'replace') {
    checkReplaced(text, editor.text, findItem(given, edit.index).item, edit.value)
  } else if (edit.kind === 'take') checkTaken(text, editor.text, given, edit.index)
  else {
    checkPut(text, editor.text, given)
    editor.removeItem(edit.key, items.length)
    expect(editor.text).toBe(text)
  }
  return given.length > 1 ? `${edit.kind} in several lists` : edit.kind
}

/** The forms in which what is edited stands. */
function formsOf(text: string, edit: Edit): string[] {
  const given = parseStatements(text).filter((statement) => statement.key === edit.key)
  const lists = given.map(({ node }) => node).filter((node) => node.kind === 'list')
  const all = given.map((one) => cut(text, one)).join('\n')
  const found: [string, boolean][] = [
    ['no line end', text !== '' && !text.endsWith('\n')],
    ['several statements in a line', /[^\n];[^\n]/.test(text)],
    ['bytes that are no UTF-8', !text.isWellFormed()],
    ['of them in what is edited', !all.isWellFormed()],
    ['single quotes', all.includes("'")],
    ['escapes', all.includes('\\')],
    ['added', given.some(({ op }) => op === '+=')],
    ['a number', given.some(({ node }) => node.kind === 'number')],
    ['[]', lists.some((list) => cut(text, list) === '[]')],
    ['[ ]', lists.some((list) => /^\[[ \t]+\]$/.test(cut(text, list)))],
    ['an empty list of several lines', lists.some((list) => list.items.length === 0 && cut(text, list).includes('\n'))],
    ['a comma at the end', lists.some((list) => list.items.length > 0 && list.commas.length === list.items.length)],
    ['a comment between items', lists.some((list) => /#/.test(cut(text, list)) && list.items.length > 1)],
    ['a comment before a comma', lists.some((list) => /#[^\n]*\n\s*,/.test(cut(text, list)))],
    ['an item a line', lists.some((list) => /^\[(\n *[^\n]*,)+\n *[^\n]*,?\n\]$/.test(cut(text, list)))],
    ['four items', lists.some((list) => list.items.length === 4)],
  ]
  return found.flatMap(([name, isSo]) => (isSo ? [name] : []))
}

/** Most edits are of what is there: a random number picks the statement and keeps the index within its list. */
function aim(edit: Edit, text: string, pick: number): Edit {
  const statements = parseStatements(text)
  const isList = ({ node }: XlStatement) => (node.kind === 'list') !== (edit.kind === 'set')
  const fit = pick % 8 === 2 ? statements : statements.filter(isList)
  const chosen = fit[pick % Math.max(1, fit.length)]?.key
  if (pick % 8 === 0 || chosen === undefined) return edit
  const aimed = { ...edit, key: chosen }
  if (!('index' in aimed) || pick % 8 === 1) return aimed
  const count = statements.filter((one) => one.key === chosen).flatMap(({ value }) => value).length
  return { ...aimed, index: aimed.index % Math.max(1, count) }
}

const REACHED = [
  ...['set', 'put', 'replace', 'take', 'put in several lists', 'replace in several lists', 'take in several lists'],
  ...['set of an absent key', 'put of an absent key', 'take of a whole line'],
  ...['set', 'put', 'replace', 'take'].map((kind) => `${kind} refused: given twice`),
  ...['a list', 'put together', 'an added number'].map((why) => `set refused: ${why}`),
  ...['put', 'replace', 'take'].flatMap((kind) => [
    `${kind} refused: no list`,
    `${kind} refused: an item that is a list`,
  ]),
  ...['replace refused: no such item', 'take refused: no such item'],
  ...['no line end', 'several statements in a line', 'bytes that are no UTF-8', 'of them in what is edited'],
  ...['single quotes', 'escapes', 'added', 'a number', '[]', '[ ]', 'an empty list of several lines', 'four items'],
  ...['a comma at the end', 'a comment between items', 'a comment before a comma', 'an item a line'],
]

test('of any configuration only what is edited changes, and it reads as it was meant', () => {
  const reached = new Map<string, number>()
  const count = (name: string) => reached.set(name, (reached.get(name) ?? 0) + 1)
  fc.assert(
    fc.property(anyConfigText, anyEdit, fc.nat(), (text, edit, pick) => {
      const aimed = aim(edit, text, pick)
      const outcome = check(text, aimed)
      count(outcome)
      if (!outcome.includes('refused')) for (const form of formsOf(text, aimed)) count(form)
    }),
    { numRuns: 10_000 },
  )
  // a form that is not met is not proved
  expect(REACHED.filter((name) => (reached.get(name) ?? 0) < 20)).toEqual([])
})
