/**
 * Bytes: how many, for people (sizes of memory and disks are in MiB everywhere inside; rates are bytes per second), and
 * as text.
 */

/** `512 MiB`, `8 GiB`, `41.2 GiB`, `1.5 TiB`. */
export function formatMib(mib: number): string {
  if (mib < 1024) return `${trim(mib, 0)} MiB`
  if (mib < 1024 * 1024) return `${trim(mib / 1024, 1)} GiB`
  return `${trim(mib / 1024 / 1024, 1)} TiB`
}

/** The number of GiB alone, for a column that says GiB in its title: `8`, `0.5`, `41.2`. */
export function formatGib(mib: number): string {
  const gib = mib / 1024
  return trim(gib, gib >= 1000 ? 0 : 1)
}

/** Bytes per second as megabits per second, as network people count. */
export function formatMbit(bytesPerSecond: number): string {
  return trim((bytesPerSecond * 8) / 1e6, bytesPerSecond * 8 < 9.95e6 ? 1 : 0)
}

/** Bytes per second as megabytes per second, as disk people count. */
export function formatMbyte(bytesPerSecond: number): string {
  return (bytesPerSecond / 1e6).toFixed(1)
}

function trim(value: number, digits: number): string {
  const text = value.toFixed(digits)
  return text.includes('.') ? text.replace(/\.0+$/, '') : text
}

// well-formed UTF-8 of more than one byte (Unicode, table 3-7), or a single byte that belongs to none
const SEQUENCE =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g

/**
 * The text of a file that may hold bytes which are no UTF-8: each of those, 0x80 to 0xFF, is the lone surrogate U+DC80 to
 * U+DCFF. Nothing is lost, a byte order mark neither: `bytesOfText` gives the very bytes back.
 */
export function textOfBytes(bytes: Uint8Array): string {
  const each = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return each.replace(SEQUENCE, (sequence) =>
    sequence.length === 1
      ? String.fromCharCode(0xdc00 + sequence.charCodeAt(0))
      : Buffer.from(sequence, 'latin1').toString('utf8'),
  )
}

/** The bytes of such a text. */
export function bytesOfText(text: string): Uint8Array {
  // with the flag u, half of a surrogate pair is no match
  const parts = text.split(/([\udc80-\udcff])/u)
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 1 ? Buffer.of(part.charCodeAt(0) - 0xdc00) : Buffer.from(part, 'utf8'))),
  )
}
