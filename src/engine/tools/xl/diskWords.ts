import { isDeepStrictEqual } from 'node:util'
import { type DiskSpec, formatDisk, parseDisk } from './disk.ts'
import { type DiskWord, isShortEmpty, readDiskWords } from './diskSyntax.ts'
import { applySplices, type Splice } from './editList.ts'

/** What is changed of a disk; `backend: undefined` leaves the choice to libxl again. */
export type DiskChange = Partial<Pick<DiskSpec, 'path' | 'format' | 'readOnly' | 'backend'>>

/**
 * A disk specification in which the words that say these things are changed and no others, positional ones, named ones
 * and prefixes alike. Where its words cannot say it (a comma in a path that has its place first, a prefix that speaks of a
 * device where a file is meant), the whole is written anew. An image put into an empty drive is `raw` unless told.
 */
export function editDiskItem(item: string, to: DiskChange): string {
  const before = parseDisk(item)
  const meant = applyChange(before, to)
  if (isDeepStrictEqual(before, meant)) return item
  const edited = editWords(item, before, meant)
  return edited !== undefined && isReadAs(edited, meant) ? edited : formatDisk(meant)
}

function applyChange(before: DiskSpec, to: DiskChange): DiskSpec {
  const { backend: _, ...changed } = { ...before, ...to }
  const { backend } = { ...before, ...to }
  const isEmpty = changed.cdrom && changed.path === ''
  const format = changed.format === 'empty' && !isEmpty && to.format === undefined ? 'raw' : changed.format
  return {
    ...changed,
    format: isEmpty ? 'empty' : format,
    readOnly: changed.readOnly || changed.cdrom,
    ...(backend === undefined ? {} : { backend }),
  }
}

function isReadAs(item: string, meant: DiskSpec): boolean {
  try {
    return isDeepStrictEqual(parseDisk(item), meant)
  } catch {
    return false
  }
}

/** Undefined where the words at hand cannot say it. */
function editWords(item: string, before: DiskSpec, meant: DiskSpec): string | undefined {
  const words = readDiskWords(item)
  const splices: Splice[] = []
  const added: string[] = []
  const edits = [editPath, editFormat, editAccess, editBackend]
  if (!edits.every((edit) => edit({ words, before, meant, splices, added }))) return undefined
  return applySplices(item, [...splices, ...placeWords(item, words, added)])
}

interface Work {
  readonly words: readonly DiskWord[]
  readonly before: DiskSpec
  readonly meant: DiskSpec
  readonly splices: Splice[]
  /** Words that stand nowhere yet. */
  readonly added: string[]
}

function editPath({ words, before, meant: { path, format }, splices, added }: Work): boolean {
  if (path === before.path) return true
  const word = words.findLast(({ role }) => role === 'path')
  // one comma at the end is taken off again
  const target = `target=${path}${path.endsWith(',') ? ',' : ''}`
  if (!word) added.push(target)
  else if (word.isNamed) splices.push({ at: word.at, end: word.end, text: target })
  else {
    const isKept = path === '' || before.path === '' || isDevice(path) === isDevice(before.path)
    if (!isKept && words.some(({ role }) => role === 'prefix')) return false
    const next = words[words.indexOf(word) + 1]
    // what an image has brought goes with it: `IMAGE,,hdc:cdrom` was `,hdc:cdrom`
    if (path === '' && next?.value === '' && words.some(isShortVdev)) {
      splices.push({ at: word.at, end: next.at, text: '' })
      return true
    }
    const text = isShortEmpty(words) ? `${path},${format === 'raw' ? '' : format}` : path
    splices.push({ at: word.at, end: word.end, text })
  }
  return true
}

function editFormat({ words, before, meant, splices, added }: Work): boolean {
  const { format } = meant
  // a drive is empty for want of a path
  if (format === before.format || (meant.cdrom && meant.path === '')) return true
  // it goes in with the path
  if (isShortEmpty(words)) return true
  const said = words.filter(isFormat)
  for (const { role, value, isNamed, at, end } of said) {
    if (role === 'prefix' && !FORMAT_PREFIX.test(format)) return false
    if ((value || 'raw') !== format) splices.push({ at, end, text: isNamed ? `format=${format}` : format })
  }
  if (said.length > 0 || format === 'raw') return true
  // `phy:` and its like stand for raw
  if (words.some(({ role }) => role === 'prefix')) return false
  added.push(`format=${format}`)
  return true
}

function editAccess({ words, before, meant: { readOnly }, splices, added }: Work): boolean {
  if (readOnly === before.readOnly) return true
  const said = words.filter(({ role }) => role === 'access')
  for (const { value, isNamed, at, end } of said) {
    const isShort = value === 'r' || value === 'w'
    const access = readOnly ? (isShort ? 'r' : 'ro') : isShort ? 'w' : 'rw'
    splices.push({ at, end, text: isNamed ? `access=${access}` : access })
  }
  if (said.length > 0) return true
  const last = words.at(-1)
  added.push(last?.role === 'vdev' && !last.isNamed ? 'ro' : 'access=ro')
  return true
}

function editBackend({ words, before, meant: { backend }, splices, added }: Work): boolean {
  if (backend === before.backend) return true
  const said = words.filter(({ role }) => role === 'backend')
  if (said.length === 0) added.push(`backendtype=${backend}`)
  for (const word of said) {
    const next = words[words.indexOf(word) + 1]
    const previous = words[words.indexOf(word) - 1]
    if (backend !== undefined) splices.push({ at: word.at, end: word.end, text: `backendtype=${backend}` })
    else if (next) splices.push({ at: word.at, end: next.at, text: '' })
    else splices.push({ at: previous?.end ?? word.at, end: word.end, text: '' })
  }
  return true
}

/** New words go to the end, but before `target=`, which takes all that is behind it. */
function placeWords(item: string, words: readonly DiskWord[], added: readonly string[]): Splice[] {
  if (added.length === 0) return []
  const text = added.join(',')
  const target = words.find(({ role, isNamed }) => role === 'path' && isNamed)
  if (target) return [{ at: target.at, end: target.at, text: `${text},` }]
  const end = item.trimEnd().length
  return [{ at: end, end, text: item.trimEnd().endsWith(',') ? text : `,${text}` }]
}

/** `hdc:cdrom`, as xm had it. */
const isShortVdev = ({ role, value, isNamed }: DiskWord) => role === 'vdev' && !isNamed && value.includes(':')

const FORMAT_PREFIX = /^(raw|qcow2?|vhd)$/

function isFormat({ role, value }: DiskWord): boolean {
  return role === 'format' || (role === 'prefix' && FORMAT_PREFIX.test(value))
}

function isDevice(path: string): boolean {
  return path.startsWith('/dev/')
}
