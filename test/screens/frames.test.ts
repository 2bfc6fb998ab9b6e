import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openRobot, type Robot, type RobotOptions, widest } from '../support/screenRobot.ts'
import { layBackups, scheduleOf } from '../support/sites/backupSite.ts'
import type { FakeEngine } from '../support/sites/fakeEngine.ts'
import { createScreenEngine, jobOf, mockSite, NOW, uuidOf } from '../support/sites/screenSite.ts'
import { laySnapshots } from '../support/sites/snapshotSite.ts'

/**
 * Whole frames against test/golden/frames. `bun run golden` writes them again, and a person reads the difference.
 */
const GOLDEN = join(import.meta.dir, '../golden/frames')
const open: Robot[] = []
/** What menus show here, so that a new operation does not change frames that are not about it. */
const SHOWN = [
  'vm.start',
  'vm.shutdown',
  'vm.poweroff',
  'vm.reboot',
  'vm.reset',
  'vm.suspend',
  'vm.resume',
  'vm.create',
  'vm.adopt',
  'vm.forget',
  'vm.delete',
  'template.create',
  'template.add',
  'template.addNew',
  'template.update',
  'template.start',
  'template.shutdown',
  'template.delete',
  'storlink.create',
  'storlink.delete',
  'pm.add',
  'pm.remove',
]
const BACKUPS = [
  ...['create', 'restore', 'verify', 'drill', 'delete'].map((verb) => `backup.${verb}`),
  ...['create', 'update', 'delete'].map((verb) => `schedule.${verb}`),
]
const SNAPSHOTS = ['create', 'restore', 'start', 'update', 'delete'].map((verb) => `snapshot.${verb}`)

/** A VM that is shut down and one that runs have snapshots, and may be changed. */
function furnish(engine: FakeEngine): void {
  engine.set({ pms: engine.site.pms.map((pm) => ({ ...pm, readOnly: false })) })
  laySnapshots(engine, uuidOf(2, 2), uuidOf(2, 3))
}

async function show(keys: readonly string[], options: RobotOptions = {}, withSnapshots = false): Promise<Robot> {
  const engine = createScreenEngine(mockSite(), { operations: withSnapshots ? [...SHOWN, ...SNAPSHOTS] : SHOWN })
  if (withSnapshots) furnish(engine)
  engine.detail(uuidOf(4, 119), {
    steps: [
      { name: 'ask the guest', pivot: false, undoable: false },
      { name: 'wait until it is back', pivot: true, undoable: false },
    ],
    events: [
      { seq: 1, step: 0, name: 'ask the guest', kind: 'started', at: NOW - 240_000 },
      { seq: 2, step: 0, name: 'ask the guest', kind: 'succeeded', at: NOW - 239_800 },
      { seq: 3, step: 1, name: 'wait until it is back', kind: 'started', at: NOW - 239_800 },
    ],
    commands: [
      {
        seq: 1,
        host: 'xen1',
        line: 'xl reboot 3',
        at: NOW - 240_000,
        tookMs: 84,
        exit: 0,
        output: 'Rebooting domain 3\n',
      },
    ],
    locks: ['vm:web01'],
  })
  const robot = await openRobot(engine, options)
  open.push(robot)
  engine.ran({ host: 'xen1', line: 'xl info', tookMs: 84, exit: 0 })
  await robot.press(...keys)
  return robot
}

async function golden(name: string, robot: Robot): Promise<void> {
  const path = join(GOLDEN, `${name}.txt`)
  const frame = `${robot
    .lines()
    .map((line) => line.trimEnd())
    .join('\n')}\n`
  if (process.env.PENGX_GOLDEN || !existsSync(path)) {
    expect(process.env.PENGX_GOLDEN, `${path} is not there: bun run golden writes it`).toBeDefined()
    await Bun.write(path, frame)
  }
  expect(frame).toBe(await Bun.file(path).text())
}

afterAll(async () => {
  for (const robot of open) await robot.close()
})

const SCREENS: readonly (readonly [string, readonly string[], string])[] = [
  ['pms', [], 'Needs attention'],
  ['perf', ['2'], 'CPU'],
  ['vms', ['3'], 'web01'],
  [
    'vms-filtered',
    ['3', '/', 'w', 'e', 'b', '|', 'd', 'b', 'enter', 'j', 'j', 'j', 'space', 'space', 'k', 'k', 'k'],
    '2 marked',
  ],
  ['vm', ['3', 'j', 'j', 'j', 'enter'], 'Overview'],
  ['templates', ['4'], 'debian12'],
  ['template', ['4', 'enter'], 'Templates › debian12'],
  ['storage', ['5'], 'vg-fast'],
  ['jobs', ['7'], 'xl reboot 3'],
  ['help', ['3', '?'], 'Keys on VMs'],
  ['actions', ['3', 'j', 'x'], 'Actions on'],
  ['new-storlink', ['5', 'n'], '* has to be given'],
  ['new-from-template', ['4', 'c'], '* has to be given'],
]

describe('frames', () => {
  for (const [name, keys, wanted] of SCREENS) {
    for (const [columns, rows] of [
      [120, 36],
      [80, 24],
    ] as const) {
      test(`${name} at ${columns}x${rows}`, async () => {
        const robot = await show(keys, { columns, rows })
        await robot.shows(wanted)
        expect(robot.lines()).toHaveLength(rows)
        expect(widest(robot.lines())).toBe(columns)
        await golden(`${name}-${columns}x${rows}`, robot)
      })
    }
  }

  for (const [name, keys, wanted] of SCREENS.filter(([name]) =>
    ['pms', 'perf', 'vms', 'templates', 'jobs'].includes(name),
  )) {
    test(`${name} in ASCII`, async () => {
      const robot = await show(keys, { ascii: true })
      await robot.shows(wanted)
      expect(robot.text()).toMatch(/^[\x20-\x7e\n]*$/)
      expect(widest(robot.lines())).toBe(120)
      await golden(`${name}-ascii`, robot)
    })
  }

  test.each([
    ['snapshots-120x36', { columns: 120, rows: 36 }],
    ['snapshots-80x24', { columns: 80, rows: 24 }],
    ['snapshots-ascii', { ascii: true }],
  ] as const)('%s', async (name, options) => {
    const robot = await show(['3', 'j', 't', 'j'], options, true)
    await robot.shows('the VM is here')
    expect(widest(robot.lines())).toBe('columns' in options ? options.columns : 120)
    await golden(name, robot)
  })

  test.each([
    ['backups', ['6'], 'bring old back'],
    ['schedules', ['6', 'right'], 'last due'],
    ['vm-backups', ['3', 'enter', 'tab', 'tab', 'tab', 'tab', 'j'], 'can be restored'],
    ['restore', ['6', 'G', 'R'], 'Keep'],
  ] as const)('%s at both sizes', async (name, keys, wanted) => {
    for (const [columns, rows] of [
      [120, 36],
      [80, 24],
    ] as const) {
      const engine = createScreenEngine({ ...mockSite(), jobs: [] }, { operations: [...SHOWN, ...BACKUPS] })
      layBackups(engine, uuidOf(2, 1))
      const made = engine.site.vms.slice(0, 2)
      const schedules = made.map((vm, index) => scheduleOf(index + 1, { vm: vm.uuid, vmName: vm.name }))
      engine.set({ schedules }, [{ kind: 'schedule', id: schedules[0]!.uuid }])
      const robot = await openRobot(engine, { columns, rows })
      open.push(robot)
      await robot.press(...keys)
      await robot.shows(columns === 80 && name === 'backups' ? 'last of old' : wanted)
      expect(widest(robot.lines())).toBe(columns)
      await golden(`${name}-${columns}x${rows}`, robot)
    }
  })

  test.each([
    [120, 36, '✗ store: the disk is full'],
    [80, 24, '✗ store: the disk is full'],
  ] as const)('a store that cannot be written stands in the header at %dx%d', async (columns, rows, words) => {
    const site = { ...mockSite(), jobs: [] }
    const engine = createScreenEngine(site, { operations: SHOWN })
    const robot = await openRobot(engine, { columns, rows, production: true })
    open.push(robot)
    expect(robot.text()).not.toContain('store:')
    const since = NOW - 60_000
    engine.set({ storeTrouble: { code: 'noSpace', why: 'the disk is full', since } }, [{ kind: 'store', id: 'store' }])
    await robot.shows('the store cannot be written: the disk is full; jobs go on when it can')
    expect(robot.line('pengx')).toContain(words)
    expect(robot.line('pengx')).toContain('[PROD]')
    expect(widest(robot.lines())).toBe(columns)
    expect(robot.text()).toContain('✗ store    cannot be written since ')
    // Where jobs leave no room for why, it is named all the same.
    engine.set({ jobs: mockSite().jobs, storeTrouble: { code: 'busy', why: 'another process holds it', since } }, [
      { kind: 'store', id: 'store' },
    ])
    await robot.shows('1 stuck')
    expect(robot.line('pengx')).toContain(
      columns === 80 ? ' ✗ store  ▶ 1 job' : ' ✗ store: another process holds it  ▶ 1 job',
    )
    engine.set({ storeTrouble: undefined }, [{ kind: 'store', id: 'store' }])
    await robot.shows('the store can be written again')
    expect(robot.line('pengx')).not.toContain('store')
  })

  test('NO_COLOR leaves no colour, and the words still say it all', async () => {
    const coloured = await show(['3'])
    const plain = await show(['3'], { environment: { LANG: 'C.UTF-8', TERM: 'xterm', NO_COLOR: '1' } })
    expect(coloured.raw()).toMatch(/\x1b\[(3[0-7]|1;3[0-7])m/)
    expect(plain.raw()).not.toMatch(/\x1b\[(1;)?(3[0-7]|4[0-7]|9[0-7])m/)
    expect(plain.text()).toBe(coloured.text())
  })

  test('below 80x24 there is one message, and it recovers', async () => {
    const robot = await show(['3'], { columns: 71, rows: 20 })
    expect(robot.text()).toContain('pengx needs 80x24; this terminal is 71x20.')
    await robot.press('j')
    await robot.resize(80, 24)
    await robot.shows('[1 PMs]')
  })

  test('Korean names keep the columns straight', async () => {
    const robot = await show(['3'])
    const column = (name: string) => Bun.stringWidth(robot.line(name).split(/[●○‖✗▶?] /)[0]!)
    expect(column('web-한국')).toBe(column('web02'))
  })

  test('what a host says cannot move the cursor or the colours', async () => {
    const site = mockSite()
    const evil = 'web\x1b[2J\x1b]0;x\x07\u202e\r\nevil'
    const engine = createScreenEngine({
      ...site,
      vms: site.vms.map((vm, index) => (index === 0 ? { ...vm, name: evil } : vm)),
      jobs: [jobOf(1, 'vm.start', site.vms[0]!, { state: 'undone', message: evil })],
    })
    const robot = await openRobot(engine)
    open.push(robot)
    await robot.press('3')
    expect(robot.lines()).toHaveLength(36)
    expect(widest(robot.lines())).toBe(120)
    expect(robot.raw()).not.toContain('\x1b[2J')
    expect(robot.raw()).not.toContain('\u202e')
    expect(robot.text()).toContain('web evil')
  })
})
