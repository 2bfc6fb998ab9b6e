import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Image } from '../../src/engine/volumes/volumeDriver.ts'
import type { DiskFormat } from '../../src/model/disk.ts'
import { ask, type Pattern, TAG, unlike, type VolumeBench, write } from './volumeSite.ts'

/** Volumes that are filled from images, whole or not at all. */
export function volumeFilling(bench: VolumeBench): void {
  const { driver, bytes, thick, place, drop, stat, nothingIsLeft, isAbout } = bench
  for (const from of ['qcow2', 'raw', 'vhd'] as const) {
    for (const to of ['qcow2', 'raw'] as const) {
      test(`${to} is filled from ${from}, sparse`, async () => {
        const source: Image = { path: `${bench.site.scratch}/source.${from}`, format: from }
        const format = from === 'vhd' ? 'vpc' : from
        expect(await ask(bench.site.host, 'qemu-img', 'create', '-q', '-f', format, source.path, '40M')).toBe('0 ')
        if (bytes) {
          await write(bench.site.host, { ...source, format: format as DiskFormat }, '0xc1', 10, 2)
          await write(bench.site.host, { ...source, format: format as DiskFormat }, '0xc2', 39, 1)
        }
        const target: Image = { path: place(to), format: to }
        const said: number[] = []
        await driver.importImage(bench.site.host, source, target, TAG, (done) => said.push(done))
        expect(said.at(-1)).toBe(1)
        expect(said).toEqual([...said].sort((a, b) => a - b))
        const made = await stat(target)
        // A VHD is some whole number of cylinders.
        isAbout(made!.sizeMib - (made!.sizeMib > 40 && from === 'vhd' ? 1 : 0), 40, to)
        if (bytes) {
          const patterns: Pattern[] = [
            ['0xc1', 10, 2],
            ['0xc2', 39, 1],
            ['0', 0, 10],
            ['0', 12, 27],
          ]
          if (to === 'raw' && from !== 'vhd' && made!.sizeMib > 40) patterns.push(['0', 40, made!.sizeMib - 40])
          expect(await unlike(bench.site.host, target, patterns)).toEqual([])
          if (!thick) expect(made!.usedMib).toBeLessThan(8)
        }
        await driver.importImage(bench.site.host, source, target, TAG, () => undefined)
        expect(await stat(target)).toMatchObject({ format: to, sizeMib: made!.sizeMib })
        await drop(target)
        await ask(bench.site.host, 'rm', '-f', source.path)
        await nothingIsLeft()
      })
    }
  }

  test('what is no image is named', async () => {
    const target: Image = { path: place('qcow2'), format: 'qcow2' }
    const nowhere: Image = { path: `${bench.site.scratch}/nowhere.qcow2`, format: 'qcow2' }
    await expect(driver.importImage(bench.site.host, nowhere, target, TAG, () => undefined)).rejects.toMatchObject({
      message: expect.stringContaining('nowhere.qcow2'),
    })
    expect(await driver.stat(bench.site.host, nowhere.path)).toBeUndefined()
    await drop(target)
    await nothingIsLeft()
  })

  test('an import that is cancelled leaves nothing', async () => {
    const source: Image = { path: `${bench.site.scratch}/long.raw`, format: 'raw' }
    await ask(bench.site.host, 'qemu-img', 'create', '-q', '-f', 'raw', source.path, '48M')
    if (bytes) await write(bench.site.host, source, '0x99', 0, 48)
    const target: Image = { path: place('qcow2'), format: 'qcow2' }
    const abort = new AbortController()
    const work = driver.importImage(
      bench.site.host,
      source,
      target,
      TAG,
      () => abort.abort(new Error('enough')),
      abort.signal,
    )
    expect(
      await work.then(
        () => 'done',
        (error) => error.code,
      ),
    ).toBe('cancelled')
    expect(await driver.stat(bench.site.host, target.path).catch(() => undefined)).toBeUndefined()
    await drop(target)
    await ask(bench.site.host, 'rm', '-f', source.path)
    await nothingIsLeft()
  })

  describe('where no space is left', () => {
    let release: () => Promise<void>
    let names: readonly string[]
    beforeAll(async () => {
      release = await bench.site.fill(12)
      names = await bench.site.list()
    })
    afterAll(() => release())

    const fails = async (work: Promise<unknown>, image: Image) => {
      await expect(work).rejects.toMatchObject({ code: 'noSpace' })
      expect(await driver.stat(bench.site.host, image.path).catch(() => undefined)).toBeUndefined()
      await drop(image)
      expect(await bench.site.list()).toEqual(names)
    }

    for (const format of ['qcow2', 'raw'] as const) {
      test(`${format}: an import says so and leaves nothing`, async () => {
        const source: Image = { path: `${bench.site.scratch}/big.raw`, format: 'raw' }
        await ask(bench.site.host, 'qemu-img', 'create', '-q', '-f', 'raw', source.path, '32M')
        if (bytes) await write(bench.site.host, source, '0x66', 0, 32)
        else await ask(bench.site.host, 'fallocate', '-l', '33554432', source.path)
        const target: Image = { path: place(format), format }
        await fails(
          driver.importImage(bench.site.host, source, target, TAG, () => undefined),
          target,
        )
        await ask(bench.site.host, 'rm', '-f', source.path)
      })

      if (thick)
        test(`${format}: a volume that takes its space at once says so and leaves nothing`, async () => {
          const target: Image = { path: place(format), format }
          await fails(driver.create(bench.site.host, target.path, format, 64, TAG), target)
        })
    }
  })
}
