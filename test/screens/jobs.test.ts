import { afterEach, describe, expect, test } from 'bun:test'
import { openRobot, type Robot, type RobotOptions } from '../support/screenRobot.ts'
import {
  createScreenEngine,
  jobOf,
  mockSite,
  NOW,
  type ScreenEngine,
  uuidOf,
  vmOf,
} from '../support/sites/screenSite.ts'

/** Stories of a person who looks for what was done. */
let robot: Robot
let engine: ScreenEngine

async function open(options: RobotOptions = {}, start: ScreenEngine = createScreenEngine()): Promise<void> {
  engine = start
  robot = await openRobot(engine, options)
}

afterEach(() => robot.close())

describe('jobs and the log', () => {
  test('the path of a job: running, its steps, its end', async () => {
    const site = mockSite()
    await open({}, createScreenEngine({ ...site, jobs: site.jobs.filter((job) => job.state !== 'stuck') }))
    await robot.press('7')
    expect(robot.line('▸')).toContain('▶ running')
    await robot.press('o')
    await robot.shows('only mine')
    expect(robot.text()).not.toContain('vm.create ')
    const job = engine.view.needJob(uuidOf(4, 119))
    engine.set({ jobs: [{ ...job, state: 'undone', message: 'it did not come back', finishedAt: NOW }] }, [
      { kind: 'job', id: job.id },
    ])
    await robot.shows('job 119 vm.reboot of web01 undone: it did not come back')
  })

  test('the log follows until somebody scrolls', async () => {
    await open()
    await robot.press('8')
    for (let number = 1; number <= 50; number++)
      engine.ran({ host: 'xen1', line: `xl list ${number}`, tookMs: 5, exit: 0 })
    await robot.shows('xl list 50')
    await robot.press('k')
    await robot.shows('follow off')
    engine.ran({ host: 'xen1', line: 'xl info', tookMs: 5, exit: 1 })
    expect(robot.line('▸')).toContain('xl list 49')
    await robot.press('L', 'L')
    await robot.shows('level failures')
    expect(robot.text()).not.toContain('xl list 49')
  })

  test('a command that began and ended is one line', async () => {
    await open()
    engine.ran({ host: 'xen1', line: 'xl destroy 7' })
    engine.ran({ host: 'xen1', line: 'xl destroy 7', tookMs: 12, exit: 0 })
    await robot.press('8')
    await robot.shows('xl destroy 7')
    expect(robot.lines().filter((line) => line.includes('xl destroy 7') && line.startsWith('│'))).toHaveLength(1)
  })
})

describe('one job', () => {
  test('its commands can be searched, wrapped and shown bare', async () => {
    const start = createScreenEngine()
    const long = `qemu-img create ${'very-long-path/'.repeat(10)}end-of-it`
    start.detail(uuidOf(4, 117), {
      steps: [{ name: 'start it', pivot: false, undoable: true }],
      events: [{ seq: 1, step: 0, name: 'start it', kind: 'failed', at: NOW, message: 'no such file' }],
      commands: [
        {
          seq: 1,
          host: 'xen1',
          line: 'xl create x',
          at: NOW,
          tookMs: 9,
          exit: 1,
          output: 'libxl: error: no such file\n',
        },
        { seq: 2, host: 'xen1', line: long, at: NOW, tookMs: 9, exit: 0, output: 'Formatting\n' },
      ],
      locks: [],
    })
    await open({}, start)
    await robot.press('7', '/', ...'web02', 'enter', 'enter')
    await robot.shows('Jobs › 117 vm.start web02')
    await robot.shows('libxl: error: no such file')
    expect(robot.line('1 start it')).toContain('✗')
    expect(robot.text()).not.toContain('end-of-it')
    await robot.press('w')
    await robot.shows('end-of-it')
    await robot.press('m')
    await robot.hides('Formatting')
    await robot.press('m', '/', ...'libxl', 'enter')
    await robot.hides('Formatting')
    expect(robot.text()).toContain('libxl: error')
    await robot.press('esc')
    await robot.shows('Formatting')
    await robot.press('k')
    await robot.shows('follow off')
    await robot.press('F')
    await robot.shows('follow on')
  })
})

describe('how fast it goes', () => {
  const web = vmOf(3, 'web01', 1, 'running')
  let now = NOW

  async function copying(step: string): Promise<void> {
    const running = { state: 'running', finishedAt: undefined, startedAt: NOW, stepIndex: 0, progress: 0.01 } as const
    const job = jobOf(7, 'backup.create', web, { ...running, step })
    engine.set({ jobs: [job] }, [{ kind: 'job', id: job.id }])
    await robot.shows(step)
  }

  async function look(step: string): Promise<void> {
    now = NOW
    const start = createScreenEngine({ ...mockSite(), jobs: [] })
    start.detail(uuidOf(4, 7), {
      steps: [{ name: 'write xvda', pivot: false, undoable: true }],
      events: [{ seq: 1, step: 0, name: 'write xvda', kind: 'started', at: NOW }],
      commands: [],
      locks: [],
    })
    await open({ now: () => now }, start)
    await robot.press('7')
    await copying(step)
  }

  test('is said when it can be told, and not before', async () => {
    await look('write xvda: 100 of 1000 MiB')
    now += 1_000
    await copying('write xvda: 300 of 1000 MiB')
    expect(robot.text()).not.toMatch(/MiB\/s|left/)
    now += 3_000
    await copying('write xvda: 500 of 1000 MiB')
    await robot.shows('100 MiB/s, 5s left')
  })

  test('that it stands still is said too', async () => {
    await look('write xvda: 100 of 1000 MiB')
    now += 11_000
    await robot.press('w')
    await robot.shows('no progress for 11s')
  })

  test('what is counted anew, or in no bytes, is not mixed up with what was before', async () => {
    await look('write xvda: 900 of 1000 MiB')
    now += 4_000
    await copying('write xvda: compared 10 of 1000 MiB')
    now += 4_000
    await copying('write xvda: compared 18 of 1000 MiB')
    await robot.shows('2.0 MiB/s, 8m left')
    await copying('watch: up for 30 s')
    now += 4_000
    await copying('watch: up for 34 s')
    expect(robot.text()).not.toMatch(/MiB\/s|left/)
    await copying('write xvda: 10 %')
    now += 4_000
    await copying('write xvda: 11 %')
    expect(robot.text()).not.toContain('left')
    await copying('write xvda: 30 %')
    await robot.shows('14s left')
  })
})
