import { existsSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { measureBusy } from './busy.ts'
import { measureCopy } from './copy.ts'
import { measureHttp } from './http.ts'
import { measureLab } from './lab.ts'
import { type Figure, formatFigures } from './measure.ts'
import { measureFirstFrame, measureIdle, measureKeys, measureOpen } from './screen.ts'
import { PENGX } from './site.ts'
import { measureStartUp } from './startUp.ts'

/**
 * `npm run bench [-- PART…]`: measures the executable, side by side in one run, and prints a table. The part `lab` runs
 * where PENGX_LAB_HOSTS names hosts or `npm run lab -- up` has started one.
 */
const PARTS: Record<string, () => Promise<Figure[]>> = {
  start: measureStartUp,
  frame: measureFirstFrame,
  keys: measureKeys,
  idle: measureIdle,
  open: measureOpen,
  http: measureHttp,
  busy: measureBusy,
  copy: measureCopy,
  lab: measureLab,
}

async function main(words: readonly string[]): Promise<number> {
  const unknown = words.find((word) => !(word in PARTS))
  if (unknown !== undefined) {
    console.error(`bench: no part "${unknown}"; there are ${Object.keys(PARTS).join(', ')}`)
    return 2
  }
  const build = Bun.spawn([process.execPath, 'build.ts'], { stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' })
  if ((await build.exited) !== 0 || !existsSync(PENGX)) return 1
  const figures: Figure[] = []
  for (const [name, measure] of Object.entries(PARTS)) {
    if (words.length > 0 && !words.includes(name)) continue
    console.error(`bench: ${name}`)
    figures.push(...(await measure()))
  }
  const load = loadavg()[0]!.toFixed(1)
  console.log(`${cpus().length} × ${cpus()[0]?.model.trim() ?? 'processor'}, load ${load} at the end\n`)
  console.log(formatFigures(figures))
  return 0
}

process.exit(await main(process.argv.slice(2)))
