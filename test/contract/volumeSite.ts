import { expect } from 'bun:test'
import type { Host } from '../../src/engine/host/host.ts'
import { run } from '../../src/engine/host/run.ts'
import type { Image, VolumeDriver, VolumeInfo } from '../../src/engine/volumes/volumeDriver.ts'
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
  /** Where bytes are not real: an image holds so many MiB of them. */
  pretend?(path: string, mib: number): void
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

export const TAG = 'contract.0'

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

/** So many MiB from there on that hold that byte and no other. */
export type Pattern = readonly [byte: string, atMib: number, lengthMib: number]

export async function holds(
  host: Host,
  image: Image,
  byte: string,
  atMib: number,
  lengthMib: number,
): Promise<boolean> {
  return (await unlike(host, image, [[byte, atMib, lengthMib]])).length === 0
}

/** Which of the patterns an image does not hold: one process and one round trip, which an emulated host takes seconds for. */
export async function unlike(host: Host, image: Image, patterns: readonly Pattern[]): Promise<Pattern[]> {
  const reads = patterns.flatMap(([byte, at, length]) => ['-c', `read -P ${byte} ${at}M ${length}M`])
  const said = await ask(host, 'qemu-io', '-r', '-f', image.format, ...reads, image.path)
  // What is said of a stretch ends with how much of it was read.
  const answers = [...said.matchAll(/(.*?)read (\d+)\/(\d+) bytes at offset (\d+)/gs)]
  const whole = answers.every(
    ([, , read, of, at], index) =>
      read === of && Number(at) === patterns[index]![1] * 1048576 && Number(of) === patterns[index]![2] * 1048576,
  )
  if (answers.length !== patterns.length || !whole) throw new Error(said)
  return patterns.filter((_, index) => /verification failed/.test(answers[index]![1]!))
}

/** What tests of one driver share. */
export interface VolumeBench {
  readonly driver: VolumeDriver
  readonly bytes: boolean
  readonly thick: boolean
  readonly site: VolumeSite
  begin(): Promise<void>
  place(format: DiskFormat, uuid?: string): string
  make(format: DiskFormat, sizeMib?: number): Promise<Image>
  drop(...images: Image[]): Promise<unknown>
  stat(image: Image): Promise<VolumeInfo | undefined>
  /** What lay there at the beginning. */
  readonly before: readonly string[]
  nothingIsLeft(): Promise<void>
  isAbout(sizeMib: number | undefined, wanted: number, format: DiskFormat): void
}

export function createBench({ driver, bytes, thick, open }: VolumeKind): VolumeBench {
  let site: VolumeSite
  let before: readonly string[] = []
  const place = (format: DiskFormat, uuid = newUuid()) => driver.locate({ storlink: site.storlink, uuid, format })
  return {
    driver,
    bytes,
    thick,
    get site() {
      return site
    },
    get before() {
      return before
    },
    async begin() {
      site = await open()
      before = await site.list()
    },
    place,
    async make(format, sizeMib = 16) {
      const path = place(format)
      await driver.create(site.host, path, format, sizeMib, TAG)
      return { path, format }
    },
    drop: (...images) => Promise.all(images.map(({ path }) => driver.remove(site.host, path, TAG))),
    stat: (image) => driver.stat(site.host, image.path, image.format),
    async nothingIsLeft() {
      // What one test left is said once, and not of each one after it.
      const [was, now] = [before, await site.list()]
      before = now
      expect(now).toEqual(was)
    },
    isAbout(sizeMib, wanted, format) {
      expect(sizeMib).toBeGreaterThanOrEqual(wanted)
      expect(sizeMib).toBeLessThan(wanted + (format === 'raw' ? site.grainMib : 1))
    },
  }
}
