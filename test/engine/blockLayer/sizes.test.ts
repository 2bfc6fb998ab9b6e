import { afterEach, beforeEach, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { openImages, rereadImages } from '../../../src/engine/hypervisor/handOver.ts'
import { resizeDisk } from '../../../src/engine/hypervisor/resizeDisk.ts'
import { fileVolumes } from '../../../src/engine/volumes/file.ts'
import type { Message } from '../../support/programs/monitorBetween.ts'
import { DISK_MIB } from '../../support/programs/numberedGuest.ts'
import type { RealQemu } from '../../support/programs/realQemu.ts'
import { disksOf, imagesOf, openTwoDisks, TAG } from './bench.ts'

/** Disks that grow, or are read anew, under a guest that has written to them. */

let qemu: RealQemu
beforeEach(async () => {
  qemu = await openTwoDisks()
  await qemu.write('xvda', 0x11, 0, 1024)
})
afterEach(() => qemu.close())

const disk = () => ({ vdev: 'xvda', path: imagesOf(qemu.dir, 'base')[0]!.path })
const resize = (sizeMib: number, of = disk()) =>
  resizeDisk(qemu.host, { domid: qemu.domid, uuid: 'guest' }, of, sizeMib, TAG)
/** As the header tells. */
const sizeMib = async () => (await fileVolumes.stat(qemu.host, disk().path, 'qcow2'))?.sizeMib
const bytes = async () => {
  const blocks = (await qemu.ask((qmp) => qmp.execute('query-block'))) as unknown as {
    inserted: { image: { 'virtual-size': number } }
  }[]
  return blocks.map(({ inserted }) => inserted.image['virtual-size'] / (1024 * 1024))
}

test('a disk has its new size to the byte, for QEMU and in its header, and what lies behind the old end can be written', async () => {
  for (const size of [DISK_MIB + 1, DISK_MIB + 7, DISK_MIB + 7]) {
    await resize(size)
    expect(await bytes()).toEqual([size, DISK_MIB])
    expect(await sizeMib()).toBe(size)
  }
  await qemu.write('xvda', 0x22, (DISK_MIB + 6) * 1024, 1024)
  await qemu.flush()
  await qemu.kill()
  const plain = `${disk().path}.raw`
  expect(Bun.spawnSync(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', disk().path, plain]).exitCode).toBe(0)
  const held = readFileSync(plain)
  const mib = (at: number) => new Set(held.subarray(at * 1024 * 1024, (at + 1) * 1024 * 1024))
  expect(held.length).toBe((DISK_MIB + 7) * 1024 * 1024)
  expect([mib(0), mib(1), mib(DISK_MIB + 6)]).toEqual([new Set([0x11]), new Set([0]), new Set([0x22])])
})

test('none shrinks, and none that is written elsewhere or does not go through QEMU is touched', async () => {
  await resize(DISK_MIB + 4)
  await expect(resize(DISK_MIB)).rejects.toMatchObject({ code: 'refused' })
  await expect(resize(DISK_MIB + 9, { ...disk(), path: '/elsewhere' })).rejects.toMatchObject({ code: 'refused' })
  await expect(resize(DISK_MIB + 9, { ...disk(), vdev: 'xvdz' })).rejects.toMatchObject({ code: 'unsupported' })
  expect(await bytes()).toEqual([DISK_MIB + 4, DISK_MIB])
})

test.each<[string, (message: Message) => Message]>([
  ['does nothing', (message) => ({ ...message, execute: 'query-jobs', arguments: {} })],
  [
    'does less',
    (message) => ({ ...message, arguments: { ...message.arguments, size: Number(message.arguments?.size) - 512 } }),
  ],
])('a QEMU that says yes and %s is not believed', async (_, instead) => {
  qemu.retell((message) => (message.execute === 'block_resize' ? instead(message) : message))
  await expect(resize(DISK_MIB + 4)).rejects.toMatchObject({
    code: 'commandFailed',
    message: expect.stringMatching(/QEMU said yes, and it has/),
  })
})

test('an image whose header cannot be written is said to be so, reads as before, and grows with the next attempt', async () => {
  await qemu.flush()
  await qemu.kill()
  const [first, second] = disksOf(qemu.dir, 'base')
  const broken = await qemu.again([{ ...first!, fault: { errno: 'EIO', afterWrites: 0, once: true } }, second!])
  const grow = () => resizeDisk(broken.host, { domid: broken.domid, uuid: 'guest' }, disk(), DISK_MIB + 4, TAG)
  try {
    await expect(grow()).rejects.toMatchObject({ code: 'commandFailed' })
    expect(await sizeMib()).toBe(DISK_MIB)
    await grow()
    expect(await sizeMib()).toBe(DISK_MIB + 4)
  } finally {
    await broken.kill()
  }
})

test('images are let go of and taken again, as often as it is asked, and what was written is there', async () => {
  const paths = imagesOf(qemu.dir, 'base').map(({ path }) => path)
  for (const byte of [0x22, 0x33]) {
    await qemu.write('xvda', byte, 1024, 1024)
    await rereadImages(qemu.host, qemu.domid, paths)
    expect(await openImages(qemu.host, qemu.domid)).toEqual(paths)
  }
  await qemu.write('xvda', 0x44, 2048, 1024)
  await qemu.flush()
  await qemu.kill()
  const reads = ['-c', 'read -P 0x11 0 1M', '-c', 'read -P 0x33 1M 1M', '-c', 'read -P 0x44 2M 1M']
  const { stdout, stderr } = Bun.spawnSync(['qemu-io', '-r', '-f', 'qcow2', ...reads, paths[0]!], { stderr: 'pipe' })
  expect(`${stdout}${stderr}`).not.toMatch(/failed/)
})

test('what another has written meanwhile is read after that', async () => {
  const { path } = disk()
  await qemu.ask((qmp) => qmp.execute('stop'))
  await qemu.flush()
  const other = ['qemu-io', '-f', 'qcow2', '-c', 'write -P 0x55 4M 1M', path]
  expect(Bun.spawnSync(other, { stdout: 'ignore' }).exitCode).toBe(0)
  await rereadImages(qemu.host, qemu.domid, [path])
  // Its tables are those of the other by now: what it writes beside that does not take its place.
  await qemu.write('xvda', 0x66, 6 * 1024, 1024)
  await qemu.flush()
  await qemu.kill()
  const reads = ['-c', 'read -P 0x11 0 1M', '-c', 'read -P 0x55 4M 1M', '-c', 'read -P 0x66 6M 1M']
  const { stdout, stderr } = Bun.spawnSync(['qemu-io', '-r', '-f', 'qcow2', ...reads, path], { stderr: 'pipe' })
  expect(`${stdout}${stderr}`).not.toMatch(/failed/)
})
