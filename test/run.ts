import { resolve } from 'node:path'
import { runChecks } from './check.ts'
import { bringPackages, leftOut } from './support/packages.ts'
import { readSources } from './support/sources.ts'
import { addTallies, formatTally, readBunTally, type Tally } from './support/tally.ts'

/**
 * `npm test`: brings what the tests need, says what is left out for want of what, builds the executable, checks the
 * code and runs every test but those of the lab. With words (`npm test -- test/cli`) only the test files whose path
 * holds one of them, and no checks.
 */
const root = resolve(import.meta.dir, '..')
/** A test waits for a state and not for a clock; this bounds the ones whose state never comes. */
const TEST_MS = 30_000
const say = (line: string) => console.log(`test: ${line}`)

async function main(words: readonly string[]): Promise<number> {
  const all = readSources('test/**/*.test.{ts,tsx}').filter(({ path }) => !path.startsWith('test/lab/'))
  const files = all.filter(({ path }) => words.length === 0 || words.some((word) => path.includes(word)))
  if (files.length === 0) {
    say(`no test file has a path with ${words.join(' or ')}`)
    return 2
  }
  await bringPackages(
    files.map(({ text }) => text),
    say,
  )
  const out = leftOut(files)
  for (const { path, program } of out) say(`LEFT OUT ${path}: there is no ${program}`)
  const paths = files.map(({ path }) => path).filter((path) => !out.some((left) => left.path === path))
  const build = await runBuild()
  const checks = words.length === 0 ? await runChecks() : { passed: 0, failed: 0 }
  // The architecture is one of the checks already.
  const tests = await runTests(
    words.length === 0 ? paths.filter((path) => path !== 'test/architecture.test.ts') : paths,
  )
  const tally = addTallies([build, checks, tests])
  if (out.length > 0) say(`${out.length} test files were left out, see above`)
  console.log(formatTally(tally))
  return tally.failed === 0 ? 0 : 1
}

/** Tests of the executable want the one of these sources. */
async function runBuild(): Promise<Tally> {
  const exit = await spawn([process.execPath, 'build.ts'], 'inherit')
  return exit === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

async function runTests(paths: readonly string[]): Promise<Tally> {
  if (paths.length === 0) return { passed: 0, failed: 0 }
  let output = ''
  const exit = await spawn(
    [process.execPath, 'test', `--timeout=${TEST_MS}`, ...paths.map((path) => `./${path}`)],
    (text) => {
      output += text
      process.stdout.write(text)
    },
  )
  const skipped = output.split('\n').filter((line) => /^\((skip|todo)\)/.test(line))
  for (const line of skipped) say(`skipped: ${line}`)
  return readBunTally(output, exit)
}

async function spawn(argv: readonly string[], output: 'inherit' | ((text: string) => void)): Promise<number> {
  const to = output === 'inherit' ? 'inherit' : 'pipe'
  const child = Bun.spawn([...argv], { cwd: root, stdin: 'ignore', stdout: to, stderr: to })
  const passOn = async (stream: ReadableStream<Uint8Array> | undefined) => {
    if (output === 'inherit' || stream === undefined) return
    const decoder = new TextDecoder()
    for await (const part of stream) output(decoder.decode(part, { stream: true }))
  }
  await Promise.all([passOn(child.stdout), passOn(child.stderr)])
  return await child.exited
}

process.exit(await main(process.argv.slice(2)))
