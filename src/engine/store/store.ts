import type { Clock } from '../../lib/clock.ts'
import { PengxError } from '../../model/error.ts'
import type { Controller } from './controllers.ts'
import type { Inventory } from './inventory.ts'
import type { JobRows } from './jobRows.ts'
import type { LiveView } from './liveView.ts'
import type { LockRows } from './lockRows.ts'
import type { PerfRings } from './perfRings.ts'

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
  /** Its process is no more, so that nobody will go on with its jobs. */
  ownerIsDead(owner: Controller): boolean
  /** Writes what is still in memory; everything after it fails. */
  close(): Promise<void>
}

export async function openStore(_config: StoreConfig): Promise<Store> {
  throw new PengxError('unsupported', 'the store is not there yet')
}
