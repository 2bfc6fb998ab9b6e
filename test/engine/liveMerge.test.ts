import { afterEach, beforeEach, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '../../src/engine/host/host.ts'
import { run } from '../../src/engine/host/run.ts'
import { cancelJobs } from '../../src/engine/hypervisor/blockJobs.ts'
import { writtenImages } from '../../src/engine/hypervisor/layers.ts'
import { closeImages, streamLayer } from '../../src/engine/hypervisor/stream.ts'
import { parseOpenFiles } from '../../src/engine/tools/qmp.ts'
import { readChain } from '../../src/engine/volumes/layers.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type Pattern, unlike, write } from '../contract/volumeSite.ts'
import { openRealQemu, type RealQemu } from '../support/programs/realQemu.ts'

/** Layers that a real QEMU has open, of which several go as one stream, between writes of its guest. */

const NAMES = ['base', 'first', 'second', 'third', 'top'] as const
type Name = (typeof NAMES)[number]

let qemu: RealQemu
const imageOf = (name: Name, dir = qemu.dir) => ({ path: join(dir, `${name}.qcow2`), format: 'qcow2' as const })
const pathsBelow = async (name: Name) => (await readChain(qemu.host, imageOf(name))).map(({ path }) => path)
const openFiles = async () =>
  parseOpenFiles(await qemu.ask((monitor) => monitor.execute('query-named-block-nodes', { flat: true })))

/** Each holds 4 MiB of its own, of which the next one hides half. */
beforeEach(async () => {
  qemu = await openRealQemu(async (dir, host) => {
    for (const [index, name] of NAMES.entries()) {
      const { path } = imageOf(name, dir)
      const below = index === 0 ? [] : ['-b', imageOf(NAMES[index - 1]!, dir).path, '-F', 'qcow2']
      await run(host, { argv: ['qemu-img', 'create', '-q', '-f', 'qcow2', ...below, path, '16M'], effect: 'change' })
      await write(host, imageOf(name, dir), `0xa${index}`, index * 2, 4)
    }
    return [{ vdev: 'xvda', ...imageOf('top', dir) }]
  })
})
afterEach(() => qemu.close())

const OPTIONS = { name: 'merge-1a2b3c4d', clock: systemClock, onProgress: () => undefined }
const stream = (name: Name, base?: Name, host = qemu.host) =>
  streamLayer(host, qemu.domid, { path: imageOf(name).path, ...(base ? { base: imageOf(base).path } : {}) }, OPTIONS)

/** Its QEMU says that it writes down what it knows, and does not. */
const lyingHost = (): Host => ({
  ...qemu.host,
  async connect(path, effect, signal) {
    const socket = await qemu.host.connect(path, effect, signal)
    const write = socket.write.bind(socket) as (text: string) => boolean
    return Object.assign(socket, { write: (text: string) => write(text.replace(/ flush"/, ' length"')) })
  },
})

const THIRD: readonly Pattern[] = [
  ['0xa0', 0, 2],
  ['0xa1', 2, 2],
  ['0xa2', 4, 2],
  ['0xa3', 6, 4],
  ['0', 10, 6],
]
const TOP: readonly Pattern[] = [...THIRD.slice(0, 3), ['0xa3', 6, 2], ['0xa4', 8, 4], ['0', 12, 3], ['0xee', 15, 1]]

test('into one in the middle and into the one that is written to, which the guest goes on writing to', async () => {
  await qemu.write('xvda', 0xee, 15 * 1024, 1024)
  await stream('third', 'base')
  expect(await pathsBelow('top')).toEqual((['top', 'third', 'base'] as const).map((name) => imageOf(name).path))
  for (const name of ['first', 'second'] as const) {
    expect(await openFiles()).not.toContain(imageOf(name).path)
    rmSync(imageOf(name).path)
  }
  expect(await unlike(qemu.host, imageOf('third'), THIRD)).toEqual([])
  await stream('top')
  expect(await pathsBelow('top')).toEqual([imageOf('top').path])
  for (const name of ['third', 'base'] as const) {
    expect(await openFiles()).not.toContain(imageOf(name).path)
    rmSync(imageOf(name).path)
  }
  expect([...(await writtenImages(qemu.host, qemu.domid)).values()]).toEqual([imageOf('top').path])
  await qemu.kill()
  expect(await unlike(qemu.host, imageOf('top'), TOP)).toEqual([])
})

test('the image that a disk was built with stays open until QEMU is told to close it, with what lies below it', async () => {
  await qemu.write('xvda', 0xee, 15 * 1024, 1024)
  const over = join(qemu.dir, 'over.qcow2')
  const { path } = imageOf('top')
  const create = ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', path, '-F', 'qcow2', over, '16M'] as const
  await run(qemu.host, { argv: create, effect: 'change' })
  const nodes = (await qemu.ask((monitor) => monitor.execute('query-block'))) as { inserted: { 'node-name': string } }[]
  const data = {
    'node-name': nodes[0]!.inserted['node-name'],
    'snapshot-file': over,
    'snapshot-node-name': 'over',
    mode: 'existing',
  }
  await qemu.ask((monitor) => monitor.execute('blockdev-snapshot-sync', { ...data, format: 'qcow2' }))
  const below = NAMES.map((name) => imageOf(name).path)
  const close = () => closeImages(qemu.host, qemu.domid, below)
  await expect(close()).rejects.toThrow(/is busy: node is used as backing/)
  expect(await openFiles()).toContain(path)
  await streamLayer(qemu.host, qemu.domid, { path: over }, OPTIONS)
  expect(await openFiles()).toEqual(expect.arrayContaining(below))
  await close()
  expect((await openFiles()).filter((file) => below.includes(file))).toEqual([])
  await close()
  await qemu.kill()
  expect(await unlike(qemu.host, { path: over, format: 'qcow2' }, TOP)).toEqual([])
})

test('what an attempt before has streamed of it is gone on from', async () => {
  await stream('top', 'second')
  await stream('top', 'base')
  await stream('top', 'base')
  expect(await pathsBelow('top')).toEqual([imageOf('top').path, imageOf('base').path])
  for (const name of ['first', 'second', 'third'] as const) rmSync(imageOf(name).path)
  await qemu.kill()
  expect(await unlike(qemu.host, imageOf('top'), [...TOP.slice(0, 5), ['0', 12, 4]])).toEqual([])
})

const UNWRITTEN = /has not written down all that it has copied/
const BEFORE = [...TOP.slice(0, 5), ['0', 12, 4]] satisfies Pattern[]

test.each([
  ['top', undefined],
  ['top', 'first'],
  ['third', 'base'],
] as const)('%s, merged down to %p, lies as it did until all is written down', async (name, base) => {
  const before = await pathsBelow('top')
  await expect(stream(name, base, lyingHost())).rejects.toThrow(UNWRITTEN)
  expect(await pathsBelow('top')).toEqual(before)
  await qemu.kill()
  expect(await unlike(qemu.host, imageOf('top'), BEFORE)).toEqual([])
})

test('one that is given up at its last change leaves nothing at work, and is done again', async () => {
  await expect(stream('top', undefined, lyingHost())).rejects.toThrow(UNWRITTEN)
  await cancelJobs(qemu.host, qemu.domid, OPTIONS)
  expect(await qemu.ask((monitor) => monitor.execute('query-jobs'))).toEqual([])
  await expect(stream('top', undefined, lyingHost())).rejects.toThrow(UNWRITTEN)
  await stream('top')
  expect(await pathsBelow('top')).toEqual([imageOf('top').path])
  await qemu.kill()
  expect(await unlike(qemu.host, imageOf('top'), BEFORE)).toEqual([])
})
