import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { batch } from '../../../src/engine/host/batch.ts'
import type { Command } from '../../../src/engine/host/host.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { endLost } from '../../../src/engine/host/lost.ts'
import { until } from '../../support/until.ts'

const LOST_CHILD = new URL('../../support/children/lostChild.ts', import.meta.url).pathname

/** Where the tests see to it that nothing outlives them, a child would see to the same for its own. */
const { BUN_FEATURE_FLAG_NO_ORPHANS: _none, ...env } = process.env

/** Says something at each turn, to a reader that is not there any more. */
const talks = (file: string) =>
  `i=0; while [ $i -lt 30 ]; do echo said; echo said >&2; sleep 0.1; i=$((i+1)); done; echo whole >>${file}`

test('what a killed pengx had at work here is ended where it may be, and else goes on to its end, whatever it says', async () => {
  const root = mkdtempSync(join(tmpdir(), 'pengx-lost-'))
  const tag = `lost-${process.pid}`
  const [alone, part, copied] = ['alone', 'part', 'copied'].map((name) => join(root, name)) as [string, string, string]
  const change = (script: string): Command => ({ argv: ['sh', '-c', script], effect: 'change' })
  const guard: Command = { argv: ['true'], effect: 'read' }
  const commands: Command[] = [
    { ...change(talks(alone)), tag: `${tag}.0` },
    { ...batch([guard, change('sleep 3'), change(`echo whole >>${part}`)], { stopOnFailure: true }), tag: `${tag}.1` },
    { ...change(`sleep 3; echo whole >>${copied}`), endable: true, tag: `${tag}.2` },
  ]
  const child = Bun.spawn([process.execPath, LOST_CHILD, JSON.stringify(commands)], { stdout: 'pipe', env })
  const reader = child.stdout.getReader()
  await reader.read()
  child.kill('SIGKILL')
  await child.exited
  const ended = await endLost(openLocalHost('here'), tag)
  expect([...new Set(ended.map(({ tag: its, waited }) => `${its} ${waited ?? 'ended'}`))].sort()).toEqual([
    `${tag}.0 true`,
    `${tag}.1 true`,
    `${tag}.2 ended`,
  ])
  expect([readFileSync(alone, 'utf8'), readFileSync(part, 'utf8')]).toEqual(['whole\n', 'whole\n'])
  await Bun.sleep(3_200)
  expect(await Bun.file(copied).exists()).toBe(false)
  rmSync(root, { recursive: true, force: true })
}, 20_000)

test('of what was fed half when pengx was killed nothing is made: what comes after it does not begin', async () => {
  const root = mkdtempSync(join(tmpdir(), 'pengx-fed-'))
  const tag = `fed-${process.pid}`
  const [draft, built] = [join(root, 'draft'), join(root, 'built')]
  const write: Command = { argv: ['dd', `of=${draft}`, 'status=none'], effect: 'change', stdin: 'kernel = "…"\n' }
  const build: Command = { argv: ['sh', '-c', `echo built >${built}`], effect: 'change' }
  // The child feeds nothing: it is killed before it has.
  const commands = [{ ...batch([write, build], { stopOnFailure: true }), tag }]
  const child = Bun.spawn([process.execPath, LOST_CHILD, JSON.stringify(commands)], { stdout: 'pipe', env })
  await child.stdout.getReader().read()
  await until(() => existsSync(draft))
  child.kill('SIGKILL')
  await child.exited
  await endLost(openLocalHost('here'), tag)
  expect(existsSync(built)).toBe(false)
  rmSync(root, { recursive: true, force: true })
}, 20_000)
