import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Vm } from '../../../model/vm.ts'
import { digestOf } from '../../hypervisor/configs.ts'
import type { ChangingStep, Context, Step } from '../../jobs/operation.ts'
import { movedOf } from '../../tools/files.ts'
import type { Image } from '../../volumes/volumeDriver.ts'
import { type LinkChanges, linkSteps, makeLinkStep } from '../vm/autostart.ts'
import { type ChangeFacts, recordStep } from '../vm/change.ts'
import { hasConfig, newConfigStep } from '../vm/configFile.ts'
import { configPathFor, findDomain } from '../vm/domain.ts'
import { joinSecret } from '../vm/secrets.ts'
import { moveClaims, releaseVolumes } from '../volume/claims.ts'
import { type DirectoryPair, proveSharedStep } from './disks.ts'
import { isSentAway, type Located, locateGuest, type Move, runsTwice } from './location.ts'

/** What a running guest has, whatever its configuration says by now: the domain on the target has to fit its memory. */
export type LiveGuest = Pick<Vm, 'vcpuCount' | 'maxVcpuCount' | 'memoryMib' | 'maxmemMib'> & {
  readonly nics: readonly (Nic & Json)[]
  /** How the source logs in to the target. */
  readonly ssh: readonly [string, ...string[]]
  readonly address: string
}

export type MigrateFacts = ChangeFacts & {
  readonly target: string
  readonly sourceName: string
  readonly targetName: string
  /** A name for what is made to prove that the disks are the same. */
  readonly mark: string
  readonly images: readonly string[]
  readonly directories: readonly DirectoryPair[]
  /** Logical volumes of groups that several PMs see: they are switched on over there, and off here. */
  readonly switched: readonly (Image & Json)[]
  readonly live: LiveGuest | null
  /** How it starts with its PM: what goes here, and what comes there. */
  readonly links: { readonly source: LinkChanges; readonly target: LinkChanges }
  /** What was looked at and found good, for the person who is asked. */
  readonly checked: readonly string[]
}

/** How long the QEMU of a domain that has gone may take to write out what it has. */
const QEMU_MS = 120_000

function moveOf({ before, target }: MigrateFacts): Move {
  const { uuid, name, pm: source } = before
  return { uuid, name, source, target, migrationConfig: configPathFor(`${uuid}.migration`) }
}

export function proveStep(facts: MigrateFacts): Step[] {
  const { before, target, directories, mark } = facts
  if (directories.length === 0) return []
  return [proveSharedStep(before, { source: before.pm, target }, directories, mark)]
}

/** Nothing of that name was there: that is looked at before. */
export function writeConfigStep({ before, base, secrets, target, targetName }: MigrateFacts): ChangingStep {
  // byte by byte what it is started from on the source, where there is such a file
  const textOf = (cx: Context) => secrets.config ?? cx.hypervisor.formatConfig(before.uuid, joinSecret(base, secrets))
  const name = `write the configuration on ${targetName}`
  // Whatever was looked at is old after a gap: a VM that has not gone over by then stays where it is.
  return { ...newConfigStep(target, configPathFor(before.uuid), textOf, name), onward: undefined }
}

/** Its PM must not start it any more when it is another's. */
export function unlinkSteps({ before, links, sourceName }: MigrateFacts): Step[] {
  return linkSteps(links.source, before, ` on ${sourceName}`)
}

/** There it has its configuration and its row by then. */
export function relinkSteps({ before, links, target, targetName }: MigrateFacts): Step[] {
  const there = { uuid: before.uuid, pm: target }
  return links.target.makes.map((link) => makeLinkStep(link, there, { on: ` on ${targetName}`, late: true }))
}

/** The guest's memory goes over. Whether it came is found by looking, and so is what has to be cleaned up where it did not. */
export function sendStep(facts: MigrateFacts, live: LiveGuest): ChangingStep {
  const move = moveOf(facts)
  const { before, base, secrets, sourceName, targetName } = facts
  return {
    name: `migrate to ${targetName}`,
    weight: 40,
    pivot: true,
    shows: [
      `xl migrate -p -C ${move.migrationConfig} -s '${live.ssh.slice(0, 3).join(' ')} …' ${facts.domid} ${live.address}`,
    ],
    async do(cx) {
      const found = await locateGuest(cx, move)
      if (found.location === 'target') return null
      if (found.location !== 'source' || found.source?.state !== 'running')
        throw new PengxError('conflict', `${move.name} does not run on ${sourceName} any more`)
      const { ssh, address, ...has } = live
      const spec = { ...joinSecret(base, secrets), ...has }
      const config = { path: move.migrationConfig, text: cx.hypervisor.formatConfig(before.uuid, spec) }
      const { domid } = found.source
      // The domain that comes is there before the other one goes: who asks the target finds it.
      await moveClaims(cx, cx.view.needVm(move.uuid), { at: move.source, to: move.target })
      await cx.hypervisor.migrate(
        cx.host(move.source),
        { domid, name: move.name, config, ssh, address },
        {
          target: cx.host(move.target),
          uuid: move.uuid,
          memoryMib: has.memoryMib,
          clock: cx.clock,
          signal: cx.signal,
          tag: cx.tag,
          onProgress: cx.progress,
        },
      )
      const after = await locateGuest(cx, move)
      if (after.location === 'both') throw runsTwice(cx, move, after)
      if (after.location === 'target') return null
      throw new PengxError('commandFailed', `xl says that ${move.name} has migrated, and it has not: ${after.location}`)
    },
    async isApplied(cx) {
      const found = await locateGuest(cx, move)
      if (found.location === 'both') throw runsTwice(cx, move, found)
      return found.location === 'target'
    },
    async undo(cx) {
      await keepOnSource(cx, move, await locateGuest(cx, move))
      await cx.hypervisor.removeConfig(cx.host(move.source), move.migrationConfig, cx.tag)
    },
  }
}

/** What came half is taken away first; only then the guest goes on where it was. */
async function keepOnSource(cx: Context, move: Move, { location, source, target }: Located): Promise<void> {
  const { hypervisor } = cx
  if (location === 'both')
    throw runsTwice(cx, move, { location, ...(source ? { source } : {}), ...(target ? { target } : {}) })
  if (location === 'target') throw new PengxError('internal', `${move.name} is on the target and cannot be taken back`)
  if (target) await hypervisor.destroy(cx.host(move.target), target.domid, cx.tag)
  const vm = cx.view.needVm(move.uuid)
  await moveClaims(cx, vm, { at: move.source, to: move.source, ...(source ? { domid: source.domid } : {}) })
  if (location === 'nowhere') {
    cx.notice(`${move.name} went away by itself while it was migrated: it is shut down`)
    await releaseVolumes(cx, vm)
    return
  }
  const host = cx.host(move.source)
  if (hypervisor.isSuspended(source!)) await hypervisor.resumeSuspended(host, source!.domid, cx.tag, cx.clock)
  const name = cx.view.needVm(move.uuid).domainName
  if (isSentAway(source!)) await hypervisor.rename(host, source!.domid, name, cx.tag)
  const after = await locateGuest(cx, move)
  if (after.target !== undefined || after.location !== 'source') {
    throw new PengxError('commandFailed', `${move.name} was to stay where it is: ${JSON.stringify(after.location)}`)
  }
}

/** The last of it here is taken away, its disks are read anew over there, and then the guest goes on. */
export function resumeStep(facts: MigrateFacts): ChangingStep {
  const move = moveOf(facts)
  const { sourceName, targetName } = facts
  return {
    name: `let it go on on ${targetName}`,
    weight: 4,
    shows: ['qmp: cont, stop, xen-save-devices-state, cont', 'xl unpause'],
    async do(cx) {
      const { hypervisor, clock } = cx
      const [here, there] = [cx.host(move.source), cx.host(move.target)]
      const found = await locateGuest(cx, move)
      if (found.location === 'both') throw runsTwice(cx, move, found)
      if (found.location === 'source')
        throw new PengxError('refused', `${move.name} is on the source again, not by pengx`)
      const { source, target } = found
      await hypervisor.removeConfig(here, move.migrationConfig, cx.tag)
      // Suspended: xl did not come to it. It must never go on.
      if (source) await hypervisor.destroy(here, source.domid, cx.tag)
      const vm = { ...cx.view.needVm(move.uuid), pm: move.target }
      if (!target || found.location === 'nowhere') {
        await releaseVolumes(cx, vm)
        cx.notice(`${move.name} has ended by itself since: it is shut down`)
        return null
      }
      if (target.state !== 'paused') return null
      for (const domid of new Set([facts.domid, source?.domid])) {
        if (typeof domid === 'number') await hypervisor.waitForQemu(here, domid, { clock, timeoutMs: QEMU_MS })
      }
      await hypervisor.rereadImages(there, target.domid, facts.images)
      const last = (await cx.look(move.source)).find((domain) => domain.uuid === move.uuid)
      if (last) throw new PengxError('commandFailed', `${move.name} still has domain ${last.domid} on ${sourceName}`)
      await moveClaims(cx, vm, { at: move.target, to: move.target, domid: target.domid })
      await hypervisor.unpause(there, target.domid, cx.tag)
      await cx.look(move.target)
      return null
    },
    async isApplied(cx) {
      const { location, source, target } = await locateGuest(cx, move)
      return (location === 'target' && source === undefined && target?.state !== 'paused') || 'again'
    },
  }
}

/**
 * The VM is the target's from now on; for one that is shut down this is all there is to it. It goes only where the guest
 * is: one that somebody has started on the source since is not taken from under it.
 */
export function moveRowStep(facts: MigrateFacts, more: { readonly pivot?: true } = {}): ChangingStep {
  const moved = (vm: Vm): Vm => ({
    ...vm,
    pm: facts.target,
    configPath: configPathFor(vm.uuid),
    configForeign: false,
  })
  const { undo, ...step } = recordStep(facts, moved, more)
  const move = moveOf(facts)
  return {
    ...step,
    ...(more.pivot && undo ? { undo } : {}),
    async do(cx) {
      const found = await locateGuest(cx, move)
      if (found.location === 'both') throw runsTwice(cx, move, found)
      if (found.location === 'source')
        throw new PengxError('conflict', `${move.name} runs on ${facts.sourceName}, as domain ${found.source!.domid}`)
      await step.do(cx)
      await cx.look(facts.target)
      return null
    },
    async isApplied(cx) {
      const applied = await step.isApplied(cx)
      if (applied === true || !more.pivot) return applied
      // What was found out of one that is off is old by now; one that runs there has gone over.
      return (await locateGuest(cx, move)).location === 'target' && 'again'
    },
  }
}

/** Where a file of its owner's goes when its VM has moved away. */
export function asideOf(path: string, text: string): string {
  return movedOf(path, digestOf(text))
}

/**
 * The configuration must not be there any more for anybody who would start the VM on the source: pengx's own goes, its
 * owner's is set aside under a name that nobody starts from. Where the guest is back on the source by then, not by pengx,
 * it needs its configuration there.
 */
export function leaveConfigStep({ before, secrets, configPath: path, sourceName }: MigrateFacts): Step[] {
  if (secrets.config === undefined) return []
  const aside = before.configForeign
  return [
    {
      name: `${aside ? 'set the configuration aside' : 'remove the configuration'} on ${sourceName}`,
      shows: [aside ? `mv ${path} ${asideOf(path, secrets.config)}` : `remove ${path}`],
      async do(cx) {
        const back = await findDomain(cx, before)
        if (back && back.state !== 'dying') {
          cx.notice(
            `${before.name} runs on ${sourceName} again, as domain ${back.domid}: its configuration there stays`,
          )
          return null
        }
        if (aside) await cx.hypervisor.setConfigAside(cx.host(before.pm), path, asideOf(path, secrets.config!), cx.tag)
        else await cx.hypervisor.removeConfig(cx.host(before.pm), path, cx.tag)
        return null
      },
      isApplied: async (cx) => !(await hasConfig(cx, before.pm, path)) || 'again',
    },
  ]
}
