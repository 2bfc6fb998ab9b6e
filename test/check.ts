import { resolve } from 'node:path'
import { formatTally, type Tally } from './support/tally.ts'

/**
 * `npm run check`: everything that can be said of the code without running it. Each check is one line; what it found
 * follows where it failed.
 */
interface Check {
  readonly name: string
  readonly argv: readonly string[]
}

const root = resolve(import.meta.dir, '..')
const bin = (name: string) => resolve(root, 'node_modules/.bin', name)

const CHECKS: readonly Check[] = [
  { name: 'types', argv: [bin('tsc'), '-p', '.'] },
  { name: 'format and lint', argv: [bin('biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'dead code', argv: [bin('knip')] },
  { name: 'code that only tests use', argv: [bin('knip'), '--production'] },
  { name: 'architecture', argv: [process.execPath, 'test', './test/architecture'] },
]

/** Runs them all side by side and prints them in order. */
export async function runChecks(): Promise<Tally> {
  let failed = 0
  const running = CHECKS.map(runCheck)
  for (const [index, check] of CHECKS.entries()) {
    const { exit, output, tookMs } = await running[index]!
    const isSound = exit === 0
    if (!isSound) failed += 1
    console.log(`${isSound ? 'ok  ' : 'FAIL'} ${check.name} (${(tookMs / 1000).toFixed(1)} s)`)
    if (!isSound) console.log(output.trimEnd())
  }
  return { passed: CHECKS.length - failed, failed }
}

async function runCheck({ argv }: Check): Promise<{ exit: number; output: string; tookMs: number }> {
  const begun = performance.now()
  const child = Bun.spawn([...argv], { cwd: root, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [stdout, stderr, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { exit, output: stdout + stderr, tookMs: performance.now() - begun }
}

if (import.meta.main) {
  const tally = await runChecks()
  console.log(formatTally(tally))
  process.exit(tally.failed === 0 ? 0 : 1)
}
