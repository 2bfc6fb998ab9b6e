import type { Clock } from '../../lib/clock.ts'
import { uuidOfMachineId } from '../../lib/ids.ts'
import { turns } from '../../lib/turns.ts'
import { PengxError, toPengxError } from '../../model/error.ts'
import type { Pm } from '../../model/pm.ts'
import { isProvisional } from '../../model/provisional.ts'
import { judgeTwin } from '../../model/twin.ts'
import type { Vm } from '../../model/vm.ts'
import type { Host } from '../host/host.ts'
import type { DomainSeen, PmLook } from '../hypervisor/domain.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { Store } from '../store/store.ts'
import { type Apart, createApart, WRITES_NOTHING, type Writes } from './apart.ts'
import { type Closer, closerShared, createCloser } from './closer.ts'
import { unclaimed } from './files.ts'
import type { Marks } from './marks.ts'
import { createSampler, type Sampler } from './perf.ts'
import { type Known, type Reconciled, reconcile } from './reconcile.ts'
import { type PmFindings, seenPm, vmsSeen } from './rows.ts'
import { sharedLook } from './shared.ts'
import { translate } from './whose.ts'

/**
 * Looks at PMs and corrects the store: what is written down is what was seen. Looks may overtake each other (a job looks
 * while a beat is under way); what an older look says of the domains is then dropped. Each is written in one transaction.
 */
export interface Observer {
  /**
   * Everything a beat needs; a PM that does not answer is written down as that. `authoritative`: somebody asks about this
   * moment. What is looked at apart from the domains is begun, and not waited for.
   */
  look(pm: string, authoritative?: boolean): Promise<void>
  /** Resolves when what is looked at apart, at one PM or all, is written down or has turned out to hang. */
  settled(pm?: string): Promise<void>
  /** Nothing is known of a PM any more. */
  forget(pm: string): void
  /** The domains alone; fails with `unreachable` and the like. */
  quick(pm: string, authoritative?: boolean): Promise<readonly DomainSeen[]>
  saw(pm: string, domains: readonly DomainSeen[]): Promise<void>
}

export interface ObserverDeps {
  readonly store: Store
  readonly hypervisor: Hypervisor
  readonly clock: Clock
  host(pm: Pm): Host
  /** Where CD images are looked for too. */
  readonly isoDirectories?: readonly string[]
  /** Absent: nothing is written. */
  readonly writes?: Writes
}

interface PmState {
  started: number
  applied: number
  readonly missingSince: Map<string, number>
  readonly closer: Closer
  readonly sampler: Sampler
  /** Where else it was named. */
  readonly alsoAt: Set<string>
  readonly apart: Apart
  applying: Promise<void>
  /** Hundreds of jobs may ask for the domains at once. */
  list(authoritative: boolean): Promise<readonly DomainSeen[]>
}

export function createObserver(deps: ObserverDeps): Observer {
  const { store, hypervisor, clock, host, isoDirectories = [], writes = WRITES_NOTHING } = deps
  const { view, inventory } = store
  const looks = { store, hypervisor, clock, isoDirectories, host, ...writes }
  const states = new Map<string, PmState>()
  /** One at a time: two machines of one identity may answer at once. */
  let settling: Promise<unknown> = Promise.resolve()
  const shared = closerShared(view)

  function stateOf(pm: string): PmState {
    let state = states.get(pm)
    if (!state) {
      const sampler = createSampler(pm)
      const onFiles = () => showFiles(pm)
      const closer = createCloser(hypervisor, shared)
      state = {
        started: 0,
        applied: 0,
        missingSince: new Map(),
        closer,
        sampler,
        alsoAt: new Set(),
        apart: createApart({ ...looks, sampler, closer, onFiles }),
        applying: Promise.resolve(),
        list: sharedLook((authoritative) => list(pm, authoritative)),
      }
      states.set(pm, state)
    }
    return state
  }

  const known: Known = {
    vmsOn: (pm) => view.vmsOn(pm),
    getVm: (uuid) => view.getVm(uuid),
    isAtWork: (uuid) => {
      const job = view.jobOn('vm', uuid)
      return job !== undefined && job.state !== 'stuck'
    },
    isHeld: (uuid) => view.jobOn('vm', uuid) !== undefined,
    isUp: (pm) => view.getPm(pm)?.seen.reach === 'up',
    pmName: (pm) => view.getPm(pm)?.name ?? pm,
  }

  /** One writer a PM at a time. */
  function inTurn(pm: string, write: () => Promise<void>): Promise<void> {
    const state = stateOf(pm)
    const turn = state.applying.then(write)
    state.applying = turn.catch(() => undefined)
    return turn
  }

  /** A look that began before the last one applied has nothing new to say of domains. */
  function apply(
    pm: string,
    ticket: number,
    domains: readonly DomainSeen[],
    write: (meaning: Reconciled) => Promise<void>,
    { authoritative = false, marks }: { readonly authoritative?: boolean; readonly marks?: Marks } = {},
  ): Promise<void> {
    return inTurn(pm, async () => {
      const state = stateOf(pm)
      if (ticket < state.applied) return
      state.applied = ticket
      await turns.take()
      // Whole rows may follow from it (a VM that has moved): nobody has a turn between reading them and writing.
      const look = { pm, domains, now: clock.now(), authoritative, ...(marks ? { marks } : {}) }
      await write(reconcile(look, known, state.missingSince))
    })
  }

  const writeMeaning = ({ moved, gone, seen }: Reconciled) =>
    inventory.recordSeen({ put: moved, drop: gone, vms: seen })

  /** With the UUIDs of the VMs that they belong to. */
  async function whose(pm: string, domains: readonly DomainSeen[]): Promise<readonly DomainSeen[]> {
    const row = view.getPm(pm)
    return row ? translate(domains, await stateOf(pm).closer.claims(host(row), pm, domains)) : domains
  }

  async function saw(pm: string, domains: readonly DomainSeen[]): Promise<void> {
    const ticket = ++stateOf(pm).started
    await apply(pm, ticket, await whose(pm, domains), writeMeaning)
  }

  async function list(pm: string, authoritative: boolean): Promise<readonly DomainSeen[]> {
    const ticket = ++stateOf(pm).started
    const domains = await whose(pm, await hypervisor.domains(host(view.needPm(pm))))
    await apply(pm, ticket, domains, writeMeaning, { authoritative })
    return domains
  }

  /** What was seen apart of files stands in the PM's row, less what a VM's row stands for by now. */
  function filesOf(row: Pm, vms: readonly Vm[]): Pick<PmFindings, 'configs' | 'isos'> {
    const { configs = row.seen.configs ?? [], isos = row.seen.isos ?? [] } = stateOf(row.uuid).apart
    return { configs: unclaimed(vms, configs), isos }
  }

  function showFiles(pm: string): Promise<void> {
    return inTurn(pm, async () => {
      const row = view.getPm(pm)
      // A PM that was not seen yet gets them with its first look.
      if (row?.seen.reach !== 'up') return
      const seen = { ...row.seen, ...filesOf(row, view.vmsOn(pm)) }
      await inventory.recordSeen({ pms: [{ uuid: pm, seen }] })
    })
  }

  async function lookAt(row: Pm, authoritative: boolean): Promise<void> {
    const ticket = ++stateOf(row.uuid).started
    const look = await hypervisor.look(host(row))
    const uuid = uuidOfMachineId(look.machineId)
    if (!isProvisional(row)) {
      if (uuid === row.uuid) return await record(row, ticket, look, authoritative)
      const whose = view.getPm(uuid)?.name
      const id = whose === undefined ? uuid : `that of ${whose}, ${uuid}`
      throw new PengxError(
        'refused',
        `${row.destination} leads to another machine now: its machine-id is ${id}, not ${row.uuid}`,
      )
    }
    const turn = settling.then(() => settle(row, look, uuid))
    settling = turn.catch(() => undefined)
    const settled = await turn
    // Nobody has looked at what nobody knew: there is nothing that this look could be older than.
    if (settled) await record(settled, ++stateOf(uuid).started, look, authoritative)
    else await meet(row, look, uuid)
  }

  /** Looks closer at what is new in a look, and writes it all down. */
  async function record(row: Pm, ticket: number, seenNow: PmLook, authoritative: boolean): Promise<void> {
    const state = stateOf(row.uuid)
    const { closer, sampler, apart } = state
    if (row.seen.bootId !== undefined && row.seen.bootId !== seenNow.bootId) closer.forget()
    const claims = await closer.claims(host(row), row.uuid, seenNow.domains)
    const look = { ...seenNow, domains: translate(seenNow.domains, claims) }
    const details = await closer.details(host(row), look.domains)
    const marks = await closer.marks(host(row), row.uuid, look.domains, claims, clock.now())
    const { cpuCount, totalMib: memoryMib } = look
    let fresh: readonly Vm[] = []
    const write = async (meaning: Reconciled) => {
      const now = clock.now()
      const { found, moved, seen } = vmsSeen({ pm: row.uuid, now, marks }, meaning, details)
      const gone = new Set(meaning.gone)
      const latest = view.getPm(row.uuid) ?? row
      // Which files no row stands for can be told when every domain has its row.
      const vms = [...view.vmsOn(row.uuid).filter((vm) => !gone.has(vm.uuid)), ...found, ...moved]
      const alsoAt = [...state.alsoAt]
      const also = alsoAt.length === 0 ? {} : { alsoAt }
      const beside = { strays: meaning.strays, ...also, ...filesOf(latest, vms) }
      await inventory.recordSeen({
        put: [...moved, ...found],
        drop: meaning.gone,
        vms: seen,
        pms: [{ uuid: row.uuid, seen: seenPm(latest, look, beside, now), cpuCount, memoryMib }],
      })
      fresh = found
    }
    await turns.take()
    const samples = sampler.sample(look, clock.now())
    await apply(row.uuid, ticket, look.domains, write, { authoritative, marks })
    for (const [subject, sample] of samples) {
      // A stray has no row, and nobody to show its curve.
      if (subject === row.uuid || view.getVm(subject)) store.perf.add(subject, sample)
    }
    await turns.take()
    apart.begin(row, look.domains, fresh)
  }

  /** A machine that had never answered gets the identity that it has; undefined where it is known under that already. */
  async function settle(row: Pm, look: PmLook, uuid: string): Promise<Pm | undefined> {
    if (view.getPm(uuid)) return undefined
    const name = row.name === row.destination.replace(/^ssh:/, '') ? look.hostname : row.name
    const taken = view.pms().some((pm) => pm.name === name && pm.uuid !== row.uuid)
    await inventory.settlePm(row.uuid, {
      ...row,
      uuid,
      name: taken ? `${name} (${row.destination})` : name,
      cpuCount: look.cpuCount,
      memoryMib: look.totalMib,
      seen: { ...row.seen, bootId: look.bootId },
    })
    return view.getPm(uuid)
  }

  /** It is a PM that is known at another destination, or says so. */
  async function meet(row: Pm, look: PmLook, uuid: string): Promise<void> {
    const known = view.getPm(uuid)
    if (!known) return
    const twin = await judgeTwin(known, look, () => hypervisor.look(host(known)))
    if (twin !== 'same') return await writeDown(row, twin.problem, uuid)
    stateOf(uuid).alsoAt.add(row.destination)
    await inventory.settlePm(row.uuid, undefined)
    await observer.look(uuid)
  }

  /** Nobody can say what runs there; what was known stays, marked as unknown. */
  async function writeDown(row: Pm, problem: string, twinOf?: string): Promise<void> {
    const now = clock.now()
    const since = row.seen.reach === 'down' ? row.seen.since : now
    const vms = view.vmsOn(row.uuid).filter((vm) => vm.seen.state !== 'unknown')
    const { twinOf: _before, ...seen } = row.seen
    const twin = twinOf === undefined ? {} : { twinOf }
    await inventory.recordSeen({
      pms: [{ uuid: row.uuid, seen: { ...seen, ...twin, reach: 'down', since, problem } }],
      vms: vms.map((vm) => ({ uuid: vm.uuid, seen: { ...vm.seen, state: 'unknown' as const, since: now } })),
    })
  }

  const observer: Observer = {
    quick: (pm, authoritative = false) => stateOf(pm).list(authoritative),
    saw,
    async settled(pm) {
      const asked = pm === undefined ? [...states.values()] : [states.get(pm)]
      await Promise.all(asked.map((state) => state?.apart.settled()))
    },
    forget(pm) {
      states.delete(pm)
      shared.intruders.delete(pm)
    },
    async look(pm, authoritative = false) {
      const row = view.getPm(pm)
      if (!row) return
      try {
        await lookAt(row, authoritative)
      } catch (error) {
        const latest = view.getPm(pm)
        if (latest) await writeDown(latest, toPengxError(error).message)
      }
      // It was removed meanwhile, or has got its identity.
      if (!view.getPm(pm)) states.delete(pm)
    },
  }
  return observer
}
