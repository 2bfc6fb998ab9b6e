import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from '../../../src/engine/host/host.ts'
import { createHostKeys } from '../../../src/engine/host/hostKeys.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { END_SCRIPT_NAME, endLost } from '../../../src/engine/host/lost.ts'
import { run } from '../../../src/engine/host/run.ts'
import { openSshHost } from '../../../src/engine/host/sshHost.ts'
import { openSshMachine, type SshMachine } from '../../../src/engine/host/sshMachine.ts'
import { pidIn } from '../../support/programs/sshBench.ts'
import { isAlive, knownLine, startSshd, type TestSshd, writeSshConfig } from '../../support/programs/sshd.ts'
import { until } from '../../support/until.ts'

/** What becomes of channels, sessions and connections of commands that were given up, or lost. A server gives three sessions. */

setDefaultTimeout(30_000)

let root: string
let sshd: TestSshd
const machines: SshMachine[] = []
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'pengx-given-up-'))
  sshd = await startSshd(join(root, 'sshd'), { extra: ['MaxSessions 3'] })
  writeSshConfig(join(root, 'config'), [{ alias: 'pm1', port: sshd.port, identity: sshd.identity }])
  writeFileSync(join(root, 'known_hosts'), knownLine(sshd))
})
afterAll(async () => {
  await Promise.all(machines.map((machine) => machine.close()))
  await sshd.kill()
  rmSync(root, { recursive: true, force: true })
})

function openMachine(): SshMachine {
  const machine = openSshMachine({
    address: { host: 'pm1' },
    configPath: join(root, 'config'),
    local: openLocalHost('here'),
    hostKeys: createHostKeys({ path: join(root, 'known_hosts') }),
    pauses: { firstPauseMs: 1 },
  })
  machines.push(machine)
  return machine
}

/** There nothing that runs can be ended, as where a process hangs in its storage: the script that ends says so. */
function unkillable(machine: SshMachine): SshMachine {
  return {
    ...machine,
    exec: (name, line, pty) =>
      machine.exec(name, line.includes(END_SCRIPT_NAME) ? "printf 'left 7 untagged\\tqemu-img\\n'" : line, pty),
  }
}

const read = (...argv: [string, ...string[]]): Command => ({ argv, effect: 'read' })
const TRUE = read('true')

describe('a command that was given up and does not end', () => {
  test('keeps no session: twenty of them leave room for all that comes', async () => {
    const host = openSshHost('alpha', unkillable(openMachine()))
    const pids: number[] = []
    for (let index = 0; index < 20; index++) {
      const file = join(root, `stuck${index}`)
      const script = `echo $$ >${file}; echo said; exec sleep 1000`
      const given = run(host, { ...read('sh', '-c', script), timeoutMs: 150 })
      await expect(given).rejects.toMatchObject({ code: 'unreachable' })
      pids.push(await pidIn(file))
      expect((await run(host, TRUE)).exit).toBe(0)
    }
    // Their connections are closed as soon as nothing else uses them.
    await until(() => sshd.connections().length <= 2, 'the end of the connections of what was given up')
    expect((await Promise.all(Array.from({ length: 9 }, () => run(host, TRUE)))).map(({ exit }) => exit)).toEqual(
      Array.from({ length: 9 }, () => 0),
    )
    expect(pids.filter(isAlive)).toEqual(pids)
    for (const pid of pids) process.kill(pid, 'SIGKILL')
  })

  test('does not cut off what goes through the same connection', async () => {
    const host = openSshHost('alpha', unkillable(openMachine()))
    const beside = run(host, read('sh', '-c', 'sleep 1.5; echo whole'))
    const file = join(root, 'cut')
    const given = run(host, { ...read('sh', '-c', `echo $$ >${file}; exec sleep 1000`), timeoutMs: 150 })
    await expect(given).rejects.toMatchObject({ code: 'unreachable' })
    expect((await beside).stdout).toBe('whole\n')
    process.kill(await pidIn(file), 'SIGKILL')
  })

  test('a change says what does not end, and its channel goes too', async () => {
    const host = openSshHost('alpha', unkillable(openMachine()))
    const file = join(root, 'copy')
    const copy: Command = { argv: ['sh', '-c', `echo $$ >${file}; exec sleep 1000`], effect: 'change', endable: true }
    for (let index = 0; index < 14; index++) {
      await expect(run(host, { ...copy, timeoutMs: 150 })).rejects.toMatchObject({
        code: 'unreachable',
        message: 'qemu-img (pid 7) on alpha does not end, not even by SIGKILL; look at its storage',
      })
      process.kill(await pidIn(file), 'SIGKILL')
      rmSync(file)
    }
    expect((await run(host, TRUE)).exit).toBe(0)
  })
})

test('what does not heed TERM, says more than is read, or leaves its output open to others, gives its session and channel back', async () => {
  const others = new Set(sshd.connections())
  const machine = openMachine()
  const host = openSshHost('alpha', machine)
  await run(host, TRUE)
  const own = sshd.connections().filter((pid) => !others.has(pid))
  expect(own.length).toBeGreaterThan(0)
  const daemons = join(root, 'daemons')
  const scripts = [
    "trap '' TERM; while :; do echo still; sleep 0.1; done",
    `setsid sh -c 'echo $$ >>${daemons}; exec sleep 1000' & sleep 1000`,
    'yes | cat',
    'yes',
  ]
  for (let index = 0; index < 16; index++) {
    const script = scripts[index % scripts.length]!
    await expect(run(host, { ...read('sh', '-c', script), timeoutMs: 120 })).rejects.toMatchObject({
      code: 'unreachable',
    })
    // Who reads does not wait for the end; four connections have sessions for no more than two rounds at once.
    if (index % scripts.length === scripts.length - 1) await host.close()
  }
  expect((await Promise.all([1, 2, 3].map(() => run(host, TRUE)))).length).toBe(3)
  // Nothing is counted any more as going through the connection: one that cannot be ended lets it be closed.
  const file = join(root, 'last')
  const last = { ...read('sh', '-c', `echo $$ >${file}; exec sleep 1000`), timeoutMs: 200 }
  for (let index = 0; index < 4; index++) {
    await expect(run(openSshHost('alpha', unkillable(machine)), last)).rejects.toMatchObject({ code: 'unreachable' })
    process.kill(await pidIn(file), 'SIGKILL')
    rmSync(file)
  }
  await until(() => !sshd.connections().some((pid) => own.includes(pid)), 'the end of the connection')
  const left = readFileSync(daemons, 'utf8').trim().split('\n').map(Number)
  expect(left.filter(isAlive)).toEqual(left)
  for (const pid of left) process.kill(pid, 'SIGKILL')
})

test('the time of a command does not count while it waits for a channel', async () => {
  const machine = openMachine()
  await machine.reach('alpha')
  const slow: SshMachine = {
    ...machine,
    async exec(name, line, pty) {
      await Bun.sleep(800)
      return await machine.exec(name, line, pty)
    },
  }
  expect((await run(openSshHost('alpha', slow), { ...TRUE, timeoutMs: 600 })).exit).toBe(0)
})

test('a change that may not be ended goes on to its end where its connection breaks, whatever it says meanwhile', async () => {
  const host = openSshHost('alpha', openMachine())
  const file = join(root, 'broken')
  const tag = `broken-${process.pid}`
  const talks = `echo $$ >${file}; i=0; while [ $i -lt 20 ]; do echo said; echo said >&2; sleep 0.1; i=$((i+1)); done; echo whole >>${file}`
  const child = await host.open({ argv: ['sh', '-c', talks], effect: 'change', tag: `${tag}.create` })
  const pid = await pidIn(file)
  await sshd.kill()
  await expect(child.exited).rejects.toMatchObject({ code: 'unreachable' })
  await sshd.start()
  await until(() => run(host, TRUE).catch(() => undefined))
  expect(isAlive(pid)).toBe(true)
  expect(await endLost(host, tag)).toMatchObject([{ pid, waited: true }])
  expect(readFileSync(file, 'utf8')).toBe(`${pid}\nwhole\n`)
})
