import { join } from 'node:path'
import type { Host } from '../../../src/engine/host/host.ts'
import { run } from '../../../src/engine/host/run.ts'
import { backupDisks } from '../../../src/engine/hypervisor/backup.ts'
import { copyMoment } from '../../../src/engine/hypervisor/moment/moment.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { DISK_MIB, type GuestImage, type NumberedGuest } from '../../support/programs/numberedGuest.ts'
import { openRealQemu, type RealDisk, type RealQemu } from '../../support/programs/realQemu.ts'

/** Two disks of a domain whose QEMU is real, and images beside them. */

export const VDEVS = ['xvda', 'xvdb'] as const
type Vdev = (typeof VDEVS)[number]
export const TAG = 'blocks.0'

export const imageAt = (dir: string, name: string) => ({ path: join(dir, `${name}.qcow2`), format: 'qcow2' as const })
const diskOf = (dir: string, vdev: Vdev, name: string): RealDisk => ({
  vdev,
  ...imageAt(dir, `${name}-${vdev}`),
})
/** Of both disks. */
export const imagesOf = (dir: string, name: string): GuestImage[] =>
  VDEVS.map((vdev) => imageAt(dir, `${name}-${vdev}`))
export const disksOf = (dir: string, name: string): RealDisk[] => VDEVS.map((vdev) => diskOf(dir, vdev, name))

export async function createImage(host: Host, path: string, below?: string, size = `${DISK_MIB}M`): Promise<void> {
  const backing = below === undefined ? [] : ['-b', below, '-F', 'qcow2']
  await run(host, { argv: ['qemu-img', 'create', '-q', '-f', 'qcow2', ...backing, path, size], effect: 'change' })
}

/** For both disks, on those of another name. */
export async function createImages(host: Host, dir: string, name: string, below?: string): Promise<void> {
  for (const [index, { path }] of imagesOf(dir, name).entries())
    await createImage(host, path, below === undefined ? undefined : imagesOf(dir, below)[index]!.path)
}

/** Both disks begin as `base`. */
export async function openTwoDisks(): Promise<RealQemu> {
  return await openRealQemu(async (dir, host) => {
    await createImages(host, dir, 'base')
    return disksOf(dir, 'base')
  })
}

/** What is polled is asked for soon: the engine spares a PM its questions. */
export const quickClock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 30, signal) }

/** Nothing that is told to QEMU comes there before the guest, which goes on writing, has written some more. */
export function betweenWrites(qemu: RealQemu, guest: NumberedGuest): void {
  qemu.delay(async () => {
    const since = guest.now()
    while (!guest.isOver() && guest.now() <= since + 3) await Bun.sleep(1)
  })
}

/** What something ends with that goes on beside others: bun's `rejects` would hold those up until it has ended. */
export const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it succeeded',
    (error: unknown) => error,
  )

export interface CopyOptions {
  readonly bytesPerSecond?: number
  readonly signal?: AbortSignal
}

export const wayOf = ({ dir }: RealQemu, name: string, { bytesPerSecond = 0, signal }: CopyOptions = {}) => ({
  name,
  bytesPerSecond,
  socket: join(dir, `${name}.sock`),
  clock: quickClock,
  onProgress: () => undefined,
  ...(signal ? { signal } : {}),
})

/** The disks that began as `base`, and images of that name for what is copied of them. */
export const momentDisks = ({ dir }: RealQemu, name: string) =>
  imagesOf(dir, 'base').map(({ path }, index) => ({
    vdev: VDEVS[index]!,
    path,
    scratch: imagesOf(dir, name)[index]!.path,
  }))

/** Whole, into images of that name. */
export async function copyDisks(qemu: RealQemu, name: string, options: CopyOptions = {}): Promise<void> {
  const copies = momentDisks(qemu, name).map(({ vdev, path, scratch }) => ({
    vdev,
    path,
    target: { path: scratch, format: 'qcow2' as const },
  }))
  await backupDisks(qemu.host, qemu.domid, copies, wayOf(qemu, name, options))
}

/** What was written since that bitmap was begun, or everything; a bitmap of the copy's own name is begun. */
export async function copyChanges(qemu: RealQemu, name: string, since?: string): Promise<void> {
  await copyMoment(qemu.host, qemu.domid, momentDisks(qemu, name), wayOf(qemu, name), name, since)
}

/** What is said where a QEMU has ended: the talk with it breaks off, or there is none any more. */
export const QEMU_GONE = /^(commandFailed|unreachable)$/
