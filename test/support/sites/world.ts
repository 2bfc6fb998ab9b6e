import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { createEngine, type Engine, type EngineConfig } from '../../../src/engine/engine.ts'
import type { Json } from '../../../src/model/json.ts'
import type { Vm } from '../../../src/model/vm.ts'
import type { SiteState } from '../../../src/sim/machine/state.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { createSkippingClock } from '../skippingClock.ts'

/** An engine on a small simulated site: what tests of operations act on, and how they see what became of it. */
export interface World {
  readonly engine: Engine
  readonly site: ReturnType<typeof createSimSite>
  close(): Promise<void>
}

export interface WorldPlace {
  /** Both in files, so that another process can go on where this one was killed. */
  readonly db: string
  readonly state: string
  /** Nobody goes on there: the site's state need not be written down. */
  readonly forgets?: true
}

export async function openWorld(more: Partial<EngineConfig> = {}, place?: WorldPlace): Promise<World> {
  const clock = createSkippingClock(place && lastDueIn(place.state))
  const site = createSimSite({
    clock,
    vmCount: 8,
    pmCount: 3,
    seed: 7,
    pace: 0.2,
    ...(place ? { statePath: place.state, forgets: place.forgets ?? false } : {}),
  })
  const engine = await createEngine({
    clock,
    store: place ? { path: place.db } : 'memory',
    destinations: [],
    local: false,
    readOnly: false,
    knownHostsPath: '/nonexistent/known_hosts',
    watch: 'once',
    recovers: true,
    // The third machine is there, and nobody knows it yet.
    sim: { host: site.host, pmNames: site.pmNames.slice(0, 2) },
    ...more,
  })
  return {
    engine,
    site,
    async close() {
      await engine.close()
      site.close()
    },
  }
}

/** Of one that is closed, or, by the process that has it open, of one at work: what has not gone into the store's file lies beside it. */
export function copyWorld(from: WorldPlace, to: WorldPlace): void {
  copyFileSync(from.db, to.db)
  if (existsSync(`${from.db}-wal`)) copyFileSync(`${from.db}-wal`, `${to.db}-wal`)
  copyFileSync(from.state, to.state)
}

/** The clock of a process that was killed was ahead: what was about to happen on its site has happened when another looks. */
export function lastDueIn(path: string): number {
  if (!existsSync(path)) return 0
  const { pms } = JSON.parse(readFileSync(path, 'utf8')) as SiteState
  return Math.max(0, ...pms.flatMap(({ dues }) => dues.map(({ at }) => Math.ceil(at))))
}

/** What a person would call the state of the site: rows, domains and files, without times and counters. */
export async function pictureOf({ engine, site }: World): Promise<Json> {
  await engine.look()
  const { view } = engine
  const rows = view.vms().map((vm) => rowOf(vm))
  const pms = view.pms().map(({ uuid, name, destination, readOnly }) => ({ uuid, name, destination, readOnly }))
  const storlinks = view
    .storlinks()
    // What a storage is marked with is picked by chance; that it is marked counts.
    .map(({ createdAt: _made, sizeMib: _size, freeMib: _free, problems: _seen, uuid, ...rest }) => ({
      ...rest,
      marked: uuid !== undefined,
    }))
  const templates = view.templates()
  const [backups, schedules] = [view.backups(), view.schedules()]
  const machines = site.pmNames.map((name) => {
    // A directory that was made on the way may stay: it is empty, and the next one needs it.
    const files = Object.entries(site.filesOn(name)).filter(([, what]) => !what.startsWith('directory'))
    const plain = files.map(([path, what]) => [path, plainOf(path, what)])
    return { name, domains: site.domainsOn(name), files: Object.fromEntries(plain) }
  })
  return JSON.parse(JSON.stringify({ rows, pms, storlinks, templates, backups, schedules, machines })) as Json
}

/** Of a file what two pictures of one site have in common. */
function plainOf(path: string, what: string): string {
  if (path.endsWith('/.pengx-storlink')) return 'a marker'
  return path.endsWith('.claim') ? withoutTime(what) : what
}

/** When a claim was put, and the number that its domain has by now. */
function withoutTime(claim: string): string {
  return claim.replace(/"at":"[^"]*"/, '"at":…').replace(/"domid":\d+/, '"domid":…')
}

function rowOf(vm: Vm): Json {
  const { seen, bootedAt: _bootedAt, createdAt: _createdAt, ...rest } = vm
  const state = seen.state === 'starting' ? 'running' : seen.state
  // A domain that was found again is the same one with new numbers of ours.
  const nics = vm.nics.map(({ id, ...nic }) => (vm.origin === 'found' ? nic : { id, ...nic }))
  return { ...rest, nics, state, disks: vm.disks.map(({ createdAt: _made, ...disk }) => disk) } as unknown as Json
}
