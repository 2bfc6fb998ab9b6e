import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../../src/engine/host/run.ts'
import { failureOf, openSshBench, type SshBench, TRUE } from '../../support/programs/sshBench.ts'
import { isAlive, knownLine, writePipe } from '../../support/programs/sshd.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(30_000)

let bench: SshBench
let pipe: string
beforeAll(async () => {
  bench = await openSshBench()
  pipe = writePipe(join(bench.root, 'with blanks'))
})
afterAll(() => bench.close())

const toldIn = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))

describe('a ProxyCommand', () => {
  test('is the connection, its tokens in place, and ends with it', async () => {
    const told = join(bench.root, 'told')
    const proxy = `${pipe} ${told} %h %p %n %r %k '100%%' # no comment`
    const { host, hosts } = bench.site({ entries: [{ proxy }], known: knownLine(bench.sshd) })
    const { stdout } = await run(host, { argv: ['sh', '-c', 'echo $SSH_CONNECTION'], effect: 'read' })
    expect(stdout).toContain(` ${bench.sshd.port}\n`)
    const [[pid, ...words] = []] = toldIn(told)
    const user = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((line) => line.split(':')[2] === String(process.getuid?.()))!
      .split(':')[0]!
    expect(words).toEqual(['127.0.0.1', String(bench.sshd.port), 'pm1', user, 'pm1', '100%'])
    expect(isAlive(Number(pid))).toBe(true)
    await hosts.closeAll()
    expect(isAlive(Number(pid))).toBe(false)
  })

  test('carries many bytes both ways', async () => {
    const { host } = bench.site({
      entries: [{ proxy: `${pipe} ${join(bench.root, 'bytes')} %h %p` }],
      known: knownLine(bench.sshd),
    })
    const stdin = Buffer.alloc(8 * 1024 * 1024, 'pengx ')
    const { stdout } = await run(host, { argv: ['cat'], effect: 'read', stdin })
    expect(Bun.hash(stdout)).toBe(Bun.hash(stdin))
  })

  test('of the client itself goes through a jump host', async () => {
    const known = join(bench.root, 'known for ssh')
    writeFileSync(known, knownLine(bench.other))
    const gate = `-p ${bench.other.port} -i ${bench.sshd.identity} -o "UserKnownHostsFile='${known}'" -F none 127.0.0.1`
    const { host } = bench.site({ entries: [{ proxy: `ssh -W %h:%p ${gate}` }], known: knownLine(bench.sshd) })
    const before = bench.other.connections().length
    expect((await run(host, TRUE)).exit).toBe(0)
    expect(bench.other.connections().length).toBeGreaterThan(before)
  })

  test('of a jump host is its connection', async () => {
    const told = join(bench.root, 'jump')
    const { host } = bench.site({
      entries: [{ jump: 'gate' }, { alias: 'gate', port: bench.other.port, proxy: `${pipe} ${told} %h %p` }],
      known: knownLine(bench.sshd) + knownLine(bench.other),
    })
    expect((await run(host, TRUE)).exit).toBe(0)
    expect(toldIn(told).map((words) => words[2])).toEqual([String(bench.other.port)])
  })

  test.each([
    [
      'that is not there',
      'cloudflared-of-nobody access ssh --hostname %h',
      /its ProxyCommand exited with 127: .*cloudflared-of-nobody.*not found/,
    ],
    [
      'that fails',
      `sh -c 'echo one >&2; echo no route to %h >&2; exit 3'`,
      /exited with 3: one \| no route to 127\.0\.0\.1/,
    ],
    ['that says nothing of SSH', 'echo hello', /its ProxyCommand exited with 0/],
  ])('%s says so', async (_, proxy, expected) => {
    const { host } = bench.site({ entries: [{ proxy }], known: knownLine(bench.sshd) })
    const failure = await failureOf(run(host, TRUE))
    expect(failure.code).toBe('unreachable')
    expect(failure.message).toMatch(expected)
  })

  test('that hangs is ended when the connection is given up', async () => {
    const file = join(bench.root, 'hangs')
    const { host } = bench.site({
      entries: [{ proxy: `sh -c 'echo $$ >${file}; echo waiting >&2; exec sleep 1009'` }],
      known: '',
      options: { ssh: { connectTimeoutMs: 400 } },
    })
    const failure = await failureOf(run(host, TRUE))
    expect(failure.message).toMatch(/no answer within 0\.4 s; its ProxyCommand says: waiting$/)
    await until(() => !isAlive(Number(readFileSync(file, 'utf8'))))
  })

  test('that breaks is made anew, and shows the key of the machine before anybody logs in', async () => {
    const told = join(bench.root, 'anew')
    const { host, hosts } = bench.site({ entries: [{ proxy: `${pipe} ${told} %h %p` }], known: knownLine(bench.sshd) })
    expect(await hosts.scanKey('pm1')).toMatchObject({ keyType: 'ssh-ed25519', known: true })
    await until(() => !isAlive(Number(toldIn(told)[0]![0])))
    expect((await run(host, TRUE)).exit).toBe(0)
    process.kill(Number(toldIn(told)[1]![0]), 'SIGKILL')
    await until(() => run(host, TRUE).catch(() => undefined))
    expect(toldIn(told)).toHaveLength(3)
  })
})

describe('settings', () => {
  test('name a known_hosts whose path has a blank', async () => {
    const known = join(bench.root, 'known hosts')
    writeFileSync(known, knownLine(bench.sshd))
    const { host } = bench.site({ entries: [{ known: `"${known}" /nonexistent/b` }] })
    expect((await run(host, TRUE)).exit).toBe(0)
  })

  test('choose a key of the agent by its public half alone', async () => {
    const agent = join(bench.root, 'agent with blank.sock')
    const server = Bun.spawn(['ssh-agent', '-D', '-a', agent], { stdout: 'ignore', stderr: 'ignore' })
    const env = { ...process.env, SSH_AUTH_SOCK: agent }
    await until(() => Bun.spawnSync(['ssh-add', '-l'], { env }).exitCode === 1)
    expect(Bun.spawnSync(['ssh-add', '-q', bench.sshd.identity], { env }).exitCode).toBe(0)
    const directory = join(bench.root, 'keys of me')
    mkdirSync(directory)
    writeFileSync(join(directory, 'xen1.pub'), readFileSync(`${bench.sshd.identity}.pub`))
    const quoted = { identity: `"${join(directory, 'xen1.pub')}"\n  IdentitiesOnly yes`, agent: `"${agent}"` }
    const { host } = bench.site({ entries: [quoted], known: knownLine(bench.sshd) })
    expect((await run(host, TRUE)).exit).toBe(0)
    writeFileSync(join(directory, 'other.pub'), readFileSync(`${bench.other.identity}.pub`))
    const identity = `"${join(directory, 'other.pub')}"\n  IdentitiesOnly yes`
    const { host: stranger } = bench.site({ entries: [{ ...quoted, identity }], known: knownLine(bench.sshd) })
    expect((await failureOf(run(stranger, TRUE))).code).toBe('refused')
    expect(readdirSync(directory).sort()).toEqual(['other.pub', 'xen1.pub'])
    server.kill()
    await server.exited
  })

  test('that name a certificate say that it is not used, where nobody is let in', async () => {
    const identity = `/nonexistent\n  CertificateFile "${bench.root}/me cert.pub"`
    const { host } = bench.site({ entries: [{ identity }], known: knownLine(bench.sshd) })
    const failure = await failureOf(run(host, TRUE))
    expect(failure).toMatchObject({ code: 'refused' })
    expect(failure.message).toContain(`the certificate ${bench.root}/me cert.pub is not used`)
  })
})
