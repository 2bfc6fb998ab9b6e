import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { bytesOfText, textOfBytes } from '../../src/lib/bytes.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const utf8 = (text: string) => new Uint8Array(Buffer.from(text, 'utf8'))

test('what is UTF-8 is its text, a byte order mark and all; each other byte is a lone surrogate', () => {
  const text = '\ufeffgrüße 😀 \u{1f480}\u2028\0'
  expect(textOfBytes(utf8(text))).toBe(text)
  expect(textOfBytes(bytes(0x67, 0xfc, 0x0a))).toBe('g\udcfc\n')
  // overlong, half of a surrogate pair, beyond the last code point, cut off
  expect(textOfBytes(bytes(0xc0, 0x80))).toBe('\udcc0\udc80')
  expect(textOfBytes(bytes(0xed, 0xb2, 0x80))).toBe('\udced\udcb2\udc80')
  expect(textOfBytes(bytes(0xf4, 0x90, 0x80, 0x80))).toBe('\udcf4\udc90\udc80\udc80')
  expect(textOfBytes(bytes(0xe2, 0x82))).toBe('\udce2\udc82')
  expect(textOfBytes(bytes(0xf0, 0x9f, 0x92, 0x80, 0x80))).toBe('\u{1f480}\udc80')
})

test('every sequence of bytes comes back', () => {
  const near = fc.constantFrom(0x22, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff)
  const some = fc.uint8Array({ maxLength: 12 })
  const edges = fc.array(near, { maxLength: 12 }).map((values) => Uint8Array.from(values))
  const mixed = fc.tuple(fc.string({ unit: 'binary' }).map(utf8), edges, fc.string({ unit: 'binary' }).map(utf8))
  const joined = mixed.map((parts) => new Uint8Array(Buffer.concat(parts)))
  let foreign = 0
  let wide = 0
  fc.assert(
    fc.property(fc.oneof(some, edges, joined), (given) => {
      const text = textOfBytes(given)
      if (!text.isWellFormed()) foreign++
      if (/[\u{10000}-\u{10ffff}]/u.test(text)) wide++
      expect([...bytesOfText(text)]).toEqual([...given])
      // where it is UTF-8, it is what the platform reads
      const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      if (text.isWellFormed()) expect(text).toBe(decoder.decode(given))
      else expect(() => decoder.decode(given)).toThrow()
    }),
    { numRuns: 2000 },
  )
  expect([foreign > 200, wide > 20]).toEqual([true, true])
})
