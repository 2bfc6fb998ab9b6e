/** Programs that look at files: cat, ls, stat, test, df, find, readlink. */
import { findNode, isFsError, joinPath, locate, mountOf, splitPath } from '../files.ts'
import type { Call, Program } from '../program.ts'
import { pseudoDir, pseudoText, socketDomain } from '../pseudo.ts'
import type { FsNode, PmState } from '../state.ts'

const LOST = 'No such file or directory'

/** What `cat` gives for an image: its header in words, which `writeBytes` understands again. */
export const IMAGE_MARK = '\u0001pengx-sim-image '

/** A file's text, a made-up file's text, or an errno's words. */
export function readPath(call: Call, path: string): { text: string } | { problem: string } {
  const made = pseudoText(call.pm, `/${splitPath(path).join('/')}`, call.now())
  if (made !== undefined) return { text: made }
  try {
    const node = locate(call.pm, path).node
    if (node === undefined) return { problem: LOST }
    if (node.kind === 'dir') return { problem: 'Is a directory' }
    if (node.kind === 'link') return { problem: LOST }
    if (node.image || node.text === undefined) {
      const { image, size, allocated } = node
      return { text: `${IMAGE_MARK}${JSON.stringify({ image, size, allocated })}\n` }
    }
    return { text: node.text }
  } catch (error) {
    if (isFsError(error)) return { problem: error.message }
    throw error
  }
}

export const cat: Program = async (call) => {
  const paths = call.argv.slice(1).filter((word) => word === '-' || !word.startsWith('-'))
  let exit = 0
  for (const path of paths.length === 0 ? ['-'] : paths) {
    if (path === '-' || path === '/dev/stdin') {
      call.out(await call.stdin())
      continue
    }
    const read = readPath(call, path)
    if ('text' in read) call.out(read.text)
    else {
      call.err(`cat: ${path}: ${read.problem}\n`)
      exit = 1
    }
  }
  return exit
}

export const head: Program = (call) => ends(call, (lines, count) => lines.slice(0, count))
export const tail: Program = (call) => ends(call, (lines, count) => (count === 0 ? [] : lines.slice(-count)))

async function ends(call: Call, keep: (lines: string[], count: number) => string[]): Promise<number> {
  const count = Number(/-(?:n\s*)?(\d+)/.exec(call.argv.slice(1).join(' '))?.[1] ?? 10)
  const path = call.argv.slice(1).findLast((word) => !word.startsWith('-') && !/^\d+$/.test(word))
  const read = path === undefined ? { text: await call.stdin() } : readPath(call, path)
  if ('problem' in read) {
    call.err(`${call.argv[0]}: cannot open '${path}' for reading: ${read.problem}\n`)
    return 1
  }
  const kept = keep(read.text.replace(/\n$/, '').split('\n'), count)
  if (read.text !== '' && kept.length > 0) call.out(`${kept.join('\n')}\n`)
  return 0
}

/** Looks at a path with what the kernel makes up included. */
function lookAt(pm: PmState, path: string, follow = true): FsNode | undefined {
  const found = findNode(pm, path, follow)
  if (found) return found
  const clean = `/${splitPath(path).join('/')}`
  const common = { uid: 0, gid: 0, mtimeMs: pm.bootedAt, ino: 1 }
  if (pseudoDir(pm, clean) !== undefined) return { kind: 'dir', mode: 0o755, ...common, children: {} }
  if (pseudoText(pm, clean, pm.bootedAt) !== undefined)
    return { kind: 'file', mode: 0o444, ...common, size: 0, allocated: 0 }
  return undefined
}

/** test(1) and `[`: one or two operands, with `!`, `-a` and `-o`. */
export const test: Program = (call) => {
  const words = call.argv.slice(1)
  if (call.argv[0] === '[') words.pop()
  return evaluate(call, words) ? 0 : 1
}

function evaluate(call: Call, words: readonly string[]): boolean {
  for (const [operator, every] of [
    ['-o', false],
    ['-a', true],
  ] as const) {
    const at = words.indexOf(operator, 1)
    if (at > 0 && at < words.length - 1) {
      const left = evaluate(call, words.slice(0, at))
      const right = () => evaluate(call, words.slice(at + 1))
      return every ? left && right() : left || right()
    }
  }
  if (words[0] === '!') return !evaluate(call, words.slice(1))
  if (words.length === 3) return compare(words[0]!, words[1]!, words[2]!)
  if (words.length === 1) return words[0] !== ''
  const [operator = '', word = ''] = words
  if (operator === '-n') return word !== ''
  if (operator === '-z') return word === ''
  if (operator === '-S') return socketDomain(call.pm, word) !== undefined
  const node = lookAt(call.pm, word, operator !== '-L' && operator !== '-h')
  if (operator === '-e' && socketDomain(call.pm, word)) return true
  if (node === undefined) return false
  if (operator === '-f') return node.kind === 'file'
  if (operator === '-d') return node.kind === 'dir'
  if (operator === '-b') return node.kind === 'block'
  if (operator === '-L' || operator === '-h') return node.kind === 'link'
  if (operator === '-s') return node.kind === 'file' && node.size > 0
  return ['-e', '-r', '-w', '-x'].includes(operator)
}

function compare(left: string, operator: string, right: string): boolean {
  if (operator === '=' || operator === '==') return left === right
  if (operator === '!=') return left !== right
  const [a, b] = [Number(left), Number(right)]
  const results: Record<string, boolean> = {
    '-eq': a === b,
    '-ne': a !== b,
    '-lt': a < b,
    '-le': a <= b,
    '-gt': a > b,
    '-ge': a >= b,
  }
  return results[operator] ?? false
}

const TYPES: Record<FsNode['kind'], string> = {
  dir: 'directory',
  file: 'regular file',
  block: 'block special file',
  link: 'symbolic link',
}

export const stat: Program = (call) => {
  let format = ''
  let newline = true
  let follow = false
  const paths: string[] = []
  for (let at = 1; at < call.argv.length; at++) {
    const word = call.argv[at]!
    if (word === '-c') format = call.argv[++at] ?? ''
    else if (word.startsWith('--format=')) format = word.slice(9)
    else if (word.startsWith('--printf=')) {
      format = word.slice(9).replaceAll('\\n', '\n').replaceAll('\\t', '\t').replaceAll('\\0', '\0')
      newline = false
    } else if (word === '-L' || word === '--dereference') follow = true
    else if (word === '-Lc') {
      follow = true
      format = call.argv[++at] ?? ''
    } else if (word !== '--') paths.push(word)
  }
  let exit = 0
  for (const path of paths) {
    const node = lookAt(call.pm, path, follow)
    if (node === undefined) {
      call.err(`stat: cannot statx '${path}': ${LOST}\n`)
      exit = 1
    } else if (format === '') call.out(`  File: ${path}\n  Size: ${sizeOf(node)}\n`)
    else call.out(`${statText(node, path, format)}${newline ? '\n' : ''}`)
  }
  return exit
}

export function sizeOf(node: FsNode): number {
  if (node.kind === 'file') return node.size
  if (node.kind === 'link') return node.target.length
  return node.kind === 'dir' ? 4096 : 0
}

function statText(node: FsNode, path: string, format: string): string {
  const blocks = node.kind === 'file' ? node.allocated / 512 : node.kind === 'dir' ? 8 : 0
  const seconds = Math.floor(node.mtimeMs / 1000)
  const empty = node.kind === 'file' && node.size === 0
  const values: Record<string, string | number> = {
    n: path,
    N: node.kind === 'link' ? `'${path}' -> '${node.target}'` : `'${path}'`,
    s: sizeOf(node),
    b: blocks,
    B: 512,
    o: 4096,
    F: empty ? 'regular empty file' : TYPES[node.kind],
    a: (node.mode & 0o7777).toString(8),
    f: modeBits(node).toString(16),
    A: modeLetters(node),
    u: node.uid,
    g: node.gid,
    U: node.uid === 0 ? 'root' : String(node.uid),
    G: node.gid === 0 ? 'root' : String(node.gid),
    i: node.ino,
    h: 1,
    d: 2049,
    t: node.kind === 'block' ? 'fd' : '0',
    T: '0',
    X: seconds,
    Y: seconds,
    Z: seconds,
    W: seconds,
    y: `${new Date(node.mtimeMs).toISOString().replace('T', ' ').replace('Z', '')}000000 +0000`,
    '%': '%',
  }
  return format.replace(/%([a-zA-Z%])/g, (found, key: string) => String(values[key] ?? found))
}

function modeBits(node: FsNode): number {
  const kinds: Record<FsNode['kind'], number> = { dir: 0o040000, file: 0o100000, block: 0o060000, link: 0o120000 }
  return kinds[node.kind] | node.mode
}

export function modeLetters(node: FsNode): string {
  const first: Record<FsNode['kind'], string> = { dir: 'd', file: '-', block: 'b', link: 'l' }
  const letters = [6, 3, 0].map((shift) => {
    const bits = (node.mode >> shift) & 7
    return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? 'x' : '-'}`
  })
  return first[node.kind] + letters.join('')
}

export const ls: Program = (call) => {
  const options = call.argv.slice(1).filter((word) => word.startsWith('-') && word !== '--')
  const letters = options.filter((word) => !word.startsWith('--')).join('')
  const paths = call.argv.slice(1).filter((word) => !word.startsWith('-'))
  let exit = 0
  for (const path of paths.length === 0 ? ['/root'] : paths) {
    const node = lookAt(call.pm, path, !letters.includes('d'))
    if (node === undefined && socketDomain(call.pm, path) === undefined) {
      call.err(`ls: cannot access '${path}': ${LOST}\n`)
      exit = 2
      continue
    }
    if (paths.length > 1 && node?.kind === 'dir' && !letters.includes('d')) call.out(`${path}:\n`)
    const names =
      node?.kind === 'dir' && !letters.includes('d')
        ? (pseudoDir(call.pm, path) ?? Object.keys(node.children)).filter(
            (name) => /[aA]/.test(letters) || name[0] !== '.',
          )
        : [path]
    const shown =
      letters.includes('a') && node?.kind === 'dir' && !letters.includes('d') ? ['.', '..', ...names] : names
    if (letters.includes('l')) call.out('total 0\n')
    for (const name of shown.sort()) {
      const child = node?.kind === 'dir' && !letters.includes('d') ? (node.children[name] ?? node) : node
      if (!letters.includes('l') || child === undefined) call.out(`${name}\n`)
      else {
        const time = new Date(child.mtimeMs).toUTCString()
        const link = child.kind === 'link' ? ` -> ${child.target}` : ''
        call.out(
          `${modeLetters(child)} 1 root root ${sizeOf(child)} ${time.slice(8, 11)} ${time.slice(5, 7)} ${time.slice(17, 22)} ${name}${link}\n`,
        )
      }
    }
  }
  return exit
}

export const readlink: Program = (call) => {
  const path = call.argv.findLast((word) => !word.startsWith('-')) ?? ''
  const canonical = call.argv[0] === 'realpath' || call.argv.some((word) => /^-[fe]/.test(word))
  try {
    const place = locate(call.pm, path, canonical)
    if (canonical && (place.node || call.argv.includes('-f'))) call.out(`${place.path}\n`)
    else if (place.node?.kind === 'link') call.out(`${place.node.target}\n`)
    else return 1
    return 0
  } catch (error) {
    if (!isFsError(error)) throw error
    if (call.argv[0] === 'realpath') call.err(`realpath: ${path}: ${error.message}\n`)
    return 1
  }
}

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
  const patterns = terms.flatMap((term, at) => (term === '-name' ? [glob(terms[at + 1]!)] : []))
  const format = value('-printf')
  const end = terms.includes('-print0') ? '\0' : '\n'
  const visit = (path: string, root: string, node: FsNode, depth: number) => {
    const name = splitPath(path).at(-1) ?? '/'
    const letter: Record<FsNode['kind'], string> = { dir: 'd', file: 'f', block: 'b', link: 'l' }
    const fits =
      (type === undefined || type.includes(letter[node.kind])) &&
      (patterns.length === 0 || patterns.some((p) => p.test(name)))
    if (fits && depth >= minDepth)
      call.out(format === undefined ? `${path}${end}` : findText(node, path, root, name, format))
    if (node.kind !== 'dir' || depth >= maxDepth) return
    for (const child of Object.keys(node.children).sort()) {
      visit(joinPath(path.replace(/\/+$/, '') || '/', child), root, node.children[child]!, depth + 1)
    }
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
      y: { dir: 'd', file: 'f', block: 'b', link: 'l' }[node.kind],
      l: node.kind === 'link' ? node.target : '',
      'T@': (node.mtimeMs / 1000).toFixed(10),
      '%': '%',
    }
    return String(values[key!] ?? found)
  })
}

export function glob(pattern: string): RegExp {
  const text = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
  return new RegExp(`^${text}$`)
}
