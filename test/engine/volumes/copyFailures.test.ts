import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, rmSync, statfsSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Command, Host } from '../../../src/engine/host/host.ts'
import { endLost } from '../../../src/engine/host/lost.ts'
import { copyVolume } from '../../../src/engine/volumes/copy.ts'
import type { Image } from '../../../src/engine/volumes/volumeDriver.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import type { DiskFormat } from '../../../src/model/disk.ts'
import type { CopyPlace } from '../../contract/copy.ts'
import { openRealPlaces, type RealPlaces } from '../../contract/copyPlaces.ts'
import { ask, TAG, write } from '../../contract/volumeSite.ts'
import { until } from '../../support/until.ts'

/** Copies that go wrong, with real programs and a real sshd: the source stays as it is, and nothing half-made its name. */

const MIB = 1024 * 1024
let places: RealPlaces
beforeAll(async () => {
  places = await openRealPlaces()
})
afterAll(() => places.close())

const locate = ({ driver, storlink }: CopyPlace, format: DiskFormat): Image => {
  return { path: driver.locate({ storlink, uuid: newUuid(), format }), format }
}

/** A volume of 24 MiB, 6 of them written. */
async function makeSource(place: CopyPlace, format: DiskFormat): Promise<Image> {
  const image = locate(place, format)
  await place.driver.create(place.host, image.path, format, 24, TAG)
  await write(place.host, image, '0xa1', 2, 2)
  await write(place.host, image, '0xa2', 16, 4)
  return image
}

interface Attempt {
  readonly from: CopyPlace
  readonly to: CopyPlace
  /** What the copy is told; the places' own hosts look afterwards. */
  readonly fromHost?: Host
  readonly toHost?: Host
  readonly source: Image
  readonly target: Image
  readonly onProgress?: (done: number) => void
  readonly signal?: AbortSignal
}

const copy = ({ from, to, fromHost, toHost, source, target, onProgress = () => undefined, signal }: Attempt) =>
  copyVolume(
    { ...source, host: fromHost ?? from.host },
    { ...target, driver: to.driver, host: toHost ?? to.host },
    { tag: TAG, onProgress, ...(signal ? { signal } : {}) },
  )

/** It fails so; the source is untouched, the target has no name, and `remove` leaves nothing of it. */
async function fails(attempt: Attempt, as: object) {
  const { from, to, source, target } = attempt
  const digest = digestOf(source)
  const before = [await from.list(), await to.list()]
  await expect(copy(attempt)).rejects.toMatchObject(as)
  expect(digestOf(source)).toBe(digest)
  expect(await to.driver.stat(to.host, target.path, target.format)).toBeUndefined()
  expect(atWork(target.path)).toEqual([])
  // Who only reads is ended behind.
  await until(() => atWork(source.path).length === 0)
  await to.driver.remove(to.host, target.path, TAG)
  expect([await from.list(), await to.list()]).toEqual(before)
}

function digestOf({ path }: Image): string {
  return new Bun.CryptoHasher('sha256').update(readFileSync(path)).digest('hex')
}

/** Programs of this machine that have a path in their words. */
function atWork(path: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return words.some((word) => word.includes(path)) ? [words.join(' ')] : []
      } catch {
        return []
      }
    })
}

/** A host whose commands are changed on their way, where the change gives one. */
function bent(host: Host, bend: (command: Command) => Command | undefined | Promise<void>): Host {
  return {
    ...host,
    async open(command, signal) {
      return await host.open((await bend(command)) ?? command, signal)
    },
  }
}

const isDd = (command: Command, word: string) =>
  command.argv[0] === 'dd' && command.argv.some((one) => one.startsWith(word))

/** Says something, takes something, and does neither any more. */
const STALL = 'head -c 300000 /dev/zero; head -c 300000 >/dev/null; sleep 60'

for (const way of ['here to there', 'there to here'] as const) {
  describe(`a copy from ${way}`, () => {
    const open = async (format: DiskFormat = 'qcow2', wanted: DiskFormat = format) => {
      const [from, to] = way === 'here to there' ? [places.here, places.there] : [places.there, places.here]
      const source = await makeSource(from, format)
      return { from, to, source, target: locate(to, wanted) }
    }

    test('whose reader fails says so in its words', async () => {
      const job = await open()
      const script = 'head -c 1000000 /dev/zero; echo "dd: error reading: Input/output error" >&2; exit 1'
      const fromHost = bent(job.from.host, (command) =>
        isDd(command, 'if=') ? { ...command, argv: ['sh', '-c', script] } : undefined,
      )
      await fails(
        { ...job, fromHost },
        { code: 'commandFailed', message: expect.stringMatching(/on (here|there) .*Input\/output error/) },
      )
      await copy(job)
    })

    test('whose source becomes shorter meanwhile says that somebody changes it', async () => {
      const job = await open('raw')
      const was = readFileSync(job.source.path)
      const shorten = () => truncateSync(job.source.path, 17 * MIB)
      const work = copy({ ...job, onProgress: (done) => (done > 0 ? shorten() : undefined) })
      await expect(work).rejects.toMatchObject({ message: expect.stringContaining('somebody changes it') })
      await job.to.driver.remove(job.to.host, job.target.path, TAG)
      await Bun.write(job.source.path, was)
      await copy(job)
      expect(await job.to.driver.stat(job.to.host, job.target.path, 'raw')).toMatchObject({ sizeMib: 24 })
    })

    test('whose writer fails says so in its words', async () => {
      const job = await open()
      const script = 'head -c 1000000 >/dev/null; echo "dd: error writing: Input/output error" >&2; exit 1'
      const toHost = bent(job.to.host, (command) =>
        isDd(command, 'of=') ? { ...command, argv: ['sh', '-c', script] } : undefined,
      )
      await fails({ ...job, toHost }, { code: 'commandFailed', message: expect.stringMatching(/Input\/output error/) })
      await copy(job)
    })

    for (const wanted of ['qcow2', 'raw'] as const) {
      test(`to ${wanted} that arrives with one byte changed is found out`, async () => {
        const job = await open('qcow2', wanted)
        const toHost = bent(job.to.host, (command) => {
          const part = command.parts?.find(({ argv }) => argv[0] === 'sync')?.argv[1]
          if (!command.parts?.some(({ argv }) => argv[3] === 'pengx-digest')) return undefined
          const bytes = readFileSync(part!)
          bytes[bytes.length - 70_000]! ^= 1
          return Bun.write(part!, bytes).then(() => undefined)
        })
        await fails(
          { ...job, toHost },
          { code: 'commandFailed', message: expect.stringContaining('is not what was sent') },
        )
        await copy(job)
        expect(await job.to.driver.stat(job.to.host, job.target.path, wanted)).toMatchObject({ sizeMib: 24 })
      })
    }

    for (const wanted of ['qcow2', 'raw'] as const) {
      test(`to ${wanted} is cancelled at whatever point it is`, async () => {
        for (const point of [0, 0.2, 0.5, 0.6, 0.8]) {
          const job = await open('qcow2', wanted)
          const stop = new AbortController()
          const onProgress = (done: number) => (done >= point ? stop.abort(new Error('enough')) : undefined)
          await fails({ ...job, onProgress, signal: stop.signal }, { code: 'cancelled' })
        }
      })
    }

    test('whose connection is cut in the middle can be made once more', async () => {
      for (const wanted of ['qcow2', 'raw'] as const) {
        const job = await open('qcow2', wanted)
        const digest = digestOf(job.source)
        const { host } = places.there
        // Whoever is behind the connection stops in the middle, and waits there.
        const stalls = bent(host, (command) =>
          command.argv[0] === 'dd' ? { ...command, argv: ['sh', '-c', STALL, job.source.path] } : undefined,
        )
        const cut = Promise.withResolvers<void>()
        const onProgress = (done: number) => (done > 0 ? cut.resolve() : undefined)
        const work = copy({ ...job, ...(job.to.host === host ? { toHost: stalls } : { fromHost: stalls }), onProgress })
        work.catch(() => undefined)
        await cut.promise
        await places.sshd.kill()
        await expect(work).rejects.toMatchObject({ code: 'unreachable' })
        await places.sshd.start()
        await until(async () => (await endLost(host, TAG).catch(() => undefined)) !== undefined)
        expect(atWork(job.source.path)).toEqual([])
        expect(digestOf(job.source)).toBe(digest)
        expect(await job.to.driver.stat(job.to.host, job.target.path, wanted)).toBeUndefined()
        await copy(job)
        expect(await job.to.driver.stat(job.to.host, job.target.path, wanted)).toMatchObject({ sizeMib: 24 })
        expect((await job.to.list()).filter((name) => /parts|new/.test(name))).toEqual([])
      }
    })

    for (const wanted of ['qcow2', 'raw'] as const) {
      test(`to ${wanted} where the disk is full, at each write`, async () => {
        const job = await open('qcow2', wanted)
        const link = job.to.storlink.link
        expect(await ask(job.to.host, 'mount', '-t', 'tmpfs', '-o', 'size=24m,mode=755', 'tmpfs', link)).toBe('0 ')
        try {
          const filler = join(link, 'filler')
          let failed = 0
          // 6 MiB lie in it, and where it is made into something else they lie there twice for a while.
          for (const freeKib of [0, 4, 8, 100, 256, 2 * 1024, 4 * 1024, 6 * 1024 - 4, 7 * 1024, 10 * 1024, 14 * 1024]) {
            const { bavail, bsize } = statfsSync(link)
            await ask(job.to.host, 'fallocate', '-l', String(bavail * bsize - freeKib * 1024), filler)
            const space = Math.floor(freeKib / 1024)
            const needed = wanted === 'qcow2' ? 7 : 13
            if (space < needed) {
              failed++
              await fails(job, { code: 'noSpace' })
            } else {
              await copy(job)
              await job.to.driver.remove(job.to.host, job.target.path, TAG)
            }
            expect(await job.to.list()).toEqual(['filler'])
            rmSync(filler)
          }
          expect(failed).toBeGreaterThan(7)
        } finally {
          await ask(job.to.host, 'umount', link)
        }
      })
    }
  })
}
