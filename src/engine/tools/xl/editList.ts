import type { XlList } from './syntax.ts'

/**
 * Where an item goes into a list of xl.cfg(5), and what goes with it when it leaves. Between `[`, items, commas and `]`
 * stand blanks, line ends and comments; a comment is never taken away and stays on the line of what it stands behind.
 * What is put in and taken out again leaves the very bytes: an item takes away the comma that it brought, which is the one
 * behind it in a list that ends in a comma (libxlu allows that) and the one before it in any other.
 */
export interface Splice {
  readonly at: number
  readonly end: number
  /** What stands there afterwards. */
  readonly text: string
}

/** The text with pieces of it replaced; they do not overlap. */
export function applySplices(text: string, splices: readonly Splice[]): string {
  let result = text
  for (const { at, end, text: piece } of [...splices].sort((a, b) => b.at - a.at)) {
    result = result.slice(0, at) + piece + result.slice(end)
  }
  return result
}

/** Puts an item, as it is written, behind the last one, with the separator that stands before that. */
export function putIntoList(text: string, list: XlList, item: string): Splice[] {
  const { items, commas } = list
  const last = items.at(-1)
  if (last === undefined) return [intoEmpty(text, list, item)]
  const endsInComma = commas.length === items.length
  const from = endsInComma ? commas.at(-1)! + 1 : last.end
  const comment = /^[ \t]*#[^\n]*\n/.exec(text.slice(from, list.end))?.[0]
  if (comment !== undefined) {
    const line = `${indentAt(text, last.at)}${item}${endsInComma ? ',' : ''}\n`
    return [...(endsInComma ? [] : [insert(last.end, ',')]), insert(from + comment.length, line)]
  }
  const { before, after } = separator(text, list)
  return [insert(from, endsInComma ? `${after}${item}${before},` : `${before},${after}${item}`)]
}

/** Takes one item out, with one comma. */
export function takeFromList(text: string, list: XlList, index: number): Splice[] {
  const { items, commas } = list
  const item = items[index]!
  const comma = commas[index]
  const commaBefore = commas[index - 1]
  if (comma === undefined && commaBefore !== undefined) return takeLast(text, list)
  const end = comma === undefined ? item.end : comma + 1
  const next = items[index + 1]
  const behind = text.slice(end, next?.at ?? list.end - 1)
  const beforeComma = text.slice(item.end, comma ?? item.end)
  if (hasComment(beforeComma) || (beforeComma.includes('\n') && startsWithComment(behind))) {
    return [cut(item.at, item.end), cut(end - 1, end)]
  }
  if (commaBefore !== undefined) {
    const before = text.slice(commaBefore + 1, item.at)
    const leavesLineWhole = !before.includes('\n') || (next ? startsWithLineEnd(behind) : !startsWithComment(behind))
    if (!hasComment(before) && leavesLineWhole) return [cut(commaBefore + 1, end)]
  }
  const line = lineOfItsOwn(text, item.at, end)
  if (line) return [line]
  if (next) return [cut(item.at, hasComment(behind) ? end : next.at)]
  // `[ "a" ]` becomes `[ ]`, and `["a"]` becomes `[]`
  const isBetweenBlanks = items.length === 1 && /^[ \t]*$/.test(behind) && behind === text.slice(list.at + 1, item.at)
  return [cut(item.at, isBetweenBlanks ? end + behind.length : end)]
}

/** The last item of several, with no comma behind it: the one before it goes. */
function takeLast(text: string, { items, commas }: XlList): Splice[] {
  const item = items.at(-1)!
  const comma = commas.at(-1)!
  const { end } = items.at(-2)!
  const before = text.slice(end, item.at)
  const isOnLineOfComment = before.includes('\n') && startsWithComment(text.slice(item.end))
  if (!hasComment(before) && !isOnLineOfComment) return [cut(end, item.end)]
  return [cut(comma, comma + 1), lineOfItsOwn(text, item.at, item.end) ?? cut(item.at, item.end)]
}

function intoEmpty(text: string, { at, end }: XlList, item: string): Splice {
  const inner = text.slice(at + 1, end - 1)
  const lineStart = inner.lastIndexOf('\n') + 1
  if (lineStart === 0) return insert(end - 1, item + inner)
  return insert(at + 1 + lineStart, `${inner.slice(lineStart)}  ${item}\n`)
}

/** What stands around the comma before the last item, comments and empty lines left out. */
function separator(text: string, { at, items, commas }: XlList): { before: string; after: string } {
  const last = items.at(-1)!
  const previous = items.at(-2)
  if (previous === undefined) {
    const opening = text.slice(at + 1, last.at)
    return { before: '', after: opening.includes('\n') ? lastLine(opening) : ' ' }
  }
  const comma = commas[items.length - 2]!
  return { before: lastLine(text.slice(previous.end, comma)), after: lastLine(text.slice(comma + 1, last.at)) }
}

function lastLine(gap: string): string {
  return gap.slice(Math.max(0, gap.lastIndexOf('\n')))
}

/** The blanks that bring something below what stands at an offset. */
function indentAt(text: string, at: number): string {
  return text.slice(text.lastIndexOf('\n', at - 1) + 1, at).replace(/[^\t]/g, ' ')
}

/** The whole line, if nothing else is on it. */
function lineOfItsOwn(text: string, at: number, end: number): Splice | undefined {
  const start = text.lastIndexOf('\n', at - 1) + 1
  const lineEnd = text.indexOf('\n', end)
  if (lineEnd < 0 || text.slice(start, at).trim() !== '' || text.slice(end, lineEnd).trim() !== '') return undefined
  return cut(start, lineEnd + 1)
}

/** Of what stands between two tokens: a comment, or nothing that is seen. */
function hasComment(gap: string): boolean {
  return gap.includes('#')
}

function startsWithComment(gap: string): boolean {
  return /^[ \t]*#/.test(gap)
}

function startsWithLineEnd(gap: string): boolean {
  return /^[ \t]*\n/.test(gap)
}

function insert(at: number, text: string): Splice {
  return { at, end: at, text }
}

function cut(at: number, end: number): Splice {
  return { at, end, text: '' }
}
