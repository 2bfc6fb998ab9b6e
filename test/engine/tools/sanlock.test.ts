import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Program } from '../../../src/engine/tools/program.ts'
import { leaseOwner, leaseProblem, underLease } from '../../../src/engine/tools/sanlock.ts'
import { transcripts } from '../../support/transcript.ts'

const [down, apart, held, heldHere, ending, broken, ran, leader, noLeader, hosts] = transcripts('sanlock-3.8')

test('why sanlock did not run a program', () => {
  expect(leaseProblem(down!)).toEqual({ kind: 'down' })
  expect(leaseProblem(apart!)).toEqual({ kind: 'apart' })
  expect(leaseProblem(held!)).toEqual({ kind: 'held' })
  expect(leaseProblem(heldHere!)).toEqual({ kind: 'heldHere' })
  expect(leaseProblem(ending!)).toEqual({ kind: 'ending' })
  expect(leaseProblem(broken!)).toEqual({ kind: 'failed', error: -223 })
  expect(leaseProblem(ran!)).toBeUndefined()
})

test('who has a lease', () => {
  expect(leaseOwner(leader!.stdout, hosts!.stdout)).toBe('host 1 (78c08358-466d-455e-b49c-b68afd6a6e62.xen1)')
  expect(leaseOwner(leader!.stdout.replace('owner_id 1', 'owner_id 2'), hosts!.stdout)).toBe('host 2 (hostB)')
  expect(leaseOwner(leader!.stdout.replace('owner_id 1', 'owner_id 3'), hosts!.stdout)).toBe('host 3')
  expect(leaseOwner(noLeader!.stdout, hosts!.stdout)).toBeUndefined()
})

/** The script in a real shell, with a sanlock that answers what `status` has: a line a call, the last again and again. */
describe('a program under a lease', () => {
  const VM = '0e1f7a52-3f0c-4c1e-9f5e-0123456789ab'
  const root = mkdtempSync(join(tmpdir(), 'pengx-sanlock-'))
  const at = join(root, 'leases')
  const LINES = {
    daemon: 'daemon h',
    joined: `s pengx:1:${root}/lockspace:0`,
    held: `r pengx:${VM}:${at}/${VM}:0:1 p 365`,
  }
  beforeAll(() => {
    mkdirSync(join(root, 'bin'))
    mkdirSync(at)
    writeFileSync(join(root, 'lockspace'), '')
    const fake = `#!/bin/sh
echo "$*" >>${root}/calls
case $2 in
status) [ -s ${root}/status ] || exit 1
  head -n 1 ${root}/status | tr '|' '\\n'
  [ $(wc -l <${root}/status) -eq 1 ] || sed -i 1d ${root}/status ;;
init) echo init; echo init done 0 ;;
command) shift 5; exec "$@" ;;
esac
`
    writeFileSync(join(root, 'bin/sanlock'), fake)
    chmodSync(join(root, 'bin/sanlock'), 0o755)
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  function under(leases: string, status: readonly (readonly string[])[], ...argv: [string, ...string[]]) {
    writeFileSync(join(root, 'status'), status.map((lines) => `${lines.join('|')}\n`).join(''))
    writeFileSync(join(root, 'calls'), '')
    const program: Program = { argv, effect: 'change', okExits: [0, 5] }
    const made = underLease({ name: 'pengx', leases }, VM, program)
    expect(made).toMatchObject({ effect: 'change', okExits: [0, 5] })
    const env = { ...process.env, PATH: `${root}/bin:${process.env.PATH}` }
    const { exitCode, stdout, stderr } = Bun.spawnSync([...made.argv], { env })
    const said = { stdout: stdout.toString(), stderr: stderr.toString() }
    const calls = readFileSync(join(root, 'calls'), 'utf8')
    return { exit: exitCode, ...said, problem: leaseProblem(said), calls }
  }

  test('runs as it is, and the lease is made once', () => {
    const joined = [[LINES.daemon, LINES.joined]]
    const first = under(at, joined, 'sh', '-c', 'echo "$1"; exit 5', 'sh', "it's here")
    expect(first).toMatchObject({ exit: 5, stdout: "it's here\n", problem: undefined })
    expect(first.calls).toMatch(new RegExp(`^client init -r pengx:${VM}:${at}/${VM}\\.\\w{6}:0$`, 'm'))
    expect(first.calls).toContain(`client command -r pengx:${VM}:${at}/${VM}:0 -c /usr/bin/env sh -c`)
    expect(readdirSync(at)).toEqual([VM])
    expect(Bun.file(join(at, VM)).size).toBe(1024 * 1024)
    expect(under(at, joined, 'true').calls).not.toContain('init')
  })

  test('waits for a lease that is on its way back', () => {
    const busy = [LINES.daemon, LINES.joined, `${LINES.held} REM`]
    const { exit, calls } = under(at, [busy, [LINES.daemon, LINES.joined]], 'true')
    expect(exit).toBe(0)
    expect(calls.match(/status/g)).toHaveLength(2)
  })

  test('is not run without the daemon, its lockspace, or the directory on the same file system', () => {
    const marker = join(root, 'ran')
    const touch = ['touch', marker] as const
    expect(under(at, [], ...touch).problem).toEqual({ kind: 'down' })
    expect(under(at, [[LINES.daemon]], ...touch).problem).toEqual({ kind: 'apart' })
    const elsewhere = { kind: 'elsewhere', lockspacePath: `${root}/lockspace` } as const
    const joined = [[LINES.daemon, LINES.joined]]
    expect(under('/proc', joined, ...touch).problem).toEqual(elsewhere)
    expect(under(`${root}/none`, joined, ...touch).problem).toEqual(elsewhere)
    expect(existsSync(marker)).toBe(false)
  })
})
