import { afterEach, beforeEach, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../src/engine/host/run.ts'
import { momentUrl } from '../../src/engine/hypervisor/moment/export.ts'
import {
  copyMoment,
  forgetBitmaps,
  holdMoment,
  momentMeans,
  needMoment,
  releaseMoment,
} from '../../src/engine/hypervisor/moment/moment.ts'
import { parseVersion } from '../../src/engine/tools/qmp.ts'
import { fileVolumes } from '../../src/engine/volumes/file.ts'
import { needSame } from '../../src/engine/volumes/pack.ts'
import type { Image } from '../../src/engine/volumes/volumeDriver.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { openRealQemu, type RealQemu } from '../support/programs/realQemu.ts'

const VDEVS = ['xvda', 'xvdb'] as const
const SIZE_KIB = 16 * 1024
const BLOCK_KIB = 64
const TAG = 'moment.0'

let qemu: RealQemu
/** What the guest has written last to each block of each disk. */
let written: Map<string, number>

beforeEach(async () => {
  written = new Map()
  qemu = await openRealQemu(async (dir, host) => {
    const [a, b] = [join(dir, 'a.qcow2'), join(dir, 'b.raw')]
    for (const argv of [
      ['qemu-img', 'create', '-q', '-f', 'qcow2', a, `${SIZE_KIB}K`],
      ['qemu-img', 'create', '-q', '-f', 'raw', b, `${SIZE_KIB}K`],
    ] as const)
      await run(host, { argv, effect: 'change' })
    return [
      { vdev: 'xvda', path: a, format: 'qcow2' },
      { vdev: 'xvdb', path: b, format: 'raw' },
    ]
  })
})
afterEach(() => qemu.close())

async function guestWrites(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    const vdev = VDEVS[turn % 2]!
    const block = Math.floor(Math.random() * (SIZE_KIB / BLOCK_KIB))
    const byte = 1 + Math.floor(Math.random() * 255)
    await qemu.write(vdev, byte, block * BLOCK_KIB, BLOCK_KIB)
    written.set(`${vdev} ${block}`, byte)
  }
}

const disks = () =>
  VDEVS.map((vdev) => ({
    vdev,
    path: join(qemu.dir, vdev === 'xvda' ? 'a.qcow2' : 'b.raw'),
    scratch: join(qemu.dir, `scratch-${vdev}.qcow2`),
  }))
const way = (name: string, bytesPerSecond = 0) => ({
  name,
  bytesPerSecond,
  socket: join(qemu.dir, `${name}.sock`),
  clock: systemClock,
  onProgress: () => undefined,
})

async function makeScratch(): Promise<void> {
  for (const { scratch } of disks()) {
    await fileVolumes.remove(qemu.host, scratch, TAG)
    await fileVolumes.create(qemu.host, scratch, 'qcow2', SIZE_KIB / 1024, TAG)
  }
}

/** An image of what the guest had written at that moment, made without QEMU's help. */
async function expected(moment: ReadonlyMap<string, number>, vdev: string): Promise<Image> {
  const bytes = new Uint8Array(SIZE_KIB * 1024)
  for (const [key, byte] of moment) {
    const [of, block] = key.split(' ')
    if (of === vdev) bytes.fill(byte, Number(block) * BLOCK_KIB * 1024, (Number(block) + 1) * BLOCK_KIB * 1024)
  }
  const path = join(qemu.dir, `expected-${vdev}-${crypto.randomUUID()}.raw`)
  await Bun.write(path, bytes)
  return { path, format: 'raw' }
}

const same = async (image: Image, moment: ReadonlyMap<string, number>, vdev: string) =>
  await fileVolumes.compare(qemu.host, await expected(moment, vdev), image)

/** Nodes, jobs, exports and bitmaps that are not the guest's own. */
const leftovers = () =>
  qemu.ask(async (qmp) => {
    const nodes = (await qmp.execute('query-named-block-nodes', { flat: true })) as {
      'node-name': string
      'dirty-bitmaps'?: { name: string }[]
    }[]
    return {
      nodes: nodes.map((node) => node['node-name']).filter((name) => name.startsWith('pengx-')),
      jobs: await qmp.execute('query-jobs'),
      exports: await qmp.execute('query-block-exports'),
      bitmaps: [...new Set(nodes.flatMap((node) => (node['dirty-bitmaps'] ?? []).map((bitmap) => bitmap.name)))],
    }
  })
const NONE = { nodes: [], jobs: [], exports: [], bitmaps: [] }

async function pack(source: Image, backing?: Image): Promise<Image> {
  const path = join(qemu.dir, `packed-${crypto.randomUUID()}.qcow2`)
  const target = { path, ...(backing ? { backing } : {}) }
  await fileVolumes.pack(qemu.host, source, target, TAG, () => undefined)
  await needSame(qemu.host, source, target)
  return { path, format: 'qcow2' }
}

test('what an iothread serves is not shown before QEMU 9, which would end with the guest when a reader leaves', async () => {
  await qemu.ask((qmp) => qmp.execute('object-add', { 'qom-type': 'iothread', id: 'io0' }))
  const version = parseVersion(await qemu.ask((qmp) => qmp.execute('query-version')))
  expect(await momentMeans(qemu.host, qemu.domid, disks())).toEqual({ canHold: version >= 9, bitmaps: [] })
})

test('a held moment of two disks is read while the guest goes on writing, and nothing stays', async () => {
  await guestWrites(60)
  await makeScratch()
  const at = way('pengx-1a2b3c4d', 20 * 1024 * 1024)
  expect(await momentMeans(qemu.host, qemu.domid, disks())).toEqual({ canHold: true, bitmaps: [] })
  await holdMoment(qemu.host, qemu.domid, disks(), at, at.name)
  const moment = new Map(written)
  let reading = true
  const guest = (async () => {
    while (reading) await guestWrites(4)
  })()
  for (const vdev of VDEVS) {
    const packed = await pack({ path: momentUrl(at.socket, vdev), format: 'raw' })
    expect(await same(packed, moment, vdev)).toBe(true)
  }
  await needMoment(qemu.host, qemu.domid, disks(), at)
  reading = false
  await guest
  expect(written).not.toEqual(moment)
  await releaseMoment(qemu.host, qemu.domid, at)
  expect(await leftovers()).toEqual({ ...NONE, bitmaps: [at.name] })
  expect(existsSync(at.socket)).toBe(false)
  const { bitmaps } = await momentMeans(qemu.host, qemu.domid, disks())
  expect(bitmaps.map((bitmap) => bitmap.name)).toEqual([at.name])
  expect(bitmaps[0]!.bytes.every((bytes) => bytes > 0)).toBe(true)
  await releaseMoment(qemu.host, qemu.domid, at, at.name)
  expect(await leftovers()).toEqual(NONE)
  // The guest's own disks are as it has written them.
  await qemu.flush()
  for (const { vdev, path } of disks())
    expect(await same({ path, format: vdev === 'xvda' ? 'qcow2' : 'raw' }, written, vdev)).toBe(true)
}, 60_000)

test('increments hold what was written since, and read as their moment, also after one that was given up', async () => {
  await guestWrites(60)
  const packed = new Map<string, Image>()
  let since: string | undefined
  for (const name of ['pengx-aaaaaaaa', 'pengx-bbbbbbbb', 'pengx-cccccccc', 'pengx-dddddddd']) {
    await makeScratch()
    await copyMoment(qemu.host, qemu.domid, disks(), way(name), name, since)
    const moment = new Map(written)
    await guestWrites(20)
    if (name === 'pengx-bbbbbbbb') {
      // It is not good: what it was to note goes, and the one before still knows all that has been written since.
      await releaseMoment(qemu.host, qemu.domid, way(name), name)
      continue
    }
    for (const { vdev, scratch } of disks()) {
      const below = packed.get(vdev)
      const image = await pack({ path: scratch, format: 'qcow2' }, below)
      expect({ name, vdev, same: await same(image, moment, vdev) }).toEqual({ name, vdev, same: true })
      packed.set(vdev, image)
    }
    since = name
    await forgetBitmaps(qemu.host, qemu.domid, (other) => other !== since)
    expect(await leftovers()).toEqual({ ...NONE, bitmaps: [name] })
  }
}, 60_000)

test('an attempt that was cut off leaves what the next one, or letting go, takes away', async () => {
  await guestWrites(10)
  await makeScratch()
  const at = way('pengx-1a2b3c4d', 1024 * 1024)
  await holdMoment(qemu.host, qemu.domid, disks(), at, at.name)
  await makeScratch()
  await holdMoment(qemu.host, qemu.domid, disks(), at, at.name)
  await releaseMoment(qemu.host, qemu.domid, at, at.name)
  await releaseMoment(qemu.host, qemu.domid, at, at.name)
  expect(await leftovers()).toEqual(NONE)
  // Somebody else's server is left alone, and is why this one cannot hold a moment.
  const other = join(qemu.dir, 'other.sock')
  await qemu.ask(async (qmp) => {
    await qmp.execute('nbd-server-start', { addr: { type: 'unix', data: { path: other } } })
    await qmp.execute('block-export-add', { type: 'nbd', id: 'theirs', 'node-name': 'xvda-qcow2', name: 'x' })
  })
  expect((await momentMeans(qemu.host, qemu.domid, disks())).canHold).toBe(false)
  await releaseMoment(qemu.host, qemu.domid, at, at.name)
  expect(await leftovers()).toMatchObject({ exports: [{ id: 'theirs' }] })
}, 60_000)

test('a guest that is gone in the middle is said to be, and letting go of nothing is done', async () => {
  await guestWrites(10)
  await makeScratch()
  const at = way('pengx-1a2b3c4d')
  await holdMoment(qemu.host, qemu.domid, disks(), at, at.name)
  await qemu.kill()
  await expect(pack({ path: momentUrl(at.socket, 'xvda'), format: 'raw' })).rejects.toMatchObject({
    code: 'commandFailed',
  })
}, 60_000)
