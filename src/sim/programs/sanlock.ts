/** sanlock 3.8.5 on a simulated PM, as far as leases are asked for, and the script that runs a program under one (tools/sanlock.ts). */
import { findNode, isFsError, mountOf, writeText } from '../machine/files.ts'
import type { Call, Program } from '../machine/program.ts'
import type { SimSanlock } from '../machine/sanlock.ts'
import type { PmState } from '../machine/state.ts'

function leasesOf({ sanlock, domains }: PmState): string[] {
  if (!sanlock) return []
  return [...sanlock.held, ...sanlock.ofGuests.filter((uuid) => domains.some((domain) => domain.uuid === uuid))]
}

/** Who has that lease, on whatever PM that has joined the same lockspace. */
function ownerOf(call: Call, lockspace: string, lease: string): PmState | undefined {
  return call.world.state.pms.find((pm) => pm.sanlock?.lockspace?.name === lockspace && leasesOf(pm).includes(lease))
}

export const lease: Program = async (call) => {
  const [name = '', vm = '', at = '', ...program] = call.argv.slice(4)
  const { sanlock } = call.pm
  const say = (words: string) => {
    call.err(`pengx-lease: ${words}\n`)
    return 1
  }
  if (!sanlock) return say('down')
  if (sanlock.lockspace?.name !== name) return say('apart')
  const { path } = sanlock.lockspace
  const isThere = findNode(call.pm, at) && findNode(call.pm, path)
  if (!isThere || mountOf(call.pm, at) !== mountOf(call.pm, path)) return say(`elsewhere ${path}`)
  try {
    if (!findNode(call.pm, `${at}/${vm}`)) writeText(call.pm, `${at}/${vm}`, '', call.now(), 0o660)
  } catch (error) {
    if (!isFsError(error)) throw error
    call.err(`mktemp: failed to create file via template ‘${at}/${vm}.XXXXXX’: ${error.message}\n`)
    return say('unmade')
  }
  const owner = ownerOf(call, name, vm)
  if (owner) {
    call.out(`register\nregister done 3\nacquire fd 3\nacquire done ${owner === call.pm ? -17 : -243}\n`)
    return 1
  }
  return await runUnder(call, sanlock, vm, program)
}

/** The program itself has it while it runs, and the guest that it leaves, if it leaves one. */
async function runUnder(call: Call, sanlock: SimSanlock, vm: string, program: readonly string[]): Promise<number> {
  sanlock.held.push(vm)
  const exit = await call.run(program)
  sanlock.held.splice(sanlock.held.indexOf(vm), 1)
  sanlock.ofGuests = [...sanlock.ofGuests.filter((other) => other !== vm), vm]
  call.world.save()
  return exit
}

/** `sanlock client status`, `client host_status -D`, and `direct read_leader`, which needs no daemon. */
export const sanlock: Program = (call) => {
  const [, , action = ''] = call.argv
  const asked = (call.argv[call.argv.length - (call.argv.at(-1) === '-D' ? 2 : 1)] ?? '').split(':')
  if (action === 'read_leader') return readLeader(call, asked)
  const space = call.pm.sanlock?.lockspace
  if (!call.pm.sanlock) return 1
  if (action === 'status') {
    const ours = space ? [`s ${space.name}:${space.hostId}:${space.path}:0`] : []
    const leases = leasesOf(call.pm).map((one) => `r ${space?.name}:${one}:${one}:0:1 p 365`)
    call.out(
      `${[`daemon ${hostName(call.pm)}`, 'p -1 helper', 'p -1 listener', 'p -1 status', ...ours, ...leases].join('\n')}\n`,
    )
    return 0
  }
  if (action !== 'host_status' || !space || space.name !== asked[0]) return 1
  for (const pm of call.world.state.pms) {
    const { hostId } = pm.sanlock?.lockspace?.name === space.name ? pm.sanlock.lockspace : {}
    if (hostId !== undefined)
      call.out(`${hostId} timestamp 121\n    owner_id=${hostId}\n    owner_name=${hostName(pm)}\n`)
  }
  return 0
}

const hostName = (pm: PmState) => `${pm.machineId}.${pm.name}`

function readLeader(call: Call, [name = '', resource = '', path = '']: readonly string[]): number {
  if (!findNode(call.pm, path)) {
    call.out('read_leader done -2\n')
    return 1
  }
  const owner = ownerOf(call, name, resource)
  const id = owner?.sanlock?.lockspace?.hostId ?? 0
  call.out(`read_leader done 0\nowner_id ${id}\nspace_name ${name}\nresource_name ${resource}\n`)
  return 0
}
