import { afterEach, describe, expect, test } from 'bun:test'
import { openRobot, type Robot } from '../support/screenRobot.ts'
import {
  createScreenEngine,
  mockSite,
  pmOf,
  type ScreenEngine,
  storlinkOf,
  uuidOf,
} from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** Stories of a person who fills in a form. */
let robot: Robot
let engine: ScreenEngine

async function open(): Promise<void> {
  engine = createScreenEngine({
    ...mockSite(),
    jobs: [],
    pms: [pmOf(1), pmOf(2)],
    storlinks: [storlinkOf(1, 'data', 1), storlinkOf(2, 'more', 2)],
  })
  robot = await openRobot(engine)
}

afterEach(() => robot.close())

/** Down to the row of a field. */
describe('forms', () => {
  test('a VM is made: choices, numbers, flags and bridges', async () => {
    await open()
    await robot.press('3', 'N')
    await robot.shows('Create VM')
    await robot.press(...'web-새것')
    await robot.toField('Storlink')
    await robot.press('right', 'right')
    await robot.shows('2 more on xen2')
    await robot.toField('Memory')
    await robot.press(...'2048')
    await robot.toField('Disk size')
    await robot.press(...'10240')
    await robot.toField('Bridges')
    await robot.press('right', 'space')
    await robot.shows('[x] xenbr1')
    await robot.press('ctrl-s')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({
      operation: 'vm.create',
      params: { name: 'web-새것', storlink: 2, memory: 2048, diskSize: 10240, bridges: ['xenbr1'] },
    })
  })

  test('what is missing or wrong is said beside its field, and the cursor goes there', async () => {
    await open()
    await robot.press('5', 'n', 'enter')
    await robot.shows('✗ is missing')
    expect(robot.lines().filter((line) => line.includes('✗ is missing'))).toHaveLength(4)
    expect(robot.text()).toContain('│ ▸ Name')
    await robot.press('esc', '3', 'N', ...'web01')
    await robot.toField('Storlink')
    await robot.press('right')
    await robot.toField('Memory')
    await robot.press(...'lots', 'enter')
    await robot.shows('"lots" is not a number')
    expect(robot.lines().findIndex((line) => line.includes('▸ Memory')) + 1).toBe(
      robot.lines().findIndex((line) => line.includes('is not a number')),
    )
    await robot.press('ctrl-u', ...'2048')
    await robot.toField('Disk size')
    await robot.press(...'1024', 'enter')
    await robot.shows('name web01 is taken')
    expect(engine.started).toEqual([])
    await robot.press('esc')
    await robot.hides('Create VM')
  })

  test('what is rarely wanted is folded away', async () => {
    await open()
    await robot.press('3', 'N')
    expect(robot.text()).not.toContain('Maximum memory')
    await robot.toField('+ advanced')
    await robot.press('space')
    await robot.shows('Maximum memory')
  })

  test('a pasted text goes into the field, line ends left out', async () => {
    await open()
    await robot.press('3', 'N')
    await robot.paste('pasted-name\n')
    await robot.shows('pasted-name')
    await robot.shows('Create VM')
  })

  test('the plan can be seen before', async () => {
    await open()
    engine.plan({ steps: [{ name: 'make disk xvda', shows: ['qemu-img create x'], pivot: false, undoable: true }] })
    await robot.press('5', 'n')
    await robot.press(...'fast')
    await robot.toField('Link')
    await robot.press(...'/fast')
    await robot.toField('Type')
    await robot.press('right')
    await robot.toField('Level')
    await robot.press('right')
    await robot.toField('PM')
    await robot.press('x')
    await robot.press('ctrl-p')
    await robot.shows('qemu-img create x')
    await robot.press('enter')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({
      operation: 'storlink.create',
      params: { name: 'fast', link: '/fast', type: 'LO', level: 'FL', pm: uuidOf(1, 1) },
    })
  })

  test('a PM is added from the list of PMs', async () => {
    await open()
    await robot.press('N')
    await robot.press(...'root@10.0.0.99', 'enter')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({
      operation: 'pm.add',
      params: { destination: expect.stringContaining('10.0.0.99') },
    })
  })

  test('a secret is never shown', async () => {
    await open()
    await robot.press('3', 'N')
    await robot.toField('+ advanced')
    await robot.press('space')
    await robot.toField('VNC password')
    await robot.press(...'hunter2')
    expect(robot.text()).not.toContain('hunter2')
    expect(robot.text()).toContain('*******')
  })
})

describe('forms that change something', () => {
  test('what is there stands in the fields, and only what differs is sent', async () => {
    await open()
    await robot.press('3', 'j', 'e')
    await robot.shows('Edit db02')
    expect(robot.line('▸ Name')).toContain('db02')
    await robot.press('enter')
    await robot.shows('nothing is given to change')
    await robot.toField('Description')
    await robot.press(...'the second', 'ctrl-s')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({ operation: 'vm.edit', params: { vm: uuidOf(2, 2), desc: 'the second' } })
    expect(engine.started[0]!.params).not.toHaveProperty('name')
  })

  test('an emptied description is taken away, and a name cannot be', async () => {
    await open()
    engine.set({ vms: engine.site.vms.map((vm) => ({ ...vm, desc: 'old words' })) })
    await robot.press('3', 'j', 'e')
    await robot.toField('Description')
    expect(robot.line('▸ Description')).toContain('old words')
    await robot.press('ctrl-u')
    await robot.toField('Name')
    await robot.press('ctrl-u', 'enter')
    await robot.shows('✗ cannot be taken away')
    await robot.press(...'db02', 'enter')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]!.params).toEqual({ vm: uuidOf(2, 2), desc: '' })
  })

  test('on the tab of disks + and D are about the disk under the cursor', async () => {
    await open()
    await robot.press('3', 'j', 'enter', 'tab', '+')
    await robot.shows('Grow a disk of db02')
    await robot.press(...'81920', 'enter')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({
      operation: 'disk.grow',
      params: { vm: uuidOf(2, 2), disk: uuidOf(3, 2), size: 81920 },
    })
    await robot.press('D')
    await robot.shows('disk')
    await robot.shows('Type  db02  to allow it')
  })

  test('one form for several, each asked for itself', async () => {
    await open()
    await robot.press('3', '/', ...'db02|webtest', 'enter', '*', ':', ...'resize', 'enter')
    await robot.shows('Resize')
    await robot.toField('Memory')
    await robot.press(...'4096', 'enter')
    await robot.shows('Resize db02?')
    expect(robot.line('not ')).toContain('webtest: it is not adopted')
    await robot.press('y')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({ operation: 'vm.resize', params: { vm: uuidOf(2, 2), memory: 4096 } })
  })
})
