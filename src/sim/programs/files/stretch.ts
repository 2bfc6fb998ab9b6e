/** Stretches of files that come from elsewhere, byte by byte (tools/transfer/foreignImage.ts). */
import { createHash } from 'node:crypto'
import { findNode } from '../../machine/files.ts'
import type { Call, Program } from '../../machine/program.ts'
import type { ImageHeader } from '../../machine/state.ts'
import { LOST, readPath } from './read.ts'

export const stretch: Program = (call) => {
  const bytes = bytesOf(call)
  const lines = bytes?.toString('base64').match(/.{1,76}/g) ?? []
  call.out(lines.map((line) => `${line}\n`).join(''))
  return 0
}

/** Of an image here its header is all that there is. */
export const stretchDigest: Program = (call) => {
  const node = findNode(call.pm, call.argv[4] ?? '')
  const isImage = node?.kind === 'file' && node.text === undefined
  const read = isImage ? readPath(call, call.argv[4]!) : undefined
  const bytes = read && 'text' in read ? Buffer.from(read.text) : (bytesOf(call) ?? Buffer.alloc(0))
  const kind = (call.argv[7] ?? '').replace(/sum$/, '')
  call.out(`${createHash(kind).update(bytes).digest('hex')}  -\n`)
  return 0
}

/** A file's text, a character a byte, with nothing where it is longer than that; of an image its header. */
function bytesOf(call: Call): Buffer | undefined {
  const [path = '', skip, count] = call.argv.slice(4)
  const node = findNode(call.pm, path)
  if (node?.kind !== 'file' && node?.kind !== 'block') {
    call.err(`dd: failed to open '${path}': ${LOST}\n`)
    return undefined
  }
  const from = Number(skip)
  const length = Math.max(0, Math.min(Number(count), node.size - from))
  const known = node.text !== undefined ? Buffer.from(node.text, 'latin1') : headerOf(node.image)
  const found = known.subarray(from, from + length)
  return Buffer.concat([found, Buffer.alloc(length - found.byteLength)])
}

/** The first bytes of an image, as far as they tell what it is. */
function headerOf(image: ImageHeader | undefined): Buffer {
  const header = Buffer.alloc(512)
  if (image?.format === 'qcow2') {
    header.writeUInt32BE(0x514649fb, 0)
    header.writeUInt32BE(3, 4)
    if (image.backing !== undefined) header.writeBigUInt64BE(1n, 8)
    header.writeBigUInt64BE(BigInt(image.virtualSize), 24)
    if (image.corrupt) header.writeBigUInt64BE(2n, 72)
  } else if (image?.format === 'vmdk') {
    header.write('KDMV', 0)
    header.writeBigUInt64LE(BigInt(image.virtualSize / 512), 12)
  } else if (image?.format === 'vpc') {
    header.write('conectix', 0)
    header.writeUInt32BE(3, 60)
  } else if (image?.format === 'vhdx') header.write('vhdxfile', 0)
  return header
}
