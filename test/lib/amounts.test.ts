import { describe, expect, test } from 'bun:test'
import { dateName, formatAge, formatMoment, formatSpan } from '../../src/lib/age.ts'
import { formatGib, formatMbit, formatMib } from '../../src/lib/bytes.ts'

const MINUTE = 60_000

describe('amounts', () => {
  test('sizes', () => {
    expect([512, 1024, 1536, 42189, 1024 * 1024 * 2].map(formatMib)).toEqual([
      '512 MiB',
      '1 GiB',
      '1.5 GiB',
      '41.2 GiB',
      '2 TiB',
    ])
    expect([8192, 512, 42189].map(formatGib)).toEqual(['8', '0.5', '41.2'])
  })
  test('rates', () => {
    expect([0, 12_500, 1e6, 30e6].map(formatMbit)).toEqual(['0', '0.1', '8', '240'])
  })
  test('spans and ages', () => {
    expect([84, 3100, 48_000, 402_000, 185 * MINUTE, 41 * 1440 * MINUTE].map(formatSpan)).toEqual([
      '84ms',
      '3.1s',
      '48s',
      '6m42s',
      '3h05m',
      '41d',
    ])
    expect([-5, 12_000, 6 * MINUTE, 200 * MINUTE, 3000 * MINUTE].map(formatAge)).toEqual([
      '0s',
      '12s',
      '6m',
      '3h',
      '2d',
    ])
  })
  test('what is named after its moment gets a name that is not taken', () => {
    const at = new Date(2026, 7, 2, 9, 4, 5).getTime()
    const name = '2026-08-02 09:04:05'
    expect(dateName(at)).toBe(name)
    expect(dateName(at, ['other'])).toBe(name)
    expect(dateName(at, [name, `${name} (2)`])).toBe(`${name} (3)`)
  })
  test('a moment is a time today and a date before', () => {
    const now = new Date(2026, 10, 23, 14, 3, 22).getTime()
    expect(formatMoment(now - 5 * MINUTE, now)).toBe('13:58:22')
    expect(formatMoment(now - 2 * 1440 * MINUTE, now)).toBe('11-21 14:03')
  })
})
