import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** How many trials of operations were passed, over all processes of a run: a line each in a file. */
const FILE = process.env.PENGX_TRIAL_COUNT

/** Says how many more there are. */
export function countTrials(count: number): void {
  if (FILE !== undefined) appendFileSync(FILE, `${count}\n`)
}

/** Of those that a run has counted in its file: in how many cases, and how many in all. */
export function readTrialCount(file: string): { readonly cases: number; readonly trials: number } {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').filter(Boolean) : []
  return { cases: lines.length, trials: lines.reduce((sum, line) => sum + Number(line), 0) }
}
