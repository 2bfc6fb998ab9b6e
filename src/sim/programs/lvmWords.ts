/** How lvm2's programs are asked, and what of a simulated machine they mean. */
import { hintedGroups } from '../machine/groups.ts'
import type { Call } from '../machine/program.ts'
import type { LogicalVolume, PmState, VolumeGroup } from '../machine/state.ts'

export interface LvmWords {
  readonly values: ReadonlyMap<string, string>
  readonly words: readonly string[]
}

const SHORT: Record<string, string> = {
  L: 'size',
  l: 'extents',
  V: 'virtualsize',
  n: 'name',
  T: 'thin',
  s: 'snapshot',
  a: 'activate',
  k: 'setactivationskip',
  K: 'ignoreactivationskip',
  p: 'permission',
  W: 'wipesignatures',
  Z: 'zero',
  o: 'options',
  S: 'select',
  O: 'sort',
  y: 'yes',
  q: 'quiet',
  f: 'force',
}
const FLAGS = new Set(
  'refresh thin snapshot ignoreactivationskip yes quiet force noheadings nosuffix all binary'.split(' '),
)

/** lvm2's options by their long names, with or without a blank before the value. */
export function lvmWords(argv: readonly string[]): LvmWords {
  const values = new Map<string, string>()
  const words: string[] = []
  for (let at = 1; at < argv.length; at++) {
    const word = argv[at]!
    if (word.startsWith('--')) {
      const [name = '', ...rest] = word.slice(2).split('=')
      if (rest.length > 0) values.set(name, rest.join('='))
      else values.set(name, FLAGS.has(name) ? '' : (argv[++at] ?? ''))
    } else if (word.startsWith('-') && word.length > 1) {
      const name = SHORT[word[1]!] ?? word[1]!
      if (FLAGS.has(name)) for (const letter of word.slice(1)) values.set(SHORT[letter] ?? letter, '')
      else values.set(name, word.slice(2) || (argv[++at] ?? ''))
    } else words.push(word)
  }
  return { values, words }
}

export function fail(call: Call, words: string): 5 {
  call.err(`  ${words}\n`)
  return 5
}

/** A group and perhaps a volume of it, from `vg/lv`, `/dev/vg/lv` or `vg`. */
export function findVolume(pm: PmState, word: string): { group?: VolumeGroup; volume?: LogicalVolume; name?: string } {
  const [groupName, name] = word.replace(/^\/dev\//, '').split('/')
  const group = hintedGroups(pm).find((one) => one.name === groupName)
  return { group, name, volume: group?.volumes.find((one) => one.name === name) }
}

/** What of the group's space is taken: thin volumes take of their pool. */
export function groupFreeBytes(group: VolumeGroup): number {
  return group.volumes.reduce((free, one) => (one.segType === 'thin' ? free : free - one.sizeBytes), group.sizeBytes)
}

/** Of an option that may be given more than once. */
export function all({ argv }: Call, option: string): string[] {
  return argv.flatMap((word, at) => (word === option ? [argv[at + 1] ?? ''] : []))
}
