import type { Clock } from '../../lib/clock.ts'
import { createInventory, type Inventory } from './inventory.ts'
import { type Controller, createRegistration, unregisterController } from './jobs/controllers.ts'
import { createJobRows } from './jobs/createJobRows.ts'
import type { JobRows } from './jobs/jobRows.ts'
import { createLockRows, type LockRows } from './jobs/locks.ts'
import { isDead, thisController } from './jobs/processes.ts'
import { createLiveView, type LiveView } from './memory/liveView.ts'
import { createPerfRings, type PerfRings } from './memory/perfRings.ts'
import { createViewRefresh } from './memory/refresh.ts'
import { forgetTombstones } from './sqlite/counters.ts'
import { openSqlite } from './sqlite/open.ts'
import { createWrite } from './sqlite/revisions.ts'
import { unlessUnwritten } from './unwritten.ts'

export interface StoreConfig {
  /** A file; its directory is made where it is missing. `memory`: forgotten at the end. */
  readonly at: { readonly path: string } | 'memory'
  readonly clock: Clock
  /** This process, unless a test says otherwise. */
  readonly controller?: Controller
}

/** What is remembered. Several processes may have one file open at once. */
export interface Store {
  readonly controller: Controller
  readonly view: LiveView
  readonly inventory: Inventory
  readonly jobs: JobRows
  readonly locks: LockRows
  readonly perf: PerfRings
  /** Writes what is still in memory, where it can be written; everything after it fails. */
  close(): Promise<void>
}

/** Opens the store and reads all of it into the view. Fails as `openSqlite` does; nothing stays open then. One that is there and can only be read opens: `view.storeTrouble` tells. */
export async function openStore({ at, clock, controller = thisController(clock.now()) }: StoreConfig): Promise<Store> {
  const database = await openSqlite(at === 'memory' ? 'memory' : at.path, undefined, clock)
  try {
    const { view, memory } = createLiveView(
      () => perf.samples,
      () => viewRefresh.refresh(),
      () => database.health.trouble,
    )
    const viewRefresh = createViewRefresh(database, () => memory)
    const perf = createPerfRings({ database, memory })
    const register = createRegistration(database, controller)
    const write = createWrite(database, viewRefresh, register)
    const deps = { database, view, memory, clock, controller, isDead, write }
    const jobs = createJobRows(deps)
    let closing: Promise<void> | undefined
    const saveAndClose = async () => {
      try {
        await unlessUnwritten(jobs.flush())
        await unlessUnwritten(perf.rings.save())
        await unlessUnwritten(unregisterController(database, controller.id))
      } finally {
        perf.stop()
        await database.close()
      }
    }
    // One that cannot be written is read all the same; what is written first when it can be is whose it is.
    await unlessUnwritten(register() ?? Promise.resolve())
    await unlessUnwritten(forgetTombstones(database, clock.now()))
    await viewRefresh.load()
    database.health.onChange(memory.noticeStore)
    return {
      controller,
      view,
      inventory: createInventory(deps),
      jobs,
      locks: createLockRows(database),
      perf: perf.rings,
      close() {
        closing ??= saveAndClose()
        return closing
      },
    }
  } catch (error) {
    await database.close()
    throw error
  }
}
