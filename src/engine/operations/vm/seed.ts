import { newUuid } from '../../../lib/ids.ts'
import type { Disk } from '../../../model/disk.ts'
import type { Json } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Level, Storlink } from '../../../model/storlink.ts'
import { run } from '../../host/run.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { hostnameOf, parseSeedAddress, type Seed, seedIso } from '../../tools/cloudInit.ts'
import { writeInto } from '../../tools/files.ts'
import { isThere, madeVolume } from '../storlink/madeVolume.ts'
import { type CreateParams, isSeeded } from './createParams.ts'

/**
 * A new VM's cloud-init seed: a CD image of a few files, made here and written beside its disks, which the guest sees as
 * a disk that it can only read, xvdz, out of the way of all others. It goes with the VM. The kernel serves it (phy): QEMU
 * 7.2 has no disks that are only read, and says so nowhere but in its own log.
 */
const SEED_MIB = 1

export function pickSeed(p: CreateParams, storlink: Storlink, cx: Context): (Disk & Json) | undefined {
  if (!isSeeded(p)) return undefined
  const uuid = newUuid()
  const path =
    storlink.level === 'FL'
      ? `${storlink.link.replace(/\/$/, '')}/${p.uuid}.seed.iso`
      : cx.volumes(storlink.level).locate({ storlink, uuid, format: 'raw' })
  return {
    uuid,
    vdev: 'xvdz',
    format: 'raw',
    sizeMib: SEED_MIB,
    path,
    storlink: storlink.id,
    readOnly: true,
    owned: true,
    desc: 'cloud-init',
    createdAt: cx.clock.now(),
  }
}

export function seedStep(
  p: CreateParams,
  disk: Disk,
  facts: { readonly uuid: string; readonly pm: string; readonly level: Level; readonly nics: readonly Nic[] },
): Step {
  const { pm, level } = facts
  return {
    name: 'make the cloud-init seed',
    shows: [`write ${disk.path}`],
    async do(cx) {
      const host = cx.host(pm)
      await cx.volumes(level).create(host, disk.path, 'raw', SEED_MIB, cx.tag)
      await run(host, { ...writeInto(disk.path, seedIso(seedOf(p, facts), disk.createdAt)), tag: cx.tag })
      return null
    },
    ...madeVolume(pm, { ...disk, level }),
    isApplied: async (cx) => (await isThere(cx, pm, { path: disk.path, level })) && 'again',
  }
}

function seedOf(p: CreateParams, { uuid, nics }: { readonly uuid: string; readonly nics: readonly Nic[] }): Seed {
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
