/**
 * What lies in a tar archive and where, told without unpacking it: POSIX ustar, with the sizes and names that GNU tar and
 * pax add. Nothing of it is believed: what is no plain file of a plain name, stands there twice, or reaches beyond the
 * archive is a problem of the whole.
 */
export interface TarMember {
  readonly name: string
  /** Of its bytes, from the beginning of the archive. */
  readonly offset: number
  readonly bytes: number
}

export type TarResult =
  | { readonly ok: true; readonly members: readonly TarMember[] }
  | { readonly ok: false; readonly problem: string }

const BLOCK = 512
const WINDOW = 64 * 1024
/** An appliance has some disks, a description and a few words beside it. */
const MOST_MEMBERS = 200
const MOST_NAME_BYTES = 4096

interface Header {
  readonly name: string
  readonly type: string
  readonly bytes: number
}

/**
 * Walks over an archive of so many bytes; `read` gives bytes of it, and may give fewer than asked for only at its end.
 * Reads headers alone, some windows of 64 KiB. Throws what `read` throws.
 */
export async function readTar(
  total: number,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<TarResult> {
  const members = new Map<string, TarMember>()
  let window: { from: number; bytes: Uint8Array } = { from: 0, bytes: new Uint8Array() }
  const bytesAt = async (from: number, length: number) => {
    if (from < window.from || from + length > window.from + window.bytes.byteLength) {
      window = { from, bytes: await read(from, Math.min(Math.max(WINDOW, length), total - from)) }
    }
    return window.bytes.subarray(from - window.from, from - window.from + length)
  }
  let more: { name?: string; bytes?: number } = {}
  for (let at = 0, headers = 0; ; headers++) {
    if (headers > 2 * MOST_MEMBERS) return wrong(`it has more than ${MOST_MEMBERS} members`)
    if (at + BLOCK > total) return wrong('it has no end mark: it is cut off')
    const block = await bytesAt(at, BLOCK)
    if (block.byteLength < BLOCK) return wrong('it became shorter while it was read')
    if (block.every((byte) => byte === 0))
      return more.name === undefined ? done(members) : wrong('a name has no member')
    const header = readHeader(block)
    if (typeof header === 'string') return wrong(`${header} (at byte ${at})`)
    const { type } = header
    const bytes = type === 'x' || type === 'L' ? header.bytes : (more.bytes ?? header.bytes)
    const offset = at + BLOCK
    const end = offset + Math.ceil(bytes / BLOCK) * BLOCK
    const named = more.name ?? header.name
    if (end > total) return wrong(`${shown(named)} reaches beyond its end: it is cut off`)
    at = end
    if (type === 'x' || type === 'L') {
      if (bytes > WINDOW) return wrong('a name in it is longer than any name')
      const text = new TextDecoder().decode(await bytesAt(offset, bytes))
      more = type === 'L' ? { ...more, name: text.split('\0')[0]! } : { ...more, ...readPax(text) }
      if (more.bytes !== undefined && !Number.isSafeInteger(more.bytes)) return wrong('a size in it is no size')
      continue
    }
    if (type === 'g') continue
    more = {}
    const problem = problemOf(named, type) ?? (members.has(plain(named)) ? 'stands in it twice' : undefined)
    if (problem !== undefined) return wrong(`${shown(named)} ${problem}`)
    members.set(plain(named), { name: plain(named), offset, bytes })
    if (members.size > MOST_MEMBERS) return wrong(`it has more than ${MOST_MEMBERS} members`)
  }
}

function done(members: ReadonlyMap<string, TarMember>): TarResult {
  return { ok: true, members: [...members.values()] }
}

function wrong(problem: string): TarResult {
  return { ok: false, problem }
}

function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name)
}

function plain(name: string): string {
  return name.replace(/^(\.\/)+/, '')
}

const KINDS: Readonly<Record<string, string>> = {
  '1': 'is a link to another file',
  '2': 'is a symbolic link',
  '3': 'is a device',
  '4': 'is a device',
  '5': 'is a directory',
  '6': 'is a pipe',
}

/** Why a member cannot be there, or undefined. */
function problemOf(name: string, type: string): string | undefined {
  if (type !== '0' && type !== '\0' && type !== '7')
    return `${KINDS[type] ?? 'is of an unknown kind'}: only files are read`
  if (name.startsWith('/')) return 'has an absolute name'
  if (name.split('/').includes('..')) return 'has a name that leads out of the archive'
  if (plain(name) === '' || name.endsWith('/')) return 'has no name'
  if (/[\u0000-\u001f\u007f\\]/.test(name)) return 'has a name with characters that no name has'
  return undefined
}

function readHeader(block: Uint8Array): Header | string {
  const sum = numberIn(block, 148, 8)
  let found = 0
  block.forEach((byte, index) => {
    found += index >= 148 && index < 156 ? 0x20 : byte
  })
  if (sum !== found) return 'it holds a header that is damaged'
  const bytes = numberIn(block, 124, 12)
  if (bytes === undefined) return 'it holds a header without a size'
  const isPosix = textIn(block, 257, 6) === 'ustar'
  const prefix = isPosix ? textIn(block, 345, 155) : ''
  const name = textIn(block, 0, 100)
  return { name: prefix ? `${prefix}/${name}` : name, type: String.fromCharCode(block[156]!), bytes }
}

/** In octal digits, or as GNU writes what has too many of them: big-endian behind a set first bit. */
function numberIn(block: Uint8Array, at: number, length: number): number | undefined {
  if ((block[at]! & 0x80) !== 0) {
    const digits = block.subarray(at + 1, at + length)
    const value = digits.reduce((sum, byte) => sum * 256 + byte, block[at]! & 0x7f)
    return Number.isSafeInteger(value) ? value : undefined
  }
  const text = textIn(block, at, length).trim()
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined
}

function textIn(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length)
  const end = field.indexOf(0)
  return new TextDecoder().decode(end === -1 ? field : field.subarray(0, end))
}

/** What pax says of the member that follows: `LENGTH KEY=VALUE` and a line feed each. */
function readPax(text: string): { name?: string; bytes?: number } {
  const found: { name?: string; bytes?: number } = {}
  for (const [, key, value = ''] of text.matchAll(/^\d+ ([^=\n]+)=(.*)$/gm)) {
    if (key === 'path') found.name = value.slice(0, MOST_NAME_BYTES)
    if (key === 'size') found.bytes = /^\d+$/.test(value) ? Number(value) : Number.NaN
  }
  return found
}
