/** Figures of one thing, and how they are printed: medians and ratios, from one run on one machine. */
export interface Figure {
  readonly what: string
  readonly unit: 'ms' | '%' | 'B/s'
  readonly samples: readonly number[]
  /** What it stands beside; the ratio is over its median. */
  readonly beside?: { readonly what: string; readonly samples: readonly number[] }
  /** What was promised. */
  readonly bound?: number
}

/** Nearest rank, of the samples in order. */
function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!
}

export const median = (samples: readonly number[]) => quantile(samples, 0.5)

/** Takes turns, so that what the machine does meanwhile falls on all of them alike. */
export async function inTurns<Name extends string>(
  rounds: number,
  works: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(works) as Name[]
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round < rounds; round++) {
    for (const name of names) samples[name].push(await works[name]())
  }
  return samples
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

export function formatFigures(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.what,
    String(figure.samples.length),
    number(median(figure.samples), figure.unit),
    number(quantile(figure.samples, 0.99), figure.unit),
    number(quantile(figure.samples, 1), figure.unit),
    figure.beside ? `${number(median(figure.beside.samples), figure.unit)} ${figure.beside.what}` : '',
    figure.beside ? (median(figure.samples) / median(figure.beside.samples)).toFixed(2) : '',
    figure.bound === undefined ? '' : `${figure.bound} ${figure.unit}`,
  ])
  const titles = ['what', 'runs', 'median', 'p99', 'max', 'beside', 'ratio', 'promised']
  const widths = titles.map((title, index) =>
    Math.max(title.length, ...rows.map((row) => Bun.stringWidth(row[index]!))),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => cell.padEnd(widths[index]!))
      .join('  ')
      .trimEnd()
  return [line(titles), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function number(value: number, unit: string): string {
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`
}
