/** Programs that tell what a file is: test, stat, ls. */
import { turns } from '../../../lib/turns.ts'
import { findNode, splitPath } from '../../machine/files.ts'
import type { Call, Program } from '../../machine/program.ts'
import { pseudoDir, pseudoText, socketDomain } from '../../machine/pseudo.ts'
import type { FsNode, PmState } from '../../machine/state.ts'
import { LOST } from './read.ts'

/** All of a machine's files are on one. */
export const DEVICE = 2049

/** Looks at a path with what the kernel makes up included. */
export function lookAt(pm: PmState, path: string, follow = true): FsNode | undefined {
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
    d: DEVICE,
    t: node.kind === 'block' ? 'fd' : '0',
    T: node.kind === 'block' ? node.ino.toString(16) : '0',
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

function modeLetters(node: FsNode): string {
  const first: Record<FsNode['kind'], string> = { dir: 'd', file: '-', block: 'b', link: 'l' }
  const letters = [6, 3, 0].map((shift) => {
    const bits = (node.mode >> shift) & 7
    return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? 'x' : '-'}`
  })
  return first[node.kind] + letters.join('')
}

export const ls: Program = async (call) => {
  const options = call.argv.slice(1).filter((word) => word.startsWith('-') && word !== '--')
  const letters = options.filter((word) => !word.startsWith('--')).join('')
  const paths = call.argv.slice(1).filter((word) => !word.startsWith('-'))
  let exit = 0
  for (const [index, path] of (paths.length === 0 ? ['/root'] : paths).entries()) {
    const node = lookAt(call.pm, path, !letters.includes('d'))
    if (node === undefined && socketDomain(call.pm, path) === undefined) {
      call.err(`ls: cannot access '${path}': ${LOST}\n`)
      exit = 2
      continue
    }
    if (paths.length > 1 && node?.kind === 'dir' && !letters.includes('d'))
      call.out(`${index > 0 ? '\n' : ''}${path}:\n`)
    const names =
      node?.kind === 'dir' && !letters.includes('d')
        ? (pseudoDir(call.pm, path) ?? Object.keys(node.children)).filter(
            (name) => /[aA]/.test(letters) || name[0] !== '.',
          )
        : [path]
    const shown =
      letters.includes('a') && node?.kind === 'dir' && !letters.includes('d') ? ['.', '..', ...names] : names
    if (letters.includes('l')) call.out('total 0\n')
    await turns.take()
    shown.sort()
    await turns.take()
    const lines = shown.map((name) => {
      const child = node?.kind === 'dir' && !letters.includes('d') ? (node.children[name] ?? node) : node
      if (!letters.includes('l') || child === undefined) return `${name}\n`
      const time = new Date(child.mtimeMs).toUTCString()
      const link = child.kind === 'link' ? ` -> ${child.target}` : ''
      return `${modeLetters(child)} 1 root root ${sizeOf(child)} ${time.slice(8, 11)} ${time.slice(5, 7)} ${time.slice(17, 22)} ${name}${link}\n`
    })
    call.out(lines.join(''))
  }
  return exit
}
