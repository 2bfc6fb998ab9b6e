import type { Clock } from '../../lib/clock.ts'
import { turns } from '../../lib/turns.ts'
import { autostartOf } from '../../model/autostart.ts'
import { saysOtherwise } from '../../model/described.ts'
import type { FoundConfig, IsoImage, Pm } from '../../model/pm.ts'
import type { Vm } from '../../model/vm.ts'
import type { Host } from '../host/host.ts'
import type { ConfigFile, DomainSeen } from '../hypervisor/domain.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { Store } from '../store/store.ts'
import { type GroupPlaces, ownGroup } from '../volumes/groupPlace.ts'
import { sizeQuestion } from '../volumes/sizes.ts'
import { type Asker, createAsker } from './askEach.ts'
import { createClaimKeeper } from './claims.ts'
import type { Closer } from './closer.ts'
import { isoQuestions, listIsos } from './files.ts'
import type { Sampler } from './perf.ts'
import { lookAtStorlinks } from './storlinks.ts'

/**
 * What of a PM changes slowly, or costs more, or may hang (file systems, guests' QEMUs) is looked at apart from its
 * domains, which never wait for it. Each kind goes its own way: what is still at work is not begun again, and what cannot
 * be looked at stays as it was.
 */
export interface Apart {
  /** What is due. `fresh`: VMs that were found just now. Begins it and waits for nothing. */
  begin(row: Pm, domains: readonly DomainSeen[], fresh: readonly Vm[]): void
  /** Undefined: they were not looked at yet. */
  readonly configs: readonly FoundConfig[] | undefined
  readonly isos: readonly IsoImage[] | undefined
  /** Resolves when nothing is at work that was begun until now. */
  settled(): Promise<void>
}

/** What a look writes beyond the store. */
export interface Writes {
  /** Claims on the storage follow what is seen. */
  readonly keepsClaims: boolean
  /** Storlinks that have no marker yet get it. */
  readonly marks: boolean
  /** Where volume groups are changed. */
  readonly groups: GroupPlaces
}

export const WRITES_NOTHING: Writes = { keepsClaims: false, marks: false, groups: ownGroup }

export interface ApartDeps extends Writes {
  readonly store: Pick<Store, 'view' | 'inventory'>
  readonly hypervisor: Hypervisor
  readonly clock: Clock
  readonly isoDirectories: readonly string[]
  readonly sampler: Sampler
  readonly closer: Pick<Closer, 'wrote'>
  host(row: Pm): Host
  /** Files were looked at: what is shown of them may be another. */
  onFiles(): Promise<void>
}

const FILES_EVERY = 30
const DISKS_EVERY = 5
const SPACES_EVERY_MS = 60_000

/** For one PM. */
export function createApart(parts: ApartDeps): Apart {
  const { hypervisor, clock, sampler, closer, host, marks, groups } = parts
  const { view, inventory } = parts.store
  const atWork = new Map<string, Promise<void>>()
  const claims = createClaimKeeper(view, clock, parts.groups)
  const askers = { isos: createAsker(clock), storlinks: createAsker(clock), sizes: createAsker(clock) }
  const isosIn = new Map<string, readonly IsoImage[]>()
  let looks = 0
  let pathsAsked: readonly string[] = []
  let spacesAt = Number.NEGATIVE_INFINITY
  let configs: readonly FoundConfig[] | undefined
  let isos: readonly IsoImage[] | undefined

  /** A failure is told by the look itself, or by the next one that finds the store. */
  function once(kind: string, work: () => Promise<void>): void {
    if (atWork.has(kind)) return
    const done = work()
      .catch(() => undefined)
      .finally(() => atWork.delete(kind))
    atWork.set(kind, done)
  }

  async function lookForConfigs(row: Pm): Promise<void> {
    const files = await hypervisor.configFiles(host(row))
    configs = files.map(({ path, links, name, uuid }) => ({
      path,
      links,
      name,
      ...(uuid === undefined ? {} : { uuid }),
    }))
    await parts.onFiles()
    await compareFiles(row, files)
  }

  /** What their owners have changed is shown; a job that has a VM in hand takes it in. */
  async function compareFiles({ uuid }: Pm, files: readonly ConfigFile[]): Promise<void> {
    const byPath = new Map(files.flatMap((file) => [file.path, ...file.links].map((path) => [path, file] as const)))
    const vms = []
    for (const vm of view.vmsOn(uuid)) {
      await turns.take()
      const file = byPath.get(vm.configPath ?? '')
      const now = view.getVm(vm.uuid)
      if (now?.origin !== 'adopted' || file === undefined || view.jobOn('vm', vm.uuid) !== undefined) continue
      const { fileSays: before, ...seen } = now.seen
      const fileSays = saysOtherwise(now, file.spec)
      if (fileSays !== before) vms.push({ uuid: vm.uuid, seen: fileSays === undefined ? seen : { ...seen, fileSays } })
    }
    if (vms.length > 0) await inventory.recordSeen({ vms })
  }

  async function lookForIsos(row: Pm, asker: Asker): Promise<void> {
    const links = view
      .storlinks()
      .filter((storlink) => storlink.level === 'FL' && (storlink.pm === row.uuid || storlink.shared))
      .map((storlink) => storlink.link)
    const questions = isoQuestions([...links, ...parts.isoDirectories])
    for (const [place, found] of await asker.ask(host(row), questions)) if (found) isosIn.set(place, found)
    const asked = new Set(questions.map(({ place }) => place))
    for (const place of isosIn.keys()) if (!asked.has(place)) isosIn.delete(place)
    isos = listIsos(isosIn.values())
    await parts.onFiles()
  }

  function configPaths({ uuid }: Pm): readonly string[] {
    return view.vmsOn(uuid).flatMap(({ configPath }) => configPath ?? [])
  }

  /** Of a VM that a job has in hand, that job says what it is. */
  async function lookAtAutostart(row: Pm, paths: readonly string[]): Promise<void> {
    const look = await hypervisor.autostart(host(row), paths)
    await turns.take()
    const vms = view.vmsOn(row.uuid).flatMap((vm) => {
      if (view.jobOn('vm', vm.uuid) !== undefined) return []
      const { autostart: before, ...seen } = vm.seen
      const now = autostartOf(look, vm)
      if (Bun.deepEquals(before, now)) return []
      return [{ uuid: vm.uuid, seen: now === undefined ? seen : { ...seen, autostart: now } }]
    })
    if (vms.length > 0) await inventory.recordSeen({ vms })
  }

  async function lookAtSizes(row: Pm, fresh: readonly Vm[], asker: Asker): Promise<void> {
    const unsized = fresh.flatMap((vm) => vm.disks.map((disk) => ({ vm: vm.uuid, disk }))).filter(isUnsized)
    const paths = new Set(unsized.map(({ disk }) => disk.path))
    const found = await asker.ask(
      host(row),
      [...paths].map((place) => ({ place, ...sizeQuestion(place) })),
    )
    const sizes = unsized.flatMap(({ vm, disk }) => {
      const sizeMib = found.get(disk.path)
      return sizeMib === undefined ? [] : [{ vm, disk: disk.uuid, sizeMib }]
    })
    await inventory.recordSeen({ sizes })
  }

  async function countDisks(row: Pm, domains: readonly DomainSeen[]): Promise<void> {
    const running = domains.filter((domain) => domain.domid !== 0 && domain.state === 'running')
    await Promise.all(
      running.map(async ({ uuid, domid }) => {
        await turns.take()
        const counters = await hypervisor.diskCounters(host(row), domid).catch(() => [])
        if (counters.length > 0) sampler.disks(uuid, domid, counters, clock.now())
        // A live snapshot moves what QEMU writes to, and libxl never hears of it.
        if (view.getVm(uuid)?.layer === undefined) return
        const images = await hypervisor.writtenImages(host(row), domid).catch(() => undefined)
        if (images) closer.wrote(domid, images)
      }),
    )
  }

  return {
    begin(row, domains, fresh) {
      const look = looks++
      if (look % FILES_EVERY === 0) {
        once('configs', () => lookForConfigs(row))
        once('isos', () => lookForIsos(row, askers.isos))
      }
      const paths = configPaths(row)
      const isAsked = paths.length === pathsAsked.length && paths.every((path, at) => path === pathsAsked[at])
      if (look % FILES_EVERY === 0 || !isAsked) {
        pathsAsked = paths
        once('autostart', () => lookAtAutostart(row, paths))
      }
      if (clock.now() - spacesAt >= SPACES_EVERY_MS) {
        spacesAt = clock.now()
        once('storlinks', () => lookAtStorlinks({ view, inventory, marks, groups, host }, row, askers.storlinks))
      }
      if (fresh.length > 0) once(`sizes ${look}`, () => lookAtSizes(row, fresh, askers.sizes))
      if (look % DISKS_EVERY === 1) once('disks', () => countDisks(row, domains))
      if (parts.keepsClaims && claims.isDue(row, domains)) once('claims', () => claims.keep(host(row), row, domains))
    },
    get configs() {
      return configs
    },
    get isos() {
      return isos
    },
    async settled() {
      await Promise.all([...atWork.values()])
    },
  }
}

function isUnsized({ disk }: { readonly disk: Vm['disks'][number] }): boolean {
  return disk.sizeMib === undefined
}
