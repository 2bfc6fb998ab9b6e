import { z } from 'zod'
import { dateName } from '../../../lib/age.ts'
import { newUuid } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import { DEEP, depthOf, type Layer, layersOf, MAX_DEPTH, type SnapshotType, snapshotsOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import {
  diskOnOverlay,
  frozenVolumes,
  gatherOverlays,
  locksOfLayers,
  nextLayerNumber,
  type Overlay,
  overlayStep,
  refuseLayers,
} from '../disk/layers.ts'
import { refuseStorlink } from '../storlink/access.ts'
import { type Change, type ChangeFacts, configStep, gatherChange, recordStep } from '../vm/change.ts'
import { needOneConfig } from '../vm/configNow.ts'
import { findDomain, lives } from '../vm/domain.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { usedBy } from '../volume/asked.ts'
import { claimVolumes, releaseVolumes } from '../volume/claims.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { refuseSnapshotName, snapshotResult } from './target.ts'

/**
 * A snapshot freezes what a VM's disks hold and lets them go on in new volumes on top. Under a running guest the
 * configuration goes first and QEMU second: whatever comes between, a reboot or a crash, comes back on a volume
 * that is still empty and so equals what it lies on. The other order would lose what was written since.
 */
const params = z.object({
  vm: vmField,
  name: field(z.string().trim().optional(), { title: 'Name', help: 'none given: the date and time' }),
  desc: field(z.string().default(''), { title: 'Note' }),
  storlink: field(z.coerce.number().int().optional(), {
    title: 'Storlink',
    from: 'storlink',
    help: 'where the disks go on; else each where it lies',
  }),
  deep: field(z.boolean().default(false), {
    title: 'Deeper',
    help: `also on more than ${MAX_DEPTH} layers`,
    advanced: true,
  }),
  force: forceField,
})
type Params = z.infer<typeof params>

type Facts = ChangeFacts & {
  /** Picked here where none is given: under its lock the VM gets no other of that name meanwhile. */
  readonly name: string
  readonly layer: string
  readonly type: SnapshotType
  readonly at: number
  readonly overlays: readonly Overlay[]
  /** Of the volumes that are frozen, by disk. */
  readonly ids: Readonly<Record<string, string>>
}

function refuse({ vm, name, storlink, deep }: Params, view: Parameters<typeof refuseLayers>[1]): string | undefined {
  const row = view.needVm(vm)
  const depth = depthOf(row)
  if (depth >= MAX_DEPTH && !deep)
    return `its disks lie on ${depth} layers already, and each slows its reads: delete snapshots first, or insist with deep`
  if (!row.disks.some((disk) => !disk.readOnly)) return 'it has no disk that is written to'
  return (
    (name === undefined ? undefined : refuseSnapshotName(name)) ??
    (storlink === undefined ? undefined : refuseStorlink(row, view.needStorlink(storlink), view)) ??
    refuseLayers(row, view)
  )
}

async function gather({ vm, name, storlink, force }: Params, cx: Context): Promise<Facts> {
  const change = await gatherChange(vm, cx)
  const base = change.base as Vm
  await needOneConfig(cx, base)
  await needSoleUse(cx, base, usedBy(base, cx.view), { use: 'write', force })
  const written = base.disks.filter((disk) => !disk.readOnly)
  if (change.domid !== null) await needWritten(base, written, change.domid, cx)
  const requests = written.map((disk) => ({
    ...disk,
    disk: disk.uuid,
    backing: { path: disk.path, format: disk.format },
  }))
  const overlays = await gatherOverlays(base, requests, storlink, cx)
  const depth = depthOf(base) + 1
  if (depth >= DEEP)
    cx.notice(`its disks lie on ${depth} layers then: each slows its reads, deleting snapshots merges them`)
  const at = cx.clock.now()
  const names = snapshotsOf(base).map((snapshot) => snapshot.name)
  return {
    ...change,
    name: name ?? dateName(at, names),
    layer: newUuid(),
    type: change.domid === null ? 'OFFLINE' : 'LIVE',
    at,
    overlays,
    ids: Object.fromEntries(written.map((disk) => [disk.uuid, newUuid()])),
  }
}

/** Each disk goes through QEMU, and to where it is written down to go. */
async function needWritten(vm: Vm, disks: Vm['disks'], domid: number, cx: Context): Promise<void> {
  const images = await cx.hypervisor.writtenImages(cx.host(vm.pm), domid)
  for (const { vdev, path } of disks) {
    const image = images.get(vdev)
    if (image === path) continue
    const why =
      image === undefined
        ? 'goes through the kernel (phy) and not through QEMU, which alone can freeze it while the guest writes: shut it down first'
        : `is written to ${image}, and not to ${path}, as is written down: pengx verify says what differs`
    throw new PengxError(image === undefined ? 'unsupported' : 'refused', `${vdev} of ${vm.name} ${why}`)
  }
}

function changeOf({ desc, ...given }: Params, facts: Facts): Change {
  const { layer, type, at, overlays, ids } = facts
  const name = given.name ?? facts.name
  return (vm) => {
    if (layersOf(vm).some((one) => one.uuid === layer)) return vm
    const frozen: Layer = {
      uuid: layer,
      number: nextLayerNumber(vm),
      ...(vm.layer === undefined ? {} : { parent: vm.layer }),
      name,
      note: desc,
      type,
      createdAt: at,
      volumes: frozenVolumes(vm.disks, ids),
    }
    const disks = vm.disks.map((disk) => {
      const overlay = overlays.find((one) => one.disk === disk.uuid)
      return overlay ? diskOnOverlay(disk, overlay) : disk
    })
    return { ...vm, disks, layer, layers: [...layersOf(vm), frozen] }
  }
}

const UNTOLD =
  'libxl cannot be told of it: saved by xl save, as xendomains does at a shutdown of its PM, the guest would come back on what is frozen now: restart it before'

/** The configuration, then QEMU; what cannot be taken back is found by looking at the images that QEMU writes to. */
function switchStep(facts: Facts, change: Change): Step {
  const config = configStep(facts, change)
  const { uuid, pm } = facts.before
  const overlaid = facts.overlays.map(({ vdev, path }) => ({ vdev, path, format: 'qcow2' }))
  const frozen = facts.overlays.map(({ vdev, backing }) => ({ vdev, ...backing }))
  const moves = facts.overlays.map(({ vdev, path, backing }) => ({ vdev, from: backing.path, to: path }))
  return {
    name: 'move the running disks onto it',
    weight: 3,
    pivot: true,
    shows: [...(config.shows ?? []), `QMP transaction of ${moves.length} blockdev-snapshot-sync`],
    async do(cx) {
      await config.do(cx)
      const domain = await findDomain(cx, { uuid, pm })
      // Without a domain the configuration is all there is.
      if (lives(domain)) {
        // An overlay that is still empty reads as what lies below: told too early is no harm, told too late is.
        if (!(await cx.hypervisor.tellLibxl(cx.host(pm), domain, overlaid, cx.tag))) cx.notice(UNTOLD)
        await claimVolumes(cx, cx.view.needVm(uuid), { domid: domain.domid, paths: moves.map(({ to }) => to) })
        await cx.hypervisor.switchDisks(cx.host(pm), domain, moves, cx.tag)
      }
      return null
    },
    async undo(cx) {
      const domain = await findDomain(cx, { uuid, pm })
      if (lives(domain)) await cx.hypervisor.tellLibxl(cx.host(pm), domain, frozen, cx.tag)
      await releaseVolumes(cx, facts.before, { paths: moves.map(({ to }) => to) })
      await config.undo?.(cx, undefined)
    },
    async isApplied(cx) {
      const domain = await findDomain(cx, { uuid, pm })
      if (!domain) return await isConfigured(cx)
      const images = await cx.hypervisor.writtenImages(cx.host(pm), domain.domid)
      if (moves.every(({ vdev, to }) => images.get(vdev) === to)) return true
      if (moves.every(({ vdev, from }) => images.get(vdev) === from)) return false
      throw new PengxError('busy', `which images domain ${domain.domid} writes to cannot be told yet`)
    },
  }

  /** What no guest has gone over to is an empty volume: only where its configuration leads there does it count. */
  async function isConfigured(cx: Context): Promise<boolean> {
    const config = await cx.hypervisor.readConfig(cx.host(pm), facts.configPath).catch(() => undefined)
    const paths = config?.spec.disks.map((disk) => disk.path) ?? []
    return moves.every(({ to }) => paths.includes(to))
  }
}

export const snapshotCreate = vmOperation<Params, Facts>({
  name: 'snapshot.create',
  title: 'take a snapshot of',
  help: 'Freezes what the disks hold under a name, at one moment; a running guest goes on.',
  danger: 'safe',
  params,
  locks: ({ vm, storlink }, view) => locksOfLayers(vm, storlink, view),
  refuse,
  gather,
  plan(p, facts) {
    const change = changeOf(p, facts)
    const overlays = facts.overlays.map((overlay) => overlayStep(overlay, facts.before))
    if (facts.type === 'LIVE') return [...overlays, switchStep(facts, change), recordStep(facts, change)]
    return [...overlays, configStep(facts, change), recordStep(facts, change, { pivot: true })]
  },
  effects: (_params, { overlays }) => ({ keeps: overlays.map(({ vdev, backing }) => `${vdev} ${backing.path}`) }),
  result: ({ vm }, { layer }, view) => snapshotResult(vm, layer, view),
})
