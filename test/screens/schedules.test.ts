import { afterEach, describe, expect, test } from 'bun:test'
import type { Schedule } from '../../src/model/backup.ts'
import { openRobot, type Robot, type RobotOptions } from '../support/screenRobot.ts'
import {
  DAMAGED,
  FULL,
  GONE_VM,
  INCREMENT,
  layBackups,
  scheduleOf as nightly,
  OF_GONE,
} from '../support/sites/backupSite.ts'
import {
  createScreenEngine,
  jobOf,
  mockSite,
  NOW,
  pmOf,
  type ScreenEngine,
  storlinkOf,
  uuidOf,
  vmOf,
} from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** Stories of a person who looks after all backups of a site, and has them made by themselves. */
let robot: Robot
let engine: ScreenEngine

const web = vmOf(3, 'web01', 1, 'running')
const NIGHTLY = uuidOf(7, 1)
/** 02:30 of this day, in this machine's time zone: what is due then was due this morning. */
const DUE = new Date(NOW).setHours(2, 30, 0, 0)

const scheduleOf = (number: number, change: Partial<Schedule> = {}) =>
  nightly(number, { vm: web.uuid, vmName: web.name, ...change })

async function open(schedules: readonly Schedule[] = [scheduleOf(1)], options: RobotOptions = {}): Promise<void> {
  const storlinks = [storlinkOf(1, 'data', 1), storlinkOf(2, 'more', 1)]
  const vms = [web, vmOf(4, 'web02', 1, 'running')]
  engine = createScreenEngine({ ...mockSite(), jobs: [], pms: [pmOf(1)], vms, storlinks, schedules })
  layBackups(engine, web.uuid)
  robot = await openRobot(engine, options)
  await robot.press('6')
}

function set(...schedules: readonly Schedule[]): void {
  const changes = schedules.map(({ uuid: id }) => ({ kind: 'schedule' as const, id }))
  engine.set({ schedules }, changes)
}

const done = async () => {
  await until(() => engine.started.length === 1)
  return engine.started[0]!
}

afterEach(() => robot.close())

describe('the backups of the site', () => {
  test('those of a VM that is gone are among them, and bring it back', async () => {
    await open()
    await robot.shows('Backups › Backups  4')
    expect(robot.line('▸')).toMatch(/old gone +last/)
    await robot.shows('bring old back, shut down, under its')
    await robot.press('enter')
    await robot.shows('open its VM: its VM is gone: R brings it back')
    await robot.press('R', 'enter')
    await robot.shows('Restore a backup of old?')
    await robot.press('y')
    expect(await done()).toMatchObject({ operation: 'backup.restore', params: { backup: OF_GONE, as: 'itself' } })
    expect(engine.view.getVm(GONE_VM)).toBeUndefined()
  })

  test.each([
    ['state:broken', DAMAGED],
    ['kind:incr', INCREMENT],
    ['vm:gone', OF_GONE],
    ['web01 sunday', FULL],
  ])('filtered by %s one is left', async (filter, uuid) => {
    await open()
    await robot.press('/', ...filter, 'enter')
    await robot.shows('1 of 4')
    await robot.press('y')
    await robot.shows('backup copied')
    expect(robot.written()).toContain(Buffer.from(uuid).toString('base64'))
    await robot.press('esc', '/', ...'storlink:more', 'enter')
    await robot.shows('none of 4 matches')
    await robot.press('esc', '/', ...'storlink:data', 'enter')
    await robot.shows('Backups  4   /storlink:data')
  })

  test('a new one asks of which VM; a row leads to its VM and its backups', async () => {
    await open()
    await robot.press('n')
    await robot.shows('Back up')
    await robot.press(...'web02')
    await robot.toField('Storlink')
    await robot.press('right', 'enter')
    expect(await done()).toMatchObject({ operation: 'backup.create', params: { vm: uuidOf(2, 4), storlink: 1 } })
    await robot.press('g', 'j', 'j', 'enter')
    await robot.shows('VMs › web01')
    await robot.shows('[Backups]')
  })

  test('the palette finds one by its name', async () => {
    await open()
    await robot.press('1', ':', ...'monday', 'enter')
    await robot.shows('Backups › Backups')
    expect(robot.line('▸')).toContain('monday')
  })

  test('in a narrow terminal what can be said of one stands below', async () => {
    await open([], { columns: 80, rows: 24 })
    await robot.shows('VM        old, which is gone')
    await robot.press('tab', 'G')
    await robot.shows('bring old back')
    await robot.press('esc', 'right')
    await robot.shows('no schedule yet: n makes one')
    await robot.press('e')
    await robot.shows('edit: there is no schedule here')
  })
})

test('what went wrong needs attention, and opens where it is', async () => {
  await open([scheduleOf(1, { problem: 'no space left on data' }), scheduleOf(2, { enabled: false, problem: 'old' })])
  await robot.press('1')
  await robot.shows('Needs attention (2)')
  await robot.shows('web01    its backup tuesday is broken: xvda is not what it was')
  await robot.shows('web01    was not backed up when it was due: no space')
  await robot.press('tab', 'enter')
  await robot.shows('Backups › Backups')
  expect(robot.line('▸')).toContain('tuesday')
  await robot.press('1', 'tab', 'j', 'enter')
  await robot.shows('Backups › Schedules')
  expect(robot.line('▸')).toContain('✗ failed')
})

describe('schedules', () => {
  test('when, to where, what is kept, and how it went', async () => {
    await open()
    await robot.press('right')
    await robot.shows('Backups › Schedules  1')
    expect(robot.line('▸')).toMatch(/web01 +✓ done +30 2 \* \* \*/)
    await robot.shows('7 newest, 1 day, 4 weeks')
    await robot.shows('monday (28d old)')
    set(scheduleOf(1, { problem: 'no space left on data' }))
    await robot.shows('✗ failed')
    await robot.shows('no space left on data')
    set(scheduleOf(1, { vm: GONE_VM, vmName: 'old' }))
    await robot.shows('✗ VM gone')
    set(scheduleOf(1, { takenAt: undefined, createdAt: NOW - 1000 }))
    await robot.shows('· waits')
    await robot.shows('it was not due yet since it was made')
  })

  test('times that went by while nothing ran are counted', async () => {
    await open()
    await robot.press('right')
    set(scheduleOf(1, { takenAt: new Date(DUE).setDate(new Date(DUE).getDate() - 3) }))
    await robot.shows('▲ missed')
    await robot.shows('missed 3 times')
    set(scheduleOf(1, { takenAt: undefined, cron: '* * * * *' }))
    await robot.shows('missed 100 times or more')
  })

  test('the backup that it makes now is named', async () => {
    await open()
    await robot.press('right')
    const job = jobOf(7, 'backup.create', web, { state: 'running', by: 'schedule', finishedAt: undefined })
    engine.set({ jobs: [job] }, [{ kind: 'job', id: job.id }])
    await robot.shows('▶ at work')
    await robot.shows('job 7 is at it')
  })

  test('one that is due while another is at work onto its storlink is in line, and not missed', async () => {
    const late = { takenAt: new Date(DUE).setDate(new Date(DUE).getDate() - 1) }
    await open([scheduleOf(1), scheduleOf(2, { vm: uuidOf(2, 4), vmName: 'web02', ...late })])
    await robot.press('right', 'down')
    await robot.shows('▲ missed')
    const job = jobOf(7, 'backup.create', web, { state: 'running', by: 'schedule', finishedAt: undefined })
    engine.set({ jobs: [job] }, [{ kind: 'job', id: job.id }])
    await robot.shows('· in line')
    await robot.shows('it is due, and waits for')
    engine.set({ jobs: [] }, [{ kind: 'job', id: job.id }])
    await robot.shows('▲ missed')
  })

  test('one for a filter shows whom it matches now, and backs them all up at once', async () => {
    const { vm: _own, ...rest } = scheduleOf(1)
    await open([{ ...rest, filter: 'name:web0', vmName: 'name:web0' }])
    await robot.press('right')
    await robot.shows('name:web0')
    await robot.shows('it matches 2 VMs now')
    await robot.shows('web02')
    const job = jobOf(7, 'backup.create', web, { state: 'running', by: 'schedule', finishedAt: undefined })
    engine.set({ jobs: [job] }, [{ kind: 'job', id: job.id }])
    await robot.shows('job 7 is at it')
    engine.set({ jobs: [] }, [{ kind: 'job', id: job.id }])
    set({ ...rest, filter: 'name:nobody', vmName: 'name:nobody' })
    await robot.shows('the filter matches no VM now')
  })

  test('one that verifies says so, and makes none by a key', async () => {
    await open([scheduleOf(1, { what: 'verify' })])
    await robot.press('right')
    await robot.shows('the good ones, the longest')
    await robot.press('u')
    await robot.shows('it makes none: it reads them back')
  })

  test('made for a VM, and what is no time is said beside its field', async () => {
    await open([])
    await robot.press('right', 'n')
    await robot.shows('Schedule backups of')
    await robot.press(...'web02')
    await robot.toField('Storlink')
    await robot.press(...'2 more')
    await robot.toField('When')
    await robot.press(...'30 2', 'enter')
    await robot.shows('five fields, minute to')
    await robot.press('ctrl-u', ...'30 2 * * *', 'enter')
    expect(await done()).toMatchObject({
      operation: 'schedule.create',
      params: { vm: uuidOf(2, 4), storlink: 2, cron: '30 2 * * *', incremental: true, keepLast: 7 },
    })
  })

  test('edited: what it is stands in the form, and only what differs is sent', async () => {
    await open()
    await robot.press('right', 'e')
    await robot.shows('Edit schedule web01')
    expect(robot.line('When')).toContain('30 2 * * *')
    await robot.toField('Keep daily')
    await robot.press('ctrl-u', '9', 'enter')
    expect((await done()).params).toEqual({ schedule: NIGHTLY, keepDaily: 9 })
  })

  test('paused and resumed by one key, several at once, without a form', async () => {
    await open([scheduleOf(1), scheduleOf(2, { vm: uuidOf(2, 4), vmName: 'web02' })])
    await robot.press('right', '*', 'z')
    await until(() => engine.started.length === 2)
    expect(engine.started.map(({ params }) => params)).toEqual([
      { schedule: NIGHTLY, enabled: false },
      { schedule: uuidOf(7, 2), enabled: false },
    ])
    set(scheduleOf(1, { enabled: false }))
    await robot.shows('‖ paused')
    await robot.press('z')
    await until(() => engine.started.length === 3)
    expect(engine.started[2]!.params).toEqual({ schedule: NIGHTLY, enabled: true })
  })

  test('what it makes is made now, as it says', async () => {
    await open([scheduleOf(1, { storlink: 2, incremental: false, rateMib: 9 })])
    await robot.press('right', 'u')
    expect(await done()).toMatchObject({
      operation: 'backup.create',
      params: { vm: web.uuid, storlink: 2, incremental: 'no', rate: 9 },
    })
  })

  test('deleted after a question that says which', async () => {
    await open()
    await robot.press('right', 'D')
    await robot.shows('Delete schedule web01?')
    expect(robot.line('schedule  ')).toContain('web01, 30 2 * * *')
    await robot.press('y')
    expect(await done()).toMatchObject({ operation: 'schedule.delete', params: { schedule: NIGHTLY } })
  })

  test('heard: the tab, and a row as a sentence', async () => {
    await open([scheduleOf(1)], { screenReader: true })
    await robot.press('right')
    await robot.shows('Tab schedules, of backups, schedules.')
    expect(robot.lines().at(-1)).toStartWith('Row 1 of 1: web01, done, when 30 2 * * *, next in ')
  })
})

test('ten thousand of each: the last is found, in whatever order', async () => {
  await open([])
  const schedules = Array.from({ length: 10_000 }, (_, index) =>
    scheduleOf(index + 1, { vm: uuidOf(2, index), vmName: `vm${index}`, cron: `${index % 60} ${index % 24} * * *` }),
  )
  const [one] = engine.site.backups
  const backups = Array.from({ length: 10_000 }, (_, index) => {
    const own = { uuid: uuidOf(8, index), name: `b${index}`, vm: uuidOf(2, index % 100) }
    return { ...one!, ...own, createdAt: NOW - index * 1000 }
  })
  engine.set({ schedules, backups }, [{ kind: 'backup', id: backups[0]!.uuid }])
  await robot.shows('Backups › Backups  10000')
  await robot.press('G')
  expect(robot.line('▸')).toContain('b9999')
  await robot.press('right', 'G')
  expect(robot.line('▸')).toContain('vm9999')
  await robot.press('>', '>', '>')
  await robot.shows('sort NEXT')
})
