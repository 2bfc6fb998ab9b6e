import { expect, test } from 'bun:test'
import { needSame } from '../../src/engine/volumes/pack.ts'
import type { Image, PackTarget } from '../../src/engine/volumes/volumeDriver.ts'
import { ask, type Pattern, TAG, unlike, type VolumeBench, write } from './volumeSite.ts'

/** Volumes that are written once, compressed, and read back: what backups are made of. */
export function volumePacking(bench: VolumeBench): void {
  const { driver, bytes, thick, place, make, drop, stat, nothingIsLeft } = bench

  async function pack(source: Image, backing?: Image): Promise<PackTarget & Image> {
    const target = { path: place('qcow2'), ...(backing ? { backing } : {}) }
    const seen: number[] = []
    await driver.pack(bench.site.host, source, target, TAG, (done) => seen.push(done))
    expect(seen.at(-1) ?? 1).toBe(1)
    return { ...target, format: 'qcow2' }
  }

  /** A disk of 24 MiB, of which 8 hold something. */
  async function makeDisk(): Promise<Image> {
    const disk = await make('qcow2', 24)
    if (bytes) await write(bench.site.host, disk, '0x11', 0, 8)
    return disk
  }

  test('a packed volume reads as its source, takes little room, and is made once', async () => {
    const disk = await makeDisk()
    const packed = await pack(disk)
    await needSame(bench.site.host, disk, packed)
    expect(await stat(packed)).toMatchObject({ format: 'qcow2', sizeMib: 24 })
    const digest = await driver.digest(bench.site.host, packed.path)
    expect(digest.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(digest.bytes).toBeGreaterThan(0)
    if (bytes) {
      expect(digest.bytes).toBeLessThan(4 * 1048576)
      expect((await stat(packed))!.usedMib).toBeLessThanOrEqual(4)
      await write(bench.site.host, disk, '0x12', 0, 1)
      await expect(needSame(bench.site.host, disk, packed)).rejects.toThrow('it is not good')
    }
    // Done before is done, whatever the source holds by now.
    await driver.pack(bench.site.host, disk, packed, TAG, () => undefined)
    expect(await driver.digest(bench.site.host, packed.path)).toEqual(digest)
    await drop(disk, packed)
    await expect(driver.digest(bench.site.host, packed.path)).rejects.toMatchObject({ code: 'notFound' })
    await nothingIsLeft()
  })

  test('what lies on an earlier one holds what differs, zeros among it, and reads as the later moment', async () => {
    const disk = await makeDisk()
    const full = await pack(disk)
    const changed = await make('qcow2', 24)
    if (bytes) {
      await write(bench.site.host, changed, '0x22', 4, 1)
      const zeroed = await ask(bench.site.host, 'qemu-io', '-f', 'qcow2', '-c', 'write -z 2M 1M', changed.path)
      expect(zeroed).toStartWith('0 ')
    }
    const increment = await pack(changed, full)
    await needSame(bench.site.host, changed, increment)
    const chain = (await driver.chain(bench.site.host, increment)).map((one) => one.path)
    expect(chain).toEqual([increment.path, full.path])
    if (bytes) {
      const patterns: Pattern[] = [
        ['0x11', 0, 2],
        ['0', 2, 1],
        ['0x11', 3, 1],
        ['0x22', 4, 1],
        ['0x11', 5, 3],
        ['0', 8, 16],
      ]
      expect(await unlike(bench.site.host, increment, patterns)).toEqual([])
      // A zero more or less would show what lies below, which comparing bytes alone cannot tell.
      const forgotten = await make('qcow2', 24)
      await write(bench.site.host, forgotten, '0x22', 4, 1)
      await expect(needSame(bench.site.host, forgotten, increment)).rejects.toThrow('has its say elsewhere')
      await drop(forgotten)
    }
    await drop(increment, full, changed, disk)
    await nothingIsLeft()
  })

  test('a damaged volume is told by its digest, or by qemu-img', async () => {
    if (!bytes) return
    const disk = await makeDisk()
    const packed = await pack(disk)
    const before = await driver.digest(bench.site.host, packed.path)
    // The last byte of the image: of what is compressed, which nothing but a digest looks at.
    const damage = `of=${packed.path} bs=1 count=1 conv=notrunc status=none seek=${before.bytes - 1}`
    await ask(bench.site.host, 'sh', '-c', `printf x | dd ${damage}`)
    expect((await driver.digest(bench.site.host, packed.path)).sha256).not.toBe(before.sha256)
    await ask(
      bench.site.host,
      'sh',
      '-c',
      `printf 12345678 | dd of=${packed.path} bs=1 seek=40 conv=notrunc status=none`,
    )
    await expect(driver.digest(bench.site.host, packed.path)).rejects.toMatchObject({ code: 'commandFailed' })
    await drop(disk, packed)
    await nothingIsLeft()
  })

  test('room is kept for what has yet to be written, and given back with the volume', async () => {
    const volume = await make('qcow2', 64)
    const kept = await driver.reserve(bench.site.host, volume.path, 16 * 1048576, TAG)
    expect(await driver.reserve(bench.site.host, volume.path, 16 * 1048576, TAG)).toBe(kept)
    if (thick) expect(kept).toBe(true)
    const fill = await bench.site.fill(8)
    try {
      if (kept && bytes) await write(bench.site.host, volume, '0x33', 0, 14)
      if (kept && !thick)
        await expect(driver.reserve(bench.site.host, volume.path, 64 * 1048576, TAG)).rejects.toMatchObject({
          code: 'noSpace',
        })
    } finally {
      await fill()
    }
    await drop(volume)
    await nothingIsLeft()
  })

  test('where there is no room, it says so and leaves nothing', async () => {
    const disk = await make('qcow2', 96)
    if (bytes) {
      const source = 'dd if=/dev/urandom bs=1M count=40 status=none'
      const noise = `${bench.site.scratch}/noise`
      await ask(bench.site.host, 'sh', '-c', `${source} of=${noise}`)
      await ask(bench.site.host, 'qemu-io', '-f', 'qcow2', '-c', `write -s ${noise} 0 40M`, disk.path)
    } else bench.site.pretend?.(disk.path, 80)
    const fill = await bench.site.fill(8)
    const target = place('qcow2')
    try {
      const failed = driver.pack(bench.site.host, disk, { path: target }, TAG, () => undefined)
      await expect(failed).rejects.toMatchObject({ code: expect.stringMatching(/noSpace|commandFailed/) })
    } finally {
      await fill()
    }
    await driver.remove(bench.site.host, target, TAG)
    await drop(disk)
    await nothingIsLeft()
  })
}
