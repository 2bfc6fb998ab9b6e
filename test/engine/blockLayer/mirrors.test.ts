import { afterEach, beforeEach, expect, test } from 'bun:test'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { run } from '../../../src/engine/host/run.ts'
import { writtenImages } from '../../../src/engine/hypervisor/layers.ts'
import { compareLeft, compareMirrors } from '../../../src/engine/hypervisor/mirror/compare.ts'
import {
  completeMirrors,
  endMirrors,
  holdMirrors,
  mirrorDisks,
  refuseMirror,
} from '../../../src/engine/hypervisor/mirror/mirror.ts'
import { closeImages } from '../../../src/engine/hypervisor/stream.ts'
import { DISK_MIB, type GuestImage, type NumberedGuest } from '../../support/programs/numberedGuest.ts'
import type { RealQemu } from '../../support/programs/realQemu.ts'
import {
  betweenWrites,
  createImages,
  failureOf,
  imagesOf,
  openTwoDisks,
  QEMU_GONE,
  quickClock,
  TAG,
  VDEVS,
} from './bench.ts'

/** Disks that go over to other volumes under a guest which goes on writing, on QEMU's own block layer. */

let qemu: RealQemu
let guest: NumberedGuest
beforeEach(async () => {
  qemu = await openTwoDisks()
  guest = await qemu.guest()
})
afterEach(() => qemu.close())

const images = (name: string) => imagesOf(qemu.dir, name)
const rawImages = (name: string): GuestImage[] =>
  images(name).map(({ path }) => ({ path: path.replace(/qcow2$/, 'raw'), format: 'raw' }))
const moving = (targets: readonly GuestImage[]) =>
  images('base').map((base, index) => ({ vdev: VDEVS[index]!, ...base, target: targets[index]! }))
const OPTIONS = { name: 'smig-1a2b3c4d', clock: quickClock, bytesPerSecond: 0, onProgress: () => undefined }
const domain = () => ({ domid: qemu.domid, uuid: 'guest' })
const written = async () => [...(await writtenImages(qemu.host, qemu.domid)).values()]
const pathsOf = (all: readonly GuestImage[]) => all.map(({ path }) => path)
const open = async () => {
  const nodes = (await qemu.ask((qmp) => qmp.execute('query-named-block-nodes', { flat: true }))) as Json[]
  return [...new Set(nodes.map(({ file }) => file))].sort()
}
type Json = { readonly file: string }
const jobs = () => qemu.ask((qmp) => qmp.execute('query-jobs')) as Promise<unknown> as Promise<{ status: string }[]>
const begin = (targets: readonly GuestImage[], bytesPerSecond = 0) =>
  mirrorDisks(qemu.host, qemu.domid, moving(targets), { ...OPTIONS, bytesPerSecond })
const compare = (targets: readonly GuestImage[]) => compareMirrors(qemu.host, qemu.domid, moving(targets), OPTIONS)
const end = (targets: readonly GuestImage[]) => endMirrors(qemu.host, qemu.domid, moving(targets), OPTIONS)

async function makeRaw(name: string): Promise<GuestImage[]> {
  for (const { path } of rawImages(name))
    await run(qemu.host, { argv: ['qemu-img', 'create', '-q', '-f', 'raw', path, `${DISK_MIB}M`], effect: 'change' })
  return rawImages(name)
}
async function makeQcow2(name: string): Promise<GuestImage[]> {
  await createImages(qemu.host, qemu.dir, name)
  return images(name)
}
const KINDS = [
  ['qcow2', makeQcow2],
  ['raw', makeRaw],
] as const

async function handOver(targets: readonly GuestImage[], left: Awaited<ReturnType<typeof compare>>): Promise<void> {
  await compareLeft(qemu.host, qemu.domid, moving(targets), left, OPTIONS)
  await holdMirrors(qemu.host, domain(), moving(targets), OPTIONS, TAG)
  await completeMirrors(qemu.host, domain(), moving(targets), OPTIONS, TAG)
}

test.each(KINDS)('both are on their new volumes (%s), and nothing that the guest writes is lost', async (_, make) => {
  const targets = await make('there')
  await guest.write(100)
  const writing = guest.goOn()
  betweenWrites(qemu, guest)
  await begin(targets)
  const left = await compare(targets)
  // As a guest that is paused.
  qemu.delay(async () => {})
  await writing.stop()
  const moment = guest.now()
  await handOver(targets, left)
  expect(await written()).toEqual(pathsOf(targets))
  const again = guest.goOn()
  betweenWrites(qemu, guest)
  await completeMirrors(qemu.host, domain(), moving(targets), OPTIONS, TAG)
  await end(targets)
  qemu.delay(async () => {})
  await closeImages(qemu.host, qemu.domid, pathsOf(images('base')))
  expect(await open()).toEqual(pathsOf(targets).sort())
  expect(await jobs()).toEqual([])
  await again.stop()
  await guest.flush()
  expect(guest.failures()).toEqual([])
  expect(guest.now()).toBeGreaterThan(moment)
  expect(guest.momentOf(images('base'), moment, moment)).toBe(moment)
  for (const { path } of images('base')) rmSync(path)
  await qemu.kill()
  expect(guest.momentOf(targets, guest.now(), guest.now())).toBe(guest.now())
})

test.each(KINDS)(
  'QEMU killed when they are to be handed over leaves both with all that was flushed (%s)',
  async (_, make) => {
    const targets = await make('there')
    await guest.write(100)
    const writing = guest.goOn()
    await begin(targets)
    await writing.stop()
    await guest.flush()
    await holdMirrors(qemu.host, domain(), moving(targets), OPTIONS, TAG)
    await qemu.kill()
    for (const volumes of [images('base'), targets])
      expect(guest.momentOf(volumes, guest.now(), guest.now())).toBe(guest.now())
  },
)

test('QEMU killed when they have been handed over has lost nothing that the guest flushed since', async () => {
  const targets = await makeQcow2('there')
  await guest.write(100)
  await begin(targets)
  await handOver(targets, await compare(targets))
  const writing = guest.goOn()
  const since = guest.now()
  while (guest.now() < since + 200) await Bun.sleep(1)
  await qemu.kill()
  await writing.stop()
  expect(guest.lostOf(targets)).toEqual([])
})

test('QEMU killed in the middle of the copy leaves what the guest had flushed where it was', async () => {
  const targets = await makeQcow2('there')
  await guest.write(300)
  await guest.flush()
  const writing = guest.goOn()
  const ended = failureOf(begin(targets, 65_536))
  while ((await jobs()).length === 0) await Bun.sleep(5)
  const since = guest.now()
  while (guest.now() < since + 100) await Bun.sleep(1)
  await qemu.kill()
  expect(await ended).toMatchObject({ code: expect.stringMatching(QEMU_GONE) })
  await writing.stop()
  expect(guest.lostOf(images('base'))).toEqual([])
})

test.each([0, 40])(
  'a place that is full after %d writes ends the copy, and the guest hears nothing of it',
  async (afterWrites) => {
    const targets = await makeQcow2('there')
    qemu.failing(targets[1]!.path, { errno: 'ENOSPC', afterWrites })
    await guest.write(200)
    const writing = guest.goOn()
    await expect(begin(targets)).rejects.toMatchObject({ code: 'noSpace' })
    await end(targets)
    expect(await jobs()).toEqual([])
    expect(await written()).toEqual(pathsOf(images('base')))
    expect(await open()).toEqual(pathsOf(images('base')).sort())
    await writing.stop()
    await guest.flush()
    expect(guest.failures()).toEqual([])
    expect(guest.momentOf(images('base'), guest.now(), guest.now())).toBe(guest.now())
  },
)

test('a place that becomes full when all is copied keeps them where they are', async () => {
  const targets = await makeQcow2('there')
  qemu.failing(targets[0]!.path, { errno: 'ENOSPC', afterWrites: 60 })
  await begin(targets)
  await guest.write(400)
  await expect(holdMirrors(qemu.host, domain(), moving(targets), OPTIONS, TAG)).rejects.toMatchObject({
    code: 'noSpace',
  })
  await end(targets)
  expect(guest.failures()).toEqual([])
  expect(await written()).toEqual(pathsOf(images('base')))
  await guest.flush()
  expect(guest.momentOf(images('base'), guest.now(), guest.now())).toBe(guest.now())
})

test('what was copied otherwise is found, and nothing goes over to it', async () => {
  const targets = await makeRaw('there')
  await guest.write(100)
  await begin(targets)
  const at = 5 * 1024 * 1024 + 20_000
  const file = openSync(targets[1]!.path, 'r+')
  writeSync(file, 'x', at)
  closeSync(file)
  const left = await compare(targets)
  expect(left).toEqual([{ vdev: 'xvdb', start: 5 * 1024 * 1024, length: 1024 * 1024 }])
  await expect(handOver(targets, left)).rejects.toMatchObject({
    code: 'commandFailed',
    message: expect.stringContaining(`${targets[1]!.path} does not hold`),
  })
  await end(targets)
  expect(await written()).toEqual(pathsOf(images('base')))
})

test('what is held to be handed over is given up as well, and the guest goes on where it was', async () => {
  const targets = await makeQcow2('there')
  await guest.write(100)
  await begin(targets)
  await holdMirrors(qemu.host, domain(), moving(targets), OPTIONS, TAG)
  await holdMirrors(qemu.host, domain(), moving(targets), OPTIONS, TAG)
  await end(targets)
  await expect(completeMirrors(qemu.host, domain(), moving(targets), OPTIONS, TAG)).rejects.toMatchObject({
    code: 'commandFailed',
  })
  await guest.write(100)
  await guest.flush()
  expect(guest.failures()).toEqual([])
  expect(await open()).toEqual(pathsOf(images('base')).sort())
  await qemu.kill()
  expect(guest.momentOf(images('base'), guest.now(), guest.now())).toBe(guest.now())
})

test('a copy that is given up, or was left by an attempt before, leaves nothing', async () => {
  const targets = await makeQcow2('there')
  await guest.write(100)
  const stop = new AbortController()
  const way = { ...OPTIONS, bytesPerSecond: 65_536, signal: stop.signal }
  const ended = failureOf(mirrorDisks(qemu.host, qemu.domid, moving(targets), way))
  while ((await jobs()).length < 2) await Bun.sleep(5)
  stop.abort()
  expect(await ended).toBeInstanceOf(Error)
  await begin(targets)
  expect((await jobs()).map(({ status }) => status)).toEqual(['ready', 'ready'])
  await end(targets)
  await end(targets)
  expect([await jobs(), await open()]).toEqual([[], pathsOf(images('base')).sort()])
})

test('what is not written through QEMU, or elsewhere, is told before anything is done', async () => {
  const refusal = (vdev: string, path: string) => refuseMirror(qemu.host, qemu.domid, [{ vdev, path }])
  const [base] = images('base')
  expect(await refusal('xvda', base!.path)).toBeUndefined()
  expect(await refusal('xvda', '/elsewhere')).toMatch(/is written to .*base-xvda.qcow2, and not to \/elsewhere/)
  expect(await refusal('xvdq', '/elsewhere')).toMatch(/goes through the kernel/)
})
