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
    mac: (known.get('mac') ?? '').toLowerCase(),
    bridge: known.get('bridge') ?? '',
    ip: known.get('ip') ?? '',
    ...(model === undefined ? {} : { model }),
    ...(extra.length === 0 ? {} : { extra: extra.join(',') }),
  }
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
