import { afterEach, beforeEach, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { run } from '../../../src/engine/host/run.ts'
import { cancelJobs } from '../../../src/engine/hypervisor/blockJobs.ts'
import { forgetBitmaps, momentMeans, releaseMoment } from '../../../src/engine/hypervisor/moment/moment.ts'
import { type BlockFault, ERRNO } from '../../support/programs/blockFaults.ts'
import { DISK_MIB, type GuestImage, type NumberedGuest } from '../../support/programs/numberedGuest.ts'
import type { RealQemu } from '../../support/programs/realQemu.ts'
import { until } from '../../support/until.ts'
import {
  betweenWrites,
  type CopyOptions,
  copyChanges,
  copyDisks,
  createImage,
  createImages,
  failureOf,
  imagesOf,
  momentDisks,
  openTwoDisks,
  QEMU_GONE,
  wayOf,
} from './bench.ts'

/** Copies of one moment of two disks whose guest goes on writing: whole ones, and what was written since an earlier one. */

let qemu: RealQemu
let guest: NumberedGuest
const begin = async () => {
  qemu = await openTwoDisks()
  guest = await qemu.guest()
  await guest.write(150)
}
beforeEach(begin)
afterEach(() => qemu.close())

const images = (name: string) => imagesOf(qemu.dir, name)
const disks = (name: string) => momentDisks(qemu, name)
const way = (name: string) => wayOf(qemu, name)
const leftovers = () =>
  qemu.ask(async (qmp) => {
    const nodes = (await qmp.execute('query-named-block-nodes', { flat: true })) as { 'node-name': string }[]
    const names = nodes.map((node) => node['node-name']).filter((name) => /^(f-)?(copy|pengx)-/.test(name))
    return { names, jobs: await qmp.execute('query-jobs') }
  })
const NONE = { names: [], jobs: [] }
const jobs = () => qemu.ask((qmp) => qmp.execute('query-jobs')) as Promise<unknown> as Promise<{ status: string }[]>
const running = async () => {
  while (!(await jobs()).some((job) => job.status === 'running')) await Bun.sleep(5)
}

const copyAll = (name: string, options: CopyOptions = {}) => copyDisks(qemu, name, options)
const copySince = (name: string, since?: string) => copyChanges(qemu, name, since)

/** An increment holds what has changed alone: it reads as its moment on what the one before holds. */
async function layOn(name: string, below: string): Promise<void> {
  for (const [index, { path }] of images(name).entries()) {
    const on = ['-F', 'qcow2', '-b', images(below)[index]!.path]
    await run(qemu.host, { argv: ['qemu-img', 'rebase', '-u', '-f', 'qcow2', ...on, path], effect: 'change' })
  }
}

/** Does it while the guest writes; gives the numbers between which it fell. */
async function during(work: () => Promise<void>): Promise<readonly [from: number, to: number]> {
  const writing = guest.goOn()
  const from = guest.now() - 1
  try {
    await work()
    return [from, guest.now()]
  } finally {
    await writing.stop()
  }
}

const momentOf = (copy: readonly GuestImage[], [from, to]: readonly [number, number]) => guest.momentOf(copy, from, to)
/** The guest's own disks hold all that it was told is written. */
async function guestHasAll(): Promise<void> {
  expect(guest.failures()).toEqual([])
  await guest.flush()
  expect(guest.momentOf(images('base'), guest.now(), guest.now())).toBe(guest.now())
}

test.each([
  ['a copy', copyAll],
  ['a moment that is copied', copySince],
] as const)('%s of two disks holds one moment of both', async (_, copy) => {
  await createImages(qemu.host, qemu.dir, 'pengx-copy')
  const span = await during(async () => {
    betweenWrites(qemu, guest)
    await copy('pengx-copy')
  })
  expect(momentOf(images('pengx-copy'), span)).toBeGreaterThanOrEqual(span[0])
  expect(await leftovers()).toEqual(NONE)
  await guestHasAll()
})

const FAULTS: readonly (readonly [errno: BlockFault['errno'], code: string, afterWrites: number])[] = [
  ['ENOSPC', 'noSpace', 0],
  ['ENOSPC', 'noSpace', 25],
  ['EIO', 'commandFailed', 25],
]

/**
 * Copies while the guest writes, and sees the copy fail, and the guest not. A fault that met what the guest overwrites first
 * is told to the guest, and to nobody else (a test below has that alone): then all begins anew.
 */
async function needFailure(
  { errno, code }: { readonly errno: BlockFault['errno']; readonly code: string },
  prepare: () => Promise<() => Promise<void>>,
): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const copy = await prepare()
    let ended: unknown
    await during(async () => {
      ended = await failureOf(copy())
    })
    if (guest.failures().length === 0) return expect(ended).toMatchObject({ code })
    const told = [{ number: expect.any(Number), errno: ERRNO[errno] }]
    expect([ended, guest.failures()]).toEqual(['it succeeded', told])
    await qemu.close()
    await begin()
  }
  throw new Error('the fault met a write of the guest each time')
}

test.each(FAULTS)(
  'a target whose writes end in %s is said to as %s after %d of them, costs the guest nothing, and is copied again',
  async (errno, code, afterWrites) => {
    await needFailure({ errno, code }, async () => {
      await createImages(qemu.host, qemu.dir, 'copy')
      qemu.failing(images('copy')[1]!.path, { errno, afterWrites, once: true })
      return () => copyAll('copy')
    })
    expect(await leftovers()).toEqual(NONE)
    qemu.failing(images('copy')[1]!.path, undefined)
    for (const { path } of images('copy')) rmSync(path)
    await createImages(qemu.host, qemu.dir, 'copy')
    momentOf(images('copy'), await during(() => copyAll('copy')))
    await guestHasAll()
  },
)

test.each(FAULTS)(
  'an increment that ends in %s (%s, after %d writes) leaves what the next one goes by',
  async (errno, code, afterWrites) => {
    let full = 0
    await needFailure({ errno, code }, async () => {
      await createImages(qemu.host, qemu.dir, 'pengx-full')
      full = momentOf(images('pengx-full'), await during(() => copySince('pengx-full')))
      await guest.write(60)
      await createImages(qemu.host, qemu.dir, 'pengx-bad')
      qemu.failing(images('pengx-bad')[0]!.path, { errno, afterWrites: Math.min(afterWrites, 6), once: true })
      return () => copySince('pengx-bad', 'pengx-full')
    })
    await releaseMoment(qemu.host, qemu.domid, way('pengx-bad'), 'pengx-bad')
    expect(await leftovers()).toEqual(NONE)
    const { bitmaps } = await momentMeans(qemu.host, qemu.domid, disks('pengx-bad'))
    expect(bitmaps.map(({ name }) => name)).toEqual(['pengx-full'])
    await createImages(qemu.host, qemu.dir, 'pengx-next')
    const span = await during(() => copySince('pengx-next', 'pengx-full'))
    await layOn('pengx-next', 'pengx-full')
    expect(momentOf(images('pengx-next'), span)).toBeGreaterThan(full)
    expect(momentOf(images('pengx-full'), [full, full])).toBe(full)
    await forgetBitmaps(qemu.host, qemu.domid, () => true)
    await guestHasAll()
  },
)

test('what the guest overwrites goes to the target first: where that fails QEMU tells the guest, once, and no disk loses anything', async () => {
  await createImages(qemu.host, qemu.dir, 'copy')
  qemu.failing(images('copy')[0]!.path, { errno: 'ENOSPC', afterWrites: 8, once: true })
  const writing = guest.goOn()
  // So slowly that nearly all of what is written there is what the guest is about to overwrite.
  const ended = failureOf(copyAll('copy', { bytesPerSecond: 65_536 }))
  await until(() => guest.failures().length > 0, 'a write that fails')
  const since = guest.now()
  await until(() => guest.now() > since + 50, 'writes after it')
  await writing.stop()
  expect(guest.failures()).toEqual([{ number: expect.any(Number), errno: 28 }])
  await cancelJobs(qemu.host, qemu.domid, way('copy'))
  await ended
  expect(await leftovers()).toEqual(NONE)
  await guest.flush()
  expect(guest.lostOf(images('base'))).toEqual([])
})

test('increments follow one another, each good by itself, and the disks of a killed guest lose nothing by them', async () => {
  const names = ['pengx-a', 'pengx-b', 'pengx-c']
  const moments: number[] = []
  for (const [index, name] of names.entries()) {
    const since = names[index - 1]
    await createImages(qemu.host, qemu.dir, name)
    const span = await during(() => copySince(name, since))
    if (since) await layOn(name, since)
    moments.push(momentOf(images(name), span))
    await forgetBitmaps(qemu.host, qemu.domid, (other) => other !== name)
  }
  await guest.flush()
  await qemu.kill()
  expect(guest.lostOf(images('base'))).toEqual([])
  for (const [index, moment] of moments.entries())
    expect(momentOf(images(names[index]!), [moment, moment])).toBe(moment)
})

test('QEMU killed in the middle of a copy fails it, and the disks hold what the guest had flushed', async () => {
  await createImages(qemu.host, qemu.dir, 'copy')
  const writing = guest.goOn()
  const ended = failureOf(copyAll('copy', { bytesPerSecond: 1_000_000 }))
  await running()
  const since = guest.now()
  while (guest.now() < since + 120) await Bun.sleep(1)
  await qemu.kill()
  expect(await ended).toMatchObject({ code: expect.stringMatching(QEMU_GONE) })
  await writing.stop()
  expect(guest.lostOf(images('base'))).toEqual([])
})

test('a copy that is given up goes on until it is ended, which lets go of its targets', async () => {
  await createImages(qemu.host, qemu.dir, 'copy')
  const stop = new AbortController()
  await during(async () => {
    const ended = failureOf(copyAll('copy', { bytesPerSecond: 1_000_000, signal: stop.signal }))
    await running()
    stop.abort()
    expect(await ended).toBeInstanceOf(Error)
    expect((await jobs()).length).toBe(2)
    await cancelJobs(qemu.host, qemu.domid, way('copy'))
  })
  expect(await leftovers()).toEqual(NONE)
  await guestHasAll()
})

test('a target of another size is refused by QEMU before anything is copied', async () => {
  await createImages(qemu.host, qemu.dir, 'copy')
  rmSync(images('copy')[1]!.path)
  await createImage(qemu.host, images('copy')[1]!.path, undefined, `${DISK_MIB + 1}M`)
  await expect(copyAll('copy')).rejects.toMatchObject({ code: 'commandFailed' })
  await cancelJobs(qemu.host, qemu.domid, way('copy'))
  expect(await leftovers()).toEqual(NONE)
  await guestHasAll()
})
