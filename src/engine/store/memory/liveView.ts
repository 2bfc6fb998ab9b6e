import { isOver, type Job, type Subject } from '../../../model/job.ts'
import { nounLists, unknown } from '../../../model/noun.ts'
import type { PerfSample } from '../../../model/perf.ts'
import type { StoreTrouble } from '../../../model/storeTrouble.ts'
import { JOBS_HELD } from '../rows/job.ts'
import type { HeldJob, Kind, Kinds } from '../rows/kind.ts'
import { ROW_KINDS } from '../rows/kinds.ts'
import type { Change, View } from '../view.ts'
import type { Memory } from './memory.ts'
import { createNotices } from './notices.ts'
import { createSortedRows, type RowOrder, type SortedRows } from './sortedRows.ts'

/** The view with what keeps it alive. */
export interface LiveView extends View {
  /** Brings in what other processes have written; costs microseconds where there is nothing. */
  refresh(): Promise<void>
  /** Called with what changed, at most once a tick; returns how to stop it. */
  onChange(listener: (changes: readonly Change[]) => void): () => void
}

export interface Samples {
  rates(subject: string): PerfSample | undefined
  history(subject: string): readonly PerfSample[]
}

type Tables = { readonly [K in Kind]: SortedRows<Kinds[K]> }

/** The view, and the memory behind it through which the store keeps it up to date. */
export function createLiveView(
  samples: () => Samples,
  refresh: () => Promise<void>,
  storeTrouble: () => StoreTrouble | undefined,
): { readonly view: LiveView; readonly memory: Memory } {
  const notices = createNotices()
  const tables = Object.fromEntries(
    Object.entries(ROW_KINDS).map(([kind, rows]) => [kind, createSortedRows(rows as RowOrder<unknown>)]),
  ) as unknown as Tables
  const jobs = createJobList(tables.job)

  const view: LiveView = {
    ...nounLists({ list: (noun) => tables[noun].list(), find: (noun, id) => tables[noun].get(id) }),
    get revision() {
      return notices.revision
    },
    vmsOn: tables.vm.groupedBy((vm) => vm.pm),
    vmsNamed: tables.vm.groupedBy((vm) => vm.name),
    backupsOf: tables.backup.groupedBy((backup) => backup.vm),
    jobs: jobs.list,
    getJob: (id) => tables.job.get(id)?.job,
    needJob: (id) => tables.job.get(id)?.job ?? unknown('job', id),
    jobOn: jobs.on,
    rates: (subject) => samples().rates(subject),
    history: (subject) => samples().history(subject),
    setting: (key) => tables.setting.get(key)?.value,
    get storeTrouble() {
      return storeTrouble()
    },
    refresh,
    onChange: notices.onChange,
  }

  const memory: Memory = {
    put(kind, value, rev) {
      const rows = tables[kind] as SortedRows<typeof value>
      rows.put(value, rev)
      if (kind === 'job') jobs.shed()
      notices.add(kind, ROW_KINDS[kind].idOf(value))
    },
    drop(kind, id, rev) {
      const held = tables[kind].revOf(id)
      if (held === 0 || held > rev) return
      tables[kind].drop(id)
      notices.add(kind, id)
    },
    get: (kind, id) => tables[kind].get(id),
    revOf: (kind, id) => tables[kind].revOf(id),
    ids: (kind) => [...tables[kind].ids()],
    noticePerf: (subject) => notices.add('perf', subject),
    noticeStore: () => notices.add('store', 'store'),
  }
  return { view, memory }
}

/** Jobs as the view shows them, which is without what only the store needs of them. */
function createJobList(rows: SortedRows<HeldJob>) {
  let shown: { from: readonly HeldJob[]; jobs: readonly Job[]; onSubject: Map<string, Job> } | undefined

  function show() {
    const from = rows.list()
    if (shown?.from !== from) {
      const jobs = from.map((held) => held.job)
      const onSubject = new Map<string, Job>()
      // Newest first, so the first one on a subject is its latest.
      for (const job of jobs) {
        const key = subjectKey(job.subject.kind, job.subject.id)
        if (!isOver(job.state) && !onSubject.has(key)) onSubject.set(key, job)
      }
      shown = { from, jobs, onSubject }
    }
    return shown
  }

  return {
    list: () => show().jobs,
    on: (kind: Subject['kind'], id: string) => show().onSubject.get(subjectKey(kind, id)),
    /** Lets go of the oldest that are over, some at a time, so that it is not done for every job. */
    shed() {
      if (rows.size <= JOBS_HELD * 1.1) return
      const over = rows.list().filter((held) => isOver(held.job.state))
      for (const held of over.slice(Math.max(0, JOBS_HELD - (rows.size - over.length)))) rows.drop(held.job.id)
    },
  }
}

function subjectKey(kind: Subject['kind'], id: string): string {
  return `${kind}:${id}`
}
