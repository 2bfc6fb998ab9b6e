import type { Clock } from '../../lib/clock.ts'
import { PengxError } from '../../model/error.ts'
import type { By } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import type { Level } from '../../model/storlink.ts'
import type { Host, OnWait } from '../host/host.ts'
import type { ShownKey } from '../host/hosts.ts'
import type { DomainSeen } from '../hypervisor/domain.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { Store } from '../store/store.ts'
import type { GroupPlaces } from '../volumes/groupPlace.ts'
import type { VolumeDriver } from '../volumes/volumeDriver.ts'
import { countChanges, countWrites, type Effects } from './effects.ts'
import type { AnyOperation, Context } from './operation.ts'

/** What the runner is given to work with: the rest of the engine, by shape. */
export interface EngineDeps {
  readonly store: Store
  readonly operations: ReadonlyMap<string, AnyOperation>
  readonly hypervisor: Hypervisor
  readonly clock: Clock
  readonly readOnly: boolean
  /** A PM's host. With `record`, its commands are kept with that job. */
  host(pm: string, record?: JobRecord): Host
  /** A machine that is no PM yet, by its destination. */
  hostAt(destination: string, record?: JobRecord): Host
  /** The key that it shows now, without logging in. */
  hostKey(destination: string): Promise<ShownKey>
  /** Writes that key down in pengx's known_hosts; `refused` where the machine shows another. */
  trustKey(destination: string, fingerprint: string): Promise<void>
  /** Takes exactly that line out again; none there is done. */
  distrustKey(destination: string, fingerprint: string): Promise<void>
  /**
   * The driver of a level, which changes volume groups there, and writes nowhere where a storlink's marker is not;
   * `unsupported` where there is none.
   */
  volumes(level: Level, at: GroupPlaces): VolumeDriver
  /**
   * Where volume groups are changed. `beside`: the host of a PM, by its UUID, as a job has it that need not have locked it:
   * which one changes a group is found out by looking at that.
   */
  groupPlaces(beside: (pm: string) => Host): GroupPlaces
  /** `authoritative`: somebody asks about this moment, so what is missing is gone. `record`: the job that asks. */
  look(pm: string, authoritative?: boolean, record?: JobRecord): Promise<readonly DomainSeen[]>
  /** What a command brought along about a PM's domains goes into the store, as after a look. */
  saw(pm: string, domains: readonly DomainSeen[]): Promise<void>
  /** Ends commands of a job that outlived the process that had started them. */
  endLost(pm: string, jobId: string): Promise<void>
  /** Tests stand here: called around every step and every undo. */
  readonly intercept?: (moment: Moment) => Promise<void> | void
}

export interface JobRecord {
  readonly jobId: string
  readonly lookOnly: boolean
}

export interface Moment {
  readonly jobId: string
  readonly operation: string
  readonly step: number
  readonly name: string
  readonly phase: 'before' | 'after' | 'beforeUndo' | 'afterUndo'
  /** Does the step, or its undo, once more: what is repeatable must not mind. */
  again(): Promise<unknown>
}

/** What changes from step to step, beside what stays for the whole job. */
export interface StepState {
  readonly jobId: string
  readonly by: By
  readonly signal: AbortSignal
  /** The job was cut off, and taken up again. */
  readonly afterGap?: boolean
  /** PMs that the job has locked: it changes nothing on others. Absent where nothing is changed at all. */
  readonly pms?: ReadonlySet<string>
  /** What the step at work has changed. */
  readonly effects?: Effects
  readonly outputs: ReadonlyMap<string, Json | undefined>
  /** PMs looked at since the job's last change there. */
  readonly fresh: Set<string>
  /** Only looks: a preview, or a gather. */
  readonly lookOnly: boolean
  step: number
  /** 0 to 1 of the step at work, and what it says of itself. */
  progress(done: number, text?: string): void
  /** A line that is kept with the job for the person who asked. */
  notice(text: string): void
}

/**
 * What a step, a gather or a preview works with. Nothing is done yet; commands that it runs are kept with the job,
 * and a change on a PM makes what was looked at there stale.
 */
export function makeContext(deps: EngineDeps, stepState: StepState): Context {
  const record = { jobId: stepState.jobId, lookOnly: stepState.lookOnly }
  const wait = waitsOf(deps, stepState)
  const hostOf = (pm: string, onward: (pm: string) => void): Host => {
    const changed = () => {
      onward(pm)
      stepState.fresh.delete(pm)
    }
    return onChange(countChanges(deps.host(pm, record), stepState.effects), changed, wait)
  }
  const host = (pm: string) => hostOf(pm, (one) => needLocked(stepState, one))
  const at = deps.groupPlaces((pm) => hostOf(pm, () => undefined))
  return {
    jobId: stepState.jobId,
    by: stepState.by,
    view: deps.store.view,
    inventory: countWrites(deps.store.inventory, stepState.effects),
    hypervisor: deps.hypervisor,
    clock: deps.clock,
    signal: stepState.signal,
    afterGap: stepState.afterGap === true,
    get tag() {
      return `${stepState.jobId}.${stepState.step}`
    },
    host,
    hostAt: (destination) => countChanges(deps.hostAt(destination, record), stepState.effects),
    hostKey: deps.hostKey,
    trustKey: deps.trustKey,
    distrustKey: deps.distrustKey,
    volumes: (level) => deps.volumes(level, at),
    groupAt: (pm, group) => at(host(pm), group),
    async look(pm) {
      const domains = await deps.look(pm, false, record)
      stepState.fresh.add(pm)
      return domains
    },
    async saw(pm, domains) {
      await deps.saw(pm, domains)
      stepState.fresh.add(pm)
    },
    progress: stepState.progress,
    notice: stepState.notice,
    jobFacts: (operations) => deps.store.jobs.factsOf(operations),
    output: (step) => stepState.outputs.get(step),
  }
}

/** Commands that a crash leaves behind are looked for on the PMs that were locked. */
function needLocked({ jobId, pms }: StepState, pm: string): void {
  if (pms && !pms.has(pm)) throw new PengxError('internal', `job ${jobId} works on PM ${pm}, which it has not locked`)
}

/** A host that tells when something is changed there, and what is waited for. */
function onChange(host: Host, changed: () => void, wait: () => OnWait): Host {
  return {
    name: host.name,
    close: () => host.close(),
    connect(path, effect, signal) {
      if (effect === 'change') changed()
      return host.connect(path, effect, signal)
    },
    open(command, signal) {
      if (command.effect === 'change') changed()
      return host.open(command, signal, wait())
    },
  }
}

/**
 * Says in the step's own words what its commands wait for, and takes that away again where nothing else was said meanwhile;
 * of several that wait what the first waits for. Each command gets a teller of its own.
 */
function waitsOf({ store }: EngineDeps, { jobId, lookOnly }: StepState): () => OnWait {
  const waits = new Map<OnWait, string>()
  let said = { before: '', text: '' }
  const show = () => {
    const now = store.view.getJob(jobId)?.step ?? ''
    const before = now === said.text ? said.before : now
    const [why] = waits.values()
    said = { before, text: why === undefined ? before : `${before}: ${why}` }
    if (said.text !== now) store.jobs.progress(jobId, { step: said.text })
  }
  return () => {
    const tell: OnWait = (why) => {
      if (why === undefined) waits.delete(tell)
      else waits.set(tell, why)
      if (!lookOnly) show()
    }
    return tell
  }
}
