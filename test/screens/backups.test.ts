import { afterEach, describe, expect, test } from 'bun:test'
import type { Backup } from '../../src/model/backup.ts'
import type { VmState } from '../../src/model/vm.ts'
import { openRobot, type Robot, type RobotOptions } from '../support/screenRobot.ts'
import { DAMAGED, FULL, INCREMENT, layBackups } from '../support/sites/backupSite.ts'
import {
  createScreenEngine,
  mockSite,
  NOW,
  pmOf,
  type ScreenEngine,
  storlinkOf,
  vmOf,
} from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** Stories of a person who wants to be sure that a VM can be brought back, and brings one back. */
let robot: Robot
let engine: ScreenEngine

const web = vmOf(3, 'web01', 1, 'shutdown')
const DAY = 86_400_000

function site(state: VmState = 'shutdown'): ScreenEngine {
  const vm = vmOf(3, 'web01', 1, state)
  const storlinks = [storlinkOf(1, 'data', 1), storlinkOf(2, 'more', 1)]
  engine = createScreenEngine({ ...mockSite(), jobs: [], pms: [pmOf(1)], vms: [vm], storlinks })
  layBackups(engine, vm.uuid)
  change(INCREMENT, { drilledAt: undefined, drillProblem: undefined })
  return engine
}

function change(uuid: string, more: Partial<Backup>): void {
  engine.set({ backups: engine.site.backups.map((one) => (one.uuid === uuid ? { ...one, ...more } : one)) }, [
    { kind: 'backup', id: uuid },
  ])
}

async function openTab(state: VmState = 'shutdown', options: RobotOptions = {}): Promise<void> {
  robot = await openRobot(site(state), options)
  await robot.press('3', 'enter', 'tab', 'tab', 'tab', 'tab')
}

async function done(): Promise<(typeof engine.started)[number]> {
  await until(() => engine.started.length === 1)
  return engine.started[0]!
}

afterEach(() => robot.close())

describe('the backups of a VM', () => {
  test('whether it can be restored, and to when, is said first; what is broken does not count', async () => {
    await openTab()
    await robot.shows('Backups]')
    expect(robot.line('╭─')).toContain('✓ can be restored as it was 28d ago')
    expect(robot.line('▸')).toMatch(/tuesday +27d full +✗ broken +103 MiB 1 data/)
    expect(robot.line('│   monday')).toMatch(/28d incremental ✓ verified +102 MiB/)
    await robot.shows('xvda is not what it was')
    change(FULL, { state: 'failed' })
    await robot.shows('✗ cannot be restored: no backup of it is good')
    expect(robot.line('│   monday')).toContain('✗ base broken')
    engine.set({ backups: [] }, [{ kind: 'backup', id: FULL }])
    await robot.shows('✗ cannot be restored: there is no backup')
    await robot.shows('no backup: n makes one')
    await robot.press('R')
    await robot.shows('restore: there is no backup here')
  })

  test('what nobody has read for long, or at all, and what did not boot, says so', async () => {
    await openTab()
    change(INCREMENT, { checkedAt: NOW - 31 * DAY })
    await robot.shows('▲ old check')
    change(INCREMENT, { checkedAt: NOW - DAY, drilledAt: NOW - DAY, drillProblem: 'its domain was gone after 3 s' })
    await robot.shows('▲ boot failed')
    await robot.press('j')
    await robot.shows('its domain was gone after 3 s')
    change(INCREMENT, { state: 'unverified', checkedAt: undefined })
    await robot.shows('? unchecked')
    await robot.shows('nobody has read it back')
  })

  test('why one is full, what it lies on and what lies on it stand beside it', async () => {
    await openTab()
    await robot.press('j')
    await robot.shows('incremental on sunday <&>')
    await robot.press('j')
    await robot.shows('full: the VM did not run')
    expect(robot.line('on it')).toContain('monday')
    await robot.shows('not now: monday lies on it and would be')
    await robot.press('k')
    await robot.shows('free 102 MiB')
    change(FULL, { state: 'failed' })
    change(DAMAGED, { state: 'verified' })
    await robot.press('k')
    await robot.shows('leave web01 without a good backup')
  })

  test('a new one, from here and from the list of VMs', async () => {
    await openTab('running')
    await robot.press('n')
    await robot.shows('Back up web01')
    await robot.press(...'before 2.0', 'tab', ...'2 more', 'enter')
    expect(await done()).toMatchObject({
      operation: 'backup.create',
      params: { vm: web.uuid, name: 'before 2.0', storlink: 2, incremental: 'auto' },
    })
    await robot.shows('▸  tuesday')
    await robot.shows('before 2.0')
    await robot.press('3', 'u')
    await robot.shows('Back up web01')
  })

  test('restored onto its VM, after a look at what that does', async () => {
    await openTab()
    engine.plan({ frees: ['xvda /data/web01.qcow2'] })
    await robot.press('j', 'R')
    await robot.shows('Restore a backup of web01')
    await robot.press('ctrl-p')
    await robot.shows('frees     xvda /data/web01.qcow2')
    await robot.press('enter')
    await robot.shows('Restore a backup of web01?')
    expect(robot.line('backup    ')).toContain('monday of web01, 28d old, ✓ verified')
    await robot.press('y')
    expect(await done()).toMatchObject({
      operation: 'backup.restore',
      params: { backup: INCREMENT, as: 'itself', keep: false },
    })
  })

  test('of a VM that runs: as a new one beside it, and the form says why not onto it', async () => {
    await openTab('running')
    await robot.press('j', 'R', 'enter')
    await robot.shows('it is running: shut it down first')
    await robot.press('right')
    await robot.shows('‹ new ›')
    await robot.press('tab', ...'web01 then', 'enter')
    await robot.shows('Restore a backup of web01 then?')
    await robot.press('y')
    expect(await done()).toMatchObject({ params: { backup: INCREMENT, as: 'new', name: 'web01 then' } })
  })

  test('a broken one is not restored, and is verified anew', async () => {
    await openTab()
    await robot.press('R')
    await robot.shows('it is failed, or what it lies on is: verify it first')
    await robot.press('V')
    expect(await done()).toMatchObject({ operation: 'backup.verify', params: { backup: DAMAGED } })
  })

  test('booted for proof', async () => {
    await openTab()
    await robot.press('j', 't')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({
      operation: 'backup.drill',
      params: { backup: INCREMENT, seconds: 60 },
    })
  })

  test('deleted after its name is typed, and not while another lies on it', async () => {
    await openTab()
    await robot.press('G', 'D')
    await robot.shows('delete backup sunday <&>: monday lies on it and would be lost: delete that first')
    await robot.press('k', 'D')
    await robot.shows('Delete backup monday of web01 for good?')
    await robot.press(...'monday', 'enter')
    expect(await done()).toMatchObject({ operation: 'backup.delete', params: { backup: INCREMENT } })
    await robot.shows('Backups  2')
    await robot.press('G', 'D')
    await robot.shows('Delete backup sunday <&> of web01 for good?')
    await robot.press(...'sunday', 'space', ...'<&>', 'enter')
    await robot.shows('Backups  1')
  })

  test('several are verified at once, and the last line counts them', async () => {
    await openTab()
    await robot.press('space', 'space')
    expect(robot.line('2 marked:')).toContain('V verify 2')
    await robot.press('V')
    await until(() => engine.started.length === 2)
    expect(engine.started.map(({ params }) => params)).toMatchObject([{ backup: DAMAGED }, { backup: INCREMENT }])
  })

  test('keys of the VM are its own on this tab too', async () => {
    await openTab()
    await robot.press('s')
    expect(await done()).toMatchObject({ operation: 'vm.start', params: { vm: web.uuid } })
  })
})

describe('which VMs could be brought back', () => {
  test('the list of VMs has a column for it, which goes first where it is narrow, and a filter', async () => {
    robot = await openRobot(site(), { columns: 160, rows: 36 })
    const found = vmOf(8, 'stray', 1, 'running', { origin: 'found' })
    engine.set({ vms: [...engine.site.vms, vmOf(4, 'web02', 1, 'running'), found] }, [{ kind: 'vm', id: web.uuid }])
    await robot.press('3')
    await robot.shows('BACKUP')
    expect(robot.line('▸')).toMatch(/stray .* never/)
    expect(robot.line('web01  ')).toMatch(/ 28d/)
    await robot.press('/', ...'backup:never !stray', 'enter')
    await robot.shows('1 of 3')
    expect(robot.line('▸')).toContain('web02')
    await robot.press('esc')
    change(FULL, { state: 'failed' })
    await robot.shows('none good')
    await robot.resize(120, 36)
    await robot.hides('BACKUP')
  })

  test('ordered by it, what was never backed up comes first', async () => {
    robot = await openRobot(site(), { columns: 160, rows: 36 })
    engine.set({ vms: [...engine.site.vms, vmOf(4, 'web02', 1, 'running')] }, [{ kind: 'vm', id: web.uuid }])
    await robot.press('3', '>', '>', '>', '>', '>', '>', '>')
    expect(robot.line('sort')).toContain('sort BACKUP ↓')
    await robot.press('g')
    expect(robot.line('▸')).toContain('web02')
  })

  test('a VM says when its newest good one was taken', async () => {
    robot = await openRobot(site())
    await robot.press('3', 'enter')
    await robot.shows('backup  2026-10-26 14:03 (28d old)')
    change(FULL, { state: 'failed' })
    await robot.shows('backup  none good')
  })
})
