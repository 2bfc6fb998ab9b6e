/**
 * The file system of a simulated PM: a tree of plain nodes, with the space of each mount counted. Small files
 * hold text; disk images hold a header and say how much they take.
 */
import type { BlockNode, DirNode, FileNode, FsNode, LinkNode, Mount, PmState } from './state.ts'

export type Errno = 'ENOENT' | 'EEXIST' | 'ENOTDIR' | 'EISDIR' | 'ENOTEMPTY' | 'ENOSPC' | 'ELOOP' | 'EINVAL' | 'EBUSY'

const WORDS: Record<Errno, string> = {
  ENOENT: 'No such file or directory',
  EEXIST: 'File exists',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  ENOTEMPTY: 'Directory not empty',
  ENOSPC: 'No space left on device',
  ELOOP: 'Too many levels of symbolic links',
  EINVAL: 'Invalid argument',
  EBUSY: 'Device or resource busy',
}

/** What a system call refuses with; programs put their own words around `message`. */
export interface FsError extends Error {
  errno: Errno
}

export function fsError(errno: Errno): FsError {
  return Object.assign(new Error(WORDS[errno]), { errno })
}

export function isFsError(error: unknown): error is FsError {
  return error instanceof Error && 'errno' in error && typeof error.errno === 'string' && error.errno in WORDS
}

export function splitPath(path: string): string[] {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue
    if (name === '..') names.pop()
    else names.push(name)
  }
  return names
}

export function joinPath(dir: string, name: string): string {
  return dir === '/' ? `/${name}` : `${dir}/${name}`
}

export interface Place {
  /** Absolute, without symbolic links but perhaps the last name. */
  path: string
  parent: DirNode
  name: string
  node?: FsNode
}

/** Where a path leads; `node` is absent when only its last name is missing. */
export function locate(pm: PmState, path: string, follow = true, depth = 0): Place {
  if (depth > 20) throw fsError('ELOOP')
  const names = splitPath(path)
  let dir = pm.root
  let at = ''
  if (names.length === 0) return { path: '/', parent: dir, name: '', node: dir }
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!
    const last = index === names.length - 1
    const node = Object.hasOwn(dir.children, name) ? dir.children[name] : undefined
    if (node?.kind === 'link' && (!last || follow)) {
      const target = node.target.startsWith('/') ? node.target : `${at}/${node.target}`
      return locate(pm, [target, ...names.slice(index + 1)].join('/'), follow, depth + 1)
    }
    if (last) {
      const trailing = path.endsWith('/') && node !== undefined && node.kind !== 'dir'
      if (trailing) throw fsError('ENOTDIR')
      return { path: `${at}/${name}`, parent: dir, name, node }
    }
    if (node === undefined) throw fsError('ENOENT')
    if (node.kind !== 'dir') throw fsError('ENOTDIR')
    dir = node
    at = `${at}/${name}`
  }
  throw fsError('ENOENT')
}

export function findNode(pm: PmState, path: string, follow = true): FsNode | undefined {
  try {
    return locate(pm, path, follow).node
  } catch (error) {
    if (isFsError(error)) return undefined
    throw error
  }
}

export function needNode(pm: PmState, path: string, follow = true): FsNode {
  const { node } = locate(pm, path, follow)
  if (node === undefined) throw fsError('ENOENT')
  return node
}

export function mountOf(pm: PmState, path: string): Mount {
  let best = pm.mounts[0]!
  const clean = /\/\.{0,2}(\/|$)/.test(path) ? `/${splitPath(path).join('/')}` : path
  for (const mount of pm.mounts) {
    const inside = mount.at === '/' || clean === mount.at || clean.startsWith(`${mount.at}/`)
    if (inside && mount.at.length >= best.at.length) best = mount
  }
  return best
}

export function freeBytes(mount: Mount): number {
  return Math.max(0, mount.sizeBytes - mount.usedBytes)
}

/** Takes space of the mount under a path, or refuses as a full disk does. */
export function charge(pm: PmState, path: string, bytes: number): void {
  const mount = mountOf(pm, path)
  if (bytes > 0 && bytes > freeBytes(mount)) throw fsError('ENOSPC')
  mount.usedBytes = Math.max(0, mount.usedBytes + bytes)
}

function base(pm: PmState, now: number, mode: number) {
  return { mode, uid: 0, gid: 0, mtimeMs: now, ino: pm.nextIno++ }
}

export function makeDir(pm: PmState, path: string, now: number, mode = 0o755): DirNode {
  const place = locate(pm, path)
  if (place.node) throw fsError('EEXIST')
  const node: DirNode = { kind: 'dir', ...base(pm, now, mode), children: {} }
  place.parent.children[place.name] = node
  return node
}

export function makeDirs(pm: PmState, path: string, now: number, mode = 0o755): DirNode {
  const found = findNode(pm, path)
  if (found?.kind === 'dir') return found
  if (found) throw fsError('EEXIST')
  const names = splitPath(path)
  if (names.length > 1) makeDirs(pm, `/${names.slice(0, -1).join('/')}`, now, mode)
  return makeDir(pm, path, now, mode)
}

/** The file at a path, emptied or new. A block device keeps its size. */
export function openForWrite(pm: PmState, path: string, now: number, mode = 0o644): FileNode | BlockNode {
  const place = locate(pm, path)
  if (path.endsWith('/')) throw fsError('EISDIR')
  if (place.node?.kind === 'dir') throw fsError('EISDIR')
  if (place.node?.kind === 'block') return place.node
  if (place.node?.kind === 'file') {
    charge(pm, place.path, -place.node.allocated)
    Object.assign(place.node, { size: 0, allocated: 0, text: '', image: undefined, mtimeMs: now })
    return place.node
  }
  const node: FileNode = { kind: 'file', ...base(pm, now, mode), size: 0, allocated: 0, text: '' }
  place.parent.children[place.name] = node
  return node
}

export function allocatedFor(bytes: number): number {
  return Math.ceil(bytes / 4096) * 4096
}

const encoder = new TextEncoder()

export function writeText(pm: PmState, path: string, text: string, now: number, mode?: number): void {
  const node = openForWrite(pm, path, now, mode)
  const size = encoder.encode(text).length
  if (node.kind === 'file') {
    charge(pm, path, allocatedFor(size))
    node.size = size
    node.allocated = allocatedFor(size)
  }
  node.text = text
  node.image = undefined
  node.mtimeMs = now
}

/** Sets what a file or image takes of its mount. */
export function setAllocated(pm: PmState, path: string, node: FileNode | BlockNode, bytes: number): void {
  if (node.kind === 'file') charge(pm, path, bytes - node.allocated)
  node.allocated = bytes
}

export function makeLink(pm: PmState, path: string, target: string, now: number): void {
  const place = locate(pm, path, false)
  if (place.node) throw fsError('EEXIST')
  const node: LinkNode = { kind: 'link', ...base(pm, now, 0o777), target }
  place.parent.children[place.name] = node
}

export function unlink(pm: PmState, path: string): void {
  const place = locate(pm, path, false)
  if (place.node === undefined) throw fsError('ENOENT')
  if (place.node.kind === 'dir') throw fsError('EISDIR')
  if (place.node.kind === 'file') charge(pm, place.path, -place.node.allocated)
  delete place.parent.children[place.name]
}

export function removeTree(pm: PmState, path: string): void {
  const node = needNode(pm, path, false)
  if (node.kind === 'dir') {
    for (const name of Object.keys(node.children)) removeTree(pm, joinPath(path.replace(/\/+$/, '') || '/', name))
    removeDir(pm, path)
  } else unlink(pm, path)
}

export function removeDir(pm: PmState, path: string): void {
  const place = locate(pm, path, false)
  if (place.node === undefined) throw fsError('ENOENT')
  if (place.node.kind !== 'dir') throw fsError('ENOTDIR')
  if (Object.keys(place.node.children).length > 0) throw fsError('ENOTEMPTY')
  if (pm.mounts.some((mount) => mount.at === place.path)) throw fsError('EBUSY')
  delete place.parent.children[place.name]
}

/** Bytes that a node and all below it take. */
function treeAllocated(node: FsNode): number {
  if (node.kind === 'dir') return Object.values(node.children).reduce((sum, child) => sum + treeAllocated(child), 4096)
  return node.kind === 'file' ? node.allocated : 0
}

export function rename(pm: PmState, from: string, to: string): void {
  const source = locate(pm, from, false)
  if (source.node === undefined) throw fsError('ENOENT')
  const target = locate(pm, to, false)
  if (target.node === source.node) return
  if (target.node?.kind === 'dir') {
    if (source.node.kind !== 'dir') throw fsError('EISDIR')
    if (Object.keys(target.node.children).length > 0) throw fsError('ENOTEMPTY')
  }
  const bytes = source.node.kind === 'dir' ? 0 : treeAllocated(source.node)
  if (mountOf(pm, source.path) !== mountOf(pm, target.path)) {
    charge(pm, target.path, bytes)
    charge(pm, source.path, -bytes)
  }
  if (target.node?.kind === 'file') charge(pm, target.path, -target.node.allocated)
  delete source.parent.children[source.name]
  target.parent.children[target.name] = source.node
}

export function copyFile(pm: PmState, from: string, to: string, now: number): void {
  const source = needNode(pm, from)
  if (source.kind === 'dir' || source.kind === 'link') throw fsError('EISDIR')
  const node = openForWrite(pm, to, now, source.mode)
  if (node.kind === 'file') {
    try {
      charge(pm, to, source.allocated)
    } catch (error) {
      // What cp leaves on a full disk: the file, as far as it came.
      setAllocated(pm, to, node, freeBytes(mountOf(pm, to)))
      node.size = node.allocated
      throw error
    }
    node.allocated = source.allocated
    node.size = source.size
  }
  node.text = source.text
  node.image = source.image ? { ...source.image } : undefined
}
