import { afterEach, beforeEach, expect, test } from 'bun:test'
import { writtenImages } from '../../../src/engine/hypervisor/layers.ts'
import { momentUrl } from '../../../src/engine/hypervisor/moment/export.ts'
import { holdMoment, needMoment, releaseMoment } from '../../../src/engine/hypervisor/moment/moment.ts'
import type { RealQemu } from '../../support/programs/realQemu.ts'
import { createImages, imageAt, imagesOf, momentDisks, openTwoDisks, QEMU_GONE, VDEVS, wayOf } from './bench.ts'

/**
 * A moment that is held, with a reader that is killed, a place that is full and a QEMU that ends. The guest writes through its device
 * here: what it would come through else is what shows the moment.
 */

const NAME = 'pengx-1a2b3c4d'
let qemu: RealQemu
beforeEach(async () => {
  qemu = await openTwoDisks()
  for (const vdev of VDEVS) await qemu.write(vdev, 0x11, 0, 4096)
  await createImages(qemu.host, qemu.dir, NAME)
})
afterEach(() => qemu.close())

const way = () => wayOf(qemu, NAME)
const disks = () => momentDisks(qemu, NAME)
const hold = () => holdMoment(qemu.host, qemu.domid, disks(), way(), NAME)
const need = () => needMoment(qemu.host, qemu.domid, disks(), way())
const release = () => releaseMoment(qemu.host, qemu.domid, way(), NAME)
const url = (vdev: string) => momentUrl(way().socket, vdev)

/** Whether all 4 MiB that were written hold one byte. */
function reads(path: string, format: string, byte: number): boolean {
  const argv = ['qemu-io', '-r', '-U', '-f', format, '-c', `read -P ${byte} 0 4M`, path]
  const { exitCode, stdout, stderr } = Bun.spawnSync(argv, { stdout: 'pipe', stderr: 'pipe' })
  const said = `${stdout}${stderr}`
  if (exitCode !== 0 && !/verification failed/.test(said)) throw new Error(said)
  return !/verification failed/.test(said)
}
const leftovers = () =>
  qemu.ask(async (qmp) => {
    const nodes = (await qmp.execute('query-named-block-nodes', { flat: true })) as { 'node-name': string }[]
    return {
      nodes: nodes.map((node) => node['node-name']).filter((name) => name.includes('pengx-')),
      jobs: await qmp.execute('query-jobs'),
      exports: await qmp.execute('query-block-exports'),
    }
  })
const NONE = { nodes: [], jobs: [], exports: [] }

test('a reader that is killed takes nothing with it: the moment is read by another, and let go of', async () => {
  await hold()
  for (const vdev of VDEVS) await qemu.write(vdev, 0x22, 0, 2048)
  const reader = Bun.spawn(['qemu-io', '-r', '-f', 'raw', url('xvda')], { stdin: 'pipe', stdout: 'pipe' })
  reader.stdin.write('read 0 64k\n')
  reader.stdin.flush()
  await reader.stdout.getReader().read()
  reader.kill('SIGKILL')
  await reader.exited
  await need()
  for (const vdev of VDEVS) expect(reads(url(vdev), 'raw', 0x11)).toBe(true)
  await need()
  await release()
  expect(await leftovers()).toEqual(NONE)
})

test('a moment that somebody is still reading can be let go of', async () => {
  await hold()
  const reader = Bun.spawn(['qemu-io', '-r', '-f', 'raw', url('xvda')], { stdin: 'pipe', stdout: 'pipe' })
  reader.stdin.write('read 0 64k\n')
  reader.stdin.flush()
  await reader.stdout.getReader().read()
  await release()
  expect(await leftovers()).toEqual(NONE)
  reader.kill('SIGKILL')
  await reader.exited
})

test.each(['ENOSPC', 'EIO'] as const)(
  'a place that gives %s loses no moment unsaid, and the guest goes on when it is let go of',
  async (errno) => {
    qemu.failing(imagesOf(qemu.dir, NAME)[0]!.path, { errno, afterWrites: 3 })
    await hold()
    // QEMU 7.2 lets the guest's write fail rather than the moment.
    await qemu.write('xvda', 0x22, 0, 4096).catch(() => undefined)
    const isHeld = await need().then(
      () => true,
      () => false,
    )
    if (isHeld) expect(reads(url('xvda'), 'raw', 0x11)).toBe(true)
    await release()
    expect(await leftovers()).toEqual(NONE)
    await qemu.write('xvda', 0x33, 0, 4096)
    await qemu.flush()
    expect(reads(imageAt(qemu.dir, 'base-xvda').path, 'qcow2', 0x33)).toBe(true)
  },
)

test('QEMU killed while it holds a moment leaves the disks as the guest had flushed them, and nothing to let go of', async () => {
  await hold()
  for (const vdev of VDEVS) await qemu.write(vdev, 0x22, 0, 4096)
  await qemu.flush()
  await qemu.kill()
  await expect(need()).rejects.toMatchObject({ code: expect.stringMatching(QEMU_GONE) })
  for (const { path } of imagesOf(qemu.dir, 'base')) expect(reads(path, 'qcow2', 0x22)).toBe(true)
  const next = await qemu.again(imagesOf(qemu.dir, 'base').map((image, index) => ({ vdev: VDEVS[index]!, ...image })))
  try {
    await createImages(next.host, next.dir, NAME)
    await holdMoment(next.host, next.domid, momentDisks(next, NAME), wayOf(next, NAME), NAME)
    await next.write('xvda', 0x33, 0, 4096)
    expect(reads(url('xvda'), 'raw', 0x22)).toBe(true)
    await releaseMoment(next.host, next.domid, wayOf(next, NAME), NAME)
    expect([...(await writtenImages(next.host, next.domid)).keys()]).toEqual([...VDEVS])
  } finally {
    await next.kill()
  }
})
