import { expect, test } from 'bun:test'
import type { Host } from '../../src/engine/host/host.ts'
import type { Image } from '../../src/engine/volumes/volumeDriver.ts'
import { ask, holds, type Pattern, TAG, unlike, type VolumeBench, write } from './volumeSite.ts'

/** Volumes that lie on one another: what their headers tell, and what goes from one into those above it. */
export function volumeLayers(bench: VolumeBench): void {
  const { driver, bytes, place, make, drop, stat, nothingIsLeft } = bench

  async function layOn(base: Image, sizeMib?: number): Promise<Image> {
    const image: Image = { path: place('qcow2'), format: 'qcow2' }
    await driver.overlay(bench.site.host, image.path, base, sizeMib, TAG)
    return image
  }

  /** A base, a layer on it, and two on that, each with something of its own. */
  async function makeTree() {
    const base = await make('qcow2', 24)
    if (bytes) await write(bench.site.host, base, '0xb0', 0, 8)
    const middle = await layOn(base)
    if (bytes) await write(bench.site.host, middle, '0xb1', 4, 8)
    const [top, sibling] = [await layOn(middle, 32), await layOn(middle)]
    if (bytes) await write(bench.site.host, top, '0xb2', 10, 1)
    return { base, middle, top, sibling }
  }

  async function topReadsAsEver(top: Image): Promise<void> {
    if (!bytes) return
    const patterns: Pattern[] = [
      ['0xb0', 0, 4],
      ['0xb1', 4, 6],
      ['0xb2', 10, 1],
      ['0xb1', 11, 1],
      ['0', 12, 20],
    ]
    expect(await unlike(bench.site.host, top, patterns)).toEqual([])
  }

  const pathsOf = async (image: Image) => (await driver.chain(bench.site.host, image)).map((one) => one.path)
  const digestOf = (image: Image) => ask(bench.site.host, bytes ? 'sha256sum' : 'cat', image.path)

  test('a chain is told from a volume down to its base, in one round trip', async () => {
    const { base, middle, top, sibling } = await makeTree()
    let trips = 0
    const host: Host = {
      ...bench.site.host,
      async open(command, signal) {
        trips++
        return await bench.site.host.open(command, signal)
      },
    }
    expect(await driver.chain(host, top)).toMatchObject([
      { ...top, sizeMib: 32, backing: middle.path, corrupt: false },
      { ...middle, sizeMib: 24, backing: base.path },
      { ...base, sizeMib: 24 },
    ])
    expect(trips).toBe(1)
    expect((await driver.chain(host, base))[0]).not.toHaveProperty('backing')
    const raw = await make('raw', 8)
    expect(await driver.chain(host, raw)).toMatchObject([raw])
    await drop(base)
    await expect(driver.chain(host, top)).rejects.toMatchObject({
      code: 'notFound',
      message: expect.stringContaining(base.path),
    })
    await drop(top, sibling, middle, raw)
    await nothingIsLeft()
  })

  test('what lies on a volume is found, though nobody remembers it', async () => {
    const { base, middle, top, sibling } = await makeTree()
    const raw = await make('raw', 8)
    const lying = async (image: Image) => (await driver.dependents(bench.site.host, image.path)).sort()
    expect(await lying(base)).toEqual([middle.path])
    expect(await lying(middle)).toEqual([sibling.path, top.path].sort())
    for (const image of [top, raw]) expect(await lying(image)).toEqual([])
    await driver.setAside(bench.site.host, top.path, TAG)
    const aside = await lying(middle)
    expect(aside).toEqual([sibling.path, `${top.path}.aside`].sort())
    await driver.bringBack(bench.site.host, top.path, TAG)
    if (bench.site.putToSleep) {
      await bench.site.putToSleep(sibling.path)
      await expect(driver.dependents(bench.site.host, base.path)).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringMatching(/is not active and may lie on .*lvchange -ay/),
      })
      await driver.activate(bench.site.host, sibling, TAG)
    }
    await drop(top, sibling, middle, base, raw)
    await nothingIsLeft()
  })

  test('a layer goes into the one above it, and no other is touched', async () => {
    const { base, middle, top, sibling } = await makeTree()
    const names = await bench.site.list()
    const before = await Promise.all([base, middle, sibling].map(digestOf))
    const said: number[] = []
    await driver.rebase(bench.site.host, top.path, base, TAG, (done) => said.push(done))
    expect(said.at(-1)).toBe(1)
    expect(said).toEqual([...said].sort((a, b) => a - b))
    for (let turn = 0; turn < 2; turn++) {
      expect(await pathsOf(top)).toEqual([top.path, base.path])
      await topReadsAsEver(top)
      await driver.rebase(bench.site.host, top.path, base, TAG)
    }
    expect(await Promise.all([base, middle, sibling].map(digestOf))).toEqual(before)
    expect(await bench.site.list()).toEqual(names)
    await drop(sibling, middle)
    await topReadsAsEver(top)
    for (let turn = 0; turn < 2; turn++) await driver.rebase(bench.site.host, top.path, undefined, TAG)
    expect(await pathsOf(top)).toEqual([top.path])
    await drop(base)
    await topReadsAsEver(top)
    expect(await stat(top)).toMatchObject({ sizeMib: 32, format: 'qcow2' })
    await drop(top)
    await nothingIsLeft()
  })

  test('a layer may move onto a copy of what it lies on', async () => {
    const { base, middle, top, sibling } = await makeTree()
    const copy: Image = { path: place('qcow2'), format: 'qcow2' }
    await driver.importImage(bench.site.host, middle, copy, TAG, () => undefined)
    await driver.rebase(bench.site.host, top.path, copy, TAG)
    expect(await pathsOf(top)).toEqual([top.path, copy.path])
    await drop(sibling, middle, base)
    await topReadsAsEver(top)
    await drop(top, copy)
    await nothingIsLeft()
  })

  test('what lies on a volume is nothing that it can be laid on', async () => {
    const { base, middle, top, sibling } = await makeTree()
    await expect(driver.rebase(bench.site.host, middle.path, top, TAG)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('itself'),
    })
    expect(await pathsOf(top)).toEqual([top.path, middle.path, base.path])
    await drop(top, sibling, middle, base)
  })

  /** On a busy machine qemu-img may be through before it is told to stop: that reads as before too, and is tried again. */
  async function cancelledMidway(attemptsLeft = 4): ReturnType<typeof makeTree> {
    const tree = await makeTree()
    const { base, middle, top, sibling } = tree
    const abort = new AbortController()
    const stop = () => abort.abort(new Error('enough'))
    const work = driver.rebase(bench.site.host, top.path, undefined, TAG, stop, abort.signal)
    const error = await work.then(
      () => undefined,
      (failure: unknown) => failure,
    )
    if (error !== undefined || attemptsLeft === 0) expect(error).toMatchObject({ code: 'cancelled' })
    if (attemptsLeft === 0 || (await pathsOf(top)).length > 1) return tree
    await topReadsAsEver(top)
    await drop(top, sibling, middle, base)
    return await cancelledMidway(attemptsLeft - 1)
  }

  test('what was cancelled reads as before, and is done by doing it again', async () => {
    const { base, middle, top, sibling } = await cancelledMidway()
    expect(await pathsOf(top)).toEqual([top.path, middle.path, base.path])
    await topReadsAsEver(top)
    await driver.rebase(bench.site.host, top.path, undefined, TAG)
    await drop(sibling, middle, base)
    await topReadsAsEver(top)
    await drop(top)
    await nothingIsLeft()
  })

  test('volumes read the same, or not', async () => {
    const { base, middle, top, sibling } = await makeTree()
    const same = (a: Image, b: Image) => driver.compare(bench.site.host, a, b)
    expect(await same(middle, sibling)).toBe(true)
    const copy: Image = { path: place('raw'), format: 'raw' }
    await driver.importImage(bench.site.host, top, copy, TAG, () => undefined)
    const said: number[] = []
    expect(await driver.compare(bench.site.host, top, copy, (done) => said.push(done))).toBe(true)
    expect(said.at(-1)).toBe(1)
    if (bytes) {
      expect(await same(base, middle)).toBe(false)
      await write(bench.site.host, copy, '0xee', 31, 1)
      expect(await same(top, copy)).toBe(false)
    }
    const nowhere: Image = { path: `${bench.site.scratch}/nowhere.qcow2`, format: 'qcow2' }
    await expect(same(top, nowhere)).rejects.toMatchObject({ message: expect.stringContaining('nowhere.qcow2') })
    await drop(copy, top, sibling, middle, base)
    await nothingIsLeft()
  })

  test('where no space is left for it, it says so, reads as before, and is done when there is space', async () => {
    const base = await make('qcow2', 64)
    if (bytes) await write(bench.site.host, base, '0xb0', 0, 48)
    else bench.site.pretend?.(base.path, 48)
    const top = await layOn(base)
    if (bytes) await write(bench.site.host, top, '0xb2', 10, 1)
    const release = await bench.site.fill(8)
    try {
      const work = driver.rebase(bench.site.host, top.path, undefined, TAG)
      if (bench.thick) await work
      else {
        await expect(work).rejects.toMatchObject({ code: 'noSpace' })
        expect(await pathsOf(top)).toEqual([top.path, base.path])
        if (bytes) expect(await holds(bench.site.host, top, '0xb0', 11, 37)).toBe(true)
      }
    } finally {
      await release()
    }
    await driver.rebase(bench.site.host, top.path, undefined, TAG)
    await drop(base)
    if (bytes) {
      const patterns: Pattern[] = [
        ['0xb0', 0, 10],
        ['0xb2', 10, 1],
        ['0xb0', 11, 37],
      ]
      expect(await unlike(bench.site.host, top, patterns)).toEqual([])
    }
    await drop(top)
    await nothingIsLeft()
  })
}
