import { quoteArgv } from '../../../lib/quote.ts'
import { changes, type Program, reads } from '../program.ts'

/**
 * `xl migrate`: one xl on each side, joined by ssh. The receiving one builds the domain under the name NAME--incoming; when
 * all memory is there the sending one renames its own to NAME--migratedaway and gives permission, and from then on each
 * waits for the other's word. An xl that sends resumes its guest when the line breaks before that; one that is killed
 * leaves its guest suspended.
 */

/**
 * `-p`: the guest stays paused over there until somebody has seen that it is nowhere else, and that this side has closed its
 * disks. `-C`: else the domain over there is built from what libxl remembers, which knows nothing of what was done to
 * its disks since. `-s`: what xl's own shell puts before HOST and `xl migrate-receive`.
 */
export function migrateDomain(migration: {
  readonly domid: number
  readonly configPath: string
  readonly ssh: readonly string[]
  readonly address: string
}): Program {
  const { domid, configPath, ssh, address } = migration
  return changes('xl', 'migrate', '-p', '-C', configPath, '-s', quoteArgv(ssh), String(domid), address)
}

/** Exit 0 while an xl sends a guest by that configuration, 1 when none does. */
export function migrationAtWork(configPath: string): Program {
  // not a pattern that is found in the command line of whoever looks for it
  return { ...reads('pgrep', '-f', `[x]l migrate .*${configPath.replaceAll('.', '[.]')}`), okExits: [0, 1, 127] }
}

/** Exit 0 while the QEMU of a domain is there, 1 when it has ended and its disks are closed; it outlives its domain a little. */
export function qemuAtWork(domid: number): Program {
  return { ...reads('pgrep', '-f', `[x]en-domid ${domid} `), okExits: [0, 1, 127] }
}

/**
 * How a PM logs in to another. The key that it has to show is the one that pengx has read there over its own connection
 * (`IgnoreUnknown`: before OpenSSH 8.5 there is no KnownHostsCommand); a line that breaks is given up after a while.
 */
export function sshTo(hostKey: string | undefined): readonly [string, ...string[]] {
  const options = ['BatchMode=yes', 'ConnectTimeout=10', 'ServerAliveInterval=5', 'ServerAliveCountMax=4']
  const known =
    hostKey === undefined ? [] : ['IgnoreUnknown=KnownHostsCommand', `KnownHostsCommand=/bin/echo * ${hostKey}`]
  return ['ssh', ...[...options, ...known].flatMap((option) => ['-o', option])]
}

/** Says who is there, and that xl is found. */
export function knock(ssh: readonly [string, ...string[]], address: string): Program {
  const [program, ...rest] = ssh
  return {
    ...reads(program, ...rest, address, 'cat /etc/machine-id /sys/class/dmi/id/product_uuid; command -v xl'),
    okExits: [0, 1, 127, 255],
  }
}

export function hostKeyFile(type: string): Program {
  return { ...reads('cat', `/etc/ssh/ssh_host_${type}_key.pub`), okExits: [0, 1] }
}

/** The types of keys that a host may have, the one that ssh prefers first. */
export const HOST_KEY_TYPES = ['ed25519', 'ecdsa', 'rsa'] as const

/** `TYPE KEY`, without the comment; undefined where the text is no public key. */
export function parseHostKey(text: string): string | undefined {
  return /^((?:ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/]+=*)(?:\s|$)/.exec(text)?.[1]
}

/** Lets a guest go on that an xl has left suspended; xl before 4.20 has no such command. */
export function resumeDomain(domid: number): Program {
  return changes('xl', 'resume', String(domid))
}

/**
 * The same with an older xl: a checkpoint, whose end lets the guest go on. libxl first asks the guest to suspend, through this
 * key, and waits a minute for one that is suspended already; whoever empties the key answers in its place.
 */
export function checkpointDomain(domid: number): Program {
  return changes('xl', 'save', '-c', String(domid), '/dev/null')
}

export function suspendRequest(domid: number): string {
  return `/local/domain/${domid}/control/shutdown`
}

/** What the two sides say, in the order in which a good migration says it; how much is done by then, and in which words. */
const PHASES: readonly (readonly [RegExp, number, string])[] = [
  [/migration target: Ready to receive domain/, 0, 'the other side is ready'],
  [/xc: info: Saving domain/, 0.02, 'memory is sent'],
  [/xc: info: Restore successful/, 0.9, 'all memory is there'],
  [/requesting permission to start domain/, 0.93, 'devices are there'],
  [/Giving target permission to start/, 0.95, 'the guest is handed over'],
  [/Domain started succ/, 0.97, 'the guest is there'],
  [/Migration successful/, 1, 'the guest has gone'],
]

export interface Phase {
  readonly done: number
  readonly text: string
}

/** How far a migration is by what was said so far. */
export function parsePhase(said: string): Phase | undefined {
  const found = PHASES.findLast(([pattern]) => pattern.test(said))
  return found && { done: found[1], text: found[2] }
}

/** The other side has all of the guest and has said so: from here on a broken line leaves it open where the guest is. */
export function isHandedOver(said: string): boolean {
  return /Transfer complete, requesting permission|Target has acknowledged transfer/.test(said)
}

/** Between these two the memory of the domain over there grows, which says more than xl does. */
export const MEMORY_FROM = 0.02
export const MEMORY_TO = 0.9

/** Why it failed, as one sentence; undefined where nothing in the text is known. */
export function explainMigration(stderr: string): string | undefined {
  return REASONS.find(([pattern]) => pattern.test(stderr))?.[1]
}

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/Host key verification failed/, 'the key that the target shows is not the one it should have'],
  [/Permission denied \(/, 'the target does not let the source log in: pm.spreadKeys gives it the keys'],
  [
    /Failed to enable logdirty/,
    'this Xen cannot follow what a PV guest writes (no shadow paging): without --live it works',
  ],
  [/[Oo]ut of memory|Cannot allocate memory|not enough (?:free )?memory/, 'the target has not enough free memory'],
  [/Failed to set CPUID policy|CPU policy/i, 'the processors of the target lack what the guest has seen'],
  [
    /guest did not suspend|guest didn't acknowledge suspend|failed to suspend at sender/,
    'the guest does not suspend: its kernel has to support it',
  ],
  [/Migration failed during final handshake/, 'the line broke while the guest was handed over'],
  [/Migration failed due to problems at target/, 'the target could not start it'],
  [
    /ssh: connect to host \S+ port \d+: (?:No route to host|Connection refused|Connection timed out)/,
    'the source does not reach the target',
  ],
  [
    /Connection closed by|Broken pipe|Timeout, server \S+ not responding|Connection reset|client_loop/,
    'the line between the two broke',
  ],
]
