import { newUuid } from '../../../lib/ids.ts'
import type { Disk } from '../../../model/disk.ts'
import type { Json } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Level, Storlink } from '../../../model/storlink.ts'
import { run } from '../../host/run.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { hostnameOf, parseSeed, parseSeedAddress, type Seed, seedIso } from '../../tools/cloudInit.ts'
import { parseBase64, readBytes, writeInto } from '../../tools/files.ts'
import { isThere, madeVolume } from '../storlink/madeVolume.ts'
import { type CreateParams, isSeeded } from './createParams.ts'

/**
 * A new VM's cloud-init seed: a CD image of a few files, made here and written beside its disks, which the guest sees as
 * a disk that it can only read, xvdz, out of the way of all others. It goes with the VM. The kernel serves it (phy): QEMU
 * 7.2 has no disks that are only read, and says so nowhere but in its own log.
 */
const SEED_MIB = 1

const NAME = { vdev: 'xvdz', desc: 'cloud-init' } as const

export function pickSeed(p: CreateParams, storlink: Storlink, cx: Context): (Disk & Json) | undefined {
  return isSeeded(p) ? placeSeed(p.uuid!, storlink, cx) : undefined
}

/** Where the seed of a new VM, by its UUID, will lie. */
export function placeSeed(vm: string, storlink: Storlink, cx: Context): Disk & Json {
  const uuid = newUuid()
  const path =
    storlink.level === 'FL'
      ? `${storlink.link.replace(/\/$/, '')}/${vm}.seed.iso`
      : cx.volumes(storlink.level).locate({ storlink, uuid, format: 'raw' })
  const what = { format: 'raw', sizeMib: SEED_MIB, readOnly: true, owned: true } as const
  return { uuid, ...NAME, ...what, path, storlink: storlink.id, createdAt: cx.clock.now() }
}

/** Whether that disk is a seed that pengx has made. */
export function isSeed({ vdev, desc, readOnly, owned }: Disk): boolean {
  return vdev === NAME.vdev && desc === NAME.desc && readOnly && owned
}

export function seedStep(
  disk: Disk,
  seed: Seed,
  { pm, level }: { readonly pm: string; readonly level: Level },
  name = 'make the cloud-init seed',
): Step {
  return {
    name,
    shows: [`write ${disk.path}`],
    async do(cx) {
      const host = cx.host(pm)
      await cx.volumes(level).create(host, disk.path, 'raw', SEED_MIB, cx.tag)
      await run(host, { ...writeInto(disk.path, seedIso(seed, disk.createdAt)), tag: cx.tag })
      return null
    },
    ...madeVolume(pm, { ...disk, level }),
    isApplied: async (cx) => (await isThere(cx, pm, { path: disk.path, level })) && 'again',
  }
}

/** What a seed says that pengx has made, read on its PM; undefined: it is not one of those any more. */
export async function readSeed(cx: Context, pm: string, { path }: Pick<Disk, 'path'>): Promise<Seed | undefined> {
  return parseSeed(parseBase64((await run(cx.host(pm), readBytes(path), cx.signal)).stdout))
}

export function seedOf(
  p: CreateParams,
  { uuid, nics }: { readonly uuid: string; readonly nics: readonly Nic[] },
): Seed {
  const address = p.seedAddress === undefined ? undefined : parseSeedAddress(p.seedAddress)
  return {
    instanceId: uuid,
    hostname: p.seedHostname ?? hostnameOf(p.name, uuid),
    ...(p.seedUser === undefined ? {} : { user: p.seedUser }),
    ...(p.seedKey === undefined ? {} : { key: p.seedKey }),
    ...(address ? { address } : {}),
    ...(nics[0] ? { mac: nics[0].mac } : {}),
  }
}
