import { PengxError } from '../../../model/error.ts'
import type { Host } from '../../host/host.ts'
import { run } from '../../host/run.ts'
import { compareStretches, lacksDirect, parseMismatch, type Stretch } from '../../tools/qemuCompare.ts'
import { namedBlocks } from '../blockJobs.ts'
import { withMonitor } from '../monitor.ts'
import { flushMirrors, type MirrorOptions } from './mirror.ts'
import type { MirrorDisk } from './targets.ts'

/**
 * Both volumes of a mirrored disk are read back, and compared, while the guest writes. What it writes just then, and what
 * QEMU has not copied or written down yet, reads differently for a moment: that is asked again. What is written to a stretch that
 * was seen to be equal QEMU copies again.
 */

/** A stretch of a disk of which it is not known that both volumes hold the same. */
export interface Unequal extends Stretch {
  readonly vdev: string
}

const MIB = 1024 * 1024
/** So much is asked again around a difference. */
const BLOCK = MIB
/** What one reader reads at most, so that it is told how far it is. */
const READ = 4096 * MIB
const ROUNDS = 6
/** What is left for the moment in which the guest is paused. */
const MOST_LEFT = 128 * MIB
const LAST_MS = 200

/**
 * Reads both volumes of each disk and gives what still differs after some rounds, since the guest writes there all the time:
 * at most 128 MiB, else `busy`. Before each round QEMU writes down what it knows. Looks only, but for that. `commandFailed`
 * where a job has ended meanwhile.
 */
export async function compareMirrors(
  host: Host,
  domid: number,
  disks: readonly MirrorDisk[],
  options: MirrorOptions,
): Promise<readonly Unequal[]> {
  const sizes = await sizesOf(host, domid, disks)
  let left: readonly Unequal[] = disks.map(({ vdev }, index) => ({ vdev, start: 0, length: sizes[index]! }))
  let said = ''
  for (let round = 0; round < ROUNDS && left.length > 0; round++) {
    const found = await compareOnce(
      host,
      domid,
      disks,
      left,
      round === 0 ? options : { ...options, onProgress: () => {} },
    )
    left = found.unequal
    said = found.said
  }
  const bytes = left.reduce((sum, { length }) => sum + length, 0)
  if (bytes <= MOST_LEFT) return left
  const why = said === '' ? 'the guest writes to too much of them at once' : said
  throw new PengxError(
    'busy',
    `cannot read back what the disks of domain ${domid} on ${host.name} were copied to: ${bytes / MIB} MiB differ still (${why}): try again when it writes less`,
  )
}

/** As `compareMirrors`, of what was left, while the guest is paused: what differs then differs. */
export async function compareLeft(
  host: Host,
  domid: number,
  disks: readonly MirrorDisk[],
  left: readonly Unequal[],
  options: MirrorOptions,
): Promise<void> {
  const quiet = { ...options, onProgress: () => {} }
  let found: Found = { unequal: left, said: '' }
  // The last that the guest wrote may still be on its way.
  for (let round = 0; round < ROUNDS && found.unequal.length > 0; round++) {
    if (round > 0) await options.clock.sleep(LAST_MS)
    found = await compareOnce(host, domid, disks, found.unequal, quiet)
  }
  const { unequal, said } = found
  const [first] = unequal
  if (!first) return
  const disk = disks.find(({ vdev }) => vdev === first.vdev)!
  throw new PengxError(
    'commandFailed',
    `${disk.target.path} does not hold what ${disk.path} holds at byte ${first.start} (${first.vdev})${said && `: ${said}`}: nothing has gone over to it`,
  )
}

async function sizesOf(host: Host, domid: number, disks: readonly MirrorDisk[]): Promise<number[]> {
  const blocks = await withMonitor(host, domid, 'libxenstat', 'read', (qmp) => namedBlocks(qmp))
  return disks.map(({ vdev, path }) => {
    const block = blocks?.find((one) => one.vdev === vdev && one.file === path)
    if (block) return block.sizeBytes
    throw new PengxError('commandFailed', `the QEMU of domain ${domid} on ${host.name} has ${path} open no more`)
  })
}

interface Found {
  readonly unequal: readonly Unequal[]
  /** What a reader complained of last. */
  readonly said: string
}

async function compareOnce(
  host: Host,
  domid: number,
  disks: readonly MirrorDisk[],
  asked: readonly Unequal[],
  options: MirrorOptions,
): Promise<Found> {
  await flushMirrors(host, domid, disks, options)
  const total = asked.reduce((sum, { length }) => sum + length, 0)
  const unequal: Unequal[] = []
  let said = ''
  let done = 0
  let direct = true
  for (const { vdev, start, length } of asked) {
    const disk = disks.find((one) => one.vdev === vdev)!
    for (let at = start; at < start + length; ) {
      const stretch = { start: at, length: Math.min(READ, start + length - at) }
      const program = compareStretches(disk, disk.target, stretch, direct)
      const { exit, stdout, stderr } = await run(host, { ...program, queue: 'copies' }, options.signal)
      if (exit > 1 && direct && lacksDirect(stderr)) {
        direct = false
        continue
      }
      const next = nextOf(stretch, exit, stdout)
      if (exit > 1) said = stderr.trim()
      if (next.unequal) unequal.push({ vdev, ...next.unequal })
      done += next.to - at
      at = next.to
      options.onProgress(done / total)
    }
  }
  return { unequal: joined(unequal), said }
}

/** Up to where a stretch has been looked at, and what of that differs. */
function nextOf(stretch: Stretch, exit: number, stdout: string): { readonly to: number; readonly unequal?: Stretch } {
  const end = stretch.start + stretch.length
  if (exit === 0) return { to: end }
  const at = exit === 1 ? parseMismatch(stdout) : undefined
  if (at === undefined) return { to: end, unequal: stretch }
  const start = Math.floor((stretch.start + at) / BLOCK) * BLOCK
  const to = Math.min(end, start + BLOCK)
  return { to, unequal: { start: Math.max(stretch.start, start), length: to - Math.max(stretch.start, start) } }
}

/** What lies side by side is one. */
function joined(all: readonly Unequal[]): Unequal[] {
  const whole: Unequal[] = []
  for (const one of all) {
    const last = whole.at(-1)
    if (last && last.vdev === one.vdev && last.start + last.length === one.start)
      whole[whole.length - 1] = { ...last, length: last.length + one.length }
    else whole.push(one)
  }
  return whole
}
