import type { Backup, Schedule } from '../../../model/backup.ts'
import { PengxError } from '../../../model/error.ts'
import { isOver, type Job, type Subject } from '../../../model/job.ts'
import type { PerfSample } from '../../../model/perf.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Storlink } from '../../../model/storlink.ts'
import type { Template } from '../../../model/template.ts'
import type { Vm } from '../../../model/vm.ts'
import type { TombstoneRow } from '../sqlite/schema.ts'
import type { Change, View } from '../view.ts'
import { createGroups } from './groups.ts'
import { createNotices } from './notices.ts'
import { byName, createSortedRows } from './sortedRows.ts'

/** The view with what keeps it alive. */
export interface LiveView extends View {
  /** Brings in what other processes have written; costs microseconds where there is nothing. */
  refresh(): Promise<void>
  /** Called with what changed, at most once a tick; returns how to stop it. */
  onChange(listener: (changes: readonly Change[]) => void): () => void
}

/** What the store's own files put into the view; `rev` is the revision in which it was written. */
export interface Memory {
  putPm(pm: Pm, rev: number): void
  putVm(vm: Vm, rev: number): void
  putStorlink(storlink: Storlink, rev: number): void
  putTemplate(template: Template, rev: number): void
  putBackup(backup: Backup, rev: number): void
  putSchedule(schedule: Schedule, rev: number): void
  putJob(held: HeldJob, rev: number): void
  putSetting(key: string, value: string, rev: number): void
  /** Not if what is here is newer than that revision. */
  drop(kind: TombstoneRow['kind'], id: string, rev: number): void
  revOf(kind: Change['kind'], id: string): number
  ids(kind: TombstoneRow['kind']): readonly string[]
  heldJob(id: string): HeldJob | undefined
  noticePerf(subject: string): void
}

/** A job and what only the store and the runner need of it. */
export interface HeldJob {
  readonly job: Job
  readonly owner: string | undefined
  readonly cancelRequested: boolean
}

/** Jobs in memory: as many over ones as anybody scrolls through, and all that are not over. */
export const JOBS_HELD = 1_000

export interface Samples {
  rates(subject: string): PerfSample | undefined
  history(subject: string): readonly PerfSample[]
}

export function createLiveView(
  samples: () => Samples,
  refresh: () => Promise<void>,
): { readonly view: LiveView; readonly memory: Memory } {
  const notices = createNotices()
  const pms = createSortedRows<string, Pm>(
    byName((pm) => pm.uuid),
    (pm) => pm.uuid,
  )
  const compareVms = byName<Vm>((vm) => vm.uuid)
  const vms = createSortedRows<string, Vm>(compareVms, (vm) => vm.uuid)
  const vmsByPm = createGroups<Vm>(
    (vm) => vm.pm,
    (vm) => vm.uuid,
    compareVms,
  )
  const vmsByName = createGroups<Vm>(
    (vm) => vm.name,
    (vm) => vm.uuid,
    compareVms,
  )
  const storlinks = createSortedRows<number, Storlink>(
    byName((storlink) => storlink.id),
    (storlink) => storlink.id,
  )
  const templates = createSortedRows<string, Template>(
    byName((template) => template.uuid),
    (template) => template.uuid,
  )
  const backups = createSortedRows<string, Backup>(newestFirst, (backup) => backup.uuid)
  const backupsByVm = createGroups<Backup>(
    (backup) => backup.vm,
    (backup) => backup.uuid,
    newestFirst,
  )
  const schedules = createSortedRows<string, Schedule>(byVmName, (schedule) => schedule.uuid)
  const jobs = createSortedRows<string, HeldJob>(
    (a, b) => b.job.number - a.job.number,
    (held) => held.job.id,
  )
  const settings = new Map<string, { value: string; rev: number }>()
  let jobList: { from: readonly HeldJob[]; jobs: readonly Job[]; onSubject: Map<string, Job> } | undefined

  function listJobs() {
    const from = jobs.list()
    if (jobList?.from !== from) {
      const list = from.map((held) => held.job)
      const onSubject = new Map<string, Job>()
      // Newest first, so the first one on a subject is its latest.
      for (const job of list) {
        const key = subjectKey(job.subject.kind, job.subject.id)
        if (!isOver(job.state) && !onSubject.has(key)) onSubject.set(key, job)
      }
      jobList = { from, jobs: list, onSubject }
    }
    return jobList
  }

  /** Lets go of the oldest that are over, some at a time, so that it is not done for every job. */
  function shedJobs(): void {
    if (jobs.size <= JOBS_HELD * 1.1) return
    const over = jobs.list().filter((held) => isOver(held.job.state))
    for (const held of over.slice(Math.max(0, JOBS_HELD - (jobs.size - over.length)))) jobs.drop(held.job.id)
  }

  const view: LiveView = {
    get revision() {
      return notices.revision
    },
    pms: pms.list,
    getPm: pms.get,
    needPm: (uuid) => pms.get(uuid) ?? missing('PM', uuid),
    vms: vms.list,
    vmsOn: vmsByPm.of,
    getVm: vms.get,
    needVm: (uuid) => vms.get(uuid) ?? missing('VM', uuid),
    vmsNamed: vmsByName.of,
    storlinks: storlinks.list,
    getStorlink: storlinks.get,
    needStorlink: (id) => storlinks.get(id) ?? missing('storlink', id),
    templates: templates.list,
    getTemplate: templates.get,
    needTemplate: (uuid) => templates.get(uuid) ?? missing('template', uuid),
    backups: backups.list,
    backupsOf: backupsByVm.of,
    getBackup: backups.get,
    needBackup: (uuid) => backups.get(uuid) ?? missing('backup', uuid),
    schedules: schedules.list,
    getSchedule: schedules.get,
    needSchedule: (uuid) => schedules.get(uuid) ?? missing('schedule', uuid),
    jobs: () => listJobs().jobs,
    getJob: (id) => jobs.get(id)?.job,
    needJob: (id) => jobs.get(id)?.job ?? missing('job', id),
    jobOn: (kind, id) => listJobs().onSubject.get(subjectKey(kind, id)),
    rates: (subject) => samples().rates(subject),
    history: (subject) => samples().history(subject),
    setting: (key) => settings.get(key)?.value,
    refresh,
    onChange: notices.onChange,
  }

  function replaceVm(uuid: string, now: Vm | undefined, rev: number): void {
    const before = now ? vms.get(uuid) : vms.drop(uuid)
    if (now) vms.put(uuid, now, rev)
    vmsByPm.replace(before, now)
    vmsByName.replace(before, now)
  }

  function replaceBackup(uuid: string, now: Backup | undefined, rev: number): void {
    const before = now ? backups.get(uuid) : backups.drop(uuid)
    if (now) backups.put(uuid, now, rev)
    backupsByVm.replace(before, now)
  }

  const tables = {
    pm: pms,
    vm: vms,
    storlink: storlinks,
    template: templates,
    backup: backups,
    schedule: schedules,
    job: jobs,
  }
  const memory: Memory = {
    putPm(pm, rev) {
      pms.put(pm.uuid, pm, rev)
      notices.add('pm', pm.uuid)
    },
    putVm(vm, rev) {
      replaceVm(vm.uuid, vm, rev)
      notices.add('vm', vm.uuid)
    },
    putStorlink(storlink, rev) {
      storlinks.put(storlink.id, storlink, rev)
      notices.add('storlink', String(storlink.id))
    },
    putTemplate(template, rev) {
      templates.put(template.uuid, template, rev)
      notices.add('template', template.uuid)
    },
    putBackup(backup, rev) {
      replaceBackup(backup.uuid, backup, rev)
      notices.add('backup', backup.uuid)
    },
    putSchedule(schedule, rev) {
      schedules.put(schedule.uuid, schedule, rev)
      notices.add('schedule', schedule.uuid)
    },
    putJob(held, rev) {
      jobs.put(held.job.id, held, rev)
      shedJobs()
      notices.add('job', held.job.id)
    },
    putSetting(key, value, rev) {
      settings.set(key, { value, rev })
      notices.add('setting', key)
    },
    drop(kind, id, rev) {
      const held = memory.revOf(kind, id)
      if (held === 0 || held > rev) return
      if (kind === 'vm') replaceVm(id, undefined, rev)
      else if (kind === 'backup') replaceBackup(id, undefined, rev)
      else if (kind === 'storlink') storlinks.drop(Number(id))
      else tables[kind].drop(id)
      notices.add(kind, id)
    },
    revOf(kind, id) {
      if (kind === 'setting') return settings.get(id)?.rev ?? 0
      if (kind === 'perf') return 0
      return kind === 'storlink' ? storlinks.revOf(Number(id)) : tables[kind].revOf(id)
    },
    ids: (kind) => [...tables[kind].ids()].map(String),
    heldJob: jobs.get,
    noticePerf: (subject) => notices.add('perf', subject),
  }
  return { view, memory }
}

function newestFirst(a: Backup, b: Backup): number {
  return b.createdAt - a.createdAt || (a.uuid < b.uuid ? -1 : a.uuid > b.uuid ? 1 : 0)
}

function byVmName(a: Schedule, b: Schedule): number {
  if (a.vmName !== b.vmName) return a.vmName < b.vmName ? -1 : 1
  return a.createdAt - b.createdAt || (a.uuid < b.uuid ? -1 : a.uuid > b.uuid ? 1 : 0)
}

function subjectKey(kind: Subject['kind'], id: string): string {
  return `${kind}:${id}`
}

function missing(what: string, id: string | number): never {
  throw new PengxError('notFound', `no ${what} ${id} is known`)
}
