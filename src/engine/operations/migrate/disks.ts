import { posix } from 'node:path'
import { PengxError } from '../../../model/error.ts'
import { volumesOf } from '../../../model/layer.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Vm } from '../../../model/vm.ts'
import { batch } from '../../host/batch.ts'
import { runAll, runBatch } from '../../host/run.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import {
  type FileIdentity,
  fileExists,
  fileIdentity,
  parseFileIdentity,
  removeFile,
  resolveLink,
} from '../../tools/files.ts'
import { parseVolumeIdentity, volumeIdentity } from '../../tools/lvm.ts'
import { changes } from '../../tools/program.ts'
import { imageChain, parseImageChain } from '../../tools/qemuImg.ts'
import { runRescanning } from '../../volumes/rescan.ts'
import { needSeen } from '../storlink/access.ts'
import { sharedVolumes } from '../vm/switchOn.ts'

/**
 * Whether two PMs see the same bytes under a path. That a storlink is called shared is what somebody said; that there is a
 * file of that name may be a copy. So a file has to be the same one of its file system on both sides (its inode, which a
 * server gives to all who mount it), and before anything else is done a new file beside each disk, made on one side, has
 * to be seen on the other. A logical volume is told by its UUID and its group's.
 */

/** Why disks cannot be reached from another PM, as far as can be told without looking. */
export function refuseUnshared(vm: Vm, view: View): string | undefined {
  const own = volumesOf(vm).flatMap(({ vdev, storlink }) => {
    const row = storlink === undefined ? undefined : view.getStorlink(storlink)
    return row && !row.shared ? [{ vdev, row }] : []
  })
  if (own.length === 0) return undefined
  const vdevs = [...new Set(own.map(({ vdev }) => vdev))]
  const names = [...new Set(own.map(({ row }) => `storlink ${row.id} (${row.name})`))]
  const which = `${vdevs.length === 1 ? `disk ${vdevs[0]} lies` : `disks ${vdevs.join(', ')} lie`} on ${names.join(', ')}`
  const pm = view.getPm(own[0]!.row.pm)?.name ?? 'one PM'
  return `${which}, which only ${pm} sees: a VM migrates when all of its disks lie on shared storlinks`
}

/** Two directories that have to be one: a disk's on the source and on the target. */
export type DirectoryPair = { readonly source: string; readonly target: string }

export interface SharedDisks {
  /** Every image that is read when the VM runs: disks, and what they lie on. */
  readonly images: readonly string[]
  readonly directories: readonly DirectoryPair[]
}

interface Seen {
  readonly path: string
  readonly real: string
  readonly identity: FileIdentity
}

/** Fails where one of the disks, or of what it lies on, is not there or is another one on the target; looks only. */
export async function needSameDisks(cx: Context, vm: Vm, source: Pm, target: Pm): Promise<SharedDisks> {
  for (const storlink of new Set(volumesOf(vm).map((one) => one.storlink))) {
    const row = storlink === undefined ? undefined : cx.view.getStorlink(storlink)
    if (row) await needSeen(cx, row, target)
  }
  const images = [...new Set([...(await chainsOf(cx, vm, source)), ...volumesOf(vm).map((one) => one.path)])]
  const [here, there] = await Promise.all([identify(cx, source, images), identify(cx, target, images)])
  const directories: DirectoryPair[] = []
  for (const [index, path] of images.entries()) {
    const [own, other] = [here[index], there[index]]
    const vdev = volumesOf(vm).find((one) => one.path === path)?.vdev
    const what = vdev === undefined ? `${path}, on which a disk lies,` : `disk ${vdev} (${path})`
    if (!own) throw new PengxError('refused', `${vm.name}: ${what} is not on ${source.name}`)
    if (!other && isSwitched(vm, path, cx.view)) {
      const reason = await refuseVolume(cx, path, source, target)
      if (reason) throw new PengxError('refused', `${vm.name}: ${what} on ${target.name} ${reason}`)
      continue
    }
    if (!other) {
      const hint = path.startsWith('/dev/') ? 'is the volume active there?' : 'is its storage mounted there?'
      throw new PengxError('refused', `${vm.name}: ${what} is not on ${target.name}: ${hint}`)
    }
    const reason =
      own.identity.kind === 'file'
        ? refuseFile(
            own,
            other,
            vm.disks.some((disk) => disk.path === path && !disk.readOnly),
          )
        : await refuseVolume(cx, path, source, target)
    if (reason) throw new PengxError('refused', `${vm.name}: ${what} on ${target.name} ${reason}`)
    if (own.identity.kind !== 'file' || !vm.disks.some((disk) => disk.path === path && !disk.readOnly)) continue
    const pair = { source: posix.dirname(own.real), target: posix.dirname(other.real) }
    if (!directories.some((one) => one.source === pair.source && one.target === pair.target)) directories.push(pair)
  }
  return { images, directories }
}

/** A logical volume that is switched on over there before the VM comes, with what it lies on. */
function isSwitched(vm: Vm, path: string, view: View): boolean {
  const [, , group] = path.split('/')
  return sharedVolumes(vm, view).some((disk) => disk.path.split('/')[2] === group) && path.startsWith('/dev/')
}

/** A disk that is written to grows while it is looked at; nothing else does. */
function refuseFile(own: Seen, other: Seen, isWritten: boolean): string | undefined {
  if (other.identity.kind !== 'file') return `is a ${other.identity.kind}`
  if (posix.basename(own.real) !== posix.basename(other.real)) return `leads to ${other.real}, and here to ${own.real}`
  if (own.identity.inode !== other.identity.inode) return 'is another file of that name: the two PMs do not share it'
  if (!isWritten && own.identity.bytes !== other.identity.bytes)
    return `has ${other.identity.bytes} bytes, and here ${own.identity.bytes}`
  return undefined
}

async function refuseVolume(cx: Context, path: string, source: Pm, target: Pm): Promise<string | undefined> {
  const [own, other] = await Promise.all(
    [source, target].map(async (pm) => {
      const [output] = await runRescanning(cx.host(pm.uuid), [volumeIdentity(path)], {}, cx.signal)
      return output?.exit === 0 ? parseVolumeIdentity(output.stdout) : undefined
    }),
  )
  if (own === undefined)
    return 'is a device of which pengx cannot tell that it is the same one: it knows logical volumes'
  return own === other ? undefined : 'is another volume of that name: the two PMs do not share it'
}

/** What the disks lie on, as their headers say. */
async function chainsOf(cx: Context, vm: Vm, source: Pm): Promise<string[]> {
  const files = vm.disks.filter((disk) => disk.format === 'qcow2')
  if (files.length === 0) return []
  const parts = files.map((disk) => ({ ...imageChain(disk.path, disk.format), okExits: [0, 1] }))
  const outputs = await runBatch(cx.host(source.uuid), batch(parts), cx.signal)
  return files.flatMap(({ path, vdev }, index) => {
    const output = outputs[index]
    if (output?.exit !== 0) {
      const why = output?.stderr.trim().split('\n').at(-1) ?? ''
      throw new PengxError('refused', `${vm.name}: disk ${vdev} (${path}) cannot be read on ${source.name}: ${why}`)
    }
    return parseImageChain(output.stdout).flatMap((image) => image.backingPath ?? [])
  })
}

async function identify(cx: Context, pm: Pm, paths: readonly string[]): Promise<(Seen | undefined)[]> {
  const parts = paths.flatMap((path) => [{ ...resolveLink(path), okExits: [0, 1] }, fileIdentity(path)])
  const outputs = await runBatch(cx.host(pm.uuid), batch(parts), cx.signal)
  return paths.map((path, index) => {
    const [real, stat] = outputs.slice(index * 2, index * 2 + 2)
    const identity = stat?.exit === 0 ? parseFileIdentity(stat.stdout) : undefined
    return identity && { path, real: real?.stdout.trim() || path, identity }
  })
}

const PROVE = 'prove that both see the same disks'

/** Makes a file beside each disk on the source and looks for it on the target; it is gone again in the end. */
export function proveSharedStep(
  vm: { readonly uuid: string; readonly name: string },
  pms: { readonly source: string; readonly target: string },
  directories: readonly DirectoryPair[],
  mark: string,
): ChangingStep {
  const probe = (directory: string) => posix.join(directory, `.pengx-${mark}`)
  const removeAll = async (cx: Context) => {
    const parts = directories.map(({ source }) => removeFile(probe(source)))
    await runAll(cx.host(pms.source), { ...batch(parts), tag: cx.tag })
  }
  return {
    name: PROVE,
    shows: directories.map(({ source }) => `make and remove ${probe(source)}`),
    async do(cx) {
      const [source, target] = [cx.host(pms.source), cx.host(pms.target)]
      for (const pair of directories) await cx.volumes('FL').mayWrite(source, probe(pair.source), cx.tag)
      const touches = directories.map((pair) => changes('touch', probe(pair.source)))
      const made = await runBatch(source, { ...batch(touches, { stopOnFailure: true }), tag: cx.tag }, cx.signal)
      const looks = directories.map((pair) => fileExists(probe(pair.target)))
      const seen = made.every((output) => output.exit === 0) ? await runBatch(target, batch(looks), cx.signal) : []
      const unmade = made.findIndex((output) => output.exit !== 0)
      if (unmade >= 0) {
        const why = made[unmade]!.stderr.trim()
        throw new PengxError('commandFailed', `cannot make a file in ${directories[unmade]?.source}: ${why}`)
      }
      const unseen = directories.find((_pair, index) => seen[index]?.exit !== 0)
      if (unseen === undefined) {
        await removeAll(cx)
        return null
      }
      throw new PengxError(
        'refused',
        `${vm.name}: ${unseen.target} on ${target.name} is not ${unseen.source} on ${source.name}: what one makes there the other does not see`,
      )
    },
    /** Nothing of it stays: what it has shown, its end tells. */
    isApplied: async (cx) => cx.output(PROVE) !== undefined,
    undo: removeAll,
  }
}
