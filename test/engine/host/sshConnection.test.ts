import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { UnknownKey } from '../../../src/engine/host/hostKeys.ts'
import { endLost } from '../../../src/engine/host/lost.ts'
import { run } from '../../../src/engine/host/run.ts'
import { failureOf, openSshBench, pidIn, type SshBench, TRUE } from '../../support/programs/sshBench.ts'
import { isAlive, knownLine, startSshd } from '../../support/programs/sshd.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(30_000)

let bench: SshBench
beforeAll(async () => {
  bench = await openSshBench()
})
afterAll(() => bench.close())

describe('a connection', () => {
  test('is made through the machines on the way', async () => {
    const { host } = bench.site({
      entries: [{ jump: 'gate' }, { alias: 'gate', port: bench.other.port, jump: 'gate0' }, { alias: 'gate0' }],
      known: knownLine(bench.sshd) + knownLine(bench.other),
    })
    const { stdout } = await run(host, { argv: ['sh', '-c', 'echo $SSH_CONNECTION'], effect: 'read' })
    expect(stdout).toContain(` ${bench.sshd.port}\n`)
    expect(bench.other.connections().length).toBeGreaterThan(0)
    await host.close()
  })

  test('through a machine whose key nobody knows is refused, and both are asked for', async () => {
    const asked: string[] = []
    let answer = false
    const askHostKey = async (question: UnknownKey) => {
      asked.push(question.address)
      return answer
    }
    const entries = [{ jump: 'gate' }, { alias: 'gate', port: bench.other.port }]
    const refused = bench.site({ entries, options: { askHostKey } })
    const failure = await failureOf(run(refused.host, TRUE))
    expect(failure.message).toContain('the key of gate (on the way to pm1)')
    expect(failure.message).toContain('pm.trust gate ')
    answer = true
    const accepted = bench.site({ entries, options: { askHostKey } })
    expect((await run(accepted.host, TRUE)).exit).toBe(0)
    expect(asked).toEqual([bench.other, bench.other, bench.sshd].map((server) => `[127.0.0.1]:${server.port}`))
    const lines = readFileSync(accepted.knownHostsPath, 'utf8')
    expect(lines).toBe(knownLine(bench.other) + knownLine(bench.sshd))
  })

  test('is shared by all commands, and a further one made where sessions run out', async () => {
    const { host } = bench.site({ known: knownLine(bench.sshd) })
    const connection = { argv: ['sh', '-c', 'echo $SSH_CLIENT'], effect: 'read' } as const
    const alone = await Promise.all([run(host, connection), run(host, connection)])
    expect(new Set(alone.map((output) => output.stdout)).size).toBe(1)
    const pty = { columns: 80, rows: 24 }
    const consoles = await Promise.all(
      [1, 2, 3].map(() => host.open({ argv: ['sh', '-c', 'read -r line; exit 6'], effect: 'read', pty })),
    )
    const beside = await run(host, connection)
    expect(beside.stdout).not.toBe(alone[0]!.stdout)
    for (const child of consoles) {
      await child.stdin.getWriter().write(new TextEncoder().encode('\n'))
      expect(await child.exited).toBe(6)
    }
  })

  test('that breaks fails what is under way, and is made anew; what was lost is found and ended', async () => {
    const { host } = bench.site({ known: knownLine(bench.sshd), options: { ssh: { pauses: { firstPauseMs: 200 } } } })
    const file = join(bench.root, 'survivor.pid')
    const child = await host.open({
      argv: ['sh', '-c', `echo $$ >${file}; exec sleep 1004`],
      effect: 'change',
      endable: true,
      tag: `job9-${process.pid}.copy`,
    })
    const pid = await pidIn(file)
    const besideFile = join(bench.root, 'beside.pid')
    const beside = await host.open({ argv: ['sh', '-c', `echo $$ >${besideFile}; exec sleep 1005`], effect: 'read' })
    const besidePid = await pidIn(besideFile)
    const reading = new Response(child.stdout).text()
    await bench.sshd.kill()
    expect(await failureOf(child.exited)).toMatchObject({ code: 'unreachable' })
    expect((await failureOf(beside.exited)).message).toContain('the connection to alpha was lost')
    await expect(reading).rejects.toMatchObject({ code: 'unreachable' })

    const failure = await failureOf(run(host, TRUE))
    expect(failure.code).toBe('unreachable')
    expect(failure.message).toMatch(/^alpha \(pm1\) has not been reached since \d{4}-.*Z: connection refused$/)
    await bench.sshd.start()
    // It is left alone for a while after a failed attempt, and says so at once.
    expect((await failureOf(run(host, TRUE))).message).toBe(failure.message)
    const output = await until(() => run(host, TRUE).catch(() => undefined))
    expect(output?.exit).toBe(0)

    expect(isAlive(pid)).toBe(true)
    expect(await endLost(host, `job9-${process.pid}`)).toEqual([
      { pid, tag: `job9-${process.pid}.copy`, program: 'sleep' },
    ])
    expect(isAlive(pid)).toBe(false)
    process.kill(besidePid, 'SIGKILL')
  })

  test('that stands still is given up', async () => {
    const { host } = bench.site({
      known: knownLine(bench.sshd),
      options: { ssh: { keepaliveMs: 100, keepaliveMisses: 2, pauses: { firstPauseMs: 1 } } },
    })
    const before = new Set(bench.sshd.connections())
    const tag = `stalled-${process.pid}`
    const child = await host.open({ argv: ['sleep', '1006'], effect: 'read', tag })
    const server = bench.sshd.connections().filter((pid) => !before.has(pid))
    for (const pid of server) process.kill(pid, 'SIGSTOP')
    const failure = await failureOf(child.exited)
    for (const pid of server) process.kill(pid, 'SIGKILL')
    expect(failure).toMatchObject({ code: 'unreachable' })
    expect(failure.message).toContain('does not answer any more')
    expect((await run(host, TRUE)).exit).toBe(0)
    expect(await endLost(host, tag)).toMatchObject([{ program: 'sleep' }])
  })

  test('is closed with the hosts, and what was being ended is waited for', async () => {
    const { host, hosts } = bench.site({ known: knownLine(bench.sshd) })
    const controller = new AbortController()
    const file = join(bench.root, 'closed.pid')
    const script = `echo $$ >${file}; exec sleep 1007`
    const running = failureOf(run(host, { argv: ['sh', '-c', script], effect: 'read' }, controller.signal))
    const pid = await pidIn(file)
    controller.abort()
    expect(await running).toMatchObject({ code: 'cancelled' })
    await hosts.closeAll()
    expect(isAlive(pid)).toBe(false)
    await expect(host.open(TRUE)).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('to nowhere says why, and an opener need not wait for it', async () => {
    const { host } = bench.site({ entries: [{ alias: 'pm1', port: 1 }], known: '' })
    expect((await failureOf(run(host, TRUE))).message).toContain('connection refused')
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
    const { host: slow } = bench.site({
      entries: [{ port: silent.port }],
      known: '',
      options: { ssh: { connectTimeoutMs: 300 } },
    })
    const aborted = await failureOf(run(slow, TRUE, AbortSignal.timeout(20)))
    expect(aborted).toMatchObject({ code: 'cancelled' })
    expect((await failureOf(run(slow, TRUE))).message).toContain('no answer within 0.3 s')
    silent.stop(true)
  })

  test('to a login that runs no commands says what it says', async () => {
    const extra = ['ForceCommand echo This account is closed.']
    const closed = await startSshd(join(bench.root, 'closed'), { extra, authorized: [bench.sshd.identity] })
    const { host } = bench.site({ entries: [{ port: closed.port }], known: knownLine(closed) })
    const failure = await failureOf(run(host, TRUE))
    expect(failure).toMatchObject({ code: 'unreachable' })
    expect(failure.message).toContain('its login says: This account is closed.')
    await closed.kill()
  })

  test('to a login that prints before it runs commands is clean', async () => {
    const extra = [`ForceCommand printf 'Welcome\\n\\036pengx'; eval "$SSH_ORIGINAL_COMMAND"`]
    const noisy = await startSshd(join(bench.root, 'noisy'), { extra, authorized: [bench.sshd.identity] })
    const { host } = bench.site({ entries: [{ port: noisy.port }], known: knownLine(noisy) })
    expect((await run(host, { argv: ['printf', '%s', 'a\nb'], effect: 'read' })).stdout).toBe('a\nb')
    await noisy.kill()
  })

  test('that forbids sockets says so', async () => {
    const extra = ['AllowStreamLocalForwarding no']
    const strict = await startSshd(join(bench.root, 'strict'), { extra, authorized: [bench.sshd.identity] })
    const { host } = bench.site({ entries: [{ port: strict.port }], known: knownLine(strict) })
    const failure = await failureOf(host.connect('/run/nothing.sock', 'read'))
    expect(failure.message).toContain('AllowStreamLocalForwarding')
    await strict.kill()
  })
})
