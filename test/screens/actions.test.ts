import { afterEach, describe, expect, test } from 'bun:test'
import { openRobot, type Robot, type RobotOptions } from '../support/screenRobot.ts'
import { createScreenEngine, mockSite, pmOf, type ScreenEngine, uuidOf } from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** Stories of a person who does things. */
let robot: Robot
let engine: ScreenEngine

async function open(options: RobotOptions = {}, start: ScreenEngine = createScreenEngine(calm())): Promise<void> {
  engine = start
  engine.onRun('vm.start', () => new Promise(() => undefined))
  robot = await openRobot(engine, options)
}

/** The site without jobs and without read-only machines. */
const calm = () => ({ ...mockSite(), jobs: [], pms: [pmOf(1), pmOf(2), pmOf(3), pmOf(4)] })

afterEach(() => robot.close())

async function choose(name: string): Promise<void> {
  await robot.press('3', '/', 'ctrl-u', ...name, 'enter')
}

const started = () => engine.started.map(({ operation }) => operation)

describe('actions', () => {
  test('what is safe is done at once, and the screen is yours again', async () => {
    await open()
    await choose('db02')
    await robot.press('s')
    await robot.shows('job 1: start db02')
    expect(started()).toEqual(['vm.start'])
    expect(robot.line('pengx')).toContain('▶ 1 job')
    expect(robot.line('▸')).toContain('▶ start')
  })

  test('what disrupts asks for y and shows its plan', async () => {
    await open()
    engine.plan({ steps: [{ name: 'ask the guest', shows: ['xl shutdown 1'], pivot: false, undoable: false }] })
    await choose('db01')
    await robot.press('d')
    await robot.shows('Shut down db01?')
    await robot.shows('1 ask the guest')
    expect(robot.text()).not.toContain('xl shutdown 1')
    await robot.press('m')
    await robot.shows('xl shutdown 1')
    await robot.press('n')
    await robot.hides('Shut down db01?')
    expect(started()).toEqual([])
    await robot.press('d', 'enter')
    expect(started()).toEqual([])
    await robot.press('d', 'y')
    await until(() => started().length === 1)
    expect(started()).toEqual(['vm.shutdown'])
  })

  test('what destroys wants the name, and the safe button has the cursor', async () => {
    await open()
    engine.plan({
      frees: ['40 GiB on 1 data'],
      keeps: ['its configuration file'],
      steps: [
        { name: 'set the disks aside', shows: [], pivot: false, undoable: true },
        { name: 'forget it', shows: [], pivot: true, undoable: false },
      ],
    })
    await choose('db02')
    await robot.press('D')
    await robot.shows('Delete db02 for good?')
    await robot.shows('frees     40 GiB on 1 data')
    expect(robot.text()).toContain('keeps     its configuration file')
    expect(robot.line('2 forget it')).toContain('◆ from here on it cannot be undone')
    await robot.press('enter')
    await robot.hides('Delete db02 for good?')
    await robot.press('D', ...'db03', 'enter')
    await robot.shows('to allow it, type db02 exactly')
    expect(started()).toEqual([])
    await robot.press('backspace', '2', 'enter')
    await until(() => started().length === 1)
    expect(engine.started[0]).toMatchObject({ operation: 'vm.delete', params: { vm: uuidOf(2, 2), disks: 'own' } })
  })

  test('a choice in the question changes what is asked', async () => {
    await open()
    await choose('db02')
    await robot.press('D', 'tab', 'right', 'right')
    await robot.shows('‹ none ›')
    await robot.press(...'db02', 'enter')
    await until(() => started().length === 1)
    expect(engine.started[0]).toMatchObject({ params: { disks: 'none' } })
  })

  test('the question stays on what was chosen, whatever moves behind it', async () => {
    await open()
    await choose('db')
    await robot.press('j', 'D')
    await robot.shows('Delete db02')
    engine.set({ vms: engine.site.vms.map((vm) => (vm.name === 'db01' ? { ...vm, name: 'zz01' } : vm)) }, [
      { kind: 'vm', id: uuidOf(2, 1) },
    ])
    await robot.press(...'db02', 'enter')
    await until(() => started().length === 1)
    expect(engine.started[0]).toMatchObject({ params: { vm: uuidOf(2, 2) } })
  })

  test('on a production site every question is one level stricter', async () => {
    await open({ production: true })
    expect(robot.line('pengx')).toContain('[PROD]')
    await choose('db02')
    await robot.press('s')
    await robot.shows('Start db02?')
    await robot.press('esc')
    await choose('db01')
    await robot.press('d')
    await robot.shows('Type  db01  to allow it')
    await robot.press('y', 'enter')
    expect(started()).toEqual([])
  })

  test('a refused key says why for a while and does nothing', async () => {
    await open()
    await choose('db01')
    await robot.press('s')
    await robot.shows('start db01: it is running')
    await robot.press('D')
    await robot.shows('delete db01: it is running')
    expect(started()).toEqual([])
  })

  test('an unknown key does nothing', async () => {
    await open()
    await robot.press('3')
    const before = robot.text()
    await robot.press('J', '~', '%')
    expect(robot.text()).toBe(before)
  })

  test('marked rows: what refuses is said, the rest is done', async () => {
    await open()
    await choose('db|mail')
    await robot.press('*', 'd')
    await robot.shows('Shut down 2 VMs?')
    expect(robot.line('not ')).toContain('db02: it is shut down')
    await robot.press('y')
    await until(() => started().length === 2)
    expect(engine.started.map(({ params }) => (params as { vm: string }).vm).sort()).toEqual(
      [uuidOf(2, 1), uuidOf(2, 10)].sort(),
    )
  })

  test('many that are destroyed want their number', async () => {
    const site = calm()
    const vms = site.vms.map((vm) => ({ ...vm, origin: 'created' as const }))
    await open({}, createScreenEngine({ ...site, vms }))
    await choose('db02|webtest')
    await robot.press('*', 'D')
    await robot.shows('Type  2  to allow it')
    await robot.press('2', 'enter')
    await until(() => started().length === 2)
  })

  test('x lists every action, the refused ones with their reason; its letters are the keys', async () => {
    await open({ rows: 80 })
    await choose('db01')
    await robot.press('x')
    await robot.shows('Actions on db01')
    expect(robot.line('start db01')).toContain('it is running')
    expect(robot.text()).toContain('forget db01')
    await robot.press('d')
    await robot.shows('Shut down db01?')
  })

  test('A takes a found VM under care', async () => {
    await open()
    await choose('webtest')
    await robot.press('A')
    await until(() => started().length === 1)
    expect(engine.started[0]).toMatchObject({ operation: 'vm.adopt', params: { what: uuidOf(2, 8) } })
    await choose('db02')
    await robot.press('A')
    await robot.shows('adopt: it is under care already')
  })

  test('every operation there is can be reached from the palette', async () => {
    await open()
    await choose('db01')
    for (const operation of engine.operations.values()) {
      await robot.press(':')
      await robot.burst(operation.title)
      await robot.shows(operation.title)
      expect(robot.lines().some((line) => line.includes('│') && line.includes(operation.title))).toBe(true)
      await robot.press('esc')
    }
  })

  test('the palette goes to places and things', async () => {
    await open()
    await robot.press(':', ...'storage', 'enter')
    await robot.shows('[5 Storage]')
    await robot.press(':', ...'xen3', 'enter')
    await robot.shows('PMs › xen3 › Perf')
  })

  test('help narrows by what is typed, and does what is chosen', async () => {
    await open()
    await robot.press('3', '?', ...'the picture')
    await robot.shows('stops the picture')
    await robot.press('enter')
    await robot.shows('‖ frozen')
  })

  test('read-only: everything is grey, and says so', async () => {
    await open({}, createScreenEngine(calm(), { readOnly: true }))
    expect(robot.line('pengx')).toContain('[READ-ONLY]')
    await choose('db02')
    await robot.press('s')
    await robot.shows('start db02: pengx runs read-only')
    await robot.press('N')
    await robot.shows('pengx runs read-only')
    expect(robot.text()).not.toContain('Create VM')
  })

  test('a job is cancelled after a question, and a stuck one has two ways out', async () => {
    const site = mockSite()
    await open({}, createScreenEngine(site))
    await robot.press('7', 'X')
    await robot.shows('Cancel job 119?')
    await robot.press('y')
    await until(() => engine.view.getJob(uuidOf(4, 119))?.state === 'cancelled')
    await robot.press('/', ...'stuck', 'enter', 'X')
    await robot.shows('cancel (undoes): it is stuck')
    await robot.press('u')
    await robot.shows('Try again job 115?')
    // What it is stuck with, which says what trying again would do.
    expect(robot.text()).toContain(engine.view.needJob(uuidOf(4, 115)).message.slice(0, 40))
    await robot.press('n')
    expect(engine.view.needJob(uuidOf(4, 115)).state).toBe('stuck')
    await robot.press('K')
    await robot.shows('Close job 115?')
    await robot.press('y')
    await until(() => engine.view.getJob(uuidOf(4, 115))?.state === 'kept')
  })

  test('q asks while jobs run', async () => {
    await open({}, createScreenEngine(mockSite()))
    await robot.press('q')
    await robot.shows('1 job at work. Quit?')
    await robot.press('n')
    expect(robot.left()).toBe(false)
    await robot.press('q', 'w')
    const job = engine.view.needJob(uuidOf(4, 119))
    engine.set({ jobs: [{ ...job, state: 'done' }] }, [{ kind: 'job', id: job.id }])
    await until(() => robot.left())
  })
})
