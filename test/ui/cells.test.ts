import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { cellsOf, difference, whole } from '../../src/ui/cells.ts'
import { fit, type Line, toAnsi } from '../../src/ui/line.ts'
import { createEmulator } from '../support/emulator.ts'

const WIDTH = 24
const LOOK = { colour: true, ascii: false, graph: 'braille' } as const

const spans = fc.array(
  fc.record({
    text: fc.string({ unit: fc.constantFrom('a', 'b', ' ', ' ', '7', '한', '글', '│', '█', 'é'), maxLength: 9 }),
    tone: fc.constantFrom('plain', 'ok', 'dim', 'accent', 'strong', 'warn'),
    bold: fc.boolean(),
    inverse: fc.boolean(),
  }),
  { maxLength: 6 },
)
const lines = spans.map((given) => {
  const content = given.map(({ inverse, bold, ...piece }) => ({
    ...piece,
    ...(inverse ? { inverse: true as const } : {}),
    ...(bold ? { bold: true as const } : {}),
  }))
  return toAnsi(fit(content as Line, WIDTH), LOOK)
})

const text = (ansi: string) => Bun.stripANSI(ansi).trimEnd()

test('what is written for a difference turns the one line into the other, cell by cell', () => {
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const terminal = createEmulator(WIDTH, 1)
      terminal.write(whole(cellsOf(before)))
      expect(terminal.lines()[0]).toBe(text(before))
      terminal.write(difference(cellsOf(before), cellsOf(after))!)
      expect(terminal.lines()[0]).toBe(text(after))
      const { styles, glyphs } = cellsOf(after)
      const shown = terminal.styles(0)
      expect(glyphs.map((glyph, at) => (glyph === ' ' && !shown[at] ? '' : shown[at]))).toEqual([...styles])
    }),
  )
})

test('only what differs is written', () => {
  const [before, after] = ['\x1b[32m● running\x1b[39m   12 %', '\x1b[32m● running\x1b[39m   13 %'].map(cellsOf)
  expect(difference(before!, after!)).toBe('\x1b[14G3')
  expect(difference(before!, before!)).toBe('')
  expect(difference(cellsOf('\x1b[2mab\x1b[22m'), cellsOf('\x1b[1;36mab\x1b[22;39m'))).toBe('\x1b[1G\x1b[1;36mab\x1b[m')
  expect(difference(cellsOf('1          1'), cellsOf('2          2'))).toBe('\x1b[1G2\x1b[12G2')
  expect(difference(cellsOf('1  1'), cellsOf('2  2'))).toBe('\x1b[1G2  2')
})

test('another width is another line', () => {
  expect(difference(cellsOf('ab'), cellsOf('abc'))).toBeUndefined()
})
