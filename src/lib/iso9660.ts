/**
 * A small CD image as bytes: ECMA-119 level 2 with one directory, and Joliet beside it, whose names are as they were
 * given (lower case, hyphens): Linux, the BSDs and Windows read those. Rock Ridge is left out because what it adds
 * (owners, modes, links) nobody asks for here. Pure: the same files and time make the same bytes.
 */
export interface IsoFile {
  readonly name: string
  readonly content: Uint8Array
}

const SECTOR = 2048
/** Where each part lies, in sectors; the files follow. */
const AT = {
  primary: 16,
  joliet: 17,
  end: 18,
  pathTables: 19,
  jolietPathTables: 21,
  root: 23,
  jolietRoot: 24,
  files: 25,
} as const

/** One volume descriptor's way to write text. */
interface Naming {
  readonly text: (text: string) => Uint8Array
  readonly file: (name: string) => Uint8Array
  readonly blank: readonly number[]
}

const PLAIN: Naming = {
  text: (text) => new TextEncoder().encode(text),
  file: (name) => new TextEncoder().encode(plainName(name)),
  blank: [0x20],
}

const JOLIET: Naming = {
  text: ucs2,
  file: ucs2,
  blank: [0x00, 0x20],
}

export function writeIso(volume: string, files: readonly IsoFile[], at: number): Uint8Array {
  let sector: number = AT.files
  const placed = files.map((file) => {
    const start = sector
    sector += Math.ceil(file.content.length / SECTOR)
    return { ...file, start }
  })
  const image = new Uint8Array(sector * SECTOR)
  for (const [naming, place, root, tables] of [
    [PLAIN, AT.primary, AT.root, AT.pathTables],
    [JOLIET, AT.joliet, AT.jolietRoot, AT.jolietPathTables],
  ] as const) {
    image.set(descriptor(naming, { volume, sectors: sector, root, tables, at }), place * SECTOR)
    image.set(pathTable(root, true), tables * SECTOR)
    image.set(pathTable(root, false), (tables + 1) * SECTOR)
    image.set(directory(naming, root, placed, at), root * SECTOR)
  }
  image.set([255, ...PLAIN.text('CD001'), 1], AT.end * SECTOR)
  for (const file of placed) image.set(file.content, file.start * SECTOR)
  return image
}

/**
 * The files of an image that `writeIso` made, by the names that they were given; undefined for any other image. Pure; what
 * follows behind the image is left alone.
 */
export function readIso(image: Uint8Array, volume: string): IsoFile[] | undefined {
  const label = descriptor(JOLIET, { volume, sectors: 0, root: 0, tables: 0, at: 0 }).subarray(40, 72)
  const joliet = image.subarray(AT.joliet * SECTOR, (AT.joliet + 1) * SECTOR)
  if (joliet[0] !== 2 || compareBytes([...joliet.subarray(40, 72)], [...label]) !== 0) return undefined
  const root = image.subarray(AT.jolietRoot * SECTOR, (AT.jolietRoot + 1) * SECTOR)
  const files: IsoFile[] = []
  for (let at = 0; at + 33 <= root.length && root[at]! > 0; at += root[at]!) {
    const entry = new DataView(root.buffer, root.byteOffset + at)
    if ((entry.getUint8(25) & 2) !== 0) continue
    const [start, bytes] = [entry.getUint32(2, true) * SECTOR, entry.getUint32(10, true)]
    if (start + bytes > image.length) return undefined
    const name = root.subarray(at + 33, at + 33 + entry.getUint8(32))
    files.push({ name: textOfUcs2(name), content: image.subarray(start, start + bytes) })
  }
  return files
}

function textOfUcs2(bytes: Uint8Array): string {
  const units = Array.from(
    { length: bytes.length >> 1 },
    (_, index) => (bytes[index * 2]! << 8) | bytes[index * 2 + 1]!,
  )
  return String.fromCharCode(...units)
}

/** Level 2: capital letters, digits and `_`, up to 30 of them, a dot and a version. */
function plainName(name: string): string {
  const [base = '', ...rest] = name.toUpperCase().split('.')
  const clean = (text: string) => text.replace(/[^A-Z0-9]/g, '_')
  return `${clean(base).slice(0, 20)}.${clean(rest.join('_')).slice(0, 8)};1`
}

function ucs2(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2)
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    bytes.set([code >> 8, code & 0xff], index * 2)
  }
  return bytes
}

interface Layout {
  readonly volume: string
  readonly sectors: number
  readonly root: number
  readonly tables: number
  readonly at: number
}

/** ECMA-119 section 8.4, field by field; for Joliet 8.5 with the escape sequence of UCS-2 level 3. */
function descriptor(naming: Naming, { volume, sectors, root, tables, at }: Layout): Uint8Array {
  const bytes = new Uint8Array(SECTOR)
  const text = (from: number, length: number, value = '') => bytes.set(padded(naming, value, length), from)
  bytes.set([naming === JOLIET ? 2 : 1, ...PLAIN.text('CD001'), 1])
  text(8, 32)
  text(40, 32, volume)
  bytes.set(both32(sectors), 80)
  if (naming === JOLIET) bytes.set([0x25, 0x2f, 0x45], 88)
  bytes.set(both16(1), 120)
  bytes.set(both16(1), 124)
  bytes.set(both16(SECTOR), 128)
  bytes.set(both32(PATH_TABLE_BYTES), 132)
  const view = new DataView(bytes.buffer)
  view.setUint32(140, tables, true)
  view.setUint32(148, tables + 1, false)
  bytes.set(record([0], { start: root, bytes: SECTOR, isDirectory: true, at }), 156)
  for (const [from, length] of [
    [190, 128],
    [318, 128],
    [446, 128],
    [574, 128],
    [702, 37],
    [739, 37],
    [776, 37],
  ] as const) {
    text(from, length)
  }
  bytes.set(longDate(at), 813)
  bytes.set(longDate(at), 830)
  bytes.set(longDate(undefined), 847)
  bytes.set(longDate(at), 864)
  bytes[881] = 1
  return bytes
}

function padded(naming: Naming, value: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const whole = length - (length % naming.blank.length)
  for (let index = 0; index < whole; index += naming.blank.length) bytes.set(naming.blank, index)
  bytes.set(naming.text(value).subarray(0, whole))
  return bytes
}

const PATH_TABLE_BYTES = 10

/** The root alone. */
function pathTable(root: number, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(PATH_TABLE_BYTES)
  const view = new DataView(bytes.buffer)
  bytes[0] = 1
  view.setUint32(2, root, littleEndian)
  view.setUint16(6, 1, littleEndian)
  return bytes
}

function directory(
  naming: Naming,
  root: number,
  files: readonly (IsoFile & { readonly start: number })[],
  at: number,
): Uint8Array {
  const self = { start: root, bytes: SECTOR, isDirectory: true, at }
  const named = files.map((file) => ({ name: [...naming.file(file.name)], file }))
  named.sort((a, b) => compareBytes(a.name, b.name))
  const records = [
    record([0], self),
    record([1], self),
    ...named.map(({ name, file }) => record(name, { start: file.start, bytes: file.content.length, at })),
  ].flatMap((one) => [...one])
  if (records.length > SECTOR) throw new Error(`${files.length} files are too many for one sector of a directory`)
  const bytes = new Uint8Array(SECTOR)
  bytes.set(records)
  return bytes
}

function record(
  name: readonly number[],
  what: { readonly start: number; readonly bytes: number; readonly isDirectory?: boolean; readonly at: number },
): number[] {
  const pad = name.length % 2 === 0 ? [0] : []
  const length = 33 + name.length + pad.length
  return [
    ...[length, 0, ...both32(what.start), ...both32(what.bytes), ...shortDate(what.at)],
    ...[what.isDirectory ? 2 : 0, 0, 0, ...both16(1), name.length, ...name, ...pad],
  ]
}

function both32(value: number): number[] {
  const little = [value, value >>> 8, value >>> 16, value >>> 24].map((byte) => byte & 0xff)
  return [...little, ...little.toReversed()]
}

function both16(value: number): number[] {
  const little = [value & 0xff, (value >>> 8) & 0xff]
  return [...little, ...little.toReversed()]
}

function shortDate(at: number): number[] {
  const date = new Date(at)
  return [
    ...[date.getUTCFullYear() - 1900, date.getUTCMonth() + 1, date.getUTCDate()],
    ...[date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), 0],
  ]
}

/** Sixteen digits and the offset from GMT; all `0`: not specified. */
function longDate(at: number | undefined): Uint8Array {
  const digits = at === undefined ? '0'.repeat(16) : `${new Date(at).toISOString().replace(/\D/g, '').slice(0, 14)}00`
  return new Uint8Array([...PLAIN.text(digits), 0])
}

function compareBytes(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!
  }
  return a.length - b.length
}
