import { PengxError, toPengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host } from '../host/host.ts'
import { runAll } from '../host/run.ts'
import {
  changesMetadata,
  deactivateVolume,
  isInUse,
  type LogicalVolume,
  lockFailure,
  parseVolumes,
  refreshVolume,
  showVolumes,
} from '../tools/lvm.ts'
import { tagGroup } from '../tools/lvmTags.ts'
import type { Program } from '../tools/program.ts'
import type { GroupPlace } from './groupPlace.ts'
import { runRescanning } from './rescan.ts'

/** How a volume group is changed: its metadata where it is changed for all, what lies in it on the PM at work. */

/** Pure. One batch that ends at its first failure, and is found again by the tag, where it has one, after a crash. */
function tagged(tag: string | undefined, parts: readonly Program[]): Command {
  const long = parts.some((part) => part.endable)
  return {
    ...batch(parts, { stopOnFailure: true }),
    ...(tag === undefined ? {} : { tag }),
    ...(long ? { endable: true as const } : {}),
  }
}

/**
 * Runs programs in their order, each where it belongs: what writes the group's metadata on its changer, the rest on the PM
 * at work; one batch where that is one PM. `refused` where the changer is known to be down, or lvmlockd gives no lock;
 * `unreachable` where it turns out to be; `commandFailed` for the first that failed, and those behind it are not run.
 */
export async function runParts(place: GroupPlace, tag: string | undefined, parts: readonly Program[]): Promise<void> {
  const changes = parts.some(changesMetadata)
  if (changes) needChanger(place)
  const all = changes ? [...nameChanger(place), ...parts] : parts
  for (const { host, some } of stretches(place, all)) await runOn(place, host, tagged(tag, some))
}

/** Pure. The program by which a group that names nobody names its changer: none where it does, or has none. */
export function nameChanger({ group, tag, isUnnamed }: GroupPlace): Program[] {
  return isUnnamed && tag !== undefined ? [tagGroup(group, { add: [tag] })] : []
}

/** Names the changer of a group that was looked at and names nobody; the next look sees what came of it. */
export async function putChanger(place: GroupPlace): Promise<void> {
  await runParts(place, undefined, nameChanger({ ...place, isUnnamed: true }))
}

/** `refused` where nobody can change the group's metadata now. */
export function needChanger({ refusal }: GroupPlace): void {
  if (refusal !== undefined) throw new PengxError('refused', refusal)
}

function stretches({ host, changer }: GroupPlace, parts: readonly Program[]): { host: Host; some: Program[] }[] {
  const stretched: { host: Host; some: Program[] }[] = []
  for (const part of parts) {
    const where = changesMetadata(part) ? changer : host
    const last = stretched.at(-1)
    if (last?.host === where) last.some.push(part)
    else stretched.push({ host: where, some: [part] })
  }
  return stretched
}

async function runOn({ group, locked, host: here }: GroupPlace, host: Host, command: Command): Promise<void> {
  try {
    await runAll(host, command)
  } catch (error) {
    const { code, message } = toPengxError(error)
    if (code === 'unreachable' && host !== here) {
      const help = `${host.name} alone changes volume group ${group}; storlink.update with pm= makes another PM that sees it do that`
      throw new PengxError('unreachable', `${message}: ${help}`, { cause: error })
    }
    const stderr = stderrOf(error)
    const failure = locked ? lockFailure(stderr) : undefined
    if (!failure) throw error
    throw new PengxError('refused', saysLock(failure, group, host, stderr), { cause: error })
  }
}

function saysLock(failure: 'noLock' | 'held', group: string, host: Host, stderr: string): string {
  const said = stderr.trim().split('\n').at(-1)?.trim() ?? ''
  if (failure === 'held') return `volume group ${group}: another host holds the lock, not ${host.name}: ${said}`
  const help = `see that lvmlockd and its lock manager run there, then vgchange --lock-start ${group}`
  return `volume group ${group} cannot be changed on ${host.name}, which gets no lock of it (${said}): ${help}`
}

function stderrOf(error: unknown): string {
  const { cause } = toPengxError(error)
  return typeof cause === 'object' && cause !== null && 'stderr' in cause ? String(cause.stderr) : ''
}

/** Volumes as other PMs than the one at work have them; a PM that does not see the group has none. */
async function seenElsewhere(
  { group }: GroupPlace,
  hosts: readonly Host[],
  beginning: string,
): Promise<{ readonly host: Host; readonly volumes: readonly LogicalVolume[] }[]> {
  return await Promise.all(
    hosts.map(async (host) => {
      const [output] = await runRescanning(host, [showVolumes(group, beginning)])
      return { host, volumes: output?.exit === 0 ? parseVolumes(output.stdout) : [] }
    }),
  )
}

/**
 * Before volumes are removed or renamed: their devices go from every PM that is up, since a table that is left behind leads
 * to extents which are another volume's by then. `conflict` where one is open, with the PM's name; `unreachable` where a PM
 * that was up does not answer.
 */
export async function letGo(place: GroupPlace, names: readonly string[], tag: string): Promise<void> {
  if (!place.shared || place.locked || names.length === 0) return
  const hosts = place.changer === place.host ? place.others : [place.host, ...place.others]
  const seen = await seenElsewhere(place, hosts, common(names))
  const active = seen.map(({ host, volumes }) => ({
    host,
    volumes: volumes.filter((volume) => volume.active && names.includes(volume.name)),
  }))
  for (const { host, volumes } of active) {
    const open = volumes.find((volume) => volume.open)
    if (open) throw openOn(host, place.group, open.name)
  }
  for (const { host, volumes } of active) {
    if (volumes.length === 0) continue
    const parts = volumes.map((volume) => deactivateVolume(place.group, volume.name))
    await runAll(host, tagged(tag, parts)).catch((error: unknown) => {
      if (isInUse(stderrOf(error))) throw openOn(host, place.group, volumes[0]!.name)
      throw error
    })
  }
}

function openOn(host: Host, group: string, name: string): PengxError {
  return new PengxError(
    'conflict',
    `logical volume ${group}/${name} is open on ${host.name}: a guest there may have it; end what has it open there first`,
  )
}

function common(names: readonly string[]): string {
  let beginning = names[0]!
  while (!names.every((name) => name.startsWith(beginning))) beginning = beginning.slice(0, -1)
  return beginning
}

/** After a volume has changed its size or its permission: the PMs that have it active, the one at work apart, see that. */
export async function refreshElsewhere(place: GroupPlace, name: string, tag: string): Promise<void> {
  if (!place.shared || place.locked) return
  for (const { host, volumes } of await seenElsewhere(place, place.others, name)) {
    if (volumes.some((volume) => volume.name === name && volume.active))
      await runAll(host, tagged(tag, [refreshVolume(place.group, name)]))
  }
}

/** The other PMs, by name, on which a volume of that name is active. */
export async function activeElsewhere(place: GroupPlace, name: string): Promise<string[]> {
  const seen = await seenElsewhere(place, place.others, name)
  return seen.flatMap(({ host, volumes }) => (volumes.some((one) => one.name === name && one.active) ? host.name : []))
}
