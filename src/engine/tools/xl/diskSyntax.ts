import { PengxError } from '../../../model/error.ts'

/**
 * The words of a disk specification (xl-disk-configuration(5)) with their places, as tools/libs/util/libxlu_disk_l.l takes
 * them apart: named parameters and positional ones mixed (`TARGET, FORMAT, VDEV, ACCESS`), the deprecated prefixes
 * (`phy:`, `tap:qcow2:`, …), and `target=`, which takes the rest of the text, commas included.
 */
export interface DiskWord {
  readonly role: 'prefix' | 'path' | 'format' | 'vdev' | 'access' | 'backend' | 'type' | 'other'
  /** Of the whole word, without blanks before it and the comma behind it. */
  readonly at: number
  readonly end: number
  /** Without its name. */
  readonly value: string
  readonly isNamed: boolean
}

const NAMED: Readonly<Record<string, DiskWord['role']>> = {
  format: 'format',
  vdev: 'vdev',
  access: 'access',
  backendtype: 'backend',
  devtype: 'type',
}
const FLAGS = /^(direct-io-safe|discard|no-discard|colo|no-colo|trusted|untrusted|grant_usage=[01])$/
const KEPT = /^(backend|specification|script|colo-host|colo-port|colo-export|active-disk|hidden-disk)=/
const PREFIX = /^(raw|qcow2?|vhd|iscsi|e?nbd|drbd|tapdisk|tap2?|aio|ioemu|file|phy):/

/** `invalid` for a word or prefix that xl does not know, and for one positional word too many. */
export function readDiskWords(text: string): DiskWord[] {
  const words: DiskWord[] = []
  let at = 0
  for (;;) {
    at += /^[ \t\n]*/.exec(text.slice(at))![0].length
    const rest = text.slice(at)
    if (rest === '') return words
    if (rest.startsWith('target=')) {
      const value = rest.slice('target='.length).replace(/,$/, '')
      return [...words, { role: 'path', at, end: text.length, value, isNamed: true }]
    }
    const prefix = PREFIX.exec(rest)?.[1]
    if (prefix !== undefined) {
      words.push({ role: 'prefix', at, end: at + prefix.length, value: prefix, isNamed: false })
      at += prefix.length + 1
      continue
    }
    if (/^[a-z][a-z0-9]*:([^a-z0-9]|$)/.test(rest)) throw wrong(`unknown prefix "${rest.slice(0, rest.indexOf(':'))}"`)
    const word = /^[^,]*/.exec(rest)![0]
    words.push({ ...readWord(word, words), at, end: at + word.length })
    at += word.length + 1
  }
}

function readWord(word: string, before: readonly DiskWord[]): Pick<DiskWord, 'role' | 'value' | 'isNamed'> {
  const [, key, value] = /^([a-z][-_a-z0-9]*)=(.*)$/s.exec(word) ?? []
  if (word === 'cdrom') return { role: 'type', value: word, isNamed: false }
  if (key !== undefined && Object.hasOwn(NAMED, key)) return { role: NAMED[key]!, value: value!, isNamed: true }
  if (FLAGS.test(word) || KEPT.test(word)) return { role: 'other', value: word, isNamed: false }
  if (word.includes('=')) throw wrong(`unknown parameter "${word.slice(0, word.indexOf('='))}"`)
  return { role: positionalRole(word, before), value: word, isNamed: false }
}

function positionalRole(word: string, before: readonly DiskWord[]): DiskWord['role'] {
  const has = (role: DiskWord['role']) => before.some((one) => one.role === role)
  if (!has('path')) return 'path'
  // an empty drive has no format, so its vdev may stand in that place
  if (!has('prefix') && !has('format') && !isShortEmpty(before)) {
    return word.includes(':') && pathOf(before) === '' ? 'vdev' : 'format'
  }
  if (!has('vdev')) return 'vdev'
  if (!before.some(({ role, isNamed }) => role === 'access' && !isNamed)) return 'access'
  throw wrong('too many positional parameters')
}

/** Whether these are the words of an empty drive as xm had it, `,hdc:cdrom,r`: with no place for a format. */
export function isShortEmpty(words: readonly DiskWord[]): boolean {
  const at = words.findIndex(({ role, isNamed, value }) => role === 'vdev' && !isNamed && value.includes(':'))
  const before = words.slice(0, Math.max(0, at))
  return pathOf(before) === '' && !before.some(({ role }) => role === 'prefix' || role === 'format')
}

function pathOf(words: readonly DiskWord[]): string | undefined {
  return words.find(({ role }) => role === 'path')?.value
}

function wrong(what: string): PengxError {
  return new PengxError('invalid', `a disk specification is wrong: ${what}`)
}
