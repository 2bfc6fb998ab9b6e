import { afterEach, beforeEach, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { switchDisks, writtenImages } from '../../../src/engine/hypervisor/layers.ts'
import type { NumberedGuest } from '../../support/programs/numberedGuest.ts'
import type { RealQemu } from '../../support/programs/realQemu.ts'
import { betweenWrites, createImages, disksOf, imagesOf, openTwoDisks, TAG, VDEVS } from './bench.ts'

/** Disks that are frozen under a guest which goes on writing, on QEMU's own block layer. */

let qemu: RealQemu
let guest: NumberedGuest
beforeEach(async () => {
  qemu = await openTwoDisks()
  guest = await qemu.guest()
})
afterEach(() => qemu.close())

const overlays = (name: string, below: string) => createImages(qemu.host, qemu.dir, name, below)
const freeze = (from: string, to: string) =>
  switchDisks(
    qemu.host,
    { domid: qemu.domid, uuid: 'guest' },
    VDEVS.map((vdev, index) => ({
      vdev,
      from: imagesOf(qemu.dir, from)[index]!.path,
      to: imagesOf(qemu.dir, to)[index]!.path,
    })),
    TAG,
  )
const images = (name: string) => imagesOf(qemu.dir, name)
const written = async () => [...(await writtenImages(qemu.host, qemu.domid)).values()]
const pathsOf = (name: string) => images(name).map(({ path }) => path)

/** Between which numbers the work falls, for a guest that goes on meanwhile. */
async function during(work: () => Promise<unknown>): Promise<readonly [from: number, to: number]> {
  const from = guest.now() - 1
  await work()
  return [from, guest.now()]
}

test('all disks are frozen at one moment, time and again, and nothing that the guest writes is lost', async () => {
  await guest.write(100)
  const writing = guest.goOn()
  betweenWrites(qemu, guest)
  const names = ['base', 'first', 'second', 'third']
  const moments: number[] = []
  for (const [index, name] of names.slice(1).entries()) {
    await overlays(name, names[index]!)
    const [from, to] = await during(() => freeze(names[index]!, name))
    moments.push(guest.momentOf(images(names[index]!), from, to))
  }
  await writing.stop()
  await guest.flush()
  expect(guest.failures()).toEqual([])
  expect(guest.momentOf(images('third'), guest.now(), guest.now())).toBe(guest.now())
  // What was frozen has stayed so.
  for (const [index, moment] of moments.entries())
    expect(guest.momentOf(images(names[index]!), moment, moment)).toBe(moment)
})

test('where one disk cannot be switched none is', async () => {
  await guest.write(50)
  await overlays('over', 'base')
  rmSync(pathsOf('over')[1]!)
  await expect(freeze('base', 'over')).rejects.toMatchObject({
    code: 'commandFailed',
    message: expect.stringMatching(/Could not open '.*over-xvdb.qcow2'.*No such file or directory/),
  })
  expect(await written()).toEqual(pathsOf('base'))
  await guest.write(50)
  await guest.flush()
  expect(guest.momentOf(images('base'), 100, 100)).toBe(100)
  await overlays('over', 'base')
  await freeze('base', 'over')
  expect(await written()).toEqual(pathsOf('over'))
})

test('a disk that is on its overlay already stays there, and one that is written elsewhere is refused', async () => {
  await overlays('over', 'base')
  await freeze('base', 'over')
  await guest.write(20)
  await freeze('base', 'over')
  expect(await written()).toEqual(pathsOf('over'))
  await expect(freeze('base', 'other')).rejects.toMatchObject({ code: 'refused' })
  await guest.flush()
  expect(guest.momentOf(images('over'), 20, 20)).toBe(20)
})

test('a QEMU that says yes and does nothing is not believed', async () => {
  await overlays('over', 'base')
  qemu.retell((message) =>
    message.execute === 'transaction' ? { ...message, execute: 'query-jobs', arguments: {} } : message,
  )
  await expect(freeze('base', 'over')).rejects.toMatchObject({
    code: 'commandFailed',
    message: expect.stringMatching(/QEMU said yes, and xvda is not on/),
  })
})

test.each(['ENOSPC', 'EIO'] as const)(
  'an overlay whose writes end in %s costs the guest what it is told, and no more',
  async (errno) => {
    await guest.write(100)
    await guest.flush()
    await overlays('over', 'base')
    qemu.failing(pathsOf('over')[1]!, { errno, afterWrites: 12 })
    await freeze('base', 'over')
    await guest.write(60)
    await guest.flush()
    expect(guest.failures().length).toBeGreaterThan(5)
    expect(new Set(guest.failures().map((one) => one.errno))).toEqual(new Set([errno === 'EIO' ? 5 : 28]))
    expect(guest.momentOf(images('base'), 100, 100)).toBe(100)
    await qemu.kill()
    expect(guest.lostOf(images('over'))).toEqual([])
    expect(guest.momentOf(images('base'), 100, 100)).toBe(100)
  },
)

test('an overlay whose write fails once serves the guest from then on', async () => {
  await overlays('over', 'base')
  qemu.failing(pathsOf('over')[0]!, { errno: 'EIO', afterWrites: 7, once: true })
  await freeze('base', 'over')
  await guest.write(100)
  await guest.flush()
  expect(guest.failures()).toHaveLength(1)
  const now = guest.now()
  expect(guest.momentOf(images('over'), now, now)).toBe(now)
})

test('where QEMU is killed what the guest had flushed is in the overlays, and what was frozen reads as its moment', async () => {
  await guest.write(80)
  await overlays('over', 'base')
  const writing = guest.goOn()
  const [from, to] = await during(() => freeze('base', 'over'))
  const moment = guest.momentOf(images('base'), from, to)
  while (guest.now() < to + 170) await Bun.sleep(1)
  await qemu.kill()
  await writing.stop()
  expect(guest.isOver()).toBe(true)
  expect(guest.lostOf(images('over'))).toEqual([])
  expect(guest.momentOf(images('base'), moment, moment)).toBe(moment)
  // A guest that is built anew goes on where it was.
  const next = await qemu.again(disksOf(qemu.dir, 'over'))
  try {
    expect([...(await writtenImages(next.host, next.domid)).values()]).toEqual(pathsOf('over'))
  } finally {
    await next.kill()
  }
})
