import type { Clock } from '../../lib/clock.ts'
import type { By } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import type { Level } from '../../model/storlink.ts'
import type { Host } from '../host/host.ts'
import type { ShownKey } from '../host/hosts.ts'
import type { DomainSeen, Hypervisor } from '../hypervisor/hypervisor.ts'
import type { Store } from '../store/store.ts'
import type { VolumeDriver } from '../volumes/volumeDriver.ts'
import type { AnyOperation, Context } from './operation.ts'

/** What the runner is given to work with: the rest of the engine, by shape. */
export interface Parts {
  readonly store: Store
  readonly operations: ReadonlyMap<string, AnyOperation>
  readonly hypervisor: Hypervisor
  readonly clock: Clock
  readonly readOnly: boolean
  /** A PM's host. With `record`, its commands are kept with that job. */
  host(pm: string, record?: JobRecord): Host
  hostAt(destination: string, record?: JobRecord): Host
  hostKey(destination: string): Promise<ShownKey>
  trustKey(destination: string, fingerprint: string): Promise<void>
  distrustKey(destination: string, fingerprint: string): Promise<void>
  volumes(level: Level): VolumeDriver
  /** `sure`: somebody asks about this moment, so what is missing is gone. */
  look(pm: string, sure?: boolean): Promise<readonly DomainSeen[]>
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
export interface Moving {
  readonly jobId: string
  readonly by: By
  readonly signal: AbortSignal
  readonly outputs: ReadonlyMap<string, Json | undefined>
  /** PMs looked at since the job's last change there. */
  readonly fresh: Set<string>
  /** Only looks: a preview, or a gather. */
  readonly lookOnly: boolean
  step: number
  progress(done: number, text?: string): void
  notice(text: string): void
}

export function makeContext(parts: Parts, moving: Moving): Context {
  const record = { jobId: moving.jobId, lookOnly: moving.lookOnly }
  return {
    jobId: moving.jobId,
    by: moving.by,
    view: parts.store.view,
    inventory: parts.store.inventory,
    hypervisor: parts.hypervisor,
    clock: parts.clock,
    signal: moving.signal,
    get tag() {
      return `${moving.jobId}.${moving.step}`
    },
    host: (pm) => onChange(parts.host(pm, record), () => moving.fresh.delete(pm)),
    hostAt: (destination) => parts.hostAt(destination, record),
    hostKey: parts.hostKey,
    trustKey: parts.trustKey,
    distrustKey: parts.distrustKey,
    volumes: parts.volumes,
    async look(pm) {
      const domains = await parts.look(pm)
      moving.fresh.add(pm)
      return domains
    },
    async saw(pm, domains) {
      await parts.saw(pm, domains)
      moving.fresh.add(pm)
    },
    progress: moving.progress,
    notice: moving.notice,
    output: (step) => moving.outputs.get(step),
  }
}

/** A host that tells when a command changes something there. */
function onChange(host: Host, changed: () => void): Host {
  return {
    name: host.name,
    connect: (path, signal) => host.connect(path, signal),
    close: () => host.close(),
    open(command, signal) {
      if (command.effect === 'change') changed()
      return host.open(command, signal)
    },
  }
}
