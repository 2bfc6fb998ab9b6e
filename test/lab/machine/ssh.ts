// Reaching a lab host: one kept ssh connection a host (a login costs a second or two of emulated processor), commands
// and copies over it. End-to-end suites take their hosts from here: labHosts(), run(), sh(), copyTo().
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandOptions, need, type Output, output } from './command.ts'

export interface LabHost {
  readonly name: string
  readonly port: number
  readonly user: string
  readonly key: string
  readonly knownHosts: string
  /** For `ssh -F`: reaches the host by its name over the kept connection. */
  readonly sshConfig: string
  /** The run directory of this host: serial.log, disks. */
  readonly dir: string
}

/** Where `lab up` keeps its run in a clone. */
export const upDir = join(import.meta.dir, '../../../.cache/lab/up')

/** The hosts a suite is to use: those of the environment, else those of `lab up`. */
export function labHosts(): LabHost[] {
  const given = process.env.PENGX_LAB_HOSTS
  if (given) return JSON.parse(given)
  const file = join(upDir, 'hosts.json')
  if (!existsSync(file))
    throw new Error('no lab host: run `npm run lab -- up` first, or the suite by `npm run lab -- test`')
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** The host of a suite that needs one. */
export const labHost = (): LabHost => labHosts()[0]!

export function sshConfigText(hosts: readonly LabHost[], sockets: string): string {
  return hosts
    .map((host) =>
      [
        `Host ${host.name}`,
        '    HostName 127.0.0.1',
        `    Port ${host.port}`,
        `    User ${host.user}`,
        `    IdentityFile ${host.key}`,
        '    IdentitiesOnly yes',
        `    UserKnownHostsFile ${host.knownHosts}`,
        '    GlobalKnownHostsFile /dev/null',
        '    StrictHostKeyChecking yes',
        '    BatchMode yes',
        '    ConnectTimeout 60',
        '    ServerAliveInterval 30',
        '    ServerAliveCountMax 10',
        '    LogLevel ERROR',
        '    ControlMaster auto',
        `    ControlPath ${sockets}/%n.ssh`,
        '    ControlPersist 3600',
        '',
      ].join('\n'),
    )
    .join('\n')
}

/** argv of this machine's ssh to a host; the rest is a command line for the shell there. */
export const sshArgv = (host: LabHost, ...rest: string[]): string[] => ['ssh', '-F', host.sshConfig, host.name, ...rest]

const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** Runs argv on a host to its end, whatever its exit code (255 is ssh's own too). */
export const run = (host: LabHost, argv: readonly string[], options: CommandOptions = {}): Promise<Output> =>
  output(sshArgv(host, argv.map(quote).join(' ')), options)

/** Runs a piece of shell on a host, which must succeed, and gives what it printed. */
export const sh = (host: LabHost, script: string, options: CommandOptions = {}): Promise<string> =>
  need(sshArgv(host, script), options)

/** The same by way of another host and the wire between them: for one whose cable `out` is pulled (see power.ts). */
export const shAcross = (by: LabHost, host: LabHost, script: string, options: CommandOptions = {}): Promise<string> =>
  sh(by, `ssh -o BatchMode=yes ${host.name} ${quote(script)}`, options)

export async function copyTo(host: LabHost, from: string, to: string): Promise<void> {
  await need(['scp', '-q', '-F', host.sshConfig, from, `${host.name}:${to}`], { timeoutMs: 600_000 })
}

/** Opens the kept connection; sshd may still be slow to answer right after boot. */
export async function waitSsh(host: LabHost, timeoutMs = 120_000): Promise<void> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const { exit, stderr } = await run(host, ['test', '-e', '/run/lab-ready'], { timeoutMs: 60_000 })
    if (exit === 0) return
    if (Date.now() > end) throw new Error(`cannot reach ${host.name} by ssh: exit ${exit} ${stderr.trim()}`)
    await Bun.sleep(500)
  }
}

/** Closes the kept connection, as must be done before the host goes. */
export async function closeSsh(host: LabHost): Promise<void> {
  await output(['ssh', '-F', host.sshConfig, '-O', 'exit', host.name], { timeoutMs: 10_000 })
}
