import { join } from 'node:path'
import type { Host } from '../../../src/engine/host/host.ts'
import { run } from '../../../src/engine/host/run.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { DISK_MIB, type GuestImage } from '../../support/programs/numberedGuest.ts'
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

/** What something ends with that goes on beside others: bun's `rejects` would hold those up until it has ended. */
export const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it succeeded',
    (error: unknown) => error,
  )
