// npm run fresh [-- --tmp disk|tmpfs]: what the README says, on a machine where nothing is. A bare root is built (root.ts),
// HEAD cloned into it, and the README's commands are run there as they are written, once with /tmp on a disk and once on a
// tmpfs (or on the one that is named). Skipped tests and files that were left out count as failed.
// Where that cannot be built, one line says why, and the tests run in place.
import { mkdtempSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { need } from '../lab/machine/command.ts'
import { bringPrograms } from '../support/programs/apt.ts'
import { addTallies, formatTally, readClosingTally, type Tally } from '../support/tally.ts'
import { buildRoot, copyRoot, inRoot } from './root.ts'

const root = resolve(import.meta.dir, '../..')
/** Where it lies in there. */
const CLONE = '/root/pengx'
const COMMANDS = ['npm ci', 'npm start', 'npm test']
type Tmp = 'disk' | 'tmpfs'

const say = (line: string) => console.log(`fresh: ${line}`)

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { tmp: { type: 'string' } } })
  if (values.tmp !== undefined && values.tmp !== 'disk' && values.tmp !== 'tmpfs')
    throw new Error(`--tmp is disk or tmpfs, not ${values.tmp}`)
  const obstacle = await obstacleHere()
  if (obstacle !== undefined) {
    say(`${obstacle}: the tests run in place`)
    return await Bun.spawn(['npm', 'test'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).exited
  }
  needInReadme()
  // Not below /tmp, which may be memory.
  const place = mkdtempSync('/var/tmp/pengx-fresh-')
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void removeTree(place).finally(() => process.exit(130)))
  try {
    const bare = join(place, 'bare')
    await timed('a bare root', () => buildRoot(bare, say))
    await need(['git', 'clone', '--quiet', '--no-local', root, join(bare, CLONE)])
    const tallies: Tally[] = []
    for (const tmp of values.tmp === undefined ? (['disk', 'tmpfs'] as const) : [values.tmp as Tmp]) {
      const tree = join(place, tmp)
      await copyRoot(bare, tree)
      tallies.push(...(await runCommands(tree, tmp)))
      await removeTree(tree)
    }
    const tally = addTallies(tallies)
    console.log(formatTally(tally))
    return tally.failed === 0 ? 0 : 1
  } finally {
    await removeTree(place)
  }
}

/** Nothing is mounted there any more; were it otherwise, what is mounted must stay. */
async function removeTree(tree: string): Promise<void> {
  await need(['rm', '-rf', '--one-file-system', tree])
}

async function obstacleHere(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'not root here'
  if (!Bun.which('apt-get')) return 'not Debian here'
  const missing = await bringPrograms('fresh', say)
  return missing.length === 0 ? undefined : `no ${missing.join(' ')} here`
}

/** What is proved is what people read. */
function needInReadme(): void {
  const lines = readFileSync(join(root, 'README.md'), 'utf8')
    .split('\n')
    .map((line) => line.replace(/ +#.*/, ''))
  for (const command of COMMANDS)
    if (!lines.includes(command)) throw new Error(`README.md has no line with the command ${command}`)
}

async function runCommands(tree: string, tmp: Tmp): Promise<Tally[]> {
  const tallies: Tally[] = []
  for (const command of COMMANDS) {
    const { exit, output } = await timed(`${command}, /tmp on ${tmp}`, () => runThere(tree, tmp, command))
    const closing = readClosingTally(output)
    if (closing) tallies.push(closing)
    const blanks = output.split('\n').filter((line) => /^test: (LEFT OUT|skipped:)/.test(line)).length
    const isSound = exit === 0 && blanks === 0
    if (!isSound) say(`${command}, /tmp on ${tmp}: exit ${exit}, ${blanks} skipped or left out`)
    tallies.push({ passed: isSound ? 1 : 0, failed: isSound || (closing && closing.failed > 0) ? 0 : 1 })
    if (exit !== 0) break
  }
  return tallies
}

async function runThere(tree: string, tmp: Tmp, command: string): Promise<{ exit: number; output: string }> {
  const argv = inRoot(tree, tmp, CLONE, ['sh', '-c', `${command} 2>&1`])
  const child = Bun.spawn(argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  const decoder = new TextDecoder()
  for await (const part of child.stdout) {
    const text = decoder.decode(part, { stream: true })
    output += text
    process.stdout.write(text)
  }
  return { exit: await child.exited, output }
}

async function timed<T>(stage: string, work: () => Promise<T>): Promise<T> {
  const begin = performance.now()
  const result = await work()
  say(`${stage}: ${((performance.now() - begin) / 1000).toFixed(1)} s`)
  return result
}

try {
  process.exit(await main())
} catch (error) {
  say((error as Error).message)
  process.exit(1)
}
