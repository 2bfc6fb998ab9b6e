import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from '../../../src/engine/host/host.ts'
import type { UnknownKey } from '../../../src/engine/host/hostKeys.ts'
import { createHosts, type Hosts, type HostsOptions } from '../../../src/engine/host/hosts.ts'
import { endLost } from '../../../src/engine/host/lost.ts'
import { run } from '../../../src/engine/host/run.ts'
import type { PengxError } from '../../../src/model/error.ts'
import {
  command,
  isAlive,
  knownLine,
  makeKey,
  type SshConfigEntry,
  startSshd,
  type TestSshd,
  writeSshConfig,
} from '../../support/sshd.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(30_000)

let root: string
let sshd: TestSshd
let other: TestSshd
const opened: Hosts[] = []

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'pengx-connect-'))
  const agentOnly = await makeKey(join(root, 'agent_only'))
  const encrypted = await makeKey(join(root, 'encrypted'), { passphrase: 'correct horse' })
  sshd = await startSshd(join(root, 'sshd'), { authorized: [agentOnly, encrypted], extra: ['MaxSessions 3'] })
  other = await startSshd(join(root, 'other'), { hostKeyType: 'ecdsa', authorized: [sshd.identity] })
})
afterAll(async () => {
  await Promise.all(opened.map((hosts) => hosts.closeAll()))
  await sshd.kill()
  await other.kill()
  rmSync(root, { recursive: true, force: true })
})

const TRUE: Command = { argv: ['true'], effect: 'read' }
let count = 0

/** A site of its own: its ssh_config, its known_hosts. */
function site(setup: {
  entries?: readonly Partial<SshConfigEntry>[]
  known?: string
  options?: Partial<HostsOptions>
}) {
  const directory = join(root, `site${++count}`)
  mkdirSync(directory)
  const knownHostsPath = join(directory, 'dot-ssh', 'known_hosts')
  if (setup.known !== undefined) {
    mkdirSync(join(directory, 'dot-ssh'))
    writeFileSync(knownHostsPath, setup.known)
  }
  const defaults = { alias: 'pm1', port: sshd.port, identity: sshd.identity }
  const entries = (setup.entries ?? [{}]).map((entry) => ({ ...defaults, ...entry }))
  const sshConfigPath = writeSshConfig(join(directory, 'config'), entries)
  const ssh = { pauses: { firstPauseMs: 30 }, connectTimeoutMs: 10_000, ...setup.options?.ssh }
  const hosts = createHosts({ knownHostsPath, sshConfigPath, ...setup.options, ssh })
  opened.push(hosts)
  return { hosts, knownHostsPath, host: hosts.get('alpha', 'ssh:pm1') }
}

function failureOf(promise: Promise<unknown>): Promise<PengxError> {
  return promise.then(
    () => expect.unreachable('it did not fail'),
    (error) => error,
  )
}

function pidIn(file: string): Promise<number> {
  return until(() => existsSync(file) && Number(readFileSync(file, 'utf8'))).then(Number)
}

async function keyOf(server: TestSshd): Promise<string> {
  return (await command(['ssh-keygen', '-lf', `${server.hostKey}.pub`])).split(' ')[1]!
}

describe('the key of a machine', () => {
  test('that nobody knows is refused where nobody can be asked, and the way to trust it is told', async () => {
    const { host, hosts, knownHostsPath } = site({})
    const failure = await failureOf(run(host, TRUE))
    expect(failure.code).toBe('refused')
    const fingerprint = await keyOf(sshd)
    expect(failure.message).toContain(`pengx run pm.trust pm1 --fingerprint ${fingerprint}`)
    expect(await hosts.scanKey('ssh:pm1')).toEqual({ keyType: 'ssh-ed25519', fingerprint, known: false })
    await expect(hosts.trust('pm1', `${fingerprint.slice(0, -1)}!`)).rejects.toMatchObject({ code: 'refused' })
    await expect(run(host, TRUE)).rejects.toMatchObject({ code: 'refused' })
    await hosts.trust('pm1', fingerprint)
    expect(readFileSync(knownHostsPath, 'utf8')).toBe(knownLine(sshd))
    expect(statSync(knownHostsPath).mode & 0o777).toBe(0o600)
    // Without waiting out the pause after the refusal.
    expect((await run(host, TRUE)).exit).toBe(0)
    expect(await hosts.scanKey('pm1')).toMatchObject({ known: true })
    await hosts.distrust('pm1', fingerprint)
    expect(readFileSync(knownHostsPath, 'utf8')).toBe('')
  })

  test('is asked for once, by all who come meanwhile, and remembered', async () => {
    const questions: UnknownKey[] = []
    const askHostKey = async (question: UnknownKey) => {
      questions.push(question)
      await Bun.sleep(50)
      return true
    }
    const { host, knownHostsPath } = site({ known: '# no newline at the end', options: { askHostKey } })
    await Promise.all([run(host, TRUE), run(host, TRUE), run(host, TRUE)])
    expect(questions).toEqual([
      { pm: 'alpha', address: `[127.0.0.1]:${sshd.port}`, keyType: 'ssh-ed25519', fingerprint: await keyOf(sshd) },
    ])
    expect(readFileSync(knownHostsPath, 'utf8')).toBe(`# no newline at the end\n${knownLine(sshd)}`)
    const again = createHosts({ knownHostsPath, sshConfigPath: join(knownHostsPath, '../../config') })
    opened.push(again)
    expect((await run(again.get('alpha', 'ssh:pm1'), TRUE)).exit).toBe(0)
  })

  test('that was declined is not asked for again in this run', async () => {
    let asked = 0
    const askHostKey = async () => {
      asked++
      return false
    }
    const { host } = site({ options: { askHostKey, ssh: { pauses: { firstPauseMs: 1 } } } })
    expect((await failureOf(run(host, TRUE))).message).toContain('was not accepted')
    await Bun.sleep(20)
    expect((await failureOf(run(host, TRUE))).message).toContain('was not accepted')
    expect(asked).toBe(1)
  })

  test('that nobody was there to be asked about is asked for later', async () => {
    let somebody = false
    const askHostKey = async () => (somebody ? true : undefined)
    const { host } = site({ options: { askHostKey, ssh: { pauses: { firstPauseMs: 1 } } } })
    expect((await failureOf(run(host, TRUE))).message).toContain('is not known')
    somebody = true
    await until(() => run(host, TRUE).catch(() => undefined))
  })

  test('that has changed is refused, loudly, without a question', async () => {
    const wrong = readFileSync(`${other.hostKey}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    const askHostKey = () => expect.unreachable('it asked')
    const { host, hosts, knownHostsPath } = site({
      known: `# one\n[127.0.0.1]:${sshd.port} ${wrong}\n`,
      options: { askHostKey },
    })
    const failure = await failureOf(run(host, TRUE))
    expect(failure.code).toBe('refused')
    expect(failure.message).toContain('HAS CHANGED')
    expect(failure.message).toContain(`${knownHostsPath}:2`)
    expect(failure.message).toContain(await keyOf(sshd))
    await expect(hosts.trust('pm1', await keyOf(sshd))).rejects.toThrow('HAS CHANGED')
  })

  test('that is revoked is refused', async () => {
    const { host } = site({ known: `${knownLine(sshd)}@revoked ${knownLine(sshd)}` })
    expect((await failureOf(run(host, TRUE))).message).toContain('IS REVOKED')
  })

  test('is asked for by the type that is known', async () => {
    const both = await startSshd(join(root, 'both'), {
      extra: [`HostKey ${other.hostKey}`],
      authorized: [sshd.identity],
    })
    const [type, key] = readFileSync(`${other.hostKey}.pub`, 'utf8').split(' ')
    const { host } = site({ entries: [{ port: both.port }], known: `[127.0.0.1]:${both.port} ${type} ${key}\n` })
    expect((await run(host, TRUE)).exit).toBe(0)
    await both.kill()
  })
})

describe('the login', () => {
  test('by an encrypted key without an agent says what would help', async () => {
    const identity = join(root, 'encrypted')
    const { host } = site({ entries: [{ identity }], known: knownLine(sshd) })
    const failure = await failureOf(run(host, TRUE))
    expect(failure.code).toBe('refused')
    expect(failure.message).toContain(`${identity} is encrypted`)
    expect(failure.message).toContain(`ssh-add ${identity}`)
  })

  test('that fails names what was tried', async () => {
    const identity = await makeKey(join(root, 'stranger'))
    const { host } = site({ entries: [{ identity }], known: knownLine(sshd) })
    const failure = await failureOf(run(host, TRUE))
    expect(failure).toMatchObject({ code: 'refused' })
    expect(failure.message).toMatch(/alpha \(pm1\): it does not let \w+ in \(tried .*stranger\)/)
  })

  test('through an agent, also with a key whose file is encrypted, the named key first', async () => {
    const agent = join(root, 'agent.sock')
    const server = Bun.spawn(['ssh-agent', '-D', '-a', agent], { stdout: 'ignore', stderr: 'ignore' })
    await until(
      () => Bun.spawnSync(['ssh-add', '-l'], { env: { ...process.env, SSH_AUTH_SOCK: agent } }).exitCode === 1,
    )
    const add = (path: string) =>
      Bun.spawnSync(['ssh-add', '-q', path], {
        env: {
          ...process.env,
          SSH_AUTH_SOCK: agent,
          SSH_ASKPASS_REQUIRE: 'force',
          SSH_ASKPASS: join(root, 'ask'),
          DISPLAY: 'x',
        },
      }).exitCode
    writeFileSync(join(root, 'ask'), "#!/bin/sh\necho 'correct horse'\n", { mode: 0o700 })
    // More keys than the server lets be tried: only the named one, asked first, gets in.
    for (let index = 0; index < 7; index++) expect(add(await makeKey(join(root, `crowd${index}`)))).toBe(0)
    expect(add(join(root, 'encrypted'))).toBe(0)
    const { host } = site({ entries: [{ identity: join(root, 'encrypted'), agent }], known: knownLine(sshd) })
    expect((await run(host, TRUE)).exit).toBe(0)
    server.kill()
    await server.exited
    const { host: without } = site({
      entries: [{ identity: join(root, 'encrypted'), agent: join(root, 'nobody.sock') }],
      known: knownLine(sshd),
    })
    expect((await failureOf(run(without, TRUE))).message).toContain('nobody.sock does not answer')
  })
})

describe('a connection', () => {
  test('is made through the machines on the way', async () => {
    const { host } = site({
      entries: [{ jump: 'gate' }, { alias: 'gate', port: other.port, jump: 'gate0' }, { alias: 'gate0' }],
      known: knownLine(sshd) + knownLine(other),
    })
    const { stdout } = await run(host, { argv: ['sh', '-c', 'echo $SSH_CONNECTION'], effect: 'read' })
    expect(stdout).toContain(` ${sshd.port}\n`)
    expect(other.connections().length).toBeGreaterThan(0)
    await host.close()
  })

  test('through a machine whose key nobody knows is refused, and both are asked for', async () => {
    const asked: string[] = []
    let answer = false
    const askHostKey = async (question: UnknownKey) => {
      asked.push(question.address)
      return answer
    }
    const entries = [{ jump: 'gate' }, { alias: 'gate', port: other.port }]
    const refused = site({ entries, options: { askHostKey } })
    const failure = await failureOf(run(refused.host, TRUE))
    expect(failure.message).toContain('the key of gate (on the way to pm1)')
    expect(failure.message).toContain('pm.trust gate ')
    answer = true
    const accepted = site({ entries, options: { askHostKey } })
    expect((await run(accepted.host, TRUE)).exit).toBe(0)
    expect(asked).toEqual([other, other, sshd].map((server) => `[127.0.0.1]:${server.port}`))
    const lines = readFileSync(accepted.knownHostsPath, 'utf8')
    expect(lines).toBe(knownLine(other) + knownLine(sshd))
  })

  test('is shared by all commands, and a further one made where sessions run out', async () => {
    const { host } = site({ known: knownLine(sshd) })
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
    const { host } = site({ known: knownLine(sshd), options: { ssh: { pauses: { firstPauseMs: 200 } } } })
    const file = join(root, 'survivor.pid')
    const child = await host.open({
      argv: ['sh', '-c', `echo $$ >${file}; exec sleep 1004`],
      effect: 'change',
      tag: `job9-${process.pid}.copy`,
    })
    const pid = await pidIn(file)
    const besideFile = join(root, 'beside.pid')
    const beside = await host.open({ argv: ['sh', '-c', `echo $$ >${besideFile}; exec sleep 1005`], effect: 'read' })
    const besidePid = await pidIn(besideFile)
    const reading = new Response(child.stdout).text()
    await sshd.kill()
    expect(await failureOf(child.exited)).toMatchObject({ code: 'unreachable' })
    expect((await failureOf(beside.exited)).message).toContain('the connection to alpha was lost')
    await expect(reading).rejects.toMatchObject({ code: 'unreachable' })

    const failure = await failureOf(run(host, TRUE))
    expect(failure.code).toBe('unreachable')
    expect(failure.message).toMatch(/^alpha \(pm1\) has not been reached since \d{4}-.*Z: connection refused$/)
    await sshd.start()
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
    const { host } = site({
      known: knownLine(sshd),
      options: { ssh: { keepaliveMs: 100, keepaliveMisses: 2, pauses: { firstPauseMs: 1 } } },
    })
    const before = new Set(sshd.connections())
    const tag = `stalled-${process.pid}`
    const child = await host.open({ argv: ['sleep', '1006'], effect: 'read', tag })
    const server = sshd.connections().filter((pid) => !before.has(pid))
    for (const pid of server) process.kill(pid, 'SIGSTOP')
    const failure = await failureOf(child.exited)
    for (const pid of server) process.kill(pid, 'SIGKILL')
    expect(failure).toMatchObject({ code: 'unreachable' })
    expect(failure.message).toContain('does not answer any more')
    expect((await run(host, TRUE)).exit).toBe(0)
    expect(await endLost(host, tag)).toMatchObject([{ program: 'sleep' }])
  })

  test('is closed with the hosts, and what was being ended is waited for', async () => {
    const { host, hosts } = site({ known: knownLine(sshd) })
    const controller = new AbortController()
    const file = join(root, 'closed.pid')
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
    const { host } = site({ entries: [{ alias: 'pm1', port: 1 }], known: '' })
    expect((await failureOf(run(host, TRUE))).message).toContain('connection refused')
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
    const { host: slow } = site({
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
    const closed = await startSshd(join(root, 'closed'), { extra, authorized: [sshd.identity] })
    const { host } = site({ entries: [{ port: closed.port }], known: knownLine(closed) })
    const failure = await failureOf(run(host, TRUE))
    expect(failure).toMatchObject({ code: 'unreachable' })
    expect(failure.message).toContain('its login says: This account is closed.')
    await closed.kill()
  })

  test('to a login that prints before it runs commands is clean', async () => {
    const extra = [`ForceCommand printf 'Welcome\\n\\036pengx'; eval "$SSH_ORIGINAL_COMMAND"`]
    const noisy = await startSshd(join(root, 'noisy'), { extra, authorized: [sshd.identity] })
    const { host } = site({ entries: [{ port: noisy.port }], known: knownLine(noisy) })
    expect((await run(host, { argv: ['printf', '%s', 'a\nb'], effect: 'read' })).stdout).toBe('a\nb')
    await noisy.kill()
  })

  test('that forbids sockets says so', async () => {
    const extra = ['AllowStreamLocalForwarding no']
    const strict = await startSshd(join(root, 'strict'), { extra, authorized: [sshd.identity] })
    const { host } = site({ entries: [{ port: strict.port }], known: knownLine(strict) })
    const failure = await failureOf(host.connect('/run/nothing.sock'))
    expect(failure.message).toContain('AllowStreamLocalForwarding')
    await strict.kill()
  })
})
