import { describe, expect, test } from 'bun:test'
import { areaGraph, bar, resample, sparkline } from '../../src/ui/graph.ts'
import { fit, line, over, span, toAnsi, widthOf } from '../../src/ui/line.ts'
import { type Column, drawHeader, drawRow, placeColumns, sortRows } from '../../src/ui/table.ts'
import { themeOf } from '../../src/ui/theme.ts'

const coloured = { colour: true, ascii: false, graph: 'braille' } as const

describe('pictures', () => {
  test('a bar shows something as soon as there is something', () => {
    expect(bar(0, 4)).toBe('░░░░')
    expect(bar(0.01, 4)).toBe('█░░░')
    expect(bar(1.4, 4)).toBe('████')
  })

  test('what is not known is not drawn as zero', () => {
    expect(sparkline([undefined, 0, 1], 'block')).toBe('·▁▇')
    expect(sparkline([undefined, 0, 1], 'ascii')).toBe('·.|')
    expect(areaGraph([undefined, undefined, 0, 1], 2, 1, 'braille')).toEqual([' \u28f8'])
  })

  test('every style fills the same room', () => {
    const values = Array.from({ length: 20 }, (_, index) => index / 20)
    for (const style of ['braille', 'block', 'ascii'] as const) {
      const picture = areaGraph(values, 10, 3, style)
      expect(picture).toHaveLength(3)
      for (const row of picture) expect(Bun.stringWidth(row)).toBe(10)
    }
  })

  test('samples fall into columns; a gap wider than the samples stays a gap', () => {
    const samples = [0, 10, 20, 80, 90].map((at) => ({ at, value: at }))
    expect(resample(samples, 0, 100, 10, 'mean')).toEqual([0, 10, 20, 20, 20, undefined, undefined, undefined, 80, 90])
    expect(
      resample(
        [
          { at: 1, value: 2 },
          { at: 2, value: 6 },
        ],
        0,
        10,
        1,
        'mean',
      ),
    ).toEqual([4])
    expect(
      resample(
        [
          { at: 1, value: 2 },
          { at: 2, value: 6 },
        ],
        0,
        10,
        1,
        'peak',
      ),
    ).toEqual([6])
  })
})

describe('lines', () => {
  test('a dialog over Korean text leaves every column where it was', () => {
    const base = [line('│한국어 한국어 한국어│')]
    const drawn = over(base, [line('[x]')], 0, 4, 3)
    expect(widthOf(drawn[0]!)).toBe(widthOf(base[0]!))
    expect(toAnsi(drawn[0]!, { ...coloured, colour: false })).toBe('│한 [x] 한국어 한국어│')
  })

  test('tones are the terminal’s own colours, and NO_COLOR leaves none', () => {
    expect(toAnsi(line(span('up', 'ok')), coloured)).toBe('\x1b[32mup\x1b[39m')
    expect(toAnsi(line(span('up', 'ok')), { ...coloured, colour: false })).toBe('up')
    expect(toAnsi(fit(line(span('● up 한', 'plain')), 8), { ...coloured, ascii: true })).toBe('* up ?? ')
  })

  test('the environment settles the theme', () => {
    expect(themeOf({ LANG: 'ko_KR.UTF-8', TERM: 'xterm' }, false)).toEqual(coloured)
    expect(themeOf({ LANG: 'C', TERM: 'xterm' }, false)).toMatchObject({ ascii: true, graph: 'ascii' })
    expect(themeOf({ LANG: 'C.UTF-8', TERM: 'linux' }, false)).toMatchObject({ ascii: true })
    expect(themeOf({ LANG: 'C.UTF-8', NO_COLOR: '1' }, false)).toMatchObject({ colour: false, ascii: false })
    expect(themeOf({ LC_ALL: 'C', LANG: 'C.UTF-8' }, false)).toMatchObject({ ascii: true })
  })
})

interface Row {
  readonly name: string
  readonly size?: number
}
const columns: readonly Column<Row, null>[] = [
  { name: 'name', title: 'NAME', width: 6, grow: 10, kind: 'text', cell: ({ name }) => name, sort: ({ name }) => name },
  {
    name: 'size',
    title: 'SIZE',
    width: 5,
    kind: 'size',
    drop: 1,
    cell: ({ size }) => String(size ?? '–'),
    sort: ({ size }) => size,
  },
  { name: 'note', title: 'NOTE', width: 8, kind: 'text', drop: 2, cell: () => 'note' },
]

describe('tables', () => {
  test('columns grow, and go in their order where it is narrow', () => {
    const names = (width: number) =>
      placeColumns(columns, width).map(({ column, width: cells }) => `${column.name} ${cells}`)
    expect(names(40)).toEqual(['name 10', 'size 5', 'note 8'])
    expect(names(20)).toEqual(['name 10', 'size 5'])
    expect(names(12)).toEqual(['name 9'])
  })

  test('header and rows are of one width', () => {
    const placed = placeColumns(columns, 30)
    const row = drawRow(placed, { name: '한국어-가나다', size: 5 }, null, { cursor: true, marked: true, focused: true })
    expect(widthOf(row)).toBe(widthOf(drawHeader(placed, { column: 'size', down: true })))
    expect(row.every(({ inverse }) => inverse)).toBe(true)
  })

  test('numbers sort as numbers, what is not known comes last either way', () => {
    const rows: Row[] = [{ name: 'a', size: 9 }, { name: 'b' }, { name: 'c', size: 100 }, { name: 'd', size: 9 }]
    const order = (down: boolean) =>
      sortRows(rows, columns[1], down, null)
        .map(({ name }) => name)
        .join('')
    expect(order(false)).toBe('adcb')
    expect(order(true)).toBe('cadb')
  })
})
