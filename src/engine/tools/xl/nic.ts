import { PengxError } from '../../../model/error.ts'
import type { Nic } from '../../../model/nic.ts'

/** Network specifications of xl-network-configuration(5): `key=value` words between commas, blanks before them ignored. */

export function parseNic(text: string, index: number): Nic {
  const known = new Map<string, string>()
  const extra: string[] = []
  for (const part of text.split(',')) {
    const word = part.replace(/^ +/, '')
    if (word === '') continue
    const [, key, value] = /^(mac|bridge|ip|model)=(.*)$/s.exec(word) ?? []
    if (key === undefined) extra.push(word)
    else known.set(key, value!)
  }
  const model = known.get('model')
  return {
    id: 0,
    name: `eth${index}`,
    mac: normalMac(known.get('mac') ?? ''),
    bridge: known.get('bridge') ?? '',
    ip: known.get('ip') ?? '',
    ...(model === undefined ? {} : { model }),
    ...(extra.length === 0 ? {} : { extra: extra.join(',') }),
  }
}

/** As xl takes it: six hexadecimal numbers, with or without a zero before them and blanks behind. */
function normalMac(text: string): string {
  const numbers = text.trim().toLowerCase().split(':')
  const isMac = numbers.length === 6 && numbers.every((number) => /^[0-9a-f]{1,2}$/.test(number))
  return isMac ? numbers.map((number) => number.padStart(2, '0')).join(':') : text.toLowerCase()
}

/** What is empty is left to xl: a MAC address of its choice, the bridge that xl.conf(5) names. */
export function formatNic(nic: Nic): string {
  return nicWords(nic).join(',')
}

/** The same as words of a command line. */
export function nicWords(nic: Nic): string[] {
  return [
    ...(nic.mac === '' ? [] : [`mac=${nic.mac}`]),
    ...(nic.bridge === '' ? [] : [`bridge=${nic.bridge}`]),
    ...(nic.ip === '' ? [] : [`ip=${nic.ip}`]),
    ...(nic.model === undefined ? [] : [`model=${nic.model}`]),
    ...(nic.extra === undefined ? [] : nic.extra.split(',')),
  ]
}

/** A specification in which these words are changed and no others; an empty one goes away. */
export function editNicItem(item: string, to: Partial<Pick<Nic, 'bridge' | 'ip' | 'mac' | 'model'>>): string {
  const parts = item.split(',')
  for (const key of ['mac', 'bridge', 'ip', 'model'] as const) {
    const value = to[key]
    if (value === undefined) continue
    if (value.includes(',')) throw new PengxError('invalid', `no ${key} of an interface can hold a comma`)
    const isIt = (part: string) => part.trimStart().startsWith(`${key}=`)
    if (!parts.some(isIt)) {
      if (value !== '') addWord(parts, `${key}=${value}`)
      continue
    }
    // of a word that is given twice the last counts
    for (let index = parts.length - 1; index >= 0; index--) {
      if (!isIt(parts[index]!)) continue
      if (value === '') removeWord(parts, index)
      else parts[index] = sayWord(parts[index]!, key, value)
    }
  }
  return parts.join(',')
}

const blanksOf = (part: string) => /^ */.exec(part)![0]

function sayWord(part: string, key: string, value: string): string {
  const word = `${key}=${value}`
  const isSame = key === 'mac' && part.trim().toLowerCase() === word.toLowerCase()
  return isSame ? part : blanksOf(part) + word
}

/** Behind the last, with the blanks that stand there. */
function addWord(parts: string[], word: string): void {
  const last = parts.at(-1)!
  if (last.trim() === '') parts[parts.length - 1] = last + word
  else parts.push(parts.length > 1 ? blanksOf(last) + word : word)
}

function removeWord(parts: string[], index: number): void {
  const [removed] = parts.splice(index, 1)
  if (parts.length === 0) parts.push('')
  else if (index === 0) parts[0] = blanksOf(removed!) + parts[0]!.replace(/^ */, '')
}
