import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Unequal } from '../../hypervisor/mirror/compare.ts'
import type { MirrorOptions } from '../../hypervisor/mirror/mirror.ts'
import type { MirrorDisk } from '../../hypervisor/mirror/targets.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { madeVolume } from '../storlink/madeVolume.ts'
import { type Change, type ChangeFacts, configStep } from '../vm/change.ts'
import { findDomain, lives, livingDomain } from '../vm/domain.ts'
import { claimVolumes, releaseVolumes } from '../volume/claims.ts'
import type { Move } from './moved.ts'

/**
 * The disks of a guest that runs go over to other volumes. It is paused for the change-over, as short as that is: both volumes are
 * the same then and written down, and the guest can change neither, so that it is no matter which of them its configuration
 * names when something ends in between.
 */
export interface LiveMove {
  readonly facts: ChangeFacts
  readonly moves: readonly Move[]
  /** It was paused before, and stays so. */
  readonly paused: boolean
  /** MiB a second of each disk; 0: as fast as it goes. */
  readonly speed: number
}

type Ref = Pick<Vm, 'uuid' | 'pm' | 'name'>

const MIB = 1024 * 1024

const mirrored = (moves: readonly Move[]): MirrorDisk[] =>
  moves.map(({ vdev, from, to }) => ({ vdev, path: from.path, format: from.format, target: to }))

/** At most 20 characters, and the same at each attempt of this job. */
function optionsOf(cx: Context, speed = 0): MirrorOptions {
  return {
    name: `smig-${cx.jobId.slice(0, 8)}`,
    bytesPerSecond: speed * MIB,
    clock: cx.clock,
    signal: cx.signal,
    onProgress: () => {},
  }
}

/** An empty volume; the undo leaves one that the guest has gone over to. */
export function makeTargetStep({ vdev, sizeMib, to }: Move, { uuid, pm, name }: Ref): Step {
  const made = madeVolume(pm, { ...to }, { uuid, name })
  return {
    name: `make ${vdev} anew`,
    shows: [`make ${to.path} (${to.format}, ${sizeMib} MiB)`],
    async do(cx) {
      await cx.volumes(to.level).create(cx.host(pm), to.path, to.format, sizeMib, cx.tag)
      return null
    },
    ...made,
    async undo(cx) {
      const domain = await findDomain(cx, { uuid, pm })
      const written = domain && (await cx.hypervisor.writtenImages(cx.host(pm), domain.domid))
      if (written && [...written.values()].includes(to.path))
        throw new PengxError('refused', `${to.path} is not removed: the guest has gone over to it and writes to it`)
      await made.undo(cx, undefined)
    },
  }
}

const COPY = 'copy the running disks'

/** Copies all, and reads it back; what could not be told of while the guest writes is left for the change-over. */
export function mirrorStep({ facts, moves, speed }: LiveMove): Step {
  const vm = facts.before
  const disks = mirrored(moves)
  return {
    name: COPY,
    weight: 20,
    shows: moves.flatMap(({ from, to }) => [
      `QMP blockdev-mirror ${from.path} to ${to.path}`,
      `qemu-img compare -U ${from.path} ${to.path}`,
    ]),
    async do(cx) {
      const domain = await needSame(cx, facts)
      const host = cx.host(vm.pm)
      const options = optionsOf(cx, speed)
      const copying = { ...options, onProgress: (done: number) => cx.progress(done * 0.7) }
      await cx.hypervisor.mirrorDisks(host, domain.domid, disks, copying)
      const reading = { ...options, onProgress: (done: number) => cx.progress(0.7 + done * 0.3, 'reading it back') }
      return (await cx.hypervisor.compareMirrors(host, domain.domid, disks, reading)) as unknown as Json
    },
    /** What QEMU copies goes on by itself, and nobody has seen whether it is read back. */
    isApplied: async (cx) => cx.output(COPY) !== undefined,
    async undo(cx) {
      const domain = await findDomain(cx, vm)
      if (domain) await cx.hypervisor.endMirrors(cx.host(vm.pm), domain.domid, disks, optionsOf(cx))
    },
  }
}

/** The domain that it began with; after a reboot of its guest another has no copy at work. */
async function needSame(cx: Context, { before, domid }: ChangeFacts) {
  const domain = await livingDomain(cx, before)
  if (domain && domain.domid === domid) return domain
  throw new PengxError(
    'conflict',
    `${before.name} was shut down or rebooted meanwhile, and stays where it is: try again`,
  )
}

/** Both volumes the same, then the configuration, then QEMU; what cannot be taken back is found by looking. */
export function handOverStep({ facts, moves, paused, speed }: LiveMove, change: Change): Step {
  const config = configStep(facts, change)
  const { before: vm } = facts
  const { uuid, pm } = vm
  const disks = mirrored(moves)
  const kept = (end: 'from' | 'to') =>
    moves.map((move) => ({ vdev: move.vdev, path: move[end].path, format: move[end].format }))
  return {
    name: 'hand the running disks over',
    weight: 3,
    pivot: true,
    shows: [
      ...(paused ? [] : [`xl pause ${facts.domid}`]),
      ...moves.map(({ vdev, to }) => `QMP job-complete, job-finalize: ${vdev} on ${to.path}`),
      ...(config.shows ?? []),
      ...(paused ? [] : [`xl unpause ${facts.domid}`]),
    ],
    async do(cx) {
      const domain = await needSame(cx, facts)
      const host = cx.host(pm)
      const options = optionsOf(cx, speed)
      if (!paused) await cx.hypervisor.pause(host, domain.domid, cx.tag)
      const left = (cx.output(COPY) ?? []) as unknown as readonly Unequal[]
      await cx.hypervisor.compareLeft(host, domain.domid, disks, left, options)
      await cx.hypervisor.holdMirrors(host, domain, disks, options, cx.tag)
      await config.do(cx)
      if (!(await cx.hypervisor.tellLibxl(host, domain, kept('to'), cx.tag))) cx.notice(UNTOLD)
      await claimVolumes(cx, cx.view.needVm(uuid), { domid: domain.domid, paths: moves.map(({ to }) => to.path) })
      await cx.hypervisor.completeMirrors(host, domain, disks, options, cx.tag)
      if (!paused) await cx.hypervisor.unpause(host, domain.domid, cx.tag)
      return null
    },
    /** The configuration first: the guest can write nothing until it is let go on, and the copy is ended. */
    async undo(cx) {
      await config.undo?.(cx, undefined)
      const domain = await findDomain(cx, { uuid, pm })
      if (lives(domain)) await cx.hypervisor.tellLibxl(cx.host(pm), domain, kept('from'), cx.tag)
      await releaseVolumes(cx, vm, { paths: moves.map(({ to }) => to.path) })
      await letGoOn(cx, facts, paused)
    },
    async isApplied(cx) {
      const domain = await findDomain(cx, { uuid, pm })
      if (!domain) return await isConfigured(cx)
      const images = await cx.hypervisor.writtenImages(cx.host(pm), domain.domid)
      const all = (end: 'from' | 'to') => moves.every((move) => images.get(move.vdev) === move[end].path)
      if (all('to')) return true
      if (all('from')) return false
      const hint = 'where it stays so, destroy the domain (nothing is lost: all is written down in both), and try again'
      throw new PengxError('busy', `which volumes domain ${domain.domid} writes to cannot be told yet: ${hint}`)
    },
  }

  /** It is written there only while both volumes are the same. */
  async function isConfigured(cx: Context): Promise<boolean> {
    const file = await cx.hypervisor.readConfig(cx.host(pm), facts.configPath).catch(() => undefined)
    const paths = file?.spec.disks.map((disk) => disk.path) ?? []
    return moves.every(({ to }) => paths.includes(to.path))
  }
}

const UNTOLD =
  'libxl cannot be told of it: saved by xl save, as xendomains does at a shutdown of its PM, the guest would not come back: restart it before'

async function letGoOn(cx: Context, { before, domid }: ChangeFacts, paused: boolean): Promise<void> {
  const domain = paused ? undefined : await findDomain(cx, before)
  if (domain?.state === 'paused' && domain.domid === domid)
    await cx.hypervisor.unpause(cx.host(before.pm), domain.domid, cx.tag)
}

/** The guest goes on, where that was cut off, and its QEMU lets go of where the disks were. */
export function letGoStep({ facts, moves, paused }: LiveMove): Step {
  const vm = facts.before
  const old = moves.map(({ from }) => from.path)
  return {
    name: 'let go of the old volumes',
    shows: old.map((path) => `QMP blockdev-del, of what QEMU has open of ${path}`),
    async do(cx) {
      await letGoOn(cx, facts, paused)
      const domain = await livingDomain(cx, vm)
      if (domain) {
        const host = cx.host(vm.pm)
        await cx.hypervisor.endMirrors(host, domain.domid, mirrored(moves), optionsOf(cx))
        await cx.hypervisor.closeImages(host, domain.domid, old)
      }
      await releaseVolumes(cx, vm, { paths: old })
      return null
    },
    isApplied: async () => 'again',
  }
}
