import { createHash } from 'node:crypto'
import { readTar } from '../../../lib/tar.ts'
import type { BackedUpVm } from '../../../model/backup.ts'
import type { DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import { batch } from '../../host/batch.ts'
import type { Command } from '../../host/host.ts'
import { run, runAll, runBatch, runWatched } from '../../host/run.ts'
import type { ChangingStep, Context, ReadingStep, Step } from '../../jobs/operation.ts'
import { draftOf, fileExists, isDirectory, moveFile, removeFile, writeFileAtomically } from '../../tools/files.ts'
import { changes, endable, type Program } from '../../tools/program.ts'
import { forgetCached } from '../../tools/qemuPack.ts'
import { moveNew, newDirectory, packTar, privateFile, removeTree } from '../../tools/transfer/archive.ts'
import {
  asRaw,
  digestStretch,
  type ExportFormat,
  exportImage,
  foreignInfo,
  parseForeignInfo,
  type Stretch,
} from '../../tools/transfer/foreignImage.ts'
import { formatManifest, formatOvf } from '../../tools/transfer/ovfText.ts'
import { needFlushed, said } from '../../volumes/image.ts'
import { compareVolumes } from '../../volumes/layers.ts'
import { saysConfig } from '../vm/configFile.ts'
import { bytesOfStretch, wholeFile } from './image.ts'

/** How an export is made: in a directory that is its own, read back, and named last. */

export type ExportedDisk = {
  readonly vdev: string
  readonly source: { readonly path: string; readonly format: DiskFormat }
  readonly level: Level
  readonly sizeMib: number
  readonly file: string
}

export type ExportFacts = {
  readonly pm: string
  readonly export: string
  readonly to: string
  /** Where all of it is gathered. */
  readonly draft: string
  /** What its files are called by. */
  readonly base: string
  readonly archive: boolean
  readonly format: ExportFormat
  readonly vm: string
  readonly spec: BackedUpVm & Json
  readonly configuration: string
  readonly disks: readonly ExportedDisk[]
  readonly at: number
}

type Kept = { readonly bytes: number; readonly sha256: string; readonly virtualBytes: number }

const LOOK_MS = 60_000

async function isThere(cx: Context, pm: string, path: string): Promise<boolean> {
  return (await run(cx.host(pm), { ...fileExists(path), timeoutMs: LOOK_MS }, cx.signal)).exit === 0
}

function all(cx: Context, parts: readonly Program[]): Command {
  return { ...batch(parts, { stopOnFailure: true }), tag: cx.tag }
}

async function removeFiles(cx: Context, pm: string, paths: readonly string[]): Promise<void> {
  await runAll(cx.host(pm), all(cx, paths.map(removeFile)))
}

/** The directory has a name that is this job's alone, so nothing of anybody else's is in it. */
export function draftStep({ pm, draft }: ExportFacts): ChangingStep {
  return {
    name: 'make a directory to gather it in',
    shows: [`mkdir ${draft}`],
    async do(cx) {
      await runAll(cx.host(pm), all(cx, [newDirectory(draft), { ...isDirectory(draft), okExits: [0] }]))
      return null
    },
    isApplied: async (cx) => (await run(cx.host(pm), isDirectory(draft), cx.signal)).exit === 0,
    async undo(cx) {
      await run(cx.host(pm), { ...removeTree(draft), tag: cx.tag })
    },
  }
}

/** One disk's file: written, and then read from its disk and compared with what it was made of. */
export function diskSteps(disk: ExportedDisk, facts: ExportFacts): Step[] {
  const { vdev, source, level, sizeMib, file } = disk
  const { pm, draft, format } = facts
  const path = `${draft}/${file}`
  const part = `${path}.part`
  const write: ChangingStep = {
    name: `write ${vdev}`,
    weight: 20,
    shows: [`qemu-img convert -O ${format} ${source.path} ${path}`],
    async do(cx) {
      const host = cx.host(pm)
      await cx.volumes(level).activate(host, source, cx.tag)
      const command: Command = { ...exportImage({ source, target: part, format }), tag: cx.tag, queue: 'copies' }
      const say = said((done) => cx.progress(done, `${Math.floor(done * sizeMib)} of ${sizeMib} MiB`))
      needFlushed(host, command, await runWatched(host, command, say, cx.signal))
      await runAll(host, all(cx, [endable('sync', part), moveFile(part, path)]))
      return null
    },
    isApplied: (cx) => isThere(cx, pm, path),
    undo: (cx) => removeFiles(cx, pm, [path, part]),
  }
  return [write, readBackStep(disk, facts)]
}

const readBack = (vdev: string) => `read ${vdev} back`

/** Output: what the file is, taken of what was found to be right. */
function readBackStep({ vdev, source, sizeMib, file }: ExportedDisk, { pm, draft, format }: ExportFacts): ReadingStep {
  const path = `${draft}/${file}`
  return {
    name: readBack(vdev),
    weight: 10,
    onlyReads: true,
    shows: [`qemu-img compare ${source.path} ${path}`, `sha256sum ${path}`],
    async do(cx) {
      const host = cx.host(pm)
      await runBatch(host, batch(forgetCached(path)))
      const stretch = await wholeFile(cx, cx.view.needPm(pm), path)
      const image = { ...stretch, whole: true, format }
      const info = parseForeignInfo((await run(host, foreignInfo(image), cx.signal)).stdout)
      const say = (done: number) => cx.progress(done * 0.8, `compared ${Math.floor(done * sizeMib)} of ${sizeMib} MiB`)
      const same = await compareVolumes(host, source, { path: asRaw(image), format: 'raw' }, say, cx.signal)
      if (!same) throw new PengxError('commandFailed', `${path}, read back, is not what ${source.path} holds`)
      const sha256 = await sha256Of(cx, pm, stretch)
      return { bytes: stretch.bytes, sha256, virtualBytes: info.virtualBytes } satisfies Kept
    },
  }
}

async function sha256Of(cx: Context, pm: string, stretch: Stretch): Promise<string> {
  const output = await run(cx.host(pm), { ...digestStretch(stretch, 'sha256sum'), queue: 'copies' }, cx.signal)
  const digest = /^[0-9a-f]{64}/.exec(output.stdout)?.[0]
  if (digest !== undefined && output.stderr.trim() === '') return digest
  throw new PengxError('commandFailed', `${stretch.path} cannot be read: ${output.stderr.trim()}`)
}

interface Described {
  readonly name: string
  readonly text: string
}

/** What stands beside the disks, in the order in which an archive has it; follows from what was read back. */
function describedBy(cx: Context, facts: ExportFacts): Described[] {
  const { base, spec, disks, format } = facts
  const kept = disks.map(({ vdev, file }) => ({ ...(cx.output(readBack(vdev)) as unknown as Kept), name: file }))
  const ovf = formatOvf({
    name: spec.name,
    memoryMib: spec.memoryMib,
    vcpus: spec.vcpuCount,
    isUefi: /^(uefi|ovmf)$/.test(spec.boot.firmware ?? ''),
    disks: kept.map((one) => ({ ...one, format })),
    networks: spec.nics.map(({ bridge }) => bridge),
  })
  const digests = [
    { name: `${base}.ovf`, sha256: digestOf(ovf) },
    ...kept.map(({ name, sha256 }) => ({ name, sha256 })),
  ]
  const told = { pengxExport: 1, export: facts.export, vm: facts.vm, exportedAt: facts.at, files: digests }
  const json = `${JSON.stringify({ ...told, spec, configuration: facts.configuration }, null, 2)}\n`
  const own = { name: `${base}.pengx.json`, sha256: digestOf(json) }
  return [
    { name: `${base}.ovf`, text: ovf },
    { name: `${base}.mf`, text: formatManifest([digests[0]!, own, ...digests.slice(1)]) },
    { name: own.name, text: json },
  ]
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The OVF, the digests of all, and what pengx itself knows of it. */
export function describeStep(facts: ExportFacts): ChangingStep {
  const { pm, draft, base } = facts
  const paths = ['ovf', 'mf', 'pengx.json'].map((end) => `${draft}/${base}.${end}`)
  return {
    name: 'write what it is',
    shows: paths.map((path) => `write ${path}`),
    async do(cx) {
      for (const { name, text } of describedBy(cx, facts))
        await runAll(cx.host(pm), all(cx, writeFileAtomically(`${draft}/${name}`, text)))
      return null
    },
    async isApplied(cx) {
      for (const { name, text } of describedBy(cx, facts))
        if (!(await saysConfig(cx, pm, `${draft}/${name}`, text))) return false
      return true
    },
    undo: (cx) =>
      removeFiles(
        cx,
        pm,
        paths.flatMap((path) => [path, draftOf(path)]),
      ),
  }
}

interface Member {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

function membersOf(cx: Context, facts: ExportFacts): Member[] {
  const texts = describedBy(cx, facts).map(({ name, text }) => {
    return { name, bytes: new TextEncoder().encode(text).byteLength, sha256: digestOf(text) }
  })
  const disks = facts.disks.map(({ vdev, file }) => ({ ...(cx.output(readBack(vdev)) as unknown as Kept), name: file }))
  return [...texts, ...disks]
}

function archiveOf({ draft, base }: ExportFacts): string {
  return `${draft}/${base}.ova`
}

/** All of it as one file, which is read again: each member is there, once, with the bytes that it had. */
export function archiveSteps(facts: ExportFacts): Step[] {
  const { pm, draft } = facts
  const path = archiveOf(facts)
  const part = `${path}.part`
  const pack: ChangingStep = {
    name: 'pack it',
    weight: 10,
    shows: [`tar -C ${draft} -cf ${path}`],
    async do(cx) {
      const tar = packTar(draft, membersOf(cx, facts), part)
      const parts = [privateFile(part), tar, endable('sync', part), moveFile(part, path)]
      await runAll(cx.host(pm), { ...all(cx, parts), queue: 'copies' }, cx.signal)
      return null
    },
    isApplied: (cx) => isThere(cx, pm, path),
    undo: (cx) => removeFiles(cx, pm, [path, part]),
  }
  const check: ReadingStep = {
    name: 'read the archive back',
    weight: 10,
    onlyReads: true,
    shows: [`sha256sum ${path}`],
    async do(cx) {
      await runBatch(cx.host(pm), batch(forgetCached(path)))
      const row = cx.view.needPm(pm)
      const file = await wholeFile(cx, row, path)
      const tar = await readTar(file.bytes, (offset, bytes) => bytesOfStretch(cx, row, { path, offset, bytes }))
      const bad = (why: string) => new PengxError('commandFailed', `${path}, read back, is not good: ${why}`)
      if (!tar.ok) throw bad(tar.problem)
      const wanted = membersOf(cx, facts)
      if (wanted.map(({ name }) => name).join('\n') !== tar.members.map(({ name }) => name).join('\n'))
        throw bad('it does not hold what was packed')
      for (const [index, { name, sha256 }] of wanted.entries()) {
        const { offset, bytes } = tar.members[index]!
        if ((await sha256Of(cx, pm, { path, offset, bytes })) !== sha256) throw bad(`${name} is not what was packed`)
        cx.progress((index + 1) / wanted.length, name)
      }
      return null
    },
  }
  return [pack, check]
}

/** From here on it is there; what it was gathered in goes with its name, or behind it. */
export function nameStep(facts: ExportFacts): Step[] {
  const { pm, to, draft, archive } = facts
  const from = archive ? archiveOf(facts) : draft
  const isNamed = async (cx: Context) => (await isThere(cx, pm, to)) && !(await isThere(cx, pm, from))
  const name: ChangingStep = {
    name: `give it the name ${to}`,
    pivot: true,
    shows: [`mv -n ${from} ${to}`],
    async do(cx) {
      if (await isNamed(cx)) return null
      await runAll(cx.host(pm), all(cx, [changes('sync', from), moveNew(from, to)]))
      if (await isNamed(cx)) return null
      throw new PengxError('conflict', `${to} is there by now: nothing is written over`)
    },
    isApplied: isNamed,
  }
  const clear: ChangingStep = {
    name: 'clear what it was gathered in',
    shows: [`rm -rf ${draft}`],
    async do(cx) {
      await run(cx.host(pm), { ...removeTree(draft), tag: cx.tag })
      return null
    },
    isApplied: async (cx) => !(await isThere(cx, pm, draft)) || 'again',
  }
  return archive ? [name, clear] : [name]
}
