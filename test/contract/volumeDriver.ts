import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Host } from '../../src/engine/host/host.ts'
import { run } from '../../src/engine/host/run.ts'
import type { Image, VolumeDriver } from '../../src/engine/volumes/volumeDriver.ts'
import { newUuid } from '../../src/lib/ids.ts'
import type { DiskFormat } from '../../src/model/disk.ts'
import type { Storlink } from '../../src/model/storlink.ts'

/** A place for volumes of one level, on a host of one kind. */
export interface VolumeSite {
  readonly host: Host
  readonly storlink: Storlink
  /** A directory elsewhere on the host, for images to import. */
  readonly scratch: string
  /** Raw volumes are rounded up to so much. */
  readonly grainMib: number
  /** Everything that lies in the place, by name. */
  list(): Promise<readonly string[]>
  /** Links that are refused, and what is said of them. */
  readonly wrong: readonly (readonly [link: string, says: RegExp])[]
  /** Leaves so much free, until what it gives is called. */
  fill(freeMib: number): Promise<() => Promise<void>>
  /** Puts something there that is called almost like the volume, until what it gives is called. */
  putBeside(path: string): Promise<() => Promise<unknown>>
  /** Switches a volume off as a boot of the PM leaves it. */
  putToSleep?(path: string): Promise<void>
  close(): Promise<void>
}

export interface VolumeKind {
  readonly name: string
  readonly driver: VolumeDriver
  /** Bytes are real: what is written can be read back. The simulated site knows headers alone. */
  readonly bytes: boolean
  /** A volume takes all of its space when it is made. */
  readonly thick: boolean
  open(): Promise<VolumeSite>
}

const TAG = 'contract.0'

/** Whatever it exits with. */
export async function ask(host: Host, ...argv: [string, ...string[]]): Promise<string> {
  const okExits = Array.from({ length: 256 }, (_, exit) => exit)
  const output = await run(host, { argv, effect: 'change', okExits })
  return `${output.exit} ${output.stdout}${output.stderr}`
}

/** As a guest would: through QEMU, at an offset in MiB. */
export async function write(host: Host, image: Image, byte: string, atMib: number, lengthMib: number): Promise<void> {
  const said = await ask(
    host,
    'qemu-io',
    '-f',
    image.format,
    '-c',
    `write -P ${byte} ${atMib}M ${lengthMib}M`,
    image.path,
  )
  if (!said.startsWith('0 ')) throw new Error(said)
}

export async function holds(
  host: Host,
  image: Image,
  byte: string,
  atMib: number,
  lengthMib: number,
): Promise<boolean> {
  const said = await ask(
    host,
    'qemu-io',
    '-r',
    '-f',
    image.format,
    '-c',
    `read -P ${byte} ${atMib}M ${lengthMib}M`,
    image.path,
  )
  if (/read \d+\/\d+ bytes/.test(said)) return !/verification failed/.test(said)
  throw new Error(said)
}

/** What every driver does alike. */
export function volumeSuite({ name: kind, driver, bytes, thick, open }: VolumeKind): void {
  describe(kind, () => {
    let site: VolumeSite
    let before: readonly string[]
    beforeAll(async () => {
      site = await open()
      before = await site.list()
    })
    afterAll(() => site.close())

    const place = (format: DiskFormat, uuid = newUuid()) => driver.locate({ storlink: site.storlink, uuid, format })
    const make = async (format: DiskFormat, sizeMib = 16): Promise<Image> => {
      const path = place(format)
      await driver.create(site.host, path, format, sizeMib, TAG)
      return { path, format }
    }
    const drop = (...images: Image[]) => Promise.all(images.map(({ path }) => driver.remove(site.host, path, TAG)))
    const stat = (image: Image) => driver.stat(site.host, image.path, image.format)
    const nothingIsLeft = async () => expect(await site.list()).toEqual(before)
    const isAbout = (sizeMib: number | undefined, wanted: number, format: DiskFormat) => {
      expect(sizeMib).toBeGreaterThanOrEqual(wanted)
      expect(sizeMib).toBeLessThan(wanted + (format === 'raw' ? site.grainMib : 1))
    }

    test('tells the space of a place, and what is none', async () => {
      const space = await driver.inspect(site.host, site.storlink.link)
      expect(space.sizeMib).toBeGreaterThanOrEqual(space.freeMib)
      expect(space.freeMib).toBeGreaterThan(0)
      for (const [link, says] of site.wrong) {
        const failure = await driver.inspect(site.host, link).catch((error) => error)
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
        const names = await site.list()
        expect(names.length).toBe(before.length + 1)
        if (bytes) {
          await write(site.host, image, '0x5a', 1, 1)
          await driver.create(site.host, image.path, format, 18, TAG)
          expect(await holds(site.host, image, '0x5a', 1, 1)).toBe(true)
        } else await driver.create(site.host, image.path, format, 18, TAG)
        expect(await site.list()).toEqual(names)
        await drop(image)
        expect(await stat(image).catch(() => undefined)).toBeUndefined()
        await drop(image)
        await nothingIsLeft()
      })

      test(`${format}: grows, keeps what was written, and does not shrink`, async () => {
        const image = await make(format, 16)
        if (bytes) await write(site.host, image, '0xa5', 15, 1)
        await driver.resize(site.host, image.path, format, 40, TAG)
        await driver.resize(site.host, image.path, format, 40, TAG)
        isAbout((await stat(image))?.sizeMib, 40, format)
        if (bytes) {
          expect(await holds(site.host, image, '0xa5', 15, 1)).toBe(true)
          expect(await holds(site.host, image, '0', 16, 24)).toBe(true)
          await write(site.host, image, '0x77', 39, 1)
        }
        await expect(driver.resize(site.host, image.path, format, 8, TAG)).rejects.toMatchObject({
          code: expect.stringMatching(/refused|commandFailed/),
        })
        isAbout((await stat(image))?.sizeMib, 40, format)
        await drop(image)
        await nothingIsLeft()
      })

      if (bytes)
        test(`${format}: what a guest wrote is not what the next one finds`, async () => {
          const old = await make(format, 64)
          await write(site.host, old, '0xee', 0, 64)
          await drop(old)
          const image = await make(format, 20)
          expect(await holds(site.host, image, '0', 0, 20)).toBe(true)
          await driver.resize(site.host, image.path, format, 60, TAG)
          expect(await holds(site.host, image, '0', 0, 60)).toBe(true)
          await drop(image)
        })

      test(`${format}: is set aside, brought back, and removed only aside`, async () => {
        const image = await make(format)
        const names = await site.list()
        if (bytes) await write(site.host, image, '0x11', 3, 1)
        for (let turn = 0; turn < 2; turn++) await driver.setAside(site.host, image.path, TAG)
        expect(await driver.stat(site.host, image.path).catch(() => undefined)).toBeUndefined()
        expect((await site.list()).length).toBe(names.length)
        for (let turn = 0; turn < 2; turn++) await driver.bringBack(site.host, image.path, TAG)
        expect(await site.list()).toEqual(names)
        if (bytes) expect(await holds(site.host, image, '0x11', 3, 1)).toBe(true)
        await driver.removeAside(site.host, image.path, TAG)
        expect(await site.list()).toEqual(names)
        await driver.setAside(site.host, image.path, TAG)
        await driver.remove(site.host, image.path, TAG)
        expect((await site.list()).length).toBe(names.length)
        for (let turn = 0; turn < 2; turn++) await driver.removeAside(site.host, image.path, TAG)
        await nothingIsLeft()
      })
    }

    test('is written to only while that is allowed', async () => {
      const image = await make('qcow2')
      expect(await driver.isWritable(site.host, image.path)).toBe(true)
      for (let turn = 0; turn < 2; turn++) await driver.setWritable(site.host, image.path, false, TAG)
      expect(await driver.isWritable(site.host, image.path)).toBe(false)
      for (let turn = 0; turn < 2; turn++) await driver.setWritable(site.host, image.path, true, TAG)
      expect(await driver.isWritable(site.host, image.path)).toBe(true)
      await drop(image)
      expect(await driver.isWritable(site.host, image.path)).toBeUndefined()
    })

    test('what is called almost alike stays', async () => {
      const [image, other] = [await make('qcow2'), await make('qcow2')]
      const names = await site.list()
      const clear = await site.putBeside(image.path)
      const more = (await site.list()).filter((name) => !names.includes(name))
      expect(more.length).toBe(1)
      await drop(image)
      expect(await site.list()).toContain(more[0]!)
      expect(await stat(other)).toBeDefined()
      await clear()
      await drop(other)
      await nothingIsLeft()
    })

    test('two volumes of one name are a conflict, and both stay', async () => {
      const image = await make('qcow2')
      await driver.setAside(site.host, image.path, TAG)
      await driver.create(site.host, image.path, 'qcow2', 16, TAG)
      const names = await site.list()
      await expect(driver.bringBack(site.host, image.path, TAG)).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('both are there'),
      })
      expect(await site.list()).toEqual(names)
      await driver.removeAside(site.host, image.path, TAG)
      await drop(image)
      await nothingIsLeft()
    })

    test('an overlay reads what it lies on, and wakes with it', async () => {
      const base = await make('qcow2', 24)
      if (bytes) await write(site.host, base, '0x3c', 5, 1)
      const [same, larger]: [Image, Image] = [
        { path: place('qcow2'), format: 'qcow2' },
        { path: place('qcow2'), format: 'qcow2' },
      ]
      for (let turn = 0; turn < 2; turn++) await driver.overlay(site.host, same.path, base, undefined, TAG)
      await driver.overlay(site.host, larger.path, same, 32, TAG)
      expect(await stat(same)).toMatchObject({ sizeMib: 24, format: 'qcow2', backing: base.path })
      expect(await stat(larger)).toMatchObject({ sizeMib: 32, backing: same.path })
      for (const image of [larger, same, base]) await site.putToSleep?.(image.path)
      await driver.activate(site.host, larger, TAG)
      await driver.activate(site.host, larger, TAG)
      if (bytes) {
        expect(await holds(site.host, larger, '0x3c', 5, 1)).toBe(true)
        await write(site.host, larger, '0x4d', 30, 2)
        expect(await holds(site.host, larger, '0x4d', 30, 2)).toBe(true)
      }
      await drop(larger, same, base)
      await nothingIsLeft()
    })

    test('a raw disk in which a guest wrote a header stays a raw disk', async () => {
      const image = await make('raw', 20)
      if (bytes) {
        const forged = `${site.scratch}/forged.qcow2`
        await ask(site.host, 'qemu-img', 'create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', forged, '4M')
        expect(await ask(site.host, 'dd', `if=${forged}`, `of=${image.path}`, 'conv=notrunc', 'status=none')).toBe('0 ')
      }
      const seen = await driver.stat(site.host, image.path, 'raw')
      expect(seen).toMatchObject({ format: 'raw' })
      expect(seen?.backing).toBeUndefined()
      isAbout(seen?.sizeMib, 20, 'raw')
      await drop(image)
    })

    for (const from of ['qcow2', 'raw', 'vhd'] as const) {
      for (const to of ['qcow2', 'raw'] as const) {
        test(`${to} is filled from ${from}, sparse`, async () => {
          const source: Image = { path: `${site.scratch}/source.${from}`, format: from }
          const format = from === 'vhd' ? 'vpc' : from
          expect(await ask(site.host, 'qemu-img', 'create', '-q', '-f', format, source.path, '40M')).toBe('0 ')
          if (bytes) {
            await write(site.host, { ...source, format: format as DiskFormat }, '0xc1', 10, 2)
            await write(site.host, { ...source, format: format as DiskFormat }, '0xc2', 39, 1)
          }
          const target: Image = { path: place(to), format: to }
          const said: number[] = []
          await driver.importImage(site.host, source, target, TAG, (done) => said.push(done))
          expect(said.at(-1)).toBe(1)
          expect(said).toEqual([...said].sort((a, b) => a - b))
          const made = await stat(target)
          // A VHD is some whole number of cylinders.
          isAbout(made!.sizeMib - (made!.sizeMib > 40 && from === 'vhd' ? 1 : 0), 40, to)
          if (bytes) {
            expect(await holds(site.host, target, '0xc1', 10, 2)).toBe(true)
            expect(await holds(site.host, target, '0xc2', 39, 1)).toBe(true)
            expect(await holds(site.host, target, '0', 0, 10)).toBe(true)
            expect(await holds(site.host, target, '0', 12, 27)).toBe(true)
            if (to === 'raw' && from !== 'vhd' && made!.sizeMib > 40)
              expect(await holds(site.host, target, '0', 40, made!.sizeMib - 40)).toBe(true)
            if (!thick) expect(made!.usedMib).toBeLessThan(8)
          }
          await driver.importImage(site.host, source, target, TAG, () => undefined)
          expect(await stat(target)).toMatchObject({ format: to, sizeMib: made!.sizeMib })
          await drop(target)
          await ask(site.host, 'rm', '-f', source.path)
          await nothingIsLeft()
        })
      }
    }

    test('what is no image is named', async () => {
      const target: Image = { path: place('qcow2'), format: 'qcow2' }
      const nowhere: Image = { path: `${site.scratch}/nowhere.qcow2`, format: 'qcow2' }
      await expect(driver.importImage(site.host, nowhere, target, TAG, () => undefined)).rejects.toMatchObject({
        message: expect.stringContaining('nowhere.qcow2'),
      })
      expect(await driver.stat(site.host, nowhere.path)).toBeUndefined()
      await drop(target)
      await nothingIsLeft()
    })

    test('an import that is cancelled leaves nothing', async () => {
      const source: Image = { path: `${site.scratch}/long.raw`, format: 'raw' }
      await ask(site.host, 'qemu-img', 'create', '-q', '-f', 'raw', source.path, '48M')
      if (bytes) await write(site.host, source, '0x99', 0, 48)
      const target: Image = { path: place('qcow2'), format: 'qcow2' }
      const abort = new AbortController()
      const work = driver.importImage(
        site.host,
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
      expect(await driver.stat(site.host, target.path).catch(() => undefined)).toBeUndefined()
      await drop(target)
      await ask(site.host, 'rm', '-f', source.path)
      await nothingIsLeft()
    })

    describe('where no space is left', () => {
      let release: () => Promise<void>
      let names: readonly string[]
      beforeAll(async () => {
        release = await site.fill(12)
        names = await site.list()
      })
      afterAll(() => release())

      const fails = async (work: Promise<unknown>, image: Image) => {
        await expect(work).rejects.toMatchObject({ code: 'noSpace' })
        expect(await driver.stat(site.host, image.path).catch(() => undefined)).toBeUndefined()
        await drop(image)
        expect(await site.list()).toEqual(names)
      }

      for (const format of ['qcow2', 'raw'] as const) {
        test(`${format}: an import says so and leaves nothing`, async () => {
          const source: Image = { path: `${site.scratch}/big.raw`, format: 'raw' }
          await ask(site.host, 'qemu-img', 'create', '-q', '-f', 'raw', source.path, '32M')
          if (bytes) await write(site.host, source, '0x66', 0, 32)
          else await ask(site.host, 'fallocate', '-l', '33554432', source.path)
          const target: Image = { path: place(format), format }
          await fails(
            driver.importImage(site.host, source, target, TAG, () => undefined),
            target,
          )
          await ask(site.host, 'rm', '-f', source.path)
        })

        if (thick)
          test(`${format}: a volume that takes its space at once says so and leaves nothing`, async () => {
            const target: Image = { path: place(format), format }
            await fails(driver.create(site.host, target.path, format, 64, TAG), target)
          })
      }
    })
  })
}
