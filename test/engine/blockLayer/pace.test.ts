import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createPace } from '../../../src/engine/hypervisor/moment/pace.ts'

const MIB = 1024 * 1024
const MOST = 64 * MIB
/** A millisecond a write until the copy begins. */
const BEFORE = { operations: 1000, ns: 1000 * 1e6 }

/** Windows of so many writes, each of which took so long in milliseconds; gives the rate after each. */
function ratesOf(windows: readonly (readonly [writes: number, ms: number])[], before = BEFORE) {
  const pace = createPace(MOST, before)
  let now = before
  const rates = windows.map(([writes, ms]) => {
    now = { operations: now.operations + writes, ns: now.ns + writes * ms * 1e6 }
    return pace.next(now) / MIB
  })
  return { rates, slowdown: pace.slowdown() }
}

describe('a copy beside a guest that writes', () => {
  test('goes as fast as it may while a write takes no more than a quarter longer than before', () => {
    const { rates, slowdown } = ratesOf([
      [100, 1],
      [100, 1.24],
      [100, 0.5],
    ])
    expect(rates).toEqual([64, 64, 64])
    expect(slowdown).toBeCloseTo((1 + 1.24 + 0.5) / 3)
  })

  test('goes half as fast each time that writes take too long, down to a sixteenth, and a tenth faster each time that they do not', () => {
    const slow = Array.from({ length: 6 }, () => [100, 3] as const)
    expect(ratesOf([...slow, [100, 1], [100, 1]]).rates).toEqual(
      [32, 16, 8, 4, 4, 4, 4.4, 4.84].map((rate) => expect.closeTo(rate, 3)),
    )
  })

  test('is told nothing by a guest that hardly writes, or did not before', () => {
    expect(
      ratesOf([
        [100, 9],
        [2, 1],
        [2, 1],
        [100, 1],
      ]).rates,
    ).toEqual([32, 32, 32, 35.2].map((rate) => expect.closeTo(rate, 3)))
    const { rates, slowdown } = ratesOf([[100, 50]], { operations: 0, ns: 0 })
    expect([rates, slowdown]).toEqual([[64], undefined])
  })

  test('never goes faster than it may, nor stands still', () => {
    const window = fc.tuple(fc.integer({ min: 0, max: 500 }), fc.double({ min: 0, max: 1000, noNaN: true }))
    fc.assert(
      fc.property(fc.array(window, { maxLength: 40 }), (windows) => {
        for (const rate of ratesOf(windows).rates) {
          expect(rate).toBeLessThanOrEqual(64)
          expect(rate).toBeGreaterThanOrEqual(4)
        }
      }),
    )
  })

  test('settles where the guest keeps four fifths of its rate, if what it costs grows with the rate', () => {
    const pace = createPace(MOST, BEFORE)
    let now = BEFORE
    let rate = MOST
    const costs: number[] = []
    for (let look = 0; look < 60; look++) {
      const ms = 1 + rate / (32 * MIB)
      now = { operations: now.operations + 200, ns: now.ns + 200 * ms * 1e6 }
      rate = pace.next(now)
      if (look > 10) costs.push(ms)
    }
    const mean = costs.reduce((sum, ms) => sum + ms, 0) / costs.length
    expect(1 / mean).toBeGreaterThan(0.8)
    expect(rate).toBeGreaterThan(MOST / 32)
  })
})
