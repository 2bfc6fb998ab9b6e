import { PERF_FIELDS, type PerfSample } from '../../../model/perf.ts'

/**
 * A ring lies in pages of 36 samples, in memory as on disk, so that saving a minute of samples writes one or two pages
 * and not the ring. A sample is eight 16-bit words: its time and six values. Values are logarithms: what is shown of
 * the past is a curve, for which 0.03 percent is exact enough, and 10,000 full rings take 58 MB that way in place of 200.
 */
export const PAGE_SAMPLES = 36
const WORDS = 2 + PERF_FIELDS.length
const UNKNOWN = 0xffff
const STEPS_PER_DOUBLING = 1_365
/** Times are tenths of a second since this day, 2024-01-01; they last until 2037. */
const EPOCH_MS = 1_704_067_200_000

/** A page of samples, all unknown. */
export function newPage(): Uint16Array {
  return new Uint16Array(PAGE_SAMPLES * WORDS)
}

/** Writes a sample into a slot; each value to about 0.03 percent. */
export function writeSample(page: Uint16Array, slot: number, sample: PerfSample): void {
  const tenths = Math.min(0xffff_ffff, Math.max(1, Math.round((sample.at - EPOCH_MS) / 100)))
  const start = slot * WORDS
  page[start] = tenths & 0xffff
  page[start + 1] = tenths >>> 16
  for (let field = 0; field < PERF_FIELDS.length; field++) {
    page[start + 2 + field] = encode(sample[PERF_FIELDS[field]!])
  }
}

/** Undefined for a slot that nobody has written. */
export function readSample(page: Uint16Array, slot: number): PerfSample | undefined {
  const start = slot * WORDS
  const tenths = page[start]! + page[start + 1]! * 0x1_0000
  if (tenths === 0) return undefined
  const sample: { -readonly [K in keyof PerfSample]: PerfSample[K] } = { at: EPOCH_MS + tenths * 100 }
  for (let field = 0; field < PERF_FIELDS.length; field++) {
    const word = page[start + 2 + field]!
    if (word !== UNKNOWN) sample[PERF_FIELDS[field]!] = 2 ** (word / STEPS_PER_DOUBLING) - 1
  }
  return sample
}

/** The same memory as bytes, for a BLOB. */
export function toBytes(page: Uint16Array): Uint8Array {
  return new Uint8Array(page.buffer, page.byteOffset, page.byteLength)
}

/** Undefined for bytes of another length: some other version wrote them. */
export function fromBytes(bytes: Uint8Array): Uint16Array | undefined {
  if (bytes.byteLength !== PAGE_SAMPLES * WORDS * 2) return undefined
  const page = newPage()
  toBytes(page).set(bytes)
  return page
}

function encode(value: number | undefined): number {
  if (value === undefined || Number.isNaN(value)) return UNKNOWN
  return Math.min(UNKNOWN - 1, Math.round(Math.log2(1 + Math.max(0, value)) * STEPS_PER_DOUBLING))
}
