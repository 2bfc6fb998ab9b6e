import { screens } from '../catalog.ts'
import { EVERYWHERE } from './keys.ts'

/**
 * Keys of one's own: by the name of an operation (`vm.start`) or by what a key is called in help (`freeze`), the keys
 * that shall mean the same. They are added, never taken away, and never one that moves or a digit of a place.
 */
export function aliasesOf(wanted: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, string> {
  const rows = [...screens.flatMap(({ keys }) => keys), ...EVERYWHERE]
  const taken = new Set([...rows.map(({ key }) => key), ...MOVING_KEYS, ...'12345678'])
  const aliases = new Map<string, string>()
  for (const [action, keys] of Object.entries(wanted)) {
    const row = rows.find(({ operation, title }) => operation === action || title === action)
    if (row === undefined) continue
    for (const key of keys) if (!taken.has(key)) aliases.set(key, row.key)
  }
  return aliases
}

const MOVING_KEYS = [
  ...'hjklgGv*',
  'space',
  'up',
  'down',
  'left',
  'right',
  'home',
  'end',
  'pageup',
  'pagedown',
  'ctrl-d',
  'ctrl-u',
  'ctrl-c',
]
