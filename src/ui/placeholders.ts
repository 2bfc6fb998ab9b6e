import { type Cells, cellsOf, difference, whole } from './cells.ts'

/**
 * Ink takes every line of a frame apart into its characters and puts it together again, whether it has changed or not,
 * and writes a changed line from its first difference to its end: that was most of what a screen cost that nobody
 * touches. Our lines are clean and exactly wide before Ink sees them. So each is represented in the frame by a single
 * character, its placeholder, on a terminal that to Ink is one cell wide; Ink compares and places those, and the lines
 * themselves are put in on their way to the terminal, of one that replaces another only what differs.
 */
export interface Placeholders {
  /** What Ink writes to. */
  readonly stdout: NodeJS.WriteStream
  /** The character that stands for a line in a row. */
  of(row: number, text: string): string
  /** What stands on the terminal is no longer sure: the next lines are written whole. */
  forget(): void
}

interface Held {
  readonly row: number
  readonly text: string
  readonly placeholder: string
}

/** Characters of private use, as many as there are of one unit; what a line itself holds is not looked at. */
const FIRST = 0xe000
const COUNT = 0x1900

/** A placeholder, and before it what Ink writes where the line replaces another: to the first column, and that one erased. */
const PLACE = /(\x1b\[1G\x1b\[K)?([\ue000-\uf8ff])/g

export function createPlaceholders(terminal: NodeJS.WriteStream): Placeholders {
  const current = new Map<number, Held>()
  const held = new Map<string, Held>()
  const shown = new Map<number, Cells>()
  let count = 0

  /** One that no row has now; whoever had it last has long been written over. */
  function freePlaceholder(): string {
    for (;;) {
      const placeholder = String.fromCharCode(FIRST + (count++ % COUNT))
      const last = held.get(placeholder)
      if (last === undefined || current.get(last.row) !== last) return placeholder
    }
  }

  function of(row: number, text: string): string {
    const known = current.get(row)
    if (known?.text === text) return known.placeholder
    const made = { row, text, placeholder: freePlaceholder() }
    current.set(row, made)
    held.set(made.placeholder, made)
    return made.placeholder
  }

  function putIn(output: string): string {
    return output.replace(PLACE, (all, erased: string | undefined, placeholder: string) => {
      const line = held.get(placeholder)
      if (line === undefined) return all
      const before = erased === undefined ? undefined : shown.get(line.row)
      const after = cellsOf(line.text)
      shown.set(line.row, after)
      return (before && difference(before, after)) ?? `${erased ?? ''}${whole(after)}`
    })
  }

  const write = (output: string | Uint8Array, ...rest: []) =>
    terminal.write(typeof output === 'string' ? putIn(output) : output, ...rest)
  const stdout = new Proxy({} as NodeJS.WriteStream, {
    // Ink asks so whether it is a terminal at all, and draws a frame at one go only on one.
    has: (_, key) => key in terminal,
    get(_, key) {
      if (key === 'columns') return 1
      if (key === 'write') return write
      const value = Reflect.get(terminal, key)
      return typeof value === 'function' ? value.bind(terminal) : value
    },
  })
  return { stdout, of, forget: () => shown.clear() }
}
