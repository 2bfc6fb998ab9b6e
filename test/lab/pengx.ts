// pengx as an administrator runs it: inside dom0, where the PM is this machine, and from outside over SSH. Both are the
// compiled executable; what a suite says of one it says of the other.
import { expect } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { need, type Output, output } from './machine/command.ts'
import { copyTo, type LabHost, run, sh } from './machine/ssh.ts'

const EXECUTABLE = new URL('../../dist/pengx', import.meta.url).pathname

export interface Pengx {
  readonly where: 'inside' | 'outside'
  /** Where its store lies, there or here. */
  readonly storePath: string
  /** Runs it to its end, whatever its exit status. */
  run(...words: string[]): Promise<Output>
  /** The argv that runs it from here, for a test that kills it. */
  argv(...words: string[]): { readonly argv: string[]; readonly env: Record<string, string | undefined> }
}

/** In dom0: copied there once, beside one that may still run, with a store of its own for each suite. */
export async function pengxInside(host: LabHost, store: string): Promise<Pengx> {
  const there = '/root/pengx'
  const digest = new Bun.CryptoHasher('sha256').update(await Bun.file(EXECUTABLE).arrayBuffer()).digest('hex')
  if ((await run(host, ['cat', `${there}.sha256`])).stdout !== digest) {
    await copyTo(host, EXECUTABLE, `${there}.new`)
    await sh(host, `mv ${there}.new ${there} && printf %s ${digest} >${there}.sha256`)
  }
  await run(host, ['mkdir', '-p', store])
  const command = (words: string[]) => ['env', `XDG_STATE_HOME=${store}`, there, ...words]
  return {
    where: 'inside',
    storePath: `${store}/pengx/pengx.db`,
    run: (...words) => run(host, command(words), { timeoutMs: 600_000 }),
    argv: (...words) => ({ argv: ['ssh', '-F', host.sshConfig, host.name, ...command(words)], env: process.env }),
  }
}

/** On this machine: the hosts are PMs over SSH. */
export function pengxOutside(hosts: readonly LabHost[]): Pengx & { readonly home: string } {
  const home = mkdtempSync(join(tmpdir(), 'pengx-lab-'))
  // Before a command only `user@host` is taken for a host.
  const destinations = hosts.map((host) => `${host.user}@${host.name}`)
  return pengxAt(home, hosts[0]!.sshConfig, destinations)
}

/** One that keeps its store and settings under `home`. Each command makes PMs of the destinations that are none yet. */
export function pengxAt(
  home: string,
  sshConfig: string,
  destinations: readonly string[],
): Pengx & { readonly home: string } {
  if (!existsSync(EXECUTABLE)) throw new Error('there is no dist/pengx: npm run build')
  mkdirSync(join(home, 'config/pengx'), { recursive: true })
  writeFileSync(join(home, 'config/pengx/config.toml'), `[ssh]\nconfig = "${sshConfig}"\n`)
  const env = { ...process.env, XDG_STATE_HOME: join(home, 'state'), XDG_CONFIG_HOME: join(home, 'config') }
  return {
    where: 'outside',
    storePath: join(home, 'state/pengx/pengx.db'),
    home,
    run: (...words) => output([EXECUTABLE, ...destinations, ...words], { timeoutMs: 600_000, env }),
    argv: (...words) => ({ argv: [EXECUTABLE, ...destinations, ...words], env }),
  }
}

/** `run OPERATION …`, which must succeed; gives its result. */
export async function perform(pengx: Pengx, ...words: string[]): Promise<Record<string, unknown>> {
  const said = await pengx.run('run', ...words, '--yes', '--json')
  if (said.exit !== 0)
    throw new Error(
      `pengx run ${words.join(' ')} (${pengx.where}) exited with ${said.exit}: ${said.stderr}${said.stdout}`,
    )
  return JSON.parse(said.stdout)
}

export interface VmRow {
  readonly name: string
  readonly uuid: string
  readonly state: string
  readonly origin: string
  readonly domid?: number
}

/** `vms --json`, by name. */
export async function vmsOf(pengx: Pengx): Promise<Map<string, VmRow>> {
  return new Map((await listed<VmRow>(pengx, 'vms')).map((row) => [row.name, row]))
}

/** What one of the lists says, as JSON. */
export async function listed<Row>(pengx: Pengx, ...words: string[]): Promise<Row[]> {
  const said = await pengx.run(...words, '--json')
  if (said.exit !== 0)
    throw new Error(`pengx ${words.join(' ')} (${pengx.where}) exited with ${said.exit}: ${said.stderr}`)
  return JSON.parse(said.stdout)
}

/** `run OPERATION …`, which must be refused with those words. */
export async function expectRefusal(pengx: Pengx, words: readonly string[], why: RegExp): Promise<void> {
  const said = await pengx.run('run', ...words, '--yes')
  expect({ words, exit: said.exit, said: said.stderr }).toEqual({ words, exit: 3, said: expect.stringMatching(why) })
}

export interface Served {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
  /** A request to the API, as JSON; gives the status and the body. */
  ask(
    method: string,
    path: string,
    body?: object,
    prefer?: 'respond-async',
  ): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>
  stop(): Promise<void>
}

/** `pengx --serve` in dom0, reached through the kept ssh connection: one process for many requests. */
export async function serveInside(host: LabHost, store: string): Promise<Served> {
  const port = somePort()
  const serve = `XDG_STATE_HOME=${store} /root/pengx --serve --no-auth --listen 127.0.0.1:8000`
  const pid = (await sh(host, `${serve} >/tmp/pengx-serve.log 2>&1 </dev/null & echo $!`)).trim()
  await need(['ssh', '-F', host.sshConfig, '-O', 'forward', '-L', `127.0.0.1:${port}:127.0.0.1:8000`, host.name])
  return {
    origin: originAt(port),
    ask: await answering(port, () => sh(host, 'tail -5 /tmp/pengx-serve.log')),
    async stop() {
      await run(host, ['kill', pid])
      await output(['ssh', '-F', host.sshConfig, '-O', 'cancel', '-L', `127.0.0.1:${port}:127.0.0.1:8000`, host.name])
    },
  }
}

/** The same on this machine, with the PMs that `pengx` knows, over SSH. */
export async function serveOutside(pengx: Pengx): Promise<Served & { kill(): Promise<void> }> {
  await vmsOf(pengx)
  const port = somePort()
  const { env } = pengx.argv()
  const argv = [EXECUTABLE, '--serve', '--no-auth', '--listen', `127.0.0.1:${port}`]
  const child = Bun.spawn(argv, { env, stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' })
  return {
    origin: originAt(port),
    ask: await answering(port, async () => `exit status ${child.exitCode}`),
    async stop() {
      child.kill()
      await child.exited
    },
    async kill() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

const originAt = (port: number): string => `http://127.0.0.1:${port}`
const somePort = (): number => 20_000 + Math.floor(Math.random() * 20_000)

/** How a server at a port is asked, as soon as it answers. */
async function answering(port: number, why: () => Promise<string>): Promise<Served['ask']> {
  const ask: Served['ask'] = async (method, path, body, prefer) => {
    const answer = await fetch(`${originAt(port)}${path}`, {
      method,
      headers: {
        Accept: 'application/json',
        Prefer: prefer ?? 'return=representation',
        ...(body ? { 'Content-Type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      // An emulated host takes its time.
      signal: AbortSignal.timeout(300_000),
    })
    const text = await answer.text()
    const isJson = answer.headers.get('Content-Type')?.includes('json')
    return { status: answer.status, body: isJson ? JSON.parse(text) : {} }
  }
  for (let round = 0; ; round++) {
    const up = await ask('GET', '/healthz').catch(() => undefined)
    if (up?.status === 200) return ask
    if (round > 200) throw new Error(`pengx --serve does not answer at port ${port}: ${await why()}`)
    await Bun.sleep(300)
  }
}
