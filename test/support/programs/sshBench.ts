import { expect } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command, Host } from '../../../src/engine/host/host.ts'
import { createHosts, type Hosts, type HostsOptions } from '../../../src/engine/host/hosts.ts'
import type { PengxError } from '../../../src/model/error.ts'
import { until } from '../until.ts'
import { command, makeKey, type SshConfigEntry, startSshd, type TestSshd, writeSshConfig } from './sshd.ts'

/** Two real SSH servers, and as many sites before them as a test needs, each with its own settings. */
export interface SshBench {
  readonly root: string
  /** Gives three sessions a connection. */
  readonly sshd: TestSshd
  readonly other: TestSshd
  /** A key that may log in at `sshd`, encrypted with `correct horse`. */
  readonly encrypted: string
  site(setup: SiteSetup): { readonly hosts: Hosts; readonly host: Host; readonly knownHostsPath: string }
  close(): Promise<void>
}

interface SiteSetup {
  /** What is not said is `sshd`, as `pm1`. */
  readonly entries?: readonly Partial<SshConfigEntry>[]
  /** The text of known_hosts; without it there is no such file, and no directory for it. */
  readonly known?: string
  readonly options?: Partial<HostsOptions>
}

export const TRUE: Command = { argv: ['true'], effect: 'read' }

export async function openSshBench(): Promise<SshBench> {
  const root = mkdtempSync(join(tmpdir(), 'pengx-connect-'))
  const encrypted = await makeKey(join(root, 'encrypted'), { passphrase: 'correct horse' })
  const sshd = await startSshd(join(root, 'sshd'), { authorized: [encrypted], extra: ['MaxSessions 3'] })
  const other = await startSshd(join(root, 'other'), { hostKeyType: 'ecdsa', authorized: [sshd.identity] })
  const opened: Hosts[] = []

  function site(setup: SiteSetup) {
    const directory = join(root, `site${opened.length}`)
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

  async function close() {
    await Promise.all(opened.map((hosts) => hosts.closeAll()))
    await sshd.kill()
    await other.kill()
    rmSync(root, { recursive: true, force: true })
  }

  return { root, sshd, other, encrypted, site, close }
}

export function failureOf(promise: Promise<unknown>): Promise<PengxError> {
  return promise.then(
    () => expect.unreachable('it did not fail'),
    (error) => error,
  )
}

/** A pid that a script writes into a file, when it is there. */
export function pidIn(file: string): Promise<number> {
  return until(() => existsSync(file) && Number(readFileSync(file, 'utf8'))).then(Number)
}

export async function keyOf(server: TestSshd): Promise<string> {
  return (await command(['ssh-keygen', '-lf', `${server.hostKey}.pub`])).split(' ')[1]!
}
