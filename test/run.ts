import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { runChecks } from './check.ts'
import { bringPrograms } from './support/programs/apt.ts'
import { leftOut, PROGRAMS } from './support/programs/programs.ts'
import { openShelf } from './support/programs/shelf.ts'
import { readSources, type Source } from './support/sources.ts'
import { addTallies, formatTally, readBunTally, type Tally } from './support/tally.ts'
import { readTrialCount } from './support/trialCount.ts'

/**
 * `npm test`: brings what the tests need, says what is left out for want of what, builds the executable, checks the
 * code and runs every test but those of the lab. With words (`npm test -- test/cli`) only the test files whose path
 * holds one of them, and no checks.
 */
const root = resolve(import.meta.dir, '..')
const cache = resolve(root, 'node_modules/.cache/pengx-tests')
/** A test waits for a state and not for a clock; this bounds the ones whose state never comes. */
const TEST_MS = 30_000
/** Tests of the engine mostly wait for processes and disks, so that there are more workers than processors. */
const WORKERS = 2 * availableParallelism()
/**
 * What the runtime does beside a test takes its processor from another test. No test works for so long that what the last
 * of the compilers makes of it would be worth its making (8 % of the time); memory is not collected by threads beside it,
 * and not given back to be asked for again (a quarter of the time where a page fault is dear).
 */
const RUNTIME = {
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_useConcurrentGC: '0',
  BUN_JSC_numberOfGCMarkers: '1',
  MIMALLOC_PURGE_DELAY: '-1',
}
const say = (line: string) => console.log(`test: ${line}`)

async function main(words: readonly string[]): Promise<number> {
  const sources = readSources('test/**/*.{ts,tsx}').filter(({ path }) => !path.startsWith('test/lab/'))
  const files = sources
    .filter(({ path }) => /\.test\.tsx?$/.test(path))
    .filter(({ path }) => words.length === 0 || words.some((word) => path.includes(word)))
  if (files.length === 0) {
    say(`no test file has a path with ${words.join(' or ')}`)
    return 2
  }
  const missing = await bringPrograms('tests', say)
  const out = leftOut(files, sources, missing)
  for (const { path, program } of out)
    say(`LEFT OUT ${path}: there is no ${program} (Debian package ${PROGRAMS[program]!.package})`)
  const build = await runBuild()
  const isWhole = words.length === 0
  const noChecks = { passed: 0, failed: 0 }
  // The architecture is one of the checks already. The checks go on beside the tests, which end long after.
  const passedOver = new Set(out.map(({ path }) => path))
  const tried = files.filter(({ path }) => !passedOver.has(path) && !(isWhole && path.startsWith('test/architecture/')))
  const [checks, tests] = await Promise.all([isWhole ? runChecks() : noChecks, runTests(tried)])
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

/** What the tests kill over and over, read and parsed beforehand; undefined where that does not work: its sources do then. */
async function bundleCrashChild(): Promise<string | undefined> {
  const built = await Bun.build({
    entrypoints: [resolve(root, 'test/support/children/crashChild.ts')],
    outdir: cache,
    target: 'bun',
    format: 'cjs',
    minify: true,
    bytecode: true,
    external: ['cpu-features', '*.node'],
    throw: false,
  })
  if (built.success) return built.outputs[0]!.path
  say('the crash child could not be bundled')
  return undefined
}

/**
 * How long each file may take, in bun's own words for it: those that are thought to take longest begin first, so that none
 * is left alone at the end. Trials of operations take longest by far; else the longer file.
 */
async function writeExpectations(files: readonly Source[]): Promise<string> {
  const isLong = ({ imports }: Source) => imports.some(({ target }) => target === 'test/contract/operation.ts')
  const expected = files.map((file) => [file.path, file.text.length * (isLong(file) ? 100 : 1)])
  const path = resolve(cache, 'expected.json')
  await Bun.write(path, JSON.stringify({ version: 1, files: Object.fromEntries(expected) }))
  return path
}

async function runTests(files: readonly Source[]): Promise<Tally> {
  if (files.length === 0) return { passed: 0, failed: 0 }
  const shelf = openShelf('tests', resolve(cache, 'programs'))
  if (shelf === undefined) say('no dpkg here: a program that nobody has said is needed is not noticed')
  const crashChild = await bundleCrashChild()
  const trialCount = resolve(cache, 'trials')
  rmSync(trialCount, { force: true })
  let output = ''
  const flags = [
    ...['--no-orphans', `--timeout=${TEST_MS}`, `--parallel=${WORKERS}`, `--timings=${await writeExpectations(files)}`],
    // What a worker has read and compiled for one file serves the next; a test that leaves something behind is mended.
    '--no-isolate',
  ]
  const exit = await spawn(
    [process.execPath, 'test', ...flags, ...files.map(({ path }) => `./${path}`)],
    (text) => {
      output += text
      process.stdout.write(text)
    },
    {
      PENGX_TRIAL_COUNT: trialCount,
      PENGX_BUILT: resolve(root, 'dist/pengx'),
      ...RUNTIME,
      ...(shelf ? { PATH: shelf } : {}),
      ...(crashChild ? { PENGX_CRASH_CHILD: crashChild } : {}),
    },
  )
  const skipped = output.split('\n').filter((line) => /^\((skip|todo)\)/.test(line))
  for (const line of skipped) say(`skipped: ${line}`)
  const { cases, trials } = readTrialCount(trialCount)
  if (trials > 0)
    say(`${cases} cases of operations passed ${trials} trials: failures, cancels, kills, and what came to live since`)
  return readBunTally(output, exit)
}

async function spawn(
  argv: readonly string[],
  output: 'inherit' | ((text: string) => void),
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const to = output === 'inherit' ? 'inherit' : 'pipe'
  const options = { cwd: root, env: { ...process.env, ...env }, stdin: 'ignore', stdout: to, stderr: to } as const
  const child = Bun.spawn([...argv], options)
  const passOn = async (stream: ReadableStream<Uint8Array> | undefined) => {
    if (output === 'inherit' || stream === undefined) return
    const decoder = new TextDecoder()
    for await (const part of stream) output(decoder.decode(part, { stream: true }))
  }
  await Promise.all([passOn(child.stdout), passOn(child.stderr)])
  return await child.exited
}

process.exit(await main(process.argv.slice(2)))
