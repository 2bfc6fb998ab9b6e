import type { Finding } from '../../../model/finding.ts'
import { isSameVolume } from '../../volumes/identity.ts'
import { awayOn, type Check, type Entry, finding, isBusy, type KnownVolume, type PmFacts } from '../facts.ts'

/** What is written down of volumes, against what lies there: whether they are there, their headers, what they lie on. */
export const checkVolumes: Check = (facts) => {
  const listed = new Map(facts.places.flatMap(({ entries }) => entries.map((entry) => [entry.path, entry] as const)))
  return facts.volumes.flatMap((volume) => {
    const pm = facts.pms.get(volume.pm)
    // of what nobody can look at nothing can be told but that, which is told once
    if (pm === undefined || isBusy(facts, volume.owner)) return []
    if (volume.storlink !== undefined && awayOn(facts, volume.storlink, volume.pm) !== undefined) return []
    if (pm.ids.has(volume.path)) return [...checkHeader(volume, pm), ...checkBytes(volume, pm)]
    // an inactive logical volume is there, and has no device
    return listed.get(volume.path)?.kind === 'volume' ? [] : [missing(volume, listed.get(`${volume.path}.aside`))]
  })
}

function missing({ path, pm, owner, role, title }: KnownVolume, aside: Entry | undefined): Finding {
  const hint = aside ? `; ${aside.path} is there: it was set aside, and belongs back under its name` : ''
  const isBackup = role === 'backup' || role === 'manifest'
  const repair = isBackup ? { operation: 'backup.verify', params: { backup: owner.id } } : undefined
  return finding('VOLUME_MISSING', owner, `${title} is not there: ${path}${hint}`, { pm, path, repair })
}

function checkHeader(volume: KnownVolume, { pm, ids, headers }: PmFacts): Finding[] {
  const { path, owner, title, sizeMib } = volume
  const header = headers.get(path)
  const where = { pm: pm.uuid, path }
  if (volume.format !== 'qcow2' || header === undefined) return []
  if ('problem' in header) {
    const text = `${title} (${path}): ${header.problem}`
    const isOther = /not in qcow2 format/i.test(header.problem)
    return [finding(isOther ? 'FORMAT_DIFFERS' : 'IMAGE_UNREADABLE', owner, text, where)]
  }
  const found: Finding[] = []
  if (header.corrupt || header.damage !== undefined) {
    const why = header.damage ?? 'QEMU has marked it so and opens it no more for writing'
    found.push(finding('IMAGE_CORRUPT', owner, `${title} (${path}) is damaged: ${why}`, where))
  }
  if (sizeMib !== undefined && header.sizeMib !== sizeMib) {
    const text = `${title} (${path}) has ${header.sizeMib} MiB, and ${sizeMib} MiB are written down`
    found.push(finding('SIZE_DIFFERS', owner, text, where))
  }
  const { below } = volume
  if (below === undefined || isSame(below ?? undefined, header.backing, ids)) return found
  const [is, should] = [header.backing ?? 'nothing', below ?? 'nothing']
  found.push(finding('CHAIN_DIFFERS', owner, `${title} (${path}) lies on ${is}, and ${should} is written down`, where))
  return found
}

/** A raw image is as long as its file; a device may be longer. */
function checkBytes({ path, owner, title, format, sizeMib, role }: KnownVolume, { pm, bytes }: PmFacts): Finding[] {
  const length = bytes.get(path)
  if (format !== 'raw' || sizeMib === undefined || role === 'manifest' || length === undefined) return []
  const mib = Math.ceil(length / (1024 * 1024))
  if (mib === sizeMib) return []
  const text = `${title} (${path}) has ${mib} MiB, and ${sizeMib} MiB are written down`
  return [finding('SIZE_DIFFERS', owner, text, { pm: pm.uuid, path })]
}

function isSame(one: string | undefined, other: string | undefined, ids: PmFacts['ids']): boolean {
  if (one === other) return true
  if (one === undefined || other === undefined) return false
  const [a, b] = [ids.get(one), ids.get(other)]
  return a !== undefined && b !== undefined && isSameVolume(a, b, true)
}
