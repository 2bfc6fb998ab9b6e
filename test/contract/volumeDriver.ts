import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Image } from '../../src/engine/volumes/volumeDriver.ts'
import { newUuid } from '../../src/lib/ids.ts'
import { volumeFilling } from './volumeFilling.ts'
import { volumeLayers } from './volumeLayers.ts'
import { volumePacking } from './volumePacking.ts'
import {
  ask,
  createBench,
  holds,
  type Pattern,
  TAG,
  unlike,
  type VolumeBench,
  type VolumeKind,
  write,
} from './volumeSite.ts'

/** What every driver does alike. */
export function volumeSuite(kind: VolumeKind): void {
  describe(kind.name, () => {
    const bench = createBench(kind)
    beforeAll(() => bench.begin())
    afterAll(() => bench.site.close())
    volumeLife(bench)
    volumeFilling(bench)
    volumeLayers(bench)
    volumePacking(bench)
  })
}

function volumeLife(bench: VolumeBench): void {
  const { driver, bytes, place, make, drop, stat, nothingIsLeft, isAbout } = bench
  test('tells the space of a place, and what is none', async () => {
    const space = await driver.inspect(bench.site.host, bench.site.storlink.link)
    expect(space.sizeMib).toBeGreaterThanOrEqual(space.freeMib)
    expect(space.freeMib).toBeGreaterThan(0)
    for (const [link, says] of bench.site.wrong) {
      const failure = await driver.inspect(bench.site.host, link).catch((error) => error)
      expect({ link, code: failure.code, says: failure.message }).toEqual({
        link,
        code: 'refused',
        says: expect.stringMatching(says),
      })
    }
  })

  test('gives each volume a path of its own', () => {
    const paths = [newUuid(), newUuid()].flatMap((uuid) => {
      const path = place('qcow2', uuid)
      expect(path).toContain(uuid)
      return [path, place('qcow2', uuid)]
    })
    expect(new Set(paths).size).toBe(2)
  })

  for (const format of ['qcow2', 'raw'] as const) {
    test(`${format}: is made empty, once, and removed, twice`, async () => {
      const image = await make(format, 18)
      const made = await stat(image)
      expect(made?.format).toBe(format)
      isAbout(made?.sizeMib, 18, format)
      const names = await bench.site.list()
      expect(names.length).toBe(bench.before.length + 1)
      if (bytes) {
        await write(bench.site.host, image, '0x5a', 1, 1)
        await driver.create(bench.site.host, image.path, format, 18, TAG)
        expect(await holds(bench.site.host, image, '0x5a', 1, 1)).toBe(true)
      } else await driver.create(bench.site.host, image.path, format, 18, TAG)
      expect(await bench.site.list()).toEqual(names)
      await drop(image)
      expect(await stat(image).catch(() => undefined)).toBeUndefined()
      await drop(image)
      await nothingIsLeft()
    })

    test(`${format}: grows, keeps what was written, and does not shrink`, async () => {
      const image = await make(format, 16)
      if (bytes) await write(bench.site.host, image, '0xa5', 15, 1)
      await driver.resize(bench.site.host, image.path, format, 40, TAG)
      await driver.resize(bench.site.host, image.path, format, 40, TAG)
      isAbout((await stat(image))?.sizeMib, 40, format)
      if (bytes) {
        const patterns: Pattern[] = [
          ['0xa5', 15, 1],
          ['0', 16, 24],
        ]
        expect(await unlike(bench.site.host, image, patterns)).toEqual([])
        await write(bench.site.host, image, '0x77', 39, 1)
      }
      await expect(driver.resize(bench.site.host, image.path, format, 8, TAG)).rejects.toMatchObject({
        code: expect.stringMatching(/refused|commandFailed/),
      })
      isAbout((await stat(image))?.sizeMib, 40, format)
      await drop(image)
      await nothingIsLeft()
    })

    if (bytes)
      test(`${format}: what a guest wrote is not what the next one finds`, async () => {
        const old = await make(format, 64)
        await write(bench.site.host, old, '0xee', 0, 64)
        await drop(old)
        const image = await make(format, 20)
        expect(await holds(bench.site.host, image, '0', 0, 20)).toBe(true)
        await driver.resize(bench.site.host, image.path, format, 60, TAG)
        expect(await holds(bench.site.host, image, '0', 0, 60)).toBe(true)
        await drop(image)
      })

    test(`${format}: is set aside, brought back, and removed only aside`, async () => {
      const image = await make(format)
      const names = await bench.site.list()
      if (bytes) await write(bench.site.host, image, '0x11', 3, 1)
      for (let turn = 0; turn < 2; turn++) await driver.setAside(bench.site.host, image.path, TAG)
      expect(await driver.stat(bench.site.host, image.path).catch(() => undefined)).toBeUndefined()
      expect((await bench.site.list()).length).toBe(names.length)
      for (let turn = 0; turn < 2; turn++) await driver.bringBack(bench.site.host, image.path, TAG)
      expect(await bench.site.list()).toEqual(names)
      if (bytes) expect(await holds(bench.site.host, image, '0x11', 3, 1)).toBe(true)
      await driver.removeAside(bench.site.host, image.path, TAG)
      expect(await bench.site.list()).toEqual(names)
      await driver.setAside(bench.site.host, image.path, TAG)
      await driver.remove(bench.site.host, image.path, TAG)
      expect((await bench.site.list()).length).toBe(names.length)
      for (let turn = 0; turn < 2; turn++) await driver.removeAside(bench.site.host, image.path, TAG)
      await nothingIsLeft()
    })
  }

  test('is written to only while that is allowed', async () => {
    const image = await make('qcow2')
    expect(await driver.isWritable(bench.site.host, image.path)).toBe(true)
    for (let turn = 0; turn < 2; turn++) await driver.setWritable(bench.site.host, image.path, false, TAG)
    expect(await driver.isWritable(bench.site.host, image.path)).toBe(false)
    for (let turn = 0; turn < 2; turn++) await driver.setWritable(bench.site.host, image.path, true, TAG)
    expect(await driver.isWritable(bench.site.host, image.path)).toBe(true)
    await drop(image)
    expect(await driver.isWritable(bench.site.host, image.path)).toBeUndefined()
  })

  test('what is called almost alike stays', async () => {
    const [image, other] = [await make('qcow2'), await make('qcow2')]
    const names = await bench.site.list()
    const clear = await bench.site.putBeside(image.path)
    const more = (await bench.site.list()).filter((name) => !names.includes(name))
    expect(more.length).toBe(1)
    await drop(image)
    expect(await bench.site.list()).toContain(more[0]!)
    expect(await stat(other)).toBeDefined()
    await clear()
    await drop(other)
    await nothingIsLeft()
  })

  test('two volumes of one name are a conflict, and both stay', async () => {
    const image = await make('qcow2')
    await driver.setAside(bench.site.host, image.path, TAG)
    await driver.create(bench.site.host, image.path, 'qcow2', 16, TAG)
    const names = await bench.site.list()
    await expect(driver.bringBack(bench.site.host, image.path, TAG)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('both are there'),
    })
    expect(await bench.site.list()).toEqual(names)
    await driver.removeAside(bench.site.host, image.path, TAG)
    await drop(image)
    await nothingIsLeft()
  })

  test('an overlay reads what it lies on, and wakes with it', async () => {
    const base = await make('qcow2', 24)
    if (bytes) await write(bench.site.host, base, '0x3c', 5, 1)
    const [same, larger]: [Image, Image] = [
      { path: place('qcow2'), format: 'qcow2' },
      { path: place('qcow2'), format: 'qcow2' },
    ]
    for (let turn = 0; turn < 2; turn++) await driver.overlay(bench.site.host, same.path, base, undefined, TAG)
    await driver.overlay(bench.site.host, larger.path, same, 32, TAG)
    expect(await stat(same)).toMatchObject({ sizeMib: 24, format: 'qcow2', backing: base.path })
    expect(await stat(larger)).toMatchObject({ sizeMib: 32, backing: same.path })
    for (const image of [larger, same, base]) await bench.site.putToSleep?.(image.path)
    await driver.activate(bench.site.host, larger, TAG)
    await driver.activate(bench.site.host, larger, TAG)
    if (bytes) {
      expect(await holds(bench.site.host, larger, '0x3c', 5, 1)).toBe(true)
      await write(bench.site.host, larger, '0x4d', 30, 2)
      expect(await holds(bench.site.host, larger, '0x4d', 30, 2)).toBe(true)
    }
    await drop(larger, same, base)
    await nothingIsLeft()
  })

  test('a raw disk in which a guest wrote a header stays a raw disk', async () => {
    const image = await make('raw', 20)
    if (bytes) {
      const forged = `${bench.site.scratch}/forged.qcow2`
      await ask(
        bench.site.host,
        'qemu-img',
        'create',
        '-q',
        '-f',
        'qcow2',
        '-b',
        '/etc/passwd',
        '-F',
        'raw',
        forged,
        '4M',
      )
      expect(await ask(bench.site.host, 'dd', `if=${forged}`, `of=${image.path}`, 'conv=notrunc', 'status=none')).toBe(
        '0 ',
      )
    }
    const seen = await driver.stat(bench.site.host, image.path, 'raw')
    expect(seen).toMatchObject({ format: 'raw' })
    expect(seen?.backing).toBeUndefined()
    isAbout(seen?.sizeMib, 20, 'raw')
    await drop(image)
  })
}
