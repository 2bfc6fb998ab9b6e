import type { GraphStyle } from './theme.ts'

/** Pictures of numbers. Values are 0 to 1; undefined draws nothing, because not known is not zero. */
export type Value = number | undefined

const EIGHTHS = ' ▁▂▃▄▅▆▇█'
const ASCII_LEVELS = ' .:|'
/** Dots of a braille cell from the bottom up, left and right column (Unicode 15, U+2800). */
const LEFT_DOTS = [0x40, 0x04, 0x02, 0x01]
const RIGHT_DOTS = [0x80, 0x20, 0x10, 0x08]

/** One row of columns; a known value is never drawn as nothing. */
export function sparkline(values: readonly Value[], style: GraphStyle): string {
  return values
    .map((value) => {
      if (value === undefined) return '·'
      if (style === 'ascii') return ASCII_LEVELS[Math.min(1 + Math.floor(clamp(value) * 3), 3)]!
      return EIGHTHS[Math.min(1 + Math.floor(clamp(value) * 7), 7)]!
    })
    .join('')
}

/** A bar of full and empty cells; anything above nothing shows at least one. */
export function bar(share: number, width: number): string {
  const full = share <= 0 ? 0 : Math.max(1, Math.min(width, Math.round(clamp(share) * width)))
  return '█'.repeat(full) + '░'.repeat(Math.max(width - full, 0))
}

/** How many values a graph of this width draws. */
export function graphColumns(width: number, style: GraphStyle): number {
  return style === 'braille' ? width * 2 : width
}

/** A filled graph, top line first; give it `graphColumns(width)` values. */
export function areaGraph(values: readonly Value[], width: number, height: number, style: GraphStyle): string[] {
  return Array.from({ length: height }, (_, row) => {
    const floor = height - 1 - row
    let text = ''
    for (let column = 0; column < width; column++) {
      text +=
        style === 'braille'
          ? brailleCell(values[column * 2], values[column * 2 + 1], floor, height)
          : columnCell(values[column], floor, height, style)
    }
    return text
  })
}

function brailleCell(left: Value, right: Value, floor: number, height: number): string {
  const bits = dots(left, floor, height, LEFT_DOTS) | dots(right, floor, height, RIGHT_DOTS)
  return bits === 0 ? ' ' : String.fromCharCode(0x2800 + bits)
}

function dots(value: Value, floor: number, height: number, column: readonly number[]): number {
  if (value === undefined) return 0
  const lit = Math.max(Math.round(clamp(value) * height * 4), 1) - floor * 4
  let bits = 0
  for (let dot = 0; dot < Math.min(lit, 4); dot++) bits |= column[dot]!
  return bits
}

function columnCell(value: Value, floor: number, height: number, style: GraphStyle): string {
  if (value === undefined) return ' '
  const levels = style === 'ascii' ? ASCII_LEVELS : EIGHTHS
  const most = levels.length - 1
  const lit = Math.max(Math.round(clamp(value) * height * most), 1) - floor * most
  return levels[Math.min(Math.max(lit, 0), most)]!
}

/** So many values from samples over a span of time: the mean or the highest of what falls into each. */
export function resample(
  samples: readonly { readonly at: number; readonly value: Value }[],
  from: number,
  to: number,
  count: number,
  how: 'mean' | 'peak',
): Value[] {
  const sums = new Float64Array(count)
  const counts = new Uint32Array(count)
  const width = (to - from) / count
  for (const { at, value } of samples) {
    if (value === undefined || at < from || at > to) continue
    const slot = Math.min(Math.floor((at - from) / width), count - 1)
    sums[slot] = how === 'peak' ? Math.max(sums[slot]!, value) : sums[slot]! + value
    counts[slot]!++
  }
  const reach = Math.ceil((usualStep(samples) * 2) / width)
  const values: Value[] = []
  for (let slot = 0; slot < count; slot++) {
    if (counts[slot]! > 0) values.push(how === 'peak' ? sums[slot]! : sums[slot]! / counts[slot]!)
    else values.push(heldValue(values, counts, slot, reach))
  }
  return values
}

/** How far apart samples usually are: the median of the last few, so that an outage does not count. */
function usualStep(samples: readonly { readonly at: number }[]): number {
  const last = samples.slice(-10).map(({ at }) => at)
  const steps = last.slice(1).map((at, index) => at - last[index]!)
  steps.sort((a, b) => a - b)
  return steps[Math.floor(steps.length / 2)] ?? 0
}

/** Where columns are narrower than samples are apart the graph stays where it was, but not over a real gap. */
function heldValue(before: readonly Value[], counts: Uint32Array, slot: number, reach: number): Value {
  for (let back = 1; back <= reach && slot - back >= 0; back++) {
    if (counts[slot - back]! > 0) return before[slot - back]
  }
  return undefined
}

function clamp(value: number): number {
  return Math.min(Math.max(value, 0), 1)
}
