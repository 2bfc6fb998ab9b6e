import { type Backup, type Schedule, specOf } from '../../../src/model/backup.ts'
import type { FakeEngine } from './fakeEngine.ts'
import { NOW, uuidOf } from './screenSite.ts'

/** Backups of a VM that is there, a full one and what lies on it, one of them damaged; and one of a VM that is gone. */
export const FULL = '0a600000-0000-4000-8000-000000000001'
export const INCREMENT = '0a600000-0000-4000-8000-000000000002'
export const DAMAGED = '0a600000-0000-4000-8000-000000000003'
export const OF_GONE = '0a600000-0000-4000-8000-000000000004'
export const GONE_VM = '0b000000-0000-4000-8000-0000000000ee'

const DAY_MS = 86_400_000
const MIB = 1024 * 1024

/** Gives the site its backups, and jobs that make or delete one the effect of the real ones. */
export function layBackups(engine: FakeEngine, owner: string): void {
  const vm = engine.view.needVm(owner)
  const backup = (uuid: string, name: string, day: number, more: Partial<Backup> = {}): Backup => {
    const createdAt = vm.createdAt + day * DAY_MS
    const volumes = vm.disks.map(({ uuid: disk, vdev, format, sizeMib = 0 }) => {
      const volume = uuid.replace('0a6', '0d6')
      const where = { path: `/data/${volume}.qcow2`, bytes: (100 + day) * MIB, sha256: 'ab12'.repeat(16) }
      return { uuid: volume, disk, vdev, format, sizeMib, ...where }
    })
    const of = { vm: owner, vmName: vm.name, storlink: 1, kind: 'full', depth: 0, live: true } as const
    const state = { state: 'verified', checkedAt: createdAt + 3_600_000 } as const
    return { uuid, name, desc: '', ...of, ...state, spec: specOf(vm), volumes, createdAt, ...more }
  }
  const drilled = { drilledAt: vm.createdAt + 3 * DAY_MS, drillProblem: 'in 60 s its guest has read nothing' }
  const full = backup(FULL, 'sunday <&>', 1, { desc: 'a < b', fullBecause: 'the VM did not run' })
  const increment = backup(INCREMENT, 'monday', 2, { kind: 'incremental', parent: FULL, depth: 1, ...drilled })
  const damaged = backup(DAMAGED, 'tuesday', 3, { state: 'failed', problem: 'xvda is not what it was' })
  const gone = backup(OF_GONE, 'last', 4, { vm: GONE_VM, vmName: 'old', spec: { ...specOf(vm), name: 'old' } })
  const put = (backups: readonly Backup[], uuid: string) => engine.set({ backups }, [{ kind: 'backup', id: uuid }])
  put([gone, damaged, increment, full], FULL)
  engine.onRun('backup.create', async (params, job) => {
    const { backup: uuid, name, desc } = params as { backup: string; name: string; desc: string }
    const made = backup(uuid, name, 9, { desc, createdAt: job.createdAt })
    put([made, ...engine.view.backups()], made.uuid)
    return { result: { uuid: made.uuid, name } }
  })
  engine.onRun('backup.delete', async (params) => {
    const { backup: uuid } = params as { backup: string }
    put(
      engine.view.backups().filter((one) => one.uuid !== uuid),
      uuid,
    )
    return {}
  })
}

/** Every night, and last taken on when it was due in the night before `NOW`. */
export function scheduleOf(number: number, change: Partial<Schedule> = {}): Schedule {
  return {
    uuid: uuidOf(7, number),
    vm: GONE_VM,
    vmName: 'old',
    storlink: 1,
    cron: '30 2 * * *',
    incremental: true,
    rateMib: 50,
    retention: { keepLast: 7, keepHourly: 0, keepDaily: 1, keepWeekly: 4, keepMonthly: 0 },
    enabled: true,
    createdAt: NOW - 20 * DAY_MS,
    takenAt: new Date(NOW).setHours(2, 30, 0, 0),
    ...change,
  }
}
