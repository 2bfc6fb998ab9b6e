import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Host } from '../../src/engine/host/host.ts'
import { copyVolume } from '../../src/engine/volumes/copy.ts'
import type { Image, VolumeDriver } from '../../src/engine/volumes/volumeDriver.ts'
import { newUuid } from '../../src/lib/ids.ts'
import type { DiskFormat } from '../../src/model/disk.ts'
import type { Storlink } from '../../src/model/storlink.ts'
import { type Pattern, TAG, unlike, write } from './volumeSite.ts'

/** A place that volumes are copied from and to. */
export interface CopyPlace {
  readonly name: string
  readonly host: Host
  readonly driver: VolumeDriver
  readonly storlink: Storlink
  list(): Promise<readonly string[]>
}

interface CopySite {
  readonly places: readonly CopyPlace[]
  close(): Promise<void>
}

export interface CopyKind {
  readonly name: string
  /** Names of the pairs that are copied between: `from to`. */
  readonly pairs: readonly (readonly [from: string, to: string])[]
  readonly bytes: boolean
  open(): Promise<CopySite>
}

type Kind = 'qcow2' | 'raw' | 'overlay'

/** Any volume to any volume on any PM. */
export function copySuite({ name, pairs, bytes, open }: CopyKind): void {
  describe(name, () => {
    let site: CopySite
    beforeAll(async () => {
      site = await open()
    })
    afterAll(() => site.close())

    const placeNamed = (called: string) => site.places.find((place) => place.name === called)!
    const locate = ({ driver, storlink }: CopyPlace, format: DiskFormat): Image => {
      return { path: driver.locate({ storlink, uuid: newUuid(), format }), format }
    }

    /** A volume of 40 MiB with a pattern here and there, and what it lies on. */
    async function makeSource(place: CopyPlace, kind: Kind): Promise<Image[]> {
      const { host, driver } = place
      const base = locate(place, kind === 'raw' ? 'raw' : 'qcow2')
      await driver.create(host, base.path, base.format, 40, TAG)
      if (bytes) {
        await write(host, base, '0xa1', 0, 1)
        await write(host, base, '0xa2', 20, 3)
      }
      if (kind !== 'overlay') return [base]
      const top = locate(place, 'qcow2')
      await driver.overlay(host, top.path, base, undefined, TAG)
      if (bytes) await write(host, top, '0xb1', 21, 1)
      return [top, base]
    }

    async function isCopy(host: Host, image: Image, kind: Kind): Promise<void> {
      const top = kind === 'overlay' ? '0xb1' : '0xa2'
      const patterns: Pattern[] = [
        ['0xa1', 0, 1],
        ['0', 1, 19],
        ['0xa2', 20, 1],
        [top, 21, 1],
        ['0xa2', 22, 1],
        ['0', 23, 17],
      ]
      expect(await unlike(host, image, patterns)).toEqual([])
    }

    for (const [fromName, toName] of pairs) {
      for (const kind of ['qcow2', 'raw', 'overlay'] as const) {
        for (const format of ['qcow2', 'raw'] as const) {
          test(`${kind} from ${fromName} to ${format} on ${toName}`, async () => {
            const [from, to] = [placeNamed(fromName), placeNamed(toName)]
            const before = [await from.list(), await to.list()]
            const source = await makeSource(from, kind)
            const between = await from.list()
            const target = locate(to, format)
            const said: number[] = []
            const copy = () =>
              copyVolume(
                { ...source[0]!, host: from.host },
                { ...to, ...target },
                {
                  tag: TAG,
                  onProgress: (done) => said.push(done),
                },
              )
            await copy()
            expect(said.at(-1)).toBe(1)
            expect(said).toEqual([...said].sort((a, b) => a - b))
            const made = await to.driver.stat(to.host, target.path, format)
            expect(made?.format).toBe(format)
            expect(made?.sizeMib).toBe(40)
            expect(made?.backing).toBeUndefined()
            if (bytes) await isCopy(to.host, target, kind)
            // Once more is as good as once, and the source side was never written to.
            await copy()
            if (fromName !== toName) expect(await from.list()).toEqual(between)
            await to.driver.remove(to.host, target.path, TAG)
            for (const image of source) await from.driver.remove(from.host, image.path, TAG)
            expect([await from.list(), await to.list()]).toEqual(before)
          })
        }
      }
    }
  })
}
