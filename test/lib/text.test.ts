import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { cellWidth, cutCells, naturalKey, padCells, stripControl, wrapCells } from '../../src/lib/text.ts'

describe('text in cells', () => {
  test('Korean takes two cells a character', () => {
    expect(cellWidth('web-한국')).toBe(8)
    expect(cutCells('한국어-vm', 5)).toBe('한국…')
    expect(cutCells('한국어-vm', 4)).toBe('한…')
    expect(padCells('한국', 6)).toBe('한국  ')
    expect(padCells('한국', 6, 'right')).toBe('  한국')
  })

  test('decomposed Hangul is one thing', () => {
    expect(cellWidth('한'.normalize('NFD'))).toBe(2)
  })

  test('what steers a terminal is dropped', () => {
    expect(stripControl('a\x1b[31mb\x1b]0;title\x07c\x1bPq\x1b\\d\x07\u202ee\u200b\ufeff')).toBe('abcde')
    expect(stripControl('one\r\n\ttwo')).toBe('one two')
    expect(stripControl('\x9b31mx')).toBe('31mx')
  })

  test('a line cut and filled is exactly as wide as asked, whatever it holds', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.constantFrom('한국어', 'ｗｉｄｅ', '👩‍👩‍👧', 'é̂', '\x1b[31m'),
    )
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 6 }), fc.integer({ min: 1, max: 40 }), (parts, width) => {
        const text = parts.join('')
        expect(cellWidth(padCells(text, width))).toBe(width)
        expect(cellWidth(cutCells(text, width, ''))).toBeLessThanOrEqual(width)
        for (const line of wrapCells(text, Math.max(width, 2)))
          expect(cellWidth(line)).toBeLessThanOrEqual(Math.max(width, 2))
      }),
    )
  })

  test('names sort as people count', () => {
    const names = ['web10', 'Web2', 'web1', 'db']
    expect(names.sort((a, b) => (naturalKey(a) < naturalKey(b) ? -1 : 1))).toEqual(['db', 'web1', 'Web2', 'web10'])
  })
})
