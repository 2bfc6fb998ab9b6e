/** Programs that give what stands in files: cat, head, tail, cmp, readlink. */
import { turns } from '../../../lib/turns.ts'
import { findNode, isFsError, locate, splitPath } from '../../machine/files.ts'
import type { Call, Program } from '../../machine/program.ts'
import { pseudoText } from '../../machine/pseudo.ts'

export const LOST = 'No such file or directory'

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
      // What a device is as large as is not among its bytes.
      return { text: `${IMAGE_MARK}${JSON.stringify(image ? { image, allocated } : { size, allocated })}\n` }
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
      for (let piece = await call.read(); piece !== undefined; piece = await call.read()) call.out(piece)
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

/** `grep -o PATTERN FILE`, of a basic expression that has only brackets and stars. */
export const grep: Program = async (call) => {
  const [pattern = '', path = ''] = call.argv.slice(1).filter((word) => !word.startsWith('-'))
  const read = readPath(call, path)
  if ('problem' in read) {
    call.err(`grep: ${path}: ${read.problem}\n`)
    return 2
  }
  await turns.take()
  const found = [...read.text.matchAll(new RegExp(pattern, 'g'))].filter(([match]) => match !== '')
  call.out(found.map(([match]) => `${match}\n`).join(''))
  return found.length > 0 ? 0 : 1
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

/** Whether the beginning of an image is zeros: it is, where nothing was written to it. */
export const cmp: Program = (call) => {
  const [path = ''] = call.argv.filter((word) => word.startsWith('/') && word !== '/dev/zero')
  const node = findNode(call.pm, path)
  // `-s`: it says nothing, of a failure either.
  if (node === undefined) return 2
  const isEmpty = (node.kind === 'file' || node.kind === 'block') && !node.text && node.allocated <= 4096
  return isEmpty ? 0 : 1
}

export const readlink: Program = (call) => {
  const paths = call.argv.slice(1).filter((word) => !word.startsWith('-'))
  return paths.map((path) => readOneLink(call, path)).some((exit) => exit !== 0) ? 1 : 0
}

function readOneLink(call: Call, path: string): number {
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
