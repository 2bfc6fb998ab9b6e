import { type Clock, systemClock } from '../lib/clock.ts'
import { newUuid } from '../lib/ids.ts'
import { PengxError } from '../model/error.ts'
import type { VerifyReport } from '../model/finding.ts'
import type { By, Job } from '../model/job.ts'
import type { Json } from '../model/json.ts'
import type { Pm } from '../model/pm.ts'
import { isProvisional } from '../model/provisional.ts'
import { furnishDemo } from './demo.ts'
import { createFollower } from './follower.ts'
import { groupPlaces } from './groupPlaces.ts'
import type { Host } from './host/host.ts'
import { createHosts } from './host/hosts.ts'
import { configFiles } from './hypervisor/configs.ts'
import { create } from './hypervisor/create.ts'
import type { Hypervisor } from './hypervisor/hypervisor.ts'
import { xen } from './hypervisor/xen.ts'
import { jobDeps } from './jobDeps.ts'
import type { EngineDeps } from './jobs/context.ts'
import type { AnyOperation, Preview } from './jobs/operation.ts'
import { decodeParams } from './jobs/params.ts'
import { previewOf } from './jobs/preview.ts'
import { refusalOf } from './jobs/refusal.ts'
import { createReviver, type Revival } from './jobs/revive.ts'
import { createRunner } from './jobs/runner.ts'
import { CATALOG } from './operations/catalog.ts'
import { knowPms, watchRemovals } from './roster.ts'
import { createScheduler } from './schedules.ts'
import { openStore } from './store/store.ts'
import { forSightings, unlessUnwritten } from './store/unwritten.ts'
import type { Change, JobDetail, View } from './store/view.ts'
import { type TerminalSession, type TerminalTarget, terminalTo } from './terminal.ts'
import type { Lockspace } from './tools/sanlock.ts'
import { verifySite } from './verify/verify.ts'
import { isOverWithin } from './watch/askEach.ts'
import { createBeat } from './watch/beat.ts'
import { createObserver } from './watch/observe.ts'
import { createWorkList, type Recovery } from './workList.ts'

/** What screens, server and command line hold: the one door to everything that can be seen and done. */
export interface Engine {
  readonly view: View
  /** Every operation, by name, in the order of menus. */
  readonly operations: ReadonlyMap<string, AnyOperation>
  readonly readOnly: boolean
  /** Called with what changed, at most once a tick; returns how to stop it. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void
  /** Decodes raw values (strings from a form, flags, XML) by the operation's schema; fails with `invalid` naming the field. */
  decode(operation: string, raw: Readonly<Record<string, unknown>>): Json
  /** Why this cannot be done now, or undefined; no I/O. Includes a job already at work on the subject. */
  refuse(operation: string, params: Json): string | undefined
  /** The plan as it would be now: looks, changes nothing. */
  preview(operation: string, params: Json): Promise<Preview>
  /** Takes the job on and resolves when it is journalled; fails where it is refused at once (then there is no job). */
  start(operation: string, params: Json, by: By): Promise<Job>
  /** Waits until a job is over or stuck; resolves with it whatever its end. */
  finished(jobId: string): Promise<{ readonly job: Job; readonly result?: Json }>
  /** Undoes a job that has not passed its pivot; fails with `refused` for one that has. */
  cancel(jobId: string): Promise<void>
  /** The two ways out of `stuck`. */
  retry(jobId: string): Promise<void>
  keep(jobId: string): Promise<void>
  acknowledge(jobId: string): Promise<void>
  jobDetail(jobId: string): Promise<JobDetail>
  /** What processes that ended had left at work; nothing where this one does not recover. */
  readonly recovery: Recovery
  /** What it goes on with because a PM that was away answers again; to be asked after a look. */
  revival(): Revival
  /** The jobs that this process works on now, by number: what it leaves if it ends. */
  atWork(): readonly Job[]
  /** Looks now, at one PM or at all, and resolves when the view has it: a VM without a domain at this moment is shut down. */
  look(pm?: string): Promise<void>
  /**
   * Looks at all PMs and compares the whole site: store, headers, configurations, Xen. Changes nothing. `deep`: images that
   * no guest can have open are read whole.
   */
  verify(options?: { readonly deep?: boolean; readonly signal?: AbortSignal }): Promise<VerifyReport>
  /** A terminal's way to a guest's console or a PM's shell: the host and the command to open with a pty. */
  terminal(what: TerminalTarget): Promise<TerminalSession>
  /** Commands as they are run anywhere, for the last line of the screen and the Log. */
  onCommand(listener: (record: { host: string; line: string; tookMs?: number; exit?: number }) => void): () => void
  /** Asks a person about an unknown host key; where nobody is set, an unknown key is refused. */
  setHostKeyPrompt(ask: ((question: HostKeyQuestion) => Promise<boolean>) | undefined): void
  close(): Promise<void>
}

export interface HostKeyQuestion {
  readonly pm: string
  readonly address: string
  readonly keyType: string
  /** `SHA256:…`, as ssh-keygen -l prints it. */
  readonly fingerprint: string
}

/** What an engine is made of. */
export interface EngineConfig {
  /** The store's file, or `memory` for a site that is forgotten at the end. */
  readonly store: { readonly path: string } | 'memory'
  /** A simulated site in place of real machines. */
  readonly sim?: { host(name: string): Host; readonly pmNames: readonly string[] }
  /** The simulated site is made to look lived in; `behind`: as soon as somebody listens, and not before. */
  readonly demo?: { readonly behind: boolean }
  /** PMs named on the command line: `[user@]host[:port]`; added to those known. */
  readonly destinations: readonly string[]
  /** This machine is a Xen host: it is a PM too. */
  readonly local: boolean
  readonly readOnly: boolean
  /**
   * Takes over what dead processes have left at work, and goes on with what is stuck when the PM that was away is back.
   * Who only reads does neither, and neither does who is read-only.
   */
  readonly recovers: boolean
  /** The PM, by name or UUID, that is meant where none is named and this machine is none. */
  readonly self?: string
  readonly knownHostsPath: string
  /** An ssh_config(5) in place of the user's own. */
  readonly sshConfigPath?: string
  /** How often PMs are looked at: on a beat, once at the start, or never. */
  readonly watch: 'beat' | 'once' | 'never'
  readonly clock?: Clock
  /** Where CD images lie on PMs, beside the usual places and storlinks. */
  readonly isoDirectories?: readonly string[]
  /** Where configurations lie on PMs, beside the usual places: patterns with `*` and `?`. */
  readonly configPatterns?: readonly string[]
  /** Domains are built under leases in this lockspace of sanlock's, and nowhere without. */
  readonly lockspace?: Lockspace
  /** Tests stand here: called around every step and every undo of a job. */
  readonly intercept?: EngineDeps['intercept']
}

/** What is looked at apart from domains is waited for so long by who looks once: a file system may hang. */
const APART_MS = 2_000

/** Opens the store, reaches for the PMs, takes over what dead processes have left, and watches. */
export async function createEngine(config: EngineConfig): Promise<Engine> {
  const clock = config.clock ?? systemClock
  const store = await openStore({ at: config.store, clock })
  const { view } = store
  const { sim } = config
  const commandListeners = new Set<Parameters<Engine['onCommand']>[0]>()
  let askHostKey: ((question: HostKeyQuestion) => Promise<boolean>) | undefined
  const hosts = createHosts({
    ...(sim ? { sim: (name: string) => sim.host(name) } : {}),
    knownHostsPath: config.knownHostsPath,
    ...(config.sshConfigPath === undefined ? {} : { sshConfigPath: config.sshConfigPath }),
    askHostKey: async (question) => await askHostKey?.(question),
    readOnly: (name) => config.readOnly || view.pms().some((pm) => pm.name === name && pm.readOnly),
    onCommand: (record) => {
      for (const listener of commandListeners) listener(record)
    },
  })
  const hostOf = (pm: Pm) => hosts.get(pm.name, pm.destination)
  const { isoDirectories = [], configPatterns = [], lockspace } = config
  const hypervisor: Hypervisor = {
    ...xen,
    configFiles: (host, signal) => configFiles(host, signal, configPatterns),
    ...(lockspace && { lockspace, create: (host, what, tag, signal) => create(host, what, tag, signal, lockspace) }),
  }
  const seeing = { ...store, inventory: forSightings(store.inventory) }
  const recovers = config.recovers && !config.readOnly
  // Who looks for longer than a moment, and may change something.
  const keepsClaims = recovers && config.watch === 'beat'
  const parts = { store: seeing, hypervisor, clock, host: hostOf, isoDirectories }
  const groups = groupPlaces(store.view, (pm) => hostOf(store.view.needPm(pm)))
  const observer = createObserver({ ...parts, writes: { keepsClaims, marks: recovers, groups } })
  const beat = createBeat(view, observer, clock)
  const deps = jobDeps({ store, hypervisor, hosts, hostOf, observer, clock, config })
  const runner = createRunner(deps)
  const work = createWorkList(store, CATALOG, runner, beat.nudge)
  await knowPms(store, config, sim?.pmNames ?? [], clock)
  if (config.self !== undefined && view.setting('self') !== config.self)
    await unlessUnwritten(store.inventory.putSetting('self', config.self))
  if (!config.readOnly && view.setting('storeId') === undefined)
    await unlessUnwritten(store.inventory.putSetting('storeId', newUuid()))
  const recovery = recovers ? work.recover() : { begun: Promise.resolve([]), over: Promise.resolve() }
  const reviver = createReviver({ view, jobs: store.jobs, clock, runner, onRetry: work.follow })
  const scheduler = createScheduler({
    store,
    clock,
    async run(operation, params) {
      const { id } = await start(operation, decodeParams(need(operation).params, params), 'schedule')
      return (await runner.finished(id)).job
    },
  })
  const follow = createFollower(view, config.store !== 'memory')
  const unwatch = view.onChange((changes) => {
    beat.sync()
    if (recovers && changes.some((change) => change.kind === 'pm')) reviver.looked()
  })
  const unwatchRemovals = watchRemovals(view, ({ uuid, destination }) => {
    observer.forget(uuid)
    if (destination !== undefined) void hosts.forget(destination).catch(() => undefined)
  })
  const leaving = new AbortController()
  const begin = async () => {
    if (config.demo && sim) {
      const machine = (pm: Pm) => sim.host(pm.name)
      await furnishDemo({ store, observer, hypervisor, host: hostOf, machine }, leaving.signal)
    }
    if (config.watch !== 'beat') return
    beat.start()
    if (!config.readOnly) scheduler.start()
  }
  let isBehind = config.demo?.behind === true
  if (!isBehind) await begin()
  // A machine that was never reached has no identity yet, and nothing can be written down for it; who only reads waits not.
  if (config.watch === 'never' && !config.readOnly)
    await Promise.all(
      view
        .pms()
        .filter(isProvisional)
        .map((pm) => observer.look(pm.uuid)),
    )
  // Who looks only once would leave again before what dead processes have left is finished or unwound.
  if (config.watch === 'once') {
    await recovery.over
    await lookAtAll(false)
    if (recovers) await reviver.atWork().over
  }
  // What lies beside what was adopted is told by the next look.
  if (config.demo && config.watch === 'never') await lookAtAll(false)
  const late = config.watch === 'beat' ? setTimeout(() => void store.perf.load().catch(() => undefined), 50) : undefined

  async function lookAtAll(authoritative: boolean): Promise<void> {
    await Promise.all(view.pms().map((pm) => observer.look(pm.uuid, authoritative)))
    await isOverWithin(observer.settled(), APART_MS, clock)
  }

  async function lookAt(pm: string): Promise<void> {
    await observer.look(pm, true)
    await isOverWithin(observer.settled(pm), APART_MS, clock)
  }

  async function start(name: string, params: Json, by: By): Promise<Job> {
    // What was taken over has its locks again, and whoever needs one of them waits in the queue.
    await recovery.begun
    const job = await runner.start(need(name), params, by)
    work.follow(job.id)
    return job
  }

  function need(name: string): AnyOperation {
    const operation = CATALOG.get(name)
    if (operation) return operation
    throw new PengxError('notFound', `there is no operation "${name}"; there are ${[...CATALOG.keys()].join(', ')}`)
  }

  return {
    view,
    operations: CATALOG,
    readOnly: config.readOnly,
    subscribe: (listener) => {
      // What there is already is drawn first.
      if (isBehind) setImmediate(() => void begin().catch((error) => leaving.signal.aborted || Promise.reject(error)))
      isBehind = false
      return follow(listener)
    },
    decode: (name, raw) => decodeParams(need(name).params, raw),
    refuse: (name, params) => refusalOf(need(name), params, view, config.readOnly),
    preview: (name, params) => previewOf(deps, need(name), params),
    start,
    finished: (jobId) => runner.finished(jobId),
    cancel: (jobId) => runner.cancel(jobId),
    async retry(jobId) {
      await runner.retry(jobId)
      work.follow(jobId)
    },
    keep: (jobId) => runner.keep(jobId),
    acknowledge: async (jobId) => void (await store.jobs.update(jobId, { acknowledged: true })),
    jobDetail: (jobId) => store.jobs.detail(jobId),
    recovery,
    revival: () => (recovers ? reviver.atWork() : { jobs: [], over: Promise.resolve() }),
    atWork: work.atWork,
    look: (pm) => (pm === undefined ? lookAtAll(true) : lookAt(pm)),
    async verify(options) {
      await lookAtAll(true)
      const host = (pm: string) => hostOf(view.needPm(pm))
      return await verifySite({ view, jobs: store.jobs, hypervisor, host }, clock.now(), options)
    },
    terminal: async (what) => terminalTo(what, view, hypervisor, hostOf),
    onCommand(listener) {
      commandListeners.add(listener)
      return () => commandListeners.delete(listener)
    },
    setHostKeyPrompt(ask) {
      askHostKey = ask
    },
    async close() {
      clearTimeout(late)
      leaving.abort()
      unwatch()
      unwatchRemovals()
      beat.stop()
      scheduler.stop()
      runner.close()
      await hosts.closeAll()
      await store.close()
    },
  }
}
