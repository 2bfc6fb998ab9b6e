/** `tar -cf ARCHIVE` of files, as far as it is asked for here: ustar, and what stands in them. */
import { findNode, isFsError, writeText } from '../../machine/files.ts'
import type { Call, Program } from '../../machine/program.ts'
import { LOST, readPath } from './read.ts'

const RECORD = 10_240

export const tar: Program = (call) => {
  const words = call.argv.slice(1).filter((word) => !word.startsWith('--'))
  const value = (flag: string) => words[words.indexOf(flag) + 1] ?? ''
  const [directory, target] = [words.includes('-C') ? `${value('-C').replace(/\/+$/, '')}/` : '', value('-cf')]
  const names = words.filter((word, at) => !word.startsWith('-') && !['-C', '-cf'].includes(words[at - 1] ?? ''))
  const parts: Buffer[] = []
  for (const name of names) {
    const read = readPath(call, `${directory}${name}`)
    if ('problem' in read) {
      call.err(`tar: ${name}: Cannot stat: ${LOST}\ntar: Exiting with failure status due to previous errors\n`)
      return 2
    }
    const bytes = Buffer.from(read.text)
    parts.push(headerOf(name, bytes.byteLength), bytes, Buffer.alloc((512 - (bytes.byteLength % 512)) % 512))
  }
  const all = Buffer.concat([...parts, Buffer.alloc(1024)])
  const whole = Buffer.concat([all, Buffer.alloc((RECORD - (all.byteLength % RECORD)) % RECORD)])
  return put(call, target, whole)
}

function put(call: Call, path: string, bytes: Buffer): number {
  try {
    const mode = findNode(call.pm, path)?.mode
    writeText(call.pm, path, bytes.toString('latin1'), call.now(), mode)
    const node = findNode(call.pm, path)
    if (node?.kind === 'file') node.size = bytes.byteLength
    call.world.save()
    return 0
  } catch (error) {
    if (!isFsError(error)) throw error
    call.err(`tar: ${path}: Cannot open: ${error.message}\ntar: Error is not recoverable: exiting now\n`)
    return 2
  }
}

function headerOf(name: string, bytes: number): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  for (const [at, text] of [
    [100, '0000600\0'],
    [108, '0000000\0'],
    [116, '0000000\0'],
    [124, `${bytes.toString(8).padStart(11, '0')}\0`],
    [136, '00000000000\0'],
    [148, '        '],
    [156, '0'],
    [257, 'ustar\x0000'],
    [265, 'root'],
    [297, 'root'],
  ] as const)
    header.write(text, at)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
