import { describe, expect, test } from 'bun:test'
import { PassThrough } from 'node:stream'
import { batch } from '../../../src/engine/host/batch.ts'
import type { Command } from '../../../src/engine/host/host.ts'
import { createHosts } from '../../../src/engine/host/hosts.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { type CommandRecord, logHost } from '../../../src/engine/host/logged.ts'
import { readOnlyHost } from '../../../src/engine/host/readOnly.ts'
import { run } from '../../../src/engine/host/run.ts'
import { heldHost } from '../../support/heldHost.ts'
import { until } from '../../support/until.ts'

const READ: Command = { argv: ['xl', 'list'], effect: 'read' }
const CHANGE: Command = { argv: ['xl', 'destroy', '3'], effect: 'change' }

describe('a read-only host', () => {
  test('refuses what changes, as long as it is one', async () => {
    const { host, open } = heldHost()
    let readOnly = true
    const guarded = readOnlyHost(host, () => readOnly)
    await guarded.open(READ)
    const changes = batch([READ, CHANGE])
    for (const command of [CHANGE, changes]) {
      await expect(guarded.open(command)).rejects.toMatchObject({
        code: 'readOnly',
        message: expect.stringContaining('xl'),
      })
    }
    expect(open).toHaveLength(1)
    readOnly = false
    await guarded.open(CHANGE)
    expect(open).toHaveLength(2)
  })

  test('refuses a connection that is to change something, and lets one through that only asks', async () => {
    const { host } = heldHost()
    const reached: string[] = []
    const connect = async (path: string, effect: Command['effect']) => {
      reached.push(`${effect} ${path}`)
      return new PassThrough()
    }
    let readOnly = true
    const guarded = readOnlyHost({ ...host, connect }, () => readOnly)
    await guarded.connect('/run/qmp', 'read')
    await expect(guarded.connect('/run/qmp', 'change')).rejects.toMatchObject({
      code: 'readOnly',
      message: 'alpha is read-only: nothing is changed through /run/qmp',
    })
    readOnly = false
    await guarded.connect('/run/qmp', 'change')
    expect(reached).toEqual(['read /run/qmp', 'change /run/qmp'])
  })
})

describe('a logged host', () => {
  function logged() {
    const told: CommandRecord[] = []
    let now = 1_000
    const clock = { now: () => (now += 10), sleep: async () => undefined }
    return { told, host: logHost(openLocalHost('here'), (record) => told.push(record), clock) }
  }

  test('tells when a command starts and how it went', async () => {
    const { told, host } = logged()
    const script = 'echo said; echo complained >&2; exit 2'
    const output = await run(host, { argv: ['sh', '-c', script], effect: 'change', tag: 'j.s', okExits: [2] })
    expect(output).toEqual({ exit: 2, stdout: 'said\n', stderr: 'complained\n' })
    await until(() => told.length === 2)
    const common = {
      id: told[0]!.id,
      host: 'here',
      line: `sh -c '${script}'`,
      effect: 'change',
      tag: 'j.s',
      startedAt: 1_010,
    }
    expect(told).toEqual([
      common as CommandRecord,
      { ...common, exit: 2, tookMs: 10, tail: 'said\ncomplained' } as CommandRecord,
    ])
  })

  test('does not tell what a reading command printed, but its complaints', async () => {
    const { told, host } = logged()
    await run(host, { argv: ['sh', '-c', 'echo vncpasswd; echo oh >&2'], effect: 'read' })
    await until(() => told.length === 2)
    expect(told[1]!.tail).toBe('oh')
  })

  test('shows neither masked words nor what was fed in, not even echoed', async () => {
    const { told, host } = logged()
    const part: Command = {
      argv: ['sh', '-c', 'cat; echo "$1"', 'sh', 'hunter22'],
      masked: [4],
      effect: 'change',
      stdin: 'se\ncret99\n',
    }
    await run(host, part)
    await run(host, batch([part]))
    await until(() => told.filter((record) => record.exit !== undefined).length === 2)
    const text = JSON.stringify(told)
    expect(text).not.toContain('hunter22')
    expect(text).not.toContain('cret99')
    expect(told[0]!.line).toContain("sh '***' <(10 bytes)")
    expect(told.find((record) => record.tail)?.tail).toContain('***')
  })

  test('a password in a configuration is known by itself too', async () => {
    const { told, host } = logged()
    const script = 'cat >/dev/null; echo "bad value hun7" >&2; echo "and hun8" >&2'
    const stdin = 'vncpasswd = "hun7"\nvfb = [ "vnc=1,vncpasswd=hun8,vnclisten=127.0.0.1" ]\n'
    await run(host, { argv: ['sh', '-c', script], effect: 'change', stdin })
    await until(() => told.some((record) => record.exit !== undefined))
    expect(told.find((record) => record.tail)?.tail).toBe('bad value ***\nand ***')
  })

  test('strips what could steer a terminal, and keeps the end of much', async () => {
    const { told, host } = logged()
    const script = "printf '\\033[31mred\\033]0;title\\007\\r\\n'; head -c 100000 /dev/zero | tr '\\0' x; echo end"
    const { stdout } = await run(host, { argv: ['sh', '-c', script], effect: 'change' })
    expect(stdout).toHaveLength(100_000 + 'redend\r\n\n'.length + '\x1b[31m\x1b]0;title\x07'.length)
    await run(host, { argv: ['printf', '\\033[31mred\\033]0;title\\007\\r\\n'], effect: 'change' })
    await until(() => told.filter((record) => record.exit !== undefined).length === 2)
    const [much, colour] = told.filter((record) => record.tail).sort((a, b) => a.id - b.id)
    expect(much!.tail).toHaveLength(2_000)
    expect(much!.tail).toEndWith('xend')
    expect(colour!.tail).toBe('red')
  })

  test('tells of what never started, and of what was ended', async () => {
    const { told, host } = logged()
    await host.open({ argv: ['no-such-program'], effect: 'read' }).catch(() => undefined)
    expect(told[1]!.problem).toContain('no-such-program is not installed')
    await run(host, { argv: ['sleep', '1000'], effect: 'read', timeoutMs: 50 }).catch(() => undefined)
    await until(() => told.length === 4)
    expect(told[3]!.problem).toContain('did not answer within 0.05 s')
    expect(told[3]!.exit).toBeUndefined()
  })
})

describe('the hosts of a site', () => {
  test('are kept, wrapped, and refused by rule', async () => {
    const records: CommandRecord[] = []
    const { host: simulated } = heldHost()
    const hosts = createHosts({
      knownHostsPath: '/nonexistent/known_hosts',
      sim: (name) => ({ ...simulated, name }),
      readOnly: (pm) => pm === 'beta',
      onCommand: (record) => records.push(record),
    })
    const local = hosts.get('here', 'local')
    expect(hosts.get('here', 'local')).toBe(local)
    expect((await run(local, { argv: ['echo', 'hello'], effect: 'read' })).stdout).toBe('hello\n')
    expect(records[0]).toMatchObject({ host: 'here', line: 'echo hello' })
    expect(hosts.get('x', 'sim:gamma').name).toBe('gamma')
    await expect(hosts.get('beta', 'local').open(CHANGE)).rejects.toMatchObject({ code: 'readOnly' })
    expect(() => hosts.get('y', 'telnet:y')).toThrow('telnet:y is no destination')
    await hosts.forget('local')
    expect(hosts.get('here', 'local')).not.toBe(local)
    await hosts.closeAll()
  })
})
