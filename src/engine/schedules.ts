import type { Clock } from '../lib/clock.ts'
import { goodBackups, type Schedule } from '../model/backup.ts'
import { toPengxError } from '../model/error.ts'
import type { Job } from '../model/job.ts'
import { dueAt, nextRun } from '../model/schedule/times.ts'
import { vmsMatching } from '../model/schedule/vmFilter.ts'
import { createLanes } from './lanes.ts'
import type { Store } from './store/store.ts'

/**
 * Makes backups, or reads them back, when they are due, while a terminal interface or a server runs. A time that went by while none did is made
 * up for once, however many they were. Of several that run on one store one takes each time on: the store decides. Those
 * that are due at once onto one storage go one after the other, by name; onto others side by side.
 */
export interface Scheduler {
  start(): void
  stop(): void
  /** Does what is due now, once; resolves when it is over. */
  tick(): Promise<void>
}

export interface SchedulerDeps {
  readonly store: Store
  readonly clock: Clock
  /** Starts a job by a schedule and waits for its end; fails where it is refused. */
  run(operation: string, params: Readonly<Record<string, unknown>>): Promise<Job>
}

/** A clock that was set, or a machine that slept, is noticed after so long. */
const LONGEST_MS = 60_000

export function createScheduler(parts: SchedulerDeps): Scheduler {
  const { store, clock } = parts
  /** Those at work, and those that wait for their turn. */
  const begun = new Set<string>()
  const inTurn = createLanes()
  let stopped = true
  let timer: ReturnType<typeof setTimeout> | undefined
  let unwatch: (() => void) | undefined

  async function tick(): Promise<void> {
    await store.view.refresh()
    await Promise.all(store.view.schedules().map((schedule) => attend(schedule).catch(() => undefined)))
  }

  async function attend({ uuid, ...schedule }: Schedule): Promise<void> {
    // What is still at work with the last time is not overtaken: the next one is made up for when it is over.
    if (dueAt(schedule, clock.now()) === undefined || begun.has(uuid)) return
    begun.add(uuid)
    try {
      await inTurn(storageOf(schedule.storlink), () => take(uuid))
    } finally {
      begun.delete(uuid)
    }
  }

  /** It is taken on when its turn has come: what waits for that in a process that ends, another makes up for. */
  async function take(uuid: string): Promise<void> {
    const schedule = store.view.getSchedule(uuid)
    const due = schedule && dueAt(schedule, clock.now())
    if (due === undefined || !(await store.inventory.takeSchedule(uuid, due))) return
    // Meanwhile another process may have changed it, or deleted it: only how it ended is written down.
    await store.inventory.noteSchedule(uuid, await work(schedule!))
  }

  /** Two rows may be of one storage, on two PMs. */
  function storageOf(storlink: number): string {
    return store.view.getStorlink(storlink)?.uuid ?? String(storlink)
  }

  /** Why it did not come to all of its backups, or undefined. */
  async function work(schedule: Schedule): Promise<string | undefined> {
    const { uuid, vm, filter } = schedule
    if (schedule.what === 'verify') return verify(schedule)
    if (filter === undefined) return backUp(vm ?? '', schedule)
    const vms = vmsMatching(filter, store.view)
    if (vms.length === 0) return 'its filter matches no VM'
    const problems: string[] = []
    for (const [index, { uuid: one, name }] of vms.entries()) {
      // Should this process end, it is known which have none of this time.
      const rest = vms.slice(index).map((later) => later.name)
      const note = [...problems, `not backed up yet: ${rest.join(', ')}`].join('; ')
      await store.inventory.noteSchedule(uuid, note).catch(() => undefined)
      const problem = await backUp(one, schedule)
      if (problem !== undefined) problems.push(`${name}: ${problem}`)
    }
    return problems.length === 0 ? undefined : problems.join('; ')
  }

  /** What was found of its good backups, which are read back one after the other, the longest unchecked first. */
  async function verify({ vm, filter, storlink }: Schedule): Promise<string | undefined> {
    const begun = clock.now()
    const of = filter === undefined ? [vm ?? ''] : vmsMatching(filter, store.view).map(({ uuid }) => uuid)
    if (of.length === 0) return 'its filter matches no VM'
    const all = of.flatMap((one) => store.view.backupsOf(one))
    const good = goodBackups(all)
    const wanted = all.filter((backup) => backup.storlink === storlink && good.has(backup.uuid))
    const problems: string[] = []
    if (wanted.length === 0) return 'there is no good backup to read back'
    for (const { uuid, name, vmName } of wanted.sort((a, b) => (a.checkedAt ?? 0) - (b.checkedAt ?? 0))) {
      // One that lies below another was read with it.
      const now = store.view.getBackup(uuid)
      if (now === undefined || (now.checkedAt ?? 0) >= begun) continue
      const problem = await endOf('backup.verify', { backup: uuid })
      if (problem !== undefined) problems.push(`${vmName}/${name}: ${problem}`)
    }
    return problems.length === 0 ? undefined : problems.join('; ')
  }

  /** Why a job is not done, or undefined. */
  async function endOf(operation: string, params: Readonly<Record<string, unknown>>): Promise<string | undefined> {
    try {
      const job = await parts.run(operation, params)
      return job.state === 'done' ? undefined : job.message
    } catch (error) {
      return toPengxError(error).message
    }
  }

  /** Why there is no new backup of the VM, or why what need not be kept is still there. */
  async function backUp(
    vm: string,
    { storlink, incremental, rateMib, retention }: Schedule,
  ): Promise<string | undefined> {
    if (!store.view.getVm(vm)) return 'its VM is gone'
    const wish = { incremental: incremental ? 'auto' : 'no', rate: rateMib }
    const problem = await endOf('backup.create', { vm, storlink, ...wish })
    if (problem !== undefined) return problem
    const unpruned = await endOf('backup.prune', { vm, storlink, ...retention })
    return unpruned === undefined ? undefined : `backed up, and not pruned: ${unpruned}`
  }

  function sleep(): void {
    clearTimeout(timer)
    if (stopped) return
    const now = clock.now()
    const nexts = store.view.schedules().flatMap((one) => nextRun(one, now) ?? [])
    // Nothing to wait for: a change of the schedules wakes it.
    if (nexts.length === 0) return
    timer = setTimeout(() => void wake(), Math.min(LONGEST_MS, Math.max(50, Math.min(...nexts) - now)))
    timer.unref()
  }

  async function wake(): Promise<void> {
    void tick().catch(() => undefined)
    sleep()
  }

  return {
    tick,
    start() {
      stopped = false
      unwatch = store.view.onChange((changes) => {
        if (changes.some((change) => change.kind === 'schedule')) sleep()
      })
      void wake()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      unwatch?.()
    },
  }
}
