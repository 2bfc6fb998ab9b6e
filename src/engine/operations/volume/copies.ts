import type { Disk, DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Level } from '../../../model/storlink.ts'
import type { ChangingStep, Context, ReadingStep, Step } from '../../jobs/operation.ts'
import { copyVolume } from '../../volumes/copy.ts'
import { type Image, VOLUME_BACKEND } from '../../volumes/volumeDriver.ts'
import { madeVolume, type Owner } from '../storlink/madeVolume.ts'

/** The steps by which a new volume comes to read as another does, on the same PM or from one to another. */
export interface VolumeCopy {
  readonly vdev: string
  readonly sizeMib: number
  /** Nobody writes to it meanwhile. */
  readonly source: Image & {
    readonly pm: string
    /** Where it may have to be switched on before it is read. */
    readonly level?: Level
  }
  readonly target: { readonly path: string; readonly format: DiskFormat; readonly pm: string; readonly level: Level }
}

/** A disk as it is when it lies there: what it was for the guest, and where its bytes are now. */
export function diskOn(
  disk: Disk,
  place: Pick<Disk, 'path' | 'format'> & { readonly storlink: number; readonly sizeMib: number },
): Disk {
  const { base: _base, ...rest } = disk
  const { path, format, storlink, sizeMib } = place
  return { ...rest, path, format, storlink, sizeMib, owned: true, backend: VOLUME_BACKEND }
}

interface FillOptions {
  /** The VM that the volume becomes a disk of, unless nobody but the job knows of it. */
  readonly owner?: Owner | undefined
  /** A packed image is no image for a guest: it is made anew, though it has the format that is wanted. */
  readonly anew?: true
}

/** Makes the volume; `name` begins with what a person would say it does. */
export function fillStep(name: string, copy: VolumeCopy, { owner, anew }: FillOptions = {}): ChangingStep {
  const { vdev, sizeMib, source, target } = copy
  return {
    name: `${name} ${vdev}`,
    weight: 20,
    shows: [`qemu-img convert -O ${target.format} ${source.path} ${target.path}`],
    async do(cx) {
      if (source.level) await cx.volumes(source.level).activate(cx.host(source.pm), source, cx.tag)
      const from = { ...source, host: cx.host(source.pm) }
      const to = { ...target, host: cx.host(target.pm), driver: cx.volumes(target.level) }
      const onProgress = (done: number) => cx.progress(done, `${Math.floor(done * sizeMib)} of ${sizeMib} MiB`)
      await copyVolume(from, to, { tag: cx.tag, onProgress, signal: cx.signal, ...(anew ? { anew } : {}) })
      return null
    },
    ...madeVolume(target.pm, target, owner),
  }
}

/** Reads both and fails where they differ; from another PM each byte is compared while it is carried over (copy.ts). */
function compareSteps(copies: readonly VolumeCopy[]): ReadingStep[] {
  return copies.filter(({ source, target }) => source.pm === target.pm).map(compareStep)
}

/** It has been made and read back, and found to be right; `name` is the one that it was made under. */
export function isCopied(cx: Context, name: string, { vdev, source, target }: VolumeCopy): boolean {
  return cx.output(source.pm === target.pm ? readBack(vdev) : `${name} ${vdev}`) !== undefined
}

function readBack(vdev: string): string {
  return `read ${vdev} back`
}

function compareStep(copy: VolumeCopy): ReadingStep {
  const { vdev, sizeMib, source, target } = copy
  return {
    name: readBack(vdev),
    weight: 10,
    onlyReads: true,
    shows: [`qemu-img compare ${source.path} ${target.path}`],
    async do(cx) {
      const say = (done: number) => cx.progress(done, `compared ${Math.floor(done * sizeMib)} of ${sizeMib} MiB`)
      await needSameBytes(cx, copy, say)
      return null
    },
  }
}

async function needSameBytes(cx: Context, { source, target }: VolumeCopy, say: (done: number) => void): Promise<void> {
  const host = cx.host(target.pm)
  if (await cx.volumes(target.level).compare(host, source, target, say, cx.signal)) return
  throw new PengxError('commandFailed', `${target.path}, read back, is not what ${source.path} holds`)
}

/** Makes each, then reads back each that was made on the PM that it is read on. */
export function copySteps(name: string, copies: readonly VolumeCopy[], options: FillOptions = {}): Step[] {
  return [...copies.map((copy) => fillStep(name, copy, options)), ...compareSteps(copies)]
}
