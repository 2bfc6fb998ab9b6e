/**
 * What an image file that comes from elsewhere is, told by its own first and last bytes before any program opens it. An
 * image can name other files of the host that are then read in its place (a backing file, a data file, extents): such a
 * one is told here, so that nothing ever follows what it names.
 */
export type ForeignFormat = 'qcow2' | 'raw' | 'vmdk' | 'vpc' | 'vhdx'

export interface ForeignHeader {
  readonly format: ForeignFormat
  /** Nothing in it says what it is: its bytes are taken for the disk's. */
  readonly guessed?: true
}

/** How much of a file's beginning, and of its end, is looked at. */
export const HEAD_BYTES = 64 * 1024
export const TAIL_BYTES = 512

/** What is not an image that pengx reads, by the bytes that it begins with; and what helps. */
const OTHERS: readonly (readonly [at: number, bytes: readonly number[] | string, what: string])[] = [
  [0, [0x1f, 0x8b], 'compressed with gzip: unpack it first'],
  [0, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], 'compressed with xz: unpack it first'],
  [0, [0x28, 0xb5, 0x2f, 0xfd], 'compressed with zstd: unpack it first'],
  [0, 'BZh', 'compressed with bzip2: unpack it first'],
  [0, 'PK\u0003\u0004', 'a zip archive: unpack it first'],
  [0, [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], 'a 7z archive: unpack it first'],
  [0, 'COWD', 'a VMDK of ESX (COWD), which is not read: convert it first'],
  [
    0,
    '# Disk DescriptorFile',
    'a VMDK that only names the files in which its bytes lie, which are not followed: make one file of it (qemu-img convert)',
  ],
  [0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe], 'encrypted (LUKS)'],
  [0, 'QED\0', 'a QED image, which is not read: convert it first'],
  [0, 'WithoutFreeSpace', 'a Parallels image, which is not read: convert it first'],
  [0, 'WithouFreSpacExt', 'a Parallels image, which is not read: convert it first'],
  [64, [0x7f, 0x10, 0xda, 0xbe], 'a VDI image, which is not read: convert it first'],
  [0, '<?xml', 'a text of XML: of an OVF its OVA is read, one tar file of it and its disks'],
  [0, '<Envelope', 'an OVF without its disks: its OVA is read, one tar file of both'],
]

/** Whether it is a tar archive, by its first header. */
export function isTar(head: Uint8Array): boolean {
  return has(head, 257, 'ustar')
}

/**
 * Pure. What a file is by its first `HEAD_BYTES` and last `TAIL_BYTES` (less where it is shorter), or why it is not
 * taken. `as`: what a person says that it is, which its bytes then need not say.
 */
export function readForeignHeader(
  head: Uint8Array,
  tail: Uint8Array,
  as?: ForeignFormat,
): ForeignHeader | { readonly problem: string } {
  if (as === 'raw') return { format: 'raw' }
  const format = formatOf(head, tail)
  if (as !== undefined && as !== format) return { problem: `is no ${as} image: nothing in it says so` }
  if (format === undefined) {
    const other = OTHERS.find(([at, bytes]) => has(head, at, bytes))
    return other ? { problem: `is ${other[2]}` } : { format: 'raw', guessed: true }
  }
  const problem =
    format === 'qcow2' ? qcow2Problem(head) : format === 'vmdk' ? vmdkProblem(head) : vhdProblem(format, head, tail)
  return problem === undefined ? { format } : { problem }
}

function formatOf(head: Uint8Array, tail: Uint8Array): ForeignFormat | undefined {
  if (has(head, 0, [0x51, 0x46, 0x49, 0xfb])) return 'qcow2'
  if (has(head, 0, 'KDMV')) return 'vmdk'
  if (has(head, 0, 'vhdxfile')) return 'vhdx'
  return has(head, 0, 'conectix') || (tail.byteLength === TAIL_BYTES && has(tail, 0, 'conectix')) ? 'vpc' : undefined
}

/** QEMU's docs/interop/qcow2.txt, "Header". */
function qcow2Problem(head: Uint8Array): string | undefined {
  if (head.byteLength < 104) return 'is cut off within its header'
  const view = viewOf(head)
  const version = view.getUint32(4)
  if (version !== 2 && version !== 3) return `is a QCOW image of version ${version}: 2 and 3 are read`
  if (view.getBigUint64(8) !== 0n)
    return 'lies on a backing file, which it names: that is not followed; make one image of both first (qemu-img convert)'
  if (view.getUint32(32) !== 0) return 'is encrypted'
  const incompatible = version === 3 ? view.getBigUint64(72) : 0n
  if ((incompatible & 2n) !== 0n) return 'is marked as damaged: qemu-img check -r all it first'
  if ((incompatible & 4n) !== 0n)
    return 'has its bytes in another file, which it names: that is not followed; make one image of both first (qemu-img convert)'
  return undefined
}

/** VMware's "Virtual Disk Format 5.0", and the place where QEMU looks for the parent, whatever the header says. */
function vmdkProblem(head: Uint8Array): string | undefined {
  if (head.byteLength < 512) return 'is cut off within its header'
  const view = viewOf(head)
  if (view.getBigUint64(12, true) === 0n)
    return 'only names the files in which its bytes lie, which are not followed: make one file of it (qemu-img convert)'
  const [at, sectors] = [view.getBigUint64(28, true), view.getBigUint64(36, true)]
  const ends = (at + sectors) * 512n
  if (at !== 0n && ends > BigInt(head.byteLength)) return 'has its descriptor where none is looked for'
  const text = Buffer.from(head.subarray(512, Math.max(512 + 20 * 512, Number(ends)))).toString('latin1')
  const parent = /parentCID\s*=\s*"?([0-9a-f]+)/i.exec(text)?.[1]
  if (/parentFileNameHint/i.test(text) || (parent !== undefined && !/^f{8}$/i.test(parent)))
    return 'holds only what differs from another, which it names: that is not followed; make one image of both first'
  return undefined
}

/** Microsoft's "Virtual Hard Disk Image Format Specification": type 4 lies on a parent. QEMU opens no VHDX that does. */
function vhdProblem(format: ForeignFormat, head: Uint8Array, tail: Uint8Array): string | undefined {
  if (format !== 'vpc') return undefined
  const footer = has(head, 0, 'conectix') ? head : tail
  if (footer.byteLength < 512) return 'is cut off within its header'
  const type = viewOf(footer).getUint32(60)
  if (type === 2 || type === 3) return undefined
  return type === 4
    ? 'holds only what differs from another, which it names: that is not followed; make one image of both first'
    : `is a VHD of type ${type}, which is not read`
}

function has(bytes: Uint8Array, at: number, wanted: readonly number[] | string): boolean {
  const all = typeof wanted === 'string' ? [...Buffer.from(wanted, 'latin1')] : wanted
  return all.every((byte, index) => bytes[at + index] === byte)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
