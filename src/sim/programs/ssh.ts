/** `ssh` from one simulated machine to another: who is reached, who is let in, and a few words run there. */
import { findNode } from '../machine/files.ts'
import type { Program, SimWorld } from '../machine/program.ts'
import type { PmState } from '../machine/state.ts'

export interface Reached {
  readonly pm: PmState
}

/** The machine behind an address, or what ssh says where it gets to none. */
export function reach(world: SimWorld, from: PmState, address: string): Reached | { readonly problem: string } {
  const host = address.replace(/^.*@/, '')
  const pm = world.state.pms.find(
    (one) => one.name === host || one.nets.some((net) => net.ip?.replace(/\/.*/, '') === host),
  )
  if (pm === undefined) return { problem: `ssh: Could not resolve hostname ${host}: Name or service not known` }
  if (!isJoined(world, from, pm)) return { problem: `ssh: connect to host ${host} port 22: No route to host` }
  return { pm }
}

/** There is a line between the two, and both are on. */
export function isJoined(world: SimWorld, from: PmState, to: PmState): boolean {
  const isOff = (pm: PmState) => world.clock.now() < (pm.unreachableUntil ?? 0)
  return !isOff(from) && !isOff(to) && !from.cutFrom?.includes(to.name)
}

function textAt(pm: PmState, path: string): string {
  const node = findNode(pm, path)
  return node?.kind === 'file' ? (node.text ?? '') : ''
}

/** Why root of one is not let in by the other, in ssh's words; `told` is what it was told on its command line. */
export function refuseLogin(from: PmState, to: PmState, address: string, told: string): string | undefined {
  const shown = textAt(to, '/etc/ssh/ssh_host_ed25519_key.pub').split(' ').slice(0, 2).join(' ')
  const known = `${told}\n${textAt(from, '/root/.ssh/known_hosts')}`
  if (shown !== '' && !known.includes(shown)) return 'Host key verification failed.'
  const own = textAt(from, '/root/.ssh/id_ed25519.pub').split(' ').slice(0, 2).join(' ')
  const keys = textAt(to, '/root/.ssh/authorized_keys')
  return own !== '' && keys.includes(own)
    ? undefined
    : `${address.includes('@') ? address : `root@${address}`}: Permission denied (publickey).`
}

/** Options, the address, and what is to be run there. */
function parseSsh(argv: readonly string[]): { options: string[]; address: string; command: string } {
  const options: string[] = []
  let at = 1
  for (; at < argv.length && argv[at]!.startsWith('-'); at++)
    if (/^-[oplFi]$/.test(argv[at]!)) options.push(argv[++at]!)
  return { options, address: argv[at] ?? '', command: argv.slice(at + 1).join(' ') }
}

export const ssh: Program = async (call) => {
  const { options, address, command } = parseSsh(call.argv)
  const reached = reach(call.world, call.pm, address)
  const problem = 'problem' in reached ? reached.problem : refuseLogin(call.pm, reached.pm, address, options.join('\n'))
  if (problem !== undefined || 'problem' in reached) {
    call.err(`${problem}\n`)
    return 255
  }
  let exit = 0
  for (const words of command.split(/;\s*/).map((one) => one.split(/\s+/).filter((word) => word !== ''))) {
    if (words.length === 0) continue
    if (words[0] === 'command') call.out(`/usr/sbin/${words.at(-1)}\n`)
    else exit = await call.run(words, reached.pm)
  }
  return exit
}
