/** How a run of tests went; every check counts as one. */
export interface Tally {
  readonly passed: number
  readonly failed: number
}

export function addTallies(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, tally) => sum + tally.passed, 0),
    failed: tallies.reduce((sum, tally) => sum + tally.failed, 0),
  }
}

/** The last line of every suite: what a machine reads of it. */
export function formatTally({ passed, failed }: Tally): string {
  return `${passed} passed, ${failed} failed`
}

/** What `bun test` counted. A run that broke off counts as one failure, whatever it had counted by then. */
export function readBunTally(output: string, exit: number): Tally {
  const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, 'm').exec(output)?.[1] ?? 0)
  const tally = { passed: count('pass'), failed: count('fail') + count('errors?') }
  const isSound = exit === 0 || tally.failed > 0
  return isSound ? tally : { ...tally, failed: 1 }
}

/** The closing line of a suite in what it printed: its last one. */
export function readClosingTally(output: string): Tally | undefined {
  const last = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1)
  return last && { passed: Number(last[1]), failed: Number(last[2]) }
}
