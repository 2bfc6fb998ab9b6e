import type { Engine } from '../../../src/engine/engine.ts'
import type { AnyOperation } from '../../../src/engine/jobs/operation.ts'
import { decodeParams } from '../../../src/engine/jobs/params.ts'
import { CATALOG } from '../../../src/engine/operations/catalog.ts'
import type { Change, JobDetail, View } from '../../../src/engine/store/view.ts'
import { PengxError } from '../../../src/model/error.ts'
import type { VerifyReport } from '../../../src/model/finding.ts'
import { type By, isOver, type Job } from '../../../src/model/job.ts'
import type { Json } from '../../../src/model/json.ts'
import { type Noun, type Nouns, nounId, nounLists } from '../../../src/model/noun.ts'
import type { PerfSample } from '../../../src/model/perf.ts'
import type { StoreTrouble } from '../../../src/model/storeTrouble.ts'
import type { VmState } from '../../../src/model/vm.ts'

type Rows = { [N in Noun as `${N}s`]: readonly Nouns[N][] }

/**
 * An engine without machines: the real catalog decodes and refuses, and a job ends as the test says. For tests of
 * what stands in front of an engine.
 */
export interface FakeSite extends Rows {
  jobs: readonly Job[]
  samples: Readonly<Record<string, readonly PerfSample[]>>
  settings: Readonly<Record<string, string>>
  storeTrouble?: StoreTrouble | undefined
  /** What a comparison finds. */
  report: VerifyReport
}

export const CLEAN: VerifyReport = {
  at: 0,
  findings: [],
  codes: [],
  volumes: [],
  counts: { pms: 0, vms: 0, volumes: 0, images: 0 },
}

/** How a job of an operation ends; thrown: it was refused before it began, and there is no job. */
export type Ending = (params: Json, job: Job) => Promise<Partial<Job> & { result?: Json }>

export interface FakeEngine extends Engine {
  readonly site: Readonly<FakeSite>
  /** What was started, in order. */
  readonly started: readonly { readonly operation: string; readonly params: Json; readonly by: By }[]
  /** Changes the site and tells who listens. */
  set(part: Partial<FakeSite>, changes?: readonly Change[]): void
  /** Says how jobs of an operation end from now on. */
  onRun(operation: string, ending: Ending): void
  /** Says that an operation is refused as it is started: there is no job then. */
  onStart(operation: string, error: Error | undefined): void
}

const STATE_AFTER: Record<string, VmState> = {
  'vm.start': 'running',
  'vm.shutdown': 'shutdown',
  'vm.poweroff': 'shutdown',
  'vm.reboot': 'running',
  'vm.reset': 'running',
  'vm.suspend': 'paused',
  'vm.resume': 'running',
}

export function createFakeEngine(start: Partial<FakeSite> = {}, options: { now?: number; readOnly?: boolean } = {}) {
  const now = options.now ?? Date.UTC(2026, 10, 23, 9, 0, 0)
  const site: FakeSite = {
    pms: [],
    vms: [],
    storlinks: [],
    templates: [],
    backups: [],
    schedules: [],
    jobs: [],
    samples: {},
    settings: {},
    report: CLEAN,
    ...start,
  }
  const listeners = new Set<(changes: readonly Change[]) => void>()
  const started: { operation: string; params: Json; by: By }[] = []
  const endings = new Map<string, Ending>()
  const refusals = new Map<string, Error>()
  const results = new Map<string, Json>()
  let revision = 1

  function need<T>(found: T | undefined, what: string): T {
    if (found === undefined) throw new PengxError('notFound', `there is no ${what}`)
    return found
  }

  const list = <N extends Noun>(noun: N) => site[`${noun}s`] as unknown as readonly Nouns[N][]
  const view: View = {
    ...nounLists({
      list,
      find: (noun, id) => list(noun).find((one) => nounId(one) === id),
    }),
    get revision() {
      return revision
    },
    vmsOn: (pm) => site.vms.filter((vm) => vm.pm === pm),
    vmsNamed: (name) => site.vms.filter((vm) => vm.name === name),
    backupsOf: (vm) => site.backups.filter((backup) => backup.vm === vm),
    jobs: () => site.jobs,
    getJob: (id) => site.jobs.find((job) => job.id === id),
    needJob: (id) => need(view.getJob(id), `job ${id}`),
    jobOn: (kind, id) =>
      site.jobs.find((job) => !isOver(job.state) && job.subject.kind === kind && job.subject.id === id),
    rates: (subject) => site.samples[subject]?.at(-1),
    history: (subject) => site.samples[subject] ?? [],
    setting: (key) => site.settings[key],
    get storeTrouble() {
      return site.storeTrouble
    },
  }

  function tell(changes: readonly Change[]): void {
    revision += 1
    for (const listener of [...listeners]) listener(changes)
  }

  function putJob(job: Job): Job {
    const others = site.jobs.filter((other) => other.id !== job.id)
    site.jobs = [job, ...others]
    tell([{ kind: 'job', id: job.id }])
    return job
  }

  function needOperation(name: string): AnyOperation {
    return need(CATALOG.get(name), `operation ${name}`)
  }

  const running = new Map<string, Promise<void>>()

  async function run(operation: AnyOperation, params: Json, job: Job): Promise<void> {
    const state = STATE_AFTER[operation.name]
    const ending = await endings.get(operation.name)?.(params, job)
    const { result, ...end } = ending ?? {}
    if (view.getJob(job.id)?.state === 'cancelled') return
    if (result !== undefined) results.set(job.id, result)
    if (state !== undefined && (end.state ?? 'done') === 'done') {
      site.vms = site.vms.map((vm) => (vm.uuid === job.subject.id ? { ...vm, seen: { ...vm.seen, state } } : vm))
      tell([{ kind: 'vm', id: job.subject.id }])
    }
    putJob({ ...job, state: 'done', progress: 1, finishedAt: now + 1_000, ...end })
  }

  const engine: FakeEngine = {
    view,
    operations: CATALOG,
    readOnly: options.readOnly ?? false,
    recovery: { begun: Promise.resolve([]), over: Promise.resolve() },
    revival: () => ({ jobs: [], over: Promise.resolve() }),
    verify: async () => site.report,
    atWork: () => site.jobs.filter(({ state }) => state === 'running'),
    site,
    started,
    set(part, changes = []) {
      Object.assign(site, part)
      tell(changes)
    },
    onRun: (operation, ending) => void endings.set(operation, ending),
    onStart: (operation, error) => void (error ? refusals.set(operation, error) : refusals.delete(operation)),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    decode: (operation, raw) => decodeParams(needOperation(operation).params, raw),
    refuse: (operation, params) => needOperation(operation).refuse(params, view),
    async preview(name, params) {
      const { title, danger, subject } = needOperation(name)
      const steps = [{ name: title, shows: [], pivot: false, undoable: true }]
      const nothing = { frees: [], keeps: [], notices: [] }
      return { operation: name, title, danger, subject: subject(params, view), steps, ...nothing }
    },
    async start(name, given, by) {
      const operation = needOperation(name)
      if (engine.readOnly) throw new PengxError('readOnly', `${name} is refused: pengx was started read-only`)
      const refusal = refusals.get(name)
      if (refusal) throw refusal
      const params = operation.complete ? operation.complete(given) : given
      const reason = operation.refuse(params, view)
      const subject = operation.subject(params, view)
      if (reason !== undefined) throw new PengxError('refused', `cannot ${operation.title} ${subject.name}: ${reason}`)
      started.push({ operation: name, params, by })
      const number = site.jobs.length + 1
      const job = putJob({
        id: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
        number,
        operation: name,
        subject,
        state: 'running',
        by,
        progress: 0,
        step: operation.title,
        stepIndex: 0,
        stepCount: 1,
        createdAt: now,
        startedAt: now,
        message: '',
        acknowledged: false,
      })
      running.set(job.id, run(operation, params, job))
      return job
    },
    async finished(jobId) {
      await running.get(jobId)
      const result = results.get(jobId)
      return { job: view.needJob(jobId), ...(result === undefined ? {} : { result }) }
    },
    async cancel(jobId) {
      const job = view.needJob(jobId)
      if (isOver(job.state)) throw new PengxError('refused', `job ${job.number} is ${job.state} already`)
      putJob({ ...job, state: 'cancelled', code: 'cancelled', message: 'cancelled on request', finishedAt: now })
    },
    retry: async (jobId) => void putJob({ ...view.needJob(jobId), state: 'running' }),
    keep: async (jobId) => void putJob({ ...view.needJob(jobId), state: 'kept' }),
    acknowledge: async (jobId) => void putJob({ ...view.needJob(jobId), acknowledged: true }),
    jobDetail: async (): Promise<JobDetail> => ({ steps: [], events: [], commands: [], locks: [] }),
    look: async () => undefined,
    terminal: async () => {
      throw new PengxError('unsupported', 'a fake engine has no terminals')
    },
    onCommand: () => () => undefined,
    setHostKeyPrompt: () => undefined,
    close: async () => undefined,
  }
  return engine
}
