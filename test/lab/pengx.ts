// pengx as an administrator runs it: inside dom0, where the PM is this machine, and from outside over SSH. Both are the
// compiled executable; what a suite says of one it says of the other.
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Output, output } from './command.ts'
import { copyTo, type LabHost, run } from './ssh.ts'

const EXECUTABLE = new URL('../../dist/pengx', import.meta.url).pathname

export interface Pengx {
  readonly where: 'inside' | 'outside'
  /** Runs it to its end, whatever its exit status. */
  run(...words: string[]): Promise<Output>
  /** The argv that runs it from here, for a test that kills it. */
  argv(...words: string[]): { readonly argv: string[]; readonly env: Record<string, string | undefined> }
}

/** In dom0: copied there once, with a store of its own for each suite. */
export async function pengxInside(host: LabHost, store: string): Promise<Pengx> {
  const there = '/root/pengx'
  const size = Bun.file(EXECUTABLE).size
  const have = await run(host, ['stat', '-c', '%s', there])
  if (Number(have.stdout) !== size) await copyTo(host, EXECUTABLE, there)
  await run(host, ['mkdir', '-p', store])
  const command = (words: string[]) => ['env', `XDG_STATE_HOME=${store}`, there, ...words]
  return {
    where: 'inside',
    run: (...words) => run(host, command(words), { timeoutMs: 600_000 }),
    argv: (...words) => ({ argv: ['ssh', '-F', host.sshConfig, host.name, ...command(words)], env: process.env }),
  }
}

/** On this machine: the hosts are PMs over SSH. */
export function pengxOutside(hosts: readonly LabHost[]): Pengx & { readonly home: string } {
  if (!existsSync(EXECUTABLE)) throw new Error('there is no dist/pengx: npm run build')
  const home = mkdtempSync(join(tmpdir(), 'pengx-lab-'))
  mkdirSync(join(home, 'config/pengx'), { recursive: true })
  writeFileSync(join(home, 'config/pengx/config.toml'), `[ssh]\nconfig = "${hosts[0]!.sshConfig}"\n`)
  const env = { ...process.env, XDG_STATE_HOME: join(home, 'state'), XDG_CONFIG_HOME: join(home, 'config') }
  // Before a command only `user@host` is taken for a host.
  const destinations = hosts.map((host) => `${host.user}@${host.name}`)
  return {
    where: 'outside',
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
  const said = await pengx.run('vms', '--json')
  if (said.exit !== 0) throw new Error(`pengx vms (${pengx.where}) exited with ${said.exit}: ${said.stderr}`)
  return new Map((JSON.parse(said.stdout) as VmRow[]).map((row) => [row.name, row]))
}
