import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { UnknownKey } from '../../../src/engine/host/hostKeys.ts'
import { createHosts } from '../../../src/engine/host/hosts.ts'
import { run } from '../../../src/engine/host/run.ts'
import { failureOf, keyOf, openSshBench, type SshBench, TRUE } from '../../support/programs/sshBench.ts'
import { knownLine, makeKey, startSshd } from '../../support/programs/sshd.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(30_000)

let bench: SshBench
beforeAll(async () => {
  bench = await openSshBench()
})
afterAll(() => bench.close())

describe('the key of a machine', () => {
  test('that nobody knows is refused where nobody can be asked, and the way to trust it is told', async () => {
    const { host, hosts, knownHostsPath } = bench.site({})
    const failure = await failureOf(run(host, TRUE))
    expect(failure.code).toBe('refused')
    const fingerprint = await keyOf(bench.sshd)
    expect(failure.message).toContain(`pengx run pm.trust pm1 --fingerprint ${fingerprint}`)
    expect(await hosts.scanKey('ssh:pm1')).toEqual({ keyType: 'ssh-ed25519', fingerprint, known: false })
    await expect(hosts.trust('pm1', `${fingerprint.slice(0, -1)}!`)).rejects.toMatchObject({ code: 'refused' })
    await expect(run(host, TRUE)).rejects.toMatchObject({ code: 'refused' })
    await hosts.trust('pm1', fingerprint)
    expect(readFileSync(knownHostsPath, 'utf8')).toBe(knownLine(bench.sshd))
    expect(statSync(knownHostsPath).mode & 0o777).toBe(0o600)
    // Without waiting out the pause after the refusal.
    expect((await run(host, TRUE)).exit).toBe(0)
    expect(await hosts.scanKey('pm1')).toMatchObject({ known: true })
    const before = bench.sshd.connections().length
    await hosts.distrust('pm1', fingerprint)
    expect(readFileSync(knownHostsPath, 'utf8')).toBe('')
    await until(() => bench.sshd.connections().length < before)
    await expect(run(host, TRUE)).rejects.toMatchObject({ code: 'unreachable' })
    await expect(run(hosts.get('alpha', 'ssh:pm1'), TRUE)).rejects.toMatchObject({ code: 'refused' })
  })

  test('is asked for once, by all who come meanwhile, and remembered', async () => {
    const questions: UnknownKey[] = []
    const askHostKey = async (question: UnknownKey) => {
      questions.push(question)
      await Bun.sleep(50)
      return true
    }
    const { host, knownHostsPath } = bench.site({ known: '# no newline at the end', options: { askHostKey } })
    await Promise.all([run(host, TRUE), run(host, TRUE), run(host, TRUE)])
    expect(questions).toEqual([
      {
        pm: 'alpha',
        address: `[127.0.0.1]:${bench.sshd.port}`,
        keyType: 'ssh-ed25519',
        fingerprint: await keyOf(bench.sshd),
      },
    ])
    expect(readFileSync(knownHostsPath, 'utf8')).toBe(`# no newline at the end\n${knownLine(bench.sshd)}`)
    const again = createHosts({ knownHostsPath, sshConfigPath: join(knownHostsPath, '../../config') })
    expect((await run(again.get('alpha', 'ssh:pm1'), TRUE)).exit).toBe(0)
    await again.closeAll()
  })

  test('that was declined is not asked for again in this run', async () => {
    let asked = 0
    const askHostKey = async () => {
      asked++
      return false
    }
    const { host } = bench.site({ options: { askHostKey, ssh: { pauses: { firstPauseMs: 1 } } } })
    expect((await failureOf(run(host, TRUE))).message).toContain('was not accepted')
    await Bun.sleep(20)
    expect((await failureOf(run(host, TRUE))).message).toContain('was not accepted')
    expect(asked).toBe(1)
  })

  test('that nobody was there to be asked about is asked for later', async () => {
    let somebody = false
    const askHostKey = async () => (somebody ? true : undefined)
    const { host } = bench.site({ options: { askHostKey, ssh: { pauses: { firstPauseMs: 1 } } } })
    expect((await failureOf(run(host, TRUE))).message).toContain('is not known')
    somebody = true
    await until(() => run(host, TRUE).catch(() => undefined))
  })

  test('that has changed is refused, loudly, without a question', async () => {
    const wrong = readFileSync(`${bench.other.hostKey}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    const askHostKey = () => expect.unreachable('it asked')
    const { host, hosts, knownHostsPath } = bench.site({
      known: `# one\n[127.0.0.1]:${bench.sshd.port} ${wrong}\n`,
      options: { askHostKey },
    })
    const failure = await failureOf(run(host, TRUE))
    expect(failure.code).toBe('refused')
    expect(failure.message).toContain('HAS CHANGED')
    expect(failure.message).toContain(`${knownHostsPath}:2`)
    expect(failure.message).toContain(await keyOf(bench.sshd))
    await expect(hosts.trust('pm1', await keyOf(bench.sshd))).rejects.toThrow('HAS CHANGED')
  })

  test('that is revoked is refused', async () => {
    const { host } = bench.site({ known: `${knownLine(bench.sshd)}@revoked ${knownLine(bench.sshd)}` })
    expect((await failureOf(run(host, TRUE))).message).toContain('IS REVOKED')
  })

  test('is asked for by the type that is known', async () => {
    const both = await startSshd(join(bench.root, 'both'), {
      extra: [`HostKey ${bench.other.hostKey}`],
      authorized: [bench.sshd.identity],
    })
    const [type, key] = readFileSync(`${bench.other.hostKey}.pub`, 'utf8').split(' ')
    const { host } = bench.site({ entries: [{ port: both.port }], known: `[127.0.0.1]:${both.port} ${type} ${key}\n` })
    expect((await run(host, TRUE)).exit).toBe(0)
    await both.kill()
  })
})

describe('the login', () => {
  test('by an encrypted key without an agent says what would help', async () => {
    const identity = bench.encrypted
    const { host } = bench.site({ entries: [{ identity }], known: knownLine(bench.sshd) })
    const failure = await failureOf(run(host, TRUE))
    expect(failure.code).toBe('refused')
    expect(failure.message).toContain(`${identity} is encrypted`)
    expect(failure.message).toContain(`ssh-add ${identity}`)
  })

  test('that fails names what was tried', async () => {
    const identity = await makeKey(join(bench.root, 'stranger'))
    const { host } = bench.site({ entries: [{ identity }], known: knownLine(bench.sshd) })
    const failure = await failureOf(run(host, TRUE))
    expect(failure).toMatchObject({ code: 'refused' })
    expect(failure.message).toMatch(/alpha \(pm1\): it does not let \w+ in \(tried .*stranger\)/)
  })

  test('through an agent, also with a key whose file is encrypted, the named key first', async () => {
    const agent = join(bench.root, 'agent.sock')
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
          SSH_ASKPASS: join(bench.root, 'ask'),
          DISPLAY: 'x',
        },
      }).exitCode
    writeFileSync(join(bench.root, 'ask'), "#!/bin/sh\necho 'correct horse'\n", { mode: 0o700 })
    // More keys than the server lets be tried: only the named one, asked first, gets in.
    for (let index = 0; index < 7; index++) expect(add(await makeKey(join(bench.root, `crowd${index}`)))).toBe(0)
    expect(add(bench.encrypted)).toBe(0)
    const { host } = bench.site({ entries: [{ identity: bench.encrypted, agent }], known: knownLine(bench.sshd) })
    expect((await run(host, TRUE)).exit).toBe(0)
    server.kill()
    await server.exited
    const { host: without } = bench.site({
      entries: [{ identity: bench.encrypted, agent: join(bench.root, 'nobody.sock') }],
      known: knownLine(bench.sshd),
    })
    expect((await failureOf(run(without, TRUE))).message).toContain('nobody.sock does not answer')
  })
})
