import { expect, test } from 'bun:test'
import { CATALOG } from '../../../src/engine/operations/catalog.ts'
import { BACKUP_CASES } from './cases/backupCases.ts'
import { COPY_CASES } from './cases/copyCases.ts'
import { DEVICE_CASES } from './cases/deviceCases.ts'
import { KEY_CASES } from './cases/keyCases.ts'
import { MIGRATE_CASES } from './cases/migrateCases.ts'
import { MOVE_CASES } from './cases/moveCases.ts'
import { RESTORE_CASES } from './cases/restoreCases.ts'
import { SCHEDULE_CASES } from './cases/scheduleCases.ts'
import { SNAPSHOT_CASES } from './cases/snapshotCases.ts'
import { STORLINK_CASES } from './cases/storlinkCases.ts'
import { TEMPLATE_CASES } from './cases/templateCases.ts'
import { TRANSFER_CASES } from './cases/transferCases.ts'
import { PM_CASES, VM_CASES } from './cases/vmCases.ts'

/**
 * Each operation of the catalog is failed, repeated and killed at each of its steps, on the simulated site: a file of tests a
 * subject beside this one, so that they run side by side.
 */
const CASES = [
  ...BACKUP_CASES,
  ...RESTORE_CASES,
  ...COPY_CASES,
  ...DEVICE_CASES,
  ...KEY_CASES,
  ...MIGRATE_CASES,
  ...SCHEDULE_CASES,
  ...SNAPSHOT_CASES,
  ...MOVE_CASES,
  ...STORLINK_CASES,
  ...TEMPLATE_CASES,
  ...TRANSFER_CASES,
  ...PM_CASES,
  ...VM_CASES,
]

/** Needs a machine that shows a key: test/engine/trust.test.ts runs it against a real sshd. */
const ELSEWHERE = ['pm.trust']

test('the catalog has a case for every operation', () => {
  const covered = new Set([...CASES.map((one) => one.operation), ...ELSEWHERE])
  expect([...covered].sort()).toEqual([...CATALOG.keys()].sort())
})
