import { afterEach, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { run } from '../../../src/engine/host/run.ts'
import { cancelJobs } from '../../../src/engine/hypervisor/blockJobs.ts'
import { closeImages, streamLayer } from '../../../src/engine/hypervisor/stream.ts'
import { readChain } from '../../../src/engine/volumes/layers.ts'
import type { BlockFault } from '../../support/programs/blockFaults.ts'
import type { GuestImage, NumberedGuest } from '../../support/programs/numberedGuest.ts'
import { openRealQemu, type RealQemu } from '../../support/programs/realQemu.ts'
import { openStorageDaemon } from '../../support/programs/storageDaemon.ts'
import { createImage, failureOf, imageAt, QEMU_GONE, quickClock } from './bench.ts'

/**
 * Layers that are pulled into the image on them under a guest that writes: base <- middle <- top, each of which the guest has
 * written a part of at another time.
 */

let qemu: RealQemu
let guest: NumberedGuest
afterEach(() => qemu.close())

const LAYERS = ['base', 'middle', 'top'] as const
type Layer = (typeof LAYERS)[number]
const WRITES = 40
const momentIn = { base: WRITES, middle: 2 * WRITES, top: 3 * WRITES } as const
const image = (name: Layer): GuestImage => imageAt(qemu.dir, name)

/** The layers are written by a QEMU without a guest's devices, and opened then with what goes wrong on the way to the top. */
async function open(fault?: BlockFault): Promise<void> {
  qemu = await openRealQemu(async (dir, host) => {
    const daemon = await openStorageDaemon(dir)
    await createImage(host, imageAt(dir, 'base').path)
    await daemon.open('disk', imageAt(dir, 'base'))
    guest = await daemon.guest('disk')
    for (const [index, name] of LAYERS.entries()) {
      if (index > 0) {
        await createImage(host, imageAt(dir, name).path, imageAt(dir, LAYERS[index - 1]!).path)
        const node = index === 1 ? 'disk' : LAYERS[index - 1]!
        const overlay = { 'snapshot-file': imageAt(dir, name).path, 'snapshot-node-name': name, mode: 'existing' }
        await daemon.ask((qmp) =>
          qmp.execute('blockdev-snapshot-sync', { 'node-name': node, format: 'qcow2', ...overlay }),
        )
      }
      await guest.write(WRITES)
      await guest.flush()
    }
    await daemon.kill()
    return [{ vdev: 'xvda', ...imageAt(dir, 'top'), ...(fault ? { fault } : {}) }]
  })
  guest = await qemu.guest(guest)
}

const OPTIONS = { name: 'merge-1a2b3c4d', clock: quickClock, onProgress: () => undefined }
const stream = (base?: Layer, on = qemu) =>
  streamLayer(on.host, on.domid, { path: image('top').path, ...(base ? { base: image(base).path } : {}) }, OPTIONS)
const chain = async () => (await readChain(qemu.host, image('top'))).map(({ path }) => path)
const pathsOf = (...names: Layer[]) => names.map((name) => image(name).path)
const momentOf = (name: Layer, moment: number = momentIn[name]) => guest.momentOf([image(name)], moment, moment)
/** As slow as it takes for something to happen meanwhile. */
const slowly = () =>
  qemu.retell((message) =>
    message.execute === 'block-stream' ? { ...message, arguments: { ...message.arguments, speed: 262_144 } } : message,
  )
const jobs = () => qemu.ask((qmp) => qmp.execute('query-jobs')) as Promise<unknown> as Promise<{ status: string }[]>
const begun = async () => {
  while ((await jobs()).length === 0) await Bun.sleep(5)
}

test.each([
  ['what it lies on', 'base'],
  ['all of its chain', undefined],
] as const)('%s is pulled under a guest that writes, and those below read as their moments', async (_, base) => {
  await open()
  const writing = guest.goOn()
  await stream(base)
  await writing.stop()
  await guest.flush()
  expect(guest.failures()).toEqual([])
  expect(await chain()).toEqual(base ? pathsOf('top', 'base') : pathsOf('top'))
  for (const name of ['base', 'middle'] as const) expect(momentOf(name)).toBe(momentIn[name])
  await closeImages(qemu.host, qemu.domid, base ? pathsOf('middle') : pathsOf('middle', 'base'))
  rmSync(image('middle').path)
  if (!base) rmSync(image('base').path)
  await guest.write(40)
  await guest.flush()
  expect(momentOf('top', guest.now())).toBe(guest.now())
  await qemu.kill()
  expect(momentOf('top', guest.now())).toBe(guest.now())
})

test.each([
  ['ENOSPC', 'noSpace', 9],
  ['EIO', 'commandFailed', 9],
  ['ENOSPC', 'noSpace', 0],
] as const)(
  'a write that ends in %s ends the pull as %s after %d writes; the guest loses nothing, and a second attempt succeeds',
  async (errno, code, afterWrites) => {
    await open({ errno, afterWrites, once: true })
    await expect(stream()).rejects.toMatchObject({ code })
    expect(await chain()).toEqual(pathsOf('top', 'middle', 'base'))
    expect(await jobs()).toEqual([])
    await guest.write(50)
    await guest.flush()
    expect(guest.failures()).toEqual([])
    expect(momentOf('top', guest.now())).toBe(guest.now())
    for (const name of ['base', 'middle'] as const) expect(momentOf(name)).toBe(momentIn[name])
    await stream()
    expect(await chain()).toEqual(pathsOf('top'))
    await qemu.kill()
    expect(guest.lostOf([image('top')])).toEqual([])
  },
)

test('a disk that stays full keeps the chain as it is, whatever is tried, and what the guest was told is there', async () => {
  await open({ errno: 'ENOSPC', afterWrites: 15 })
  const writing = guest.goOn()
  await expect(stream()).rejects.toMatchObject({ code: 'noSpace' })
  await expect(stream('base')).rejects.toMatchObject({ code: 'noSpace' })
  await writing.stop()
  expect(await chain()).toEqual(pathsOf('top', 'middle', 'base'))
  await qemu.kill()
  expect(guest.lostOf([image('top')])).toEqual([])
  for (const name of ['base', 'middle'] as const) expect(momentOf(name)).toBe(momentIn[name])
})

test.each(['base', undefined] as const)(
  'QEMU killed in the middle of a pull down to %p leaves what the guest had flushed, and another ends it',
  async (base) => {
    await open()
    slowly()
    const writing = guest.goOn()
    const ended = failureOf(stream(base))
    await begun()
    const since = guest.now()
    while (guest.now() < since + 120) await Bun.sleep(1)
    await qemu.kill()
    expect(await ended).toMatchObject({ code: expect.stringMatching(QEMU_GONE) })
    await writing.stop()
    expect(await chain()).toEqual(pathsOf('top', 'middle', 'base'))
    expect(guest.lostOf([image('top')])).toEqual([])
    for (const name of ['base', 'middle'] as const) expect(momentOf(name)).toBe(momentIn[name])
    const next = await qemu.again([{ vdev: 'xvda', ...image('top') }])
    try {
      await stream(base, next)
      expect(await chain()).toEqual(base ? pathsOf('top', 'base') : pathsOf('top'))
    } finally {
      await next.kill()
    }
    expect(guest.lostOf([image('top')])).toEqual([])
  },
)

test('a header that could not be written keeps what it names, also where QEMU takes it for done; another QEMU ends it', async () => {
  await open()
  await stream()
  await qemu.kill()
  const { path } = image('top')
  const back = ['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', image('middle').path, path] as const
  await run(qemu.host, { argv: back, effect: 'change' })
  // All is in it by now, so that the header is what this attempt writes first.
  const disk = { vdev: 'xvda', ...image('top') }
  const broken = await qemu.again([{ ...disk, fault: { errno: 'EIO', afterWrites: 0, once: true } }])
  try {
    await expect(stream(undefined, broken)).rejects.toMatchObject({ code: 'commandFailed' })
    guest = await broken.guest(guest)
    await guest.write(40)
    // It finds nothing to do. Whoever gives up what was merged asks the header first.
    await stream(undefined, broken)
    await guest.flush()
  } finally {
    await broken.kill()
  }
  expect(await chain()).toEqual(pathsOf('top', 'middle', 'base'))
  expect(momentOf('top', guest.now())).toBe(guest.now())
  const next = await qemu.again([disk])
  try {
    await stream(undefined, next)
  } finally {
    await next.kill()
  }
  expect(await chain()).toEqual(pathsOf('top'))
  expect(momentOf('top', guest.now())).toBe(guest.now())
})

test('QEMU killed when the pull is done has lost nothing that was pulled', async () => {
  await open()
  await guest.write(30)
  await guest.flush()
  await stream()
  for (const name of ['base', 'middle'] as const) rmSync(image(name).path)
  await qemu.kill()
  expect(momentOf('top', guest.now())).toBe(guest.now())
})

test('a pull that is given up goes on until it is ended, as the next attempt does too, and leaves no job', async () => {
  await open()
  slowly()
  const giveUp = async () => {
    const stop = new AbortController()
    const ended = failureOf(
      streamLayer(qemu.host, qemu.domid, { path: image('top').path }, { ...OPTIONS, signal: stop.signal }),
    )
    await begun()
    stop.abort()
    expect(await ended).toBeInstanceOf(Error)
    expect(await jobs()).toMatchObject([{ status: 'running' }])
  }
  await giveUp()
  await cancelJobs(qemu.host, qemu.domid, OPTIONS)
  expect(await jobs()).toEqual([])
  expect(await chain()).toEqual(pathsOf('top', 'middle', 'base'))
  await giveUp()
  qemu.retell((message) => message)
  await stream()
  expect(await chain()).toEqual(pathsOf('top'))
})
