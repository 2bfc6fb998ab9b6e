import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  emptyList,
  type ListState,
  moveBy,
  moveTo,
  settle,
  shownOf,
  toggleAll,
  toggleMark,
  toggleRange,
  windowTop,
} from '../../src/ui/list.ts'

const shown = (...ids: readonly string[]) => shownOf(ids, (id) => id, ids.length)
const at = (cursor: string, index: number, more: Partial<ListState> = {}): ListState => ({
  ...emptyList,
  cursor,
  index,
  ...more,
})

describe('lists', () => {
  test('the cursor stays on its row when the order changes', () => {
    expect(settle(at('b', 1), shown('c', 'a', 'b'))).toMatchObject({ cursor: 'b', index: 2 })
  })

  test('a row that has gone leaves the cursor on its neighbour', () => {
    expect(settle(at('b', 1), shown('a', 'c'))).toMatchObject({ cursor: 'c', index: 1 })
    expect(settle(at('c', 2), shown('a', 'b'))).toMatchObject({ cursor: 'b', index: 1 })
  })

  test('an empty list keeps the choice for when its row comes back', () => {
    expect(settle(settle(at('b', 1), shown()), shown('a', 'b'))).toMatchObject({ cursor: 'b', index: 1 })
  })

  test('marks survive a filter', () => {
    const marked = toggleMark(at('b', 1), shown('a', 'b', 'c'))
    expect([...settle(marked, shown('a')).marks]).toEqual(['b'])
  })

  test('a range follows the cursor both ways', () => {
    const all = shown('a', 'b', 'c', 'd')
    const begun = toggleRange(at('b', 1), all)
    expect([...moveBy(begun, all, 2).marks].sort()).toEqual(['b', 'c', 'd'])
    expect([...moveBy(moveBy(begun, all, 2), all, -3).marks].sort()).toEqual(['a', 'b'])
  })

  test('* marks what is shown, and then nothing of it', () => {
    const few = shown('a', 'b')
    const all = toggleAll(at('a', 0, { marks: new Set(['z']) }), few)
    expect([...all.marks].sort()).toEqual(['a', 'b', 'z'])
    expect([...toggleAll(all, few).marks]).toEqual(['z'])
  })

  test('whatever is pressed, the cursor is on a row and in the window', () => {
    const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(
        ids,
        fc.array(fc.integer({ min: -40, max: 40 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 12 }),
        (rows, moves, height) => {
          let state = emptyList
          let present = shown(...rows)
          for (const [index, move] of moves.entries()) {
            state = index % 3 === 2 ? moveTo(state, present, move) : moveBy(state, present, move)
            if (index % 4 === 3 && rows.length > 1) present = shown(...rows.filter((_, row) => row % 2 === 0))
            state = settle(state, present)
            const top = windowTop(state, present.ids.length, height)
            state = { ...state, top }
            expect(present.ids[state.index]).toBe(state.cursor!)
            expect(state.index).toBeGreaterThanOrEqual(top)
            expect(state.index).toBeLessThan(top + height)
          }
        },
      ),
    )
  })
})
