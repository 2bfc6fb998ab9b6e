import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host } from '../host/host.ts'
import { run, runAll, runBatch } from '../host/run.ts'
import { clearOrphan, isClaimName } from '../tools/claims.ts'
import { listNames, parseNames, removeFile } from '../tools/files.ts'
import { changes, type Program, reads } from '../tools/program.ts'
import { createImage, resizeImage } from '../tools/qemuImg.ts'
import { reserveRoom } from '../tools/qemuPack.ts'
import { freeSpace, parseFreeSpace } from '../tools/system.ts'
import { convertWatched, readImage } from './image.ts'
import { compareVolumes, dependentsAmong, readChain, rebaseVolume } from './layers.ts'
import { digestImage, packWatched } from './pack.ts'
import type { VolumeDriver } from './volumeDriver.ts'

/**
 * Disks as files in a directory: local, NFS, or any file system that is mounted. A volume is `UUID.FORMAT`; it is
 * made under another name and gets its own when it is whole, so a crash leaves no half of one under that name.
 */

function draftOf(path: string): string {
  return `${path}.new`
}

function asideOf(path: string): string {
  return `${path}.aside`
}

/** Where the pieces of a volume that comes from elsewhere are gathered. */
function stagedIn(path: string): string {
  return `${path}.parts`
}

function stagedOf(path: string, index: number): string {
  return `${stagedIn(path)}/${index}`
}

/** `mv -n`: what stands under the new name is never overwritten. */
function move(from: string, to: string): Program {
  return changes('mv', '-n', '-T', from, to)
}

function exists(path: string): Program {
  return { ...reads('test', '-e', path), okExits: [0, 1] }
}

function tagged(tag: string, parts: readonly Program[]): Command {
  return { ...batch(parts, { stopOnFailure: true }), tag }
}

/** Renames, and looks at the outcome rather than at mv's word: done before is done. */
async function rename(host: Host, from: string, to: string, tag: string): Promise<void> {
  // Ends before mv where there is nothing to rename, or something in the way.
  const guards = [
    { ...exists(from), okExits: [0] },
    { ...exists(to), okExits: [1] },
  ]
  const parts = [...guards, { ...move(from, to), okExits: [0, 1] }, exists(from)]
  const [source, target, moved, left] = await runBatch(host, tagged(tag, parts))
  if (source?.exit !== 0) return
  if (target?.exit === 0) {
    throw new PengxError(
      'conflict',
      `cannot rename ${from} to ${to} on ${host.name}: both are there; look which one is wanted and move the other away`,
    )
  }
  if (left?.exit === 1) return
  throw new PengxError(
    'commandFailed',
    `cannot rename ${from} on ${host.name}: ${moved?.stderr.trim() || 'mv did not say why'}`,
  )
}

export const fileVolumes: VolumeDriver = {
  level: 'FL',
  traits: { sparse: true },

  locate: ({ storlink, uuid, format }) => `${storlink.link.replace(/\/$/, '')}/${uuid}.${format}`,

  async inspect(host, link) {
    const parts = [
      exists(link),
      { ...reads('test', '-d', link), okExits: [0, 1] },
      { ...reads('test', '-w', link), okExits: [0, 1] },
    ]
    const space = { ...freeSpace(link), okExits: [0, 1] }
    const [there, directory, writable, free] = await runBatch(host, batch([...parts, space]))
    if (there?.exit !== 0)
      throw new PengxError('refused', `${link} is not there on ${host.name}: make the directory, or mount it, first`)
    if (directory?.exit !== 0) throw new PengxError('refused', `${link} on ${host.name} is not a directory`)
    if (writable?.exit !== 0) throw new PengxError('refused', `${link} on ${host.name} cannot be written to`)
    const found = parseFreeSpace(free?.stdout ?? '')
    if (!found)
      throw new PengxError('commandFailed', `df on ${host.name} said nothing of ${link}: ${free?.stderr.trim()}`)
    return { sizeMib: found.sizeMib, freeMib: found.freeMib }
  },

  async create(host, path, format, sizeMib, tag) {
    const draft = draftOf(path)
    const parts = [
      removeFile(draft),
      createImage({ path: draft, format, sizeMib }),
      changes('sync', draft),
      move(draft, path),
      removeFile(draft),
    ]
    await runAll(host, tagged(tag, parts))
  },

  async overlay(host, path, backing, sizeMib, tag) {
    const draft = draftOf(path)
    const image = { path: draft, format: 'qcow2' as const, backing, ...(sizeMib === undefined ? {} : { sizeMib }) }
    const parts = [removeFile(draft), createImage(image), changes('sync', draft), move(draft, path), removeFile(draft)]
    await runAll(host, tagged(tag, parts))
  },

  /** Root may write to any file all the same, QEMU among it: the mode tells people and other programs. */
  async setWritable(host, path, writable, tag) {
    await run(host, { ...changes('chmod', writable ? 'u+w' : 'a-w', path), tag })
  },

  async isWritable(host, path) {
    const output = await run(host, { ...reads('stat', '-c', '%a', path), okExits: [0, 1] })
    return output.exit === 0 ? (Number.parseInt(output.stdout, 8) & 0o200) !== 0 : undefined
  },

  async resize(host, path, format, sizeMib, tag) {
    await run(host, { ...resizeImage(path, format, sizeMib), tag })
  },

  /** A file is open as it is: nothing sleeps. */
  activate: async (_host, { path }) => [path],

  async release() {},

  /** QEMU makes a file larger itself. */
  async widen() {},

  setAside: (host, path, tag) => rename(host, path, asideOf(path), tag),
  bringBack: (host, path, tag) => rename(host, asideOf(path), path, tag),

  isAside: async (host, path) => (await run(host, exists(asideOf(path)))).exit === 0,

  async removeAside(host, path, tag) {
    await runAll(host, tagged(tag, [removeFile(asideOf(path)), clearOrphan(path)]))
  },

  async remove(host, path, tag) {
    const rest = [clearOrphan(path), removeFile(draftOf(path)), removeTree(stagedIn(path))]
    await runAll(host, tagged(tag, [removeFile(path), ...rest]))
  },

  stat: (host, path, format) => readImage(host, path, format),

  async importImage(host, source, target, tag, onProgress, signal) {
    const draft = { path: draftOf(target.path), format: target.format }
    await convertWatched(host, { source, target: draft }, tag, onProgress, signal)
    const parts = [changes('sync', draft.path), move(draft.path, target.path), removeFile(draft.path)]
    await runAll(host, tagged(tag, parts))
  },

  chain: readChain,

  async dependents(host, path, { known = [] } = {}) {
    const directory = path.slice(0, path.lastIndexOf('/'))
    const { stdout } = await run(host, { ...listNames(directory), okExits: [0, 2] })
    // what was set aside may come back
    const names = parseNames(stdout).filter((name) => /\.qcow2(\.|$)/.test(name) && !isClaimName(name))
    return await dependentsAmong(
      host,
      names.map((name) => `${directory}/${name}`).filter((one) => !known.includes(one)),
      path,
    )
  },

  rebase: (host, path, backing, tag, onProgress, signal) =>
    rebaseVolume(host, path, backing, { tag, onProgress, signal }),
  compare: compareVolumes,

  async stageImage(host, path, index, map, tag) {
    const staged = stagedOf(path, index)
    const empty = changes('truncate', '-s', String(map.bytes), staged)
    await runAll(host, tagged(tag, [changes('mkdir', '-p', stagedIn(path)), removeFile(staged), empty]))
    return { path: staged, zeroed: true }
  },

  async promoteStaged(host, target, index, tag) {
    const staged = stagedOf(target.path, index)
    const there = { ...changes('sync', staged), okExits: [0, 1] }
    const clear = removeTree(stagedIn(target.path))
    const parts = [there, { ...move(staged, target.path), okExits: [0, 1] }, exists(target.path), clear]
    const [, moved, found] = await runBatch(host, tagged(tag, parts))
    if (found?.exit === 0) return
    const why = moved?.stderr.trim() || 'mv did not say why'
    throw new PengxError('commandFailed', `cannot rename ${staged} on ${host.name}: ${why}`)
  },

  async clearStaged(host, path, tag) {
    await run(host, { ...removeTree(stagedIn(path)), tag })
  },

  async pack(host, source, { path, backing }, tag, onProgress, signal) {
    if ((await run(host, exists(path))).exit === 0) return
    const draft = { path: draftOf(path), ...(backing ? { backing } : {}) }
    await packWatched(host, source, draft, tag, onProgress, signal)
    await runAll(host, tagged(tag, [changes('sync', draft.path), move(draft.path, path), removeFile(draft.path)]))
  },

  digest: (host, path, signal) => digestImage(host, path, 'with the file', signal),

  async mayWrite() {},

  async reserve(host, path, bytes, tag) {
    const output = await run(host, { ...reserveRoom(path, bytes), tag })
    if (/no space left/i.test(output.stderr)) throw noRoom(host, path, bytes)
    return output.exit === 0
  },
}

function noRoom(host: Host, path: string, bytes: number): PengxError {
  const needed = Math.ceil(bytes / (1024 * 1024))
  return new PengxError('noSpace', `cannot keep ${needed} MiB free for ${path} on ${host.name}: there are not so many`)
}

function removeTree(path: string): Program {
  return changes('rm', '-rf', path)
}
