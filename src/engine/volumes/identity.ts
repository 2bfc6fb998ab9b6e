import { PengxError } from '../../model/error.ts'
import { rbdImageOf, rbdSpec } from '../../model/storage/rbdImage.ts'
import type { Host } from '../host/host.ts'
import { run } from '../host/run.ts'
import { parseVolumeIdentity, volumeIdentity } from '../tools/lvm.ts'
import { type FileSeen, parseVolumeUse, showVolumeUse, type VolumeUse } from '../tools/volumeUse.ts'
import { deviceKeys, fileKeys } from './identityKeys.ts'
import { runRescanning } from './rescan.ts'

/**
 * Which volume a path on a PM really is, whatever its spelling and through whatever link, and which domains have it there.
 */

/** Two are the same volume when they have a key in common (`isSameVolume`). */
export interface VolumeIdentity {
  /** On this PM since its boot: device and inode, a block device's own number. */
  readonly local: string
  /** The same on all PMs; none: no other PM can see it. */
  readonly site: readonly string[]
}

/** A domain that has a volume, as its disk or as what that lies on; dom0 (domid 0) among them. */
export interface VolumeHolder {
  readonly domid: number
  /** As that domain calls it. */
  readonly path: string
  readonly writes: boolean
  /** Absent: what it is cannot be told any more. */
  readonly identity?: VolumeIdentity
}

export interface HeldVolumes {
  /** By the paths that were asked; one that leads nowhere has none. */
  readonly identities: ReadonlyMap<string, VolumeIdentity>
  readonly holders: readonly VolumeHolder[]
}

const TIMEOUT_MS = 60_000

/**
 * Asks a PM which volumes these paths are, and what its domains have open, all of it: what QEMU has open is the kernel's
 * truth, and for disks past QEMU, and for domains whose QEMU is not up yet, XenStore's. One round trip, two where there are
 * logical volumes that are not active. Paths that are no file's (`rbd:pool/image`, `drbd:res`) are told by their words.
 * Fails as `run` does, and with `commandFailed` where the answer has no end.
 */
export async function readHeld(host: Host, paths: readonly string[], signal?: AbortSignal): Promise<HeldVolumes> {
  const asked = [...new Set(paths)]
  const output = await run(host, { ...showVolumeUse(asked), timeoutMs: TIMEOUT_MS }, signal)
  const use = parseVolumeUse(output.stdout)
  if (!use) throw new PengxError('commandFailed', `${host.name} broke off when it was asked which volumes are in use`)
  const identities = new Map<string, VolumeIdentity>()
  for (const path of asked) {
    const identity = path.startsWith('/') ? identityOf(use, path) : identityOfWords(path)
    if (identity) identities.set(path, identity)
  }
  const sleeping = asked.filter((path) => path.startsWith('/dev/') && !identities.has(path))
  for (const [path, identity] of await inactive(host, sleeping, signal)) identities.set(path, identity)
  return { identities, holders: holdersOf(use) }
}

/**
 * Which volumes these paths on a PM are; one that leads nowhere is not among the answers, and can only be compared by its
 * path then (`canonicalPath`). As `readHeld`.
 */
export async function identify(
  host: Host,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, VolumeIdentity>> {
  return (await readHeld(host, paths, signal)).identities
}

/** Whether both are one volume; seen from two PMs it is told by what all of them know. */
export function isSameVolume(one: VolumeIdentity, other: VolumeIdentity, onePm: boolean): boolean {
  return (onePm && one.local === other.local) || one.site.some((key) => other.site.includes(key))
}

async function inactive(
  host: Host,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<[string, VolumeIdentity][]> {
  if (paths.length === 0) return []
  const outputs = await runRescanning(host, paths.map(volumeIdentity), { timeoutMs: TIMEOUT_MS }, signal)
  return paths.flatMap((path, index): [string, VolumeIdentity][] => {
    const output = outputs[index]
    const uuids = output?.exit === 0 ? parseVolumeIdentity(output.stdout) : undefined
    const key = uuids && `lv:${uuids.replaceAll('-', '')}`
    return key ? [[path, { local: key, site: [key] }]] : []
  })
}

function identityOf(use: VolumeUse, path: string): VolumeIdentity | undefined {
  const file = use.files.get(path)
  return file && identityOfFile(use, file)
}

function identityOfFile(use: VolumeUse, file: FileSeen): VolumeIdentity {
  if (!file.isBlock) return { local: `${file.device}:${file.inode}`, site: fileKeys(use, file) }
  return identityOfDevice(use, file.number)
}

/** A loop device is the file that it shows. */
function identityOfDevice(use: VolumeUse, number: string): VolumeIdentity {
  const name = use.block.names.get(number)
  const shown = name === undefined ? undefined : use.files.get(use.block.values.get(`${name}/loop/backing_file`) ?? '')
  if (shown) return identityOfFile(use, shown)
  return { local: `device ${number}`, site: name === undefined ? [] : deviceKeys(use, name) }
}

/** `rbd:pool/image:option=…`, `drbd:res` (xl-disk-configuration(5)): options do not make another volume of it. */
function identityOfWords(path: string): VolumeIdentity | undefined {
  const [, kind, rest] = /^([a-z][a-z0-9+]*):(.+)$/.exec(path) ?? []
  if (kind === undefined) return undefined
  const image = rbdImageOf(path)
  const name = image ? rbdSpec(image) : kind === 'drbd' && !rest!.includes('/') ? `${rest}/0` : rest!
  return { local: `${kind}:${name}`, site: [`${kind}:${name}`] }
}

function holdersOf(use: VolumeUse): VolumeHolder[] {
  const open = use.open.map(({ domid, file, writes }) => ({
    ...{ domid, writes, path: file.path },
    identity: identityOfFile(use, file),
  }))
  const served = use.served.flatMap(({ kind, domid, target, writes, number }): VolumeHolder[] => {
    // What libxl was told of a disk that QEMU serves is what it lay on then: a live snapshot moves it on.
    if (target === '' || (kind === 'qdisk' && use.qemus.has(domid))) return []
    const byNumber = number === undefined ? undefined : identityOfDevice(use, number)
    const identity = (target.startsWith('/') ? identityOf(use, target) : identityOfWords(target)) ?? byNumber
    return [{ domid, path: target, writes, ...(identity ? { identity } : {}) }]
  })
  return [...open, ...served]
}
