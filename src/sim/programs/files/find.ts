/** Programs that go over trees and mounts: df, find. */
import { joinPath, locate, mountOf, splitPath } from '../../machine/files.ts'
import type { Program } from '../../machine/program.ts'
import { pseudoFiles } from '../../machine/pseudo.ts'
import type { FsNode } from '../../machine/state.ts'
import { LOST } from './read.ts'
import { DEVICE, lookAt, sizeOf } from './stat.ts'

const TITLES: Record<number, string> = { 1: '1B', 1024: '1024', 1048576: '1048576', 1073741824: '1G' }

export const df: Program = (call) => {
  const words: string[] = []
  for (let at = 1; at < call.argv.length; at++) {
    const word = call.argv[at]!
    if (word === '-B') words.push(`-B${call.argv[++at] ?? ''}`)
    else words.push(word)
  }
  const paths = words.filter((word) => !word.startsWith('-'))
  let unit = 1024
  let columns: string[] | undefined
  for (const word of words) {
    const size = /^(?:-B|--block-size=)(\d*)([KMG]?)(?:i?B)?$/.exec(word)
    if (size) unit = Number(size[1] || 1) * ({ K: 1024, M: 1048576, G: 1073741824 }[size[2]!] ?? 1)
    if (word.startsWith('--output=')) columns = word.slice(9).split(',')
  }
  let exit = 0
  const mounts = []
  for (const path of paths) {
    if (lookAt(call.pm, path) === undefined) {
      call.err(`df: ${path}: ${LOST}\n`)
      exit = 1
    } else mounts.push(mountOf(call.pm, locate(call.pm, path).path))
  }
  if (exit === 1 && mounts.length === 0) return 1
  const shown = paths.length === 0 ? call.pm.mounts : mounts
  const values = (mount: (typeof shown)[number]): Record<string, string> => {
    const free = Math.max(0, mount.sizeBytes - mount.usedBytes)
    return {
      source: mount.device,
      fstype: mount.fstype,
      size: String(Math.ceil(mount.sizeBytes / unit)),
      used: String(Math.ceil(mount.usedBytes / unit)),
      avail: String(Math.floor(free / unit)),
      pcent: `${Math.ceil((mount.usedBytes * 100) / mount.sizeBytes)}%`,
      target: mount.at,
    }
  }
  const titles: Record<string, string> = {
    source: 'Filesystem',
    fstype: 'Type',
    size: `${TITLES[unit] ?? unit}-blocks`,
    used: 'Used',
    avail: columns ? 'Avail' : 'Available',
    pcent: columns ? 'Use%' : 'Capacity',
    target: 'Mounted on',
  }
  const keys = columns ?? ['source', 'size', 'used', 'avail', 'pcent', 'target']
  call.out(`${keys.map((key) => titles[key] ?? key).join(' ')}\n`)
  for (const mount of shown) call.out(`${keys.map((key) => values(mount)[key] ?? '-').join(' ')}\n`)
  return exit
}

export const find: Program = (call) => {
  const words = call.argv.slice(1)
  const follows = words[0] === '-L'
  if (follows) words.shift()
  const start = words.findIndex((word) => word.startsWith('-') || word === '(' || word === '!')
  const roots = start === -1 ? words : words.slice(0, start)
  const terms = start === -1 ? [] : words.slice(start)
  let exit = 0
  const value = (name: string) => {
    const at = terms.indexOf(name)
    return at === -1 ? undefined : terms[at + 1]
  }
  const maxDepth = Number(value('-maxdepth') ?? 99)
  const minDepth = Number(value('-mindepth') ?? 0)
  const type = value('-type')
  const isNot = (at: number) => terms[at - 1] === '!'
  const patternsOf = (name: RegExp, not: boolean) =>
    terms.flatMap((term, at) =>
      name.test(term) && isNot(at) === not ? [new RegExp(glob(terms[at + 1]!), term === '-iname' ? 'i' : '')] : [],
    )
  const patterns = patternsOf(/^-i?name$/, false)
  const forbidden = patternsOf(/^-i?name$/, true)
  const paths = patternsOf(/^-path$/, false)
  const mostKib = Number(/^-(\d+)k$/.exec(value('-size') ?? '')?.[1] ?? Number.POSITIVE_INFINITY)
  const format = value('-printf')
  const end = terms.includes('-print0') ? '\0' : '\n'
  const visit = (path: string, root: string, child: FsNode, depth: number) => {
    const node = (follows && child.kind === 'link' ? lookAt(call.pm, path) : child) ?? child
    const name = splitPath(path).at(-1) ?? '/'
    const letter: Record<FsNode['kind'], string> = { dir: 'd', file: 'f', block: 'b', link: 'l' }
    const fits =
      (type === undefined || type.includes(letter[node.kind])) &&
      (patterns.length === 0 || patterns.some((p) => p.test(name))) &&
      (paths.length === 0 || paths.some((p) => p.test(path))) &&
      !forbidden.some((p) => p.test(name)) &&
      Math.ceil(sizeOf(node) / 1024) < mostKib
    if (fits && depth >= minDepth)
      call.out(format === undefined ? `${path}${end}` : findText(node, path, root, name, format))
    if (node.kind !== 'dir' || depth >= maxDepth) return
    for (const child of Object.keys(node.children).sort()) {
      visit(joinPath(path.replace(/\/+$/, '') || '/', child), root, node.children[child]!, depth + 1)
    }
    for (const { name: child, node: file } of pseudoFiles(call.pm, path))
      visit(joinPath(path, child), root, file, depth + 1)
  }
  for (const root of roots.length === 0 ? ['.'] : roots) {
    const node = lookAt(call.pm, root)
    if (node === undefined) {
      call.err(`find: '${root}': ${LOST}\n`)
      exit = 1
    } else visit(root, root, node, 0)
  }
  return exit
}

function findText(node: FsNode, path: string, root: string, name: string, format: string): string {
  const blocks = node.kind === 'file' ? node.allocated / 512 : 8
  return format.replace(/\\([nt0])|%(T@|[a-zA-Z%])/g, (found, backslash?: string, key?: string) => {
    if (backslash !== undefined) return backslash === 'n' ? '\n' : backslash === 't' ? '\t' : '\0'
    const values: Record<string, string | number> = {
      p: path,
      f: name,
      P: path === root ? '' : path.slice(root.endsWith('/') ? root.length : root.length + 1),
      s: sizeOf(node),
      b: blocks,
      k: blocks / 2,
      m: (node.mode & 0o7777).toString(8),
      u: 'root',
      g: 'root',
      i: node.ino,
      D: DEVICE,
      y: { dir: 'd', file: 'f', block: 'b', link: 'l' }[node.kind],
      l: node.kind === 'link' ? node.target : '',
      'T@': (node.mtimeMs / 1000).toFixed(10),
      '%': '%',
    }
    return String(values[key!] ?? found)
  })
}

function glob(pattern: string): RegExp {
  const text = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
  return new RegExp(`^${text}$`)
}
