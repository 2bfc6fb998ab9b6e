import { PengxError } from '../../../model/error.ts'
import { applySplices, putIntoList, type Splice, takeFromList } from './editList.ts'
import { parseStatements, quoteString, quoteWith, type XlAtom, type XlList, type XlStatement } from './syntax.ts'

/**
 * Changes one value or list item of xl.cfg(5) text in its place and leaves every other byte as it is. What cannot be
 * changed safely (a key given twice, a value put together by `+=`, one of another kind) is refused as `invalid`, with
 * source, key and lines, before anything has changed; a message never repeats a value, which may be a password.
 */
export interface XlEditor {
  /** As it is now. */
  readonly text: string
  /** A string or number, in its own place and quotes; a key that is absent gets a line of its own at the end. */
  setValue(key: string, value: string | number): void
  /** Takes away a line that `setValue` has appended, as long as it is the last; anything else is refused. */
  removeValue(key: string): void
  /** A list's items as xl reads them, over all statements `=` and `+=` that make it up; up to one that is no string. */
  items(key: string): readonly string[]
  replaceItem(key: string, index: number, item: string): void
  /** Behind the last; a key that is absent gets a line of its own at the end. */
  insertItem(key: string, item: string): void
  removeItem(key: string, index: number): void
}

/** `invalid` where xl would not read the text; `source` is what messages call it. */
export function openEditor(text: string, source: string): XlEditor {
  let now = text
  let statements = readAll(text, source)

  const change = (splices: readonly Splice[]) => {
    const changed = applySplices(now, splices)
    statements = readAll(changed, source)
    now = changed
  }
  const given = (key: string) => statements.filter((statement) => statement.key === key)
  const refuse = (line: number, what: string) => new PengxError('invalid', `${source}:${line}: ${what}`)

  const refuseReplaced = (key: string, [first, ...later]: readonly XlStatement[]) => {
    const again = later.find(({ op }) => op === '=')
    if (again) {
      throw refuse(
        first!.line,
        `${key} is given again in line ${again.line}: take away the one that is not meant first`,
      )
    }
  }

  /** The one place of a string or number; undefined: there is none. */
  const findAtom = (key: string): XlAtom | undefined => {
    const all = given(key)
    const [first, second] = all
    if (!first) return undefined
    refuseReplaced(key, all)
    if (second) {
      throw refuse(first.line, `${key} is put together by "+=" in line ${second.line}: write it as one value first`)
    }
    if (first.node.kind === 'list') throw refuse(first.line, `${key} is a list where one value is wanted`)
    return first.node
  }

  /** The lists that make up one, in their order. */
  const findLists = (key: string): XlList[] => {
    const all = given(key)
    refuseReplaced(key, all)
    return all.map(({ node, line }) => {
      if (node.kind !== 'list') throw refuse(line, `${key} is one value where a list is wanted`)
      if (node.items.some(({ kind }) => kind === 'list')) throw refuse(line, `${key} has an item that is no string`)
      return node
    })
  }

  const findItem = (key: string, index: number): { list: XlList; at: number; item: XlAtom } => {
    let before = 0
    for (const list of findLists(key)) {
      const item = list.items[index - before]
      if (item && item.kind !== 'list') return { list, at: index - before, item }
      before += list.items.length
    }
    throw new PengxError('invalid', `${source}: ${key} has no item ${index + 1}`)
  }

  const append = (key: string, value: string) => {
    const line = `${key} = ${value}`
    change([{ at: now.length, end: now.length, text: now === '' || now.endsWith('\n') ? `${line}\n` : `\n${line}` }])
  }

  /** The last line, where it is what `append` makes. */
  const findAppended = (key: string, value: string): Splice | undefined => {
    const [statement, ...others] = given(key)
    if (!statement || others.length > 0) return undefined
    const { at } = statement
    const line = `${key} = ${value}`
    const startsLine = at === 0 || now[at - 1] === '\n'
    if (!startsLine || now.slice(at).replace(/\n$/, '') !== line) return undefined
    return { at: now.endsWith('\n') ? at : Math.max(0, at - 1), end: now.length, text: '' }
  }

  return {
    get text() {
      return now
    },
    setValue(key, value) {
      checkKey(key)
      const atom = findAtom(key)
      const written = writeAtom(value, atom)
      if (!atom) append(key, written)
      else if (atom.text !== `${value}`) {
        if (typeof value === 'number' && given(key)[0]!.op === '+=') {
          throw refuse(given(key)[0]!.line, `${key} is a number that is added, which xl does not read`)
        }
        change([{ at: atom.at, end: atom.end, text: written }])
      }
    },
    removeValue(key) {
      const atom = findAtom(key)
      const line = atom && findAppended(key, atom.kind === 'number' ? atom.text : quoteString(atom.text))
      if (!line) throw new PengxError('invalid', `${source}: ${key} is not what pengx has added at the end`)
      change([line])
    },
    items(key) {
      const all = given(key)
      const from = all.findLastIndex(({ op }) => op === '=')
      const items = all.slice(Math.max(0, from)).flatMap(({ node }) => (node.kind === 'list' ? node.items : []))
      const end = items.findIndex(({ kind }) => kind === 'list')
      return (end < 0 ? items : items.slice(0, end)).map((item) => (item as XlAtom).text)
    },
    replaceItem(key, index, text) {
      const { item } = findItem(key, index)
      const written = writeAtom(text, item)
      if (item.text !== text) change([{ at: item.at, end: item.end, text: written }])
    },
    insertItem(key, text) {
      checkKey(key)
      const lists = findLists(key)
      const list = lists.findLast(({ items }) => items.length > 0) ?? lists.at(-1)
      const neighbour = list?.items.at(-1) as XlAtom | undefined
      const written = writeAtom(text, neighbour)
      if (!list) return append(key, `[ ${written} ]`)
      const splices = putIntoList(now, list, written)
      change(splices)
      // an owner's `disk = [ ]` must not look like a line that goes away with its item
      const looksAppended = findAppended(key, `[ ${written} ]`) !== undefined
      if (looksAppended) change([{ at: list.end - 1 + written.length, end: list.end + written.length, text: '' }])
    },
    removeItem(key, index) {
      const { list, at, item } = findItem(key, index)
      const appended = list.items.length === 1 && findAppended(key, `[ ${quoteString(item.text)} ]`)
      change(appended ? [appended] : takeFromList(now, list, at))
    },
  }
}

/** As parseStatements, and refused where only the whole file is wrong for xl. */
function readAll(text: string, source: string): XlStatement[] {
  const statements = parseStatements(text, source)
  const kinds = new Map<string, boolean>()
  for (const { key, op, node, line } of statements) {
    const isList = node.kind === 'list'
    if (op === '+=' && (kinds.get(key) ?? isList) !== isList) {
      throw new PengxError('invalid', `${source}:${line}: ${key} += adds a list to a string, or the other way`)
    }
    kinds.set(key, isList)
  }
  // libxlu's lexer knows a comment by its line end
  if (text.slice(Math.max(statements.at(-1)?.end ?? 0, text.lastIndexOf('\n') + 1)).includes('#')) {
    throw new PengxError(
      'invalid',
      `${source}: xl does not read a file whose last line is a comment without a line end`,
    )
  }
  return statements
}

function checkKey(key: string): void {
  if (!/^[a-z][._0-9a-z]*$/.test(key)) throw new PengxError('invalid', `"${key}" is no name of a parameter`)
}

/** As the one beside it, or in its place, is written: in its quotes, or bare. */
function writeAtom(value: string | number, like: XlAtom | undefined): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new PengxError('invalid', 'a configuration holds whole numbers only')
  }
  const text = `${value}`
  // libxlu ends a value at a NUL; of lone surrogates only those that stand for bytes can be written
  if (/[\0\ud800-\udc7f\udd00-\udfff]/u.test(text)) {
    throw new PengxError('invalid', 'a value holds what a configuration cannot')
  }
  const mayBeBare = like ? like.kind === 'number' : typeof value === 'number'
  return mayBeBare && /^[0-9][0-9a-fx]*$/.test(text) ? text : quoteWith(like?.quote ?? '"', text)
}
