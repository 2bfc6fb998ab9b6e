import type { Clock } from '../../lib/clock.ts'
import { uuidOfMachineId } from '../../lib/ids.ts'
import { type Disk, identifyDisks } from '../../model/disk.ts'
import { PengxError, toPengxError } from '../../model/error.ts'
import type { Pm } from '../../model/pm.ts'
import { isProvisional } from '../../model/provisional.ts'
import type { Vm, VmSeen } from '../../model/vm.ts'
import type { Host } from '../host/host.ts'
import type { DomainDetail, DomainSeen, PmLook } from '../hypervisor/domain.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { Store } from '../store/store.ts'
import { withSizes } from '../volumes/sizes.ts'
import { type FilesSeen, lookForFiles, unclaimed } from './files.ts'
import { createSampler } from './perf.ts'
import { type Known, type Reconciled, reconcile } from './reconcile.ts'
import { foundVm, seenPm } from './rows.ts'
import { createSpaceLook } from './spaces.ts'

/**
 * Looks at PMs and corrects the store: what is written down is what was seen. Looks may overtake each other (a job looks
 * while a beat is under way); what an older look has to say of the domains is then dropped.
 */
export interface Observer {
  /** Everything a beat needs; a PM that does not answer is written down as that. `authoritative`: somebody asks about this moment. */
  look(pm: string, authoritative?: boolean): Promise<void>
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
}

/** Configuration files, CD images and disk counters change or cost more than the rest, so they are looked at every Nth time. */
const CONFIGS_EVERY = 30
const DISKS_EVERY = 5

interface PmState {
  looks: number
  started: number
  applied: number
  readonly missingSince: Map<string, number>
  /** Domids whose details are known: a domain never changes under its domid. */
  readonly detailed: Set<number>
  files: FilesSeen
  applying: Promise<void>
}

export function createObserver({ store, hypervisor, clock, host, isoDirectories = [] }: ObserverDeps): Observer {
  const { view, inventory } = store
  const states = new Map<string, PmState>()
  const sampler = createSampler()
  const lookAtSpaces = createSpaceLook(view, clock)

  function stateOf(pm: string): PmState {
    let state = states.get(pm)
    if (!state) {
      state = {
        looks: 0,
        started: 0,
        applied: 0,
        missingSince: new Map(),
        detailed: new Set(),
        files: { configs: [], isos: [] },
        applying: Promise.resolve(),
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

  /** One writer a PM at a time; a look that began before the last one applied has nothing new to say of domains. */
  function apply(
    pm: string,
    ticket: number,
    domains: readonly DomainSeen[],
    write: (meaning: Reconciled) => Promise<void>,
    authoritative = false,
  ): Promise<void> {
    const state = stateOf(pm)
    const turn = state.applying.then(async () => {
      if (ticket < state.applied) return
      state.applied = ticket
      await write(reconcile({ pm, domains, now: clock.now(), authoritative }, known, state.missingSince))
    })
    state.applying = turn.catch(() => undefined)
    return turn
  }

  async function writeMeaning(meaning: Reconciled): Promise<void> {
    for (const uuid of meaning.gone) sampler.forget(uuid)
    if (meaning.moved.length > 0) await inventory.putVms(meaning.moved)
    if (meaning.gone.length > 0) await inventory.dropVms(meaning.gone)
    if (meaning.seen.length > 0) await inventory.recordSeen({ vms: meaning.seen })
  }

  async function saw(pm: string, domains: readonly DomainSeen[]): Promise<void> {
    const state = stateOf(pm)
    await apply(pm, ++state.started, domains, writeMeaning)
  }

  async function quick(pm: string, authoritative = false): Promise<readonly DomainSeen[]> {
    const ticket = ++stateOf(pm).started
    const domains = await hypervisor.domains(host(view.needPm(pm)))
    await apply(pm, ticket, domains, writeMeaning, authoritative)
    return domains
  }

  /** Built from, VNC port, start time: asked once a domain, when it is first seen. */
  async function detailsOf(row: Pm, state: PmState, domains: readonly DomainSeen[]): Promise<readonly DomainDetail[]> {
    const isNew = ({ domid, uuid }: DomainSeen) => !state.detailed.has(domid) || !view.getVm(uuid)
    const fresh = domains.filter((domain) => domain.domid !== 0 && domain.state !== 'starting' && isNew(domain))
    if (fresh.length === 0) return []
    const domids = fresh.length > 8 ? [] : fresh.map((domain) => domain.domid)
    const details = await hypervisor.details(host(row), domids).catch(() => [])
    for (const detail of details) state.detailed.add(detail.domid)
    return details
  }

  async function writeDetails(
    pm: string,
    meaning: Reconciled,
    details: readonly DomainDetail[],
    disks: readonly Disk[],
  ): Promise<void> {
    const found: Vm[] = []
    const seen: { uuid: string; seen: VmSeen; bootedAt?: number }[] = []
    const appeared = new Map(meaning.appeared.map((domain) => [domain.domid, domain]))
    const sized = new Map(disks.map((disk) => [disk.uuid, disk]))
    for (const detail of details) {
      const domain = appeared.get(detail.domid)
      const vm = view.getVm(detail.uuid)
      if (domain && !vm) found.push(foundVm(pm, domain, detail, sized, clock.now()))
      if (!vm || vm.seen.domid !== detail.domid) continue
      const vnc = detail.vncPort === undefined ? {} : { vncPort: detail.vncPort }
      const booted = detail.startedAt === undefined ? {} : { bootedAt: detail.startedAt * 1000 }
      seen.push({ uuid: vm.uuid, seen: { ...vm.seen, ...vnc }, ...booted })
    }
    if (found.length > 0) await inventory.putVms(found)
    if (seen.length > 0) await inventory.recordSeen({ vms: seen })
  }

  async function lookAt(row: Pm, authoritative: boolean): Promise<void> {
    const ticket = ++stateOf(row.uuid).started
    const look = await hypervisor.look(host(row))
    const uuid = uuidOfMachineId(look.machineId)
    if (!isProvisional(row)) {
      if (uuid === row.uuid) return await record(row, ticket, look, authoritative)
      throw new PengxError(
        'refused',
        `${row.destination} leads to another machine now: its machine-id is ${uuid}, not ${row.uuid}`,
      )
    }
    const settled = await settle(row, look, uuid)
    // Nobody has looked at what nobody knew: there is nothing that this look could be older than.
    if (settled) await record(settled, ++stateOf(uuid).started, look, authoritative)
    else await observer.look(uuid)
  }

  /** Looks closer at what is new in a look, and writes it all down. */
  async function record(row: Pm, ticket: number, look: PmLook, authoritative: boolean): Promise<void> {
    const state = stateOf(row.uuid)
    if (row.seen.bootId !== undefined && row.seen.bootId !== look.bootId) state.detailed.clear()
    const details = await detailsOf(row, state, look.domains)
    const fresh = details.filter((detail) => !view.getVm(detail.uuid))
    const disks = await withSizes(
      host(row),
      fresh.flatMap((detail) => identifyDisks(detail.uuid, detail.spec.disks, clock.now())),
    )
    // Waited for last: a file system that hangs must not keep the domains from being told.
    const storlinks = lookAtSpaces(host(row), row.uuid)
    if (state.looks % CONFIGS_EVERY === 0)
      state.files = await lookForFiles({ view, hypervisor, isoDirectories }, host(row), row.uuid, state.files)
    const { cpuCount, totalMib: memoryMib } = look
    const write = async (meaning: Reconciled) => {
      await writeMeaning(meaning)
      await writeDetails(row.uuid, meaning, details, disks)
      // Which files no row stands for can be told when every domain has its row.
      const { configs, isos } = state.files
      const beside = { strays: meaning.strays, configs: unclaimed(view.vmsOn(row.uuid), configs), isos }
      const seen = seenPm(view.getPm(row.uuid) ?? row, look, beside, clock.now())
      await inventory.recordSeen({ pms: [{ uuid: row.uuid, seen, cpuCount, memoryMib }] })
    }
    await apply(row.uuid, ticket, look.domains, write, authoritative)
    for (const [subject, sample] of sampler.sample(row.uuid, look, clock.now())) store.perf.add(subject, sample)
    await inventory.recordSeen({ storlinks: await storlinks })
    if (state.looks++ % DISKS_EVERY === 1) await countDisks(row, look.domains)
  }

  /** A machine that had never answered gets the identity that it has; undefined where it is known under that already. */
  async function settle(row: Pm, look: PmLook, uuid: string): Promise<Pm | undefined> {
    await inventory.dropPm(row.uuid)
    if (view.getPm(uuid)) return undefined
    const name = row.name === row.destination.replace(/^ssh:/, '') ? look.hostname : row.name
    const taken = view.pms().some((pm) => pm.name === name)
    await inventory.putPm({
      ...row,
      uuid,
      name: taken ? `${name} (${row.destination})` : name,
      cpuCount: look.cpuCount,
      memoryMib: look.totalMib,
    })
    return view.getPm(uuid)
  }

  async function countDisks(row: Pm, domains: readonly DomainSeen[]): Promise<void> {
    const running = domains.filter((domain) => domain.domid !== 0 && domain.state === 'running')
    await Promise.all(
      running.map(async ({ uuid, domid }) => {
        const counters = await hypervisor.diskCounters(host(row), domid).catch(() => [])
        if (counters.length > 0) sampler.disks(uuid, domid, counters, clock.now())
      }),
    )
  }

  /** Nobody can say what runs there; what was known stays, marked as unknown. */
  async function writeDown(row: Pm, problem: string): Promise<void> {
    const now = clock.now()
    const since = row.seen.reach === 'down' ? row.seen.since : now
    const vms = view.vmsOn(row.uuid).filter((vm) => vm.seen.state !== 'unknown')
    await inventory.recordSeen({
      pms: [{ uuid: row.uuid, seen: { ...row.seen, reach: 'down', since, problem } }],
      vms: vms.map((vm) => ({ uuid: vm.uuid, seen: { ...vm.seen, state: 'unknown' as const, since: now } })),
    })
  }

  const observer: Observer = {
    quick,
    saw,
    async look(pm, authoritative = false) {
      const row = view.getPm(pm)
      if (!row) return
      try {
        await lookAt(row, authoritative)
      } catch (error) {
        const latest = view.getPm(pm)
        if (latest) await writeDown(latest, toPengxError(error).message)
      }
    },
  }
  return observer
}
