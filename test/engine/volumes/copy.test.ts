import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { joinNear } from '../../../src/engine/volumes/copy.ts'
import type { DataExtent } from '../../../src/engine/volumes/volumeDriver.ts'
import { copySuite } from '../../contract/copy.ts'
import { openRealPlaces, openSimPlaces } from '../../contract/copyPlaces.ts'

copySuite({
  name: 'copies between directories, here and behind a real sshd',
  pairs: [
    ['here', 'here'],
    ['here', 'there'],
    ['there', 'here'],
  ],
  bytes: true,
  async open() {
    const { here, there, close } = await openRealPlaces()
    return { places: [here, there], close }
  },
})

copySuite({
  name: 'copies on the simulated site',
  pairs: [
    ['files 1', 'files 2'],
    ['files 1', 'volumes 2'],
    ['volumes 1', 'files 2'],
    ['volumes 1', 'volumes 2'],
    ['volumes 2', 'files 2'],
  ],
  bytes: false,
  open: async () => ({ places: (await openSimPlaces()).places, close: async () => undefined }),
})

describe('extents', () => {
  const MIB = 1024 * 1024
  /** In order and apart, as a map of a file has them. */
  const extents = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 64 * MIB }), fc.integer({ min: 1, max: 8 * MIB })), { maxLength: 200 })
    .map((pairs) => {
      let at = 0
      return pairs.map(([hole, length]): DataExtent => {
        const start = at + hole
        at = start + length
        return { start, length }
      })
    })
  const endOf = (one: DataExtent) => one.start + one.length
  const holesOf = (all: readonly DataExtent[]) => all.slice(1).map((next, index) => next.start - endOf(all[index]!))

  test('are joined so that nothing is left out, few remain, and the largest holes stay', () => {
    fc.assert(
      fc.property(extents, (given) => {
        const joined = joinNear(given)
        expect(joined.length).toBeLessThanOrEqual(64)
        for (const one of given)
          expect(joined.some((whole) => whole.start <= one.start && endOf(one) <= endOf(whole))).toBe(true)
        const [starts, ends] = [new Set(given.map((one) => one.start)), new Set(given.map(endOf))]
        for (const one of joined) expect([starts.has(one.start), ends.has(endOf(one))]).toEqual([true, true])
        const kept = holesOf(joined)
        for (const hole of kept) expect(hole).toBeGreaterThanOrEqual(MIB)
        // Of the holes worth it, none that was filled is larger than one that stays.
        const most = holesOf(given)
          .filter((hole) => hole >= MIB)
          .sort((a, b) => b - a)
        expect(kept.toSorted((a, b) => b - a)).toEqual(most.slice(0, kept.length))
        if (most.length < 64) expect(kept.length).toBe(most.length)
      }),
    )
  })

  test('that are near are one, and that are far stay apart', () => {
    const [near, far] = [
      { start: 0, length: 10 },
      { start: 20, length: 10 },
    ]
    expect(joinNear([])).toEqual([])
    expect(joinNear([near, far])).toEqual([{ start: 0, length: 30 }])
    expect(joinNear([near, { start: 4 * MIB, length: 1 }])).toEqual([near, { start: 4 * MIB, length: 1 }])
  })
})
