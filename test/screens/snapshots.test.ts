import { afterEach, describe, expect, test } from 'bun:test'
import { DEEP, type Layer, layersOf, MAX_DEPTH } from '../../src/model/layer.ts'
import type { Vm, VmState } from '../../src/model/vm.ts'
import { openRobot, type Robot } from '../support/screenRobot.ts'
import { createScreenEngine, mockSite, pmOf, type ScreenEngine, storlinkOf, vmOf } from '../support/sites/screenSite.ts'
import { BEFORE, INSTALLED, laySnapshots, OTHER_WAY } from '../support/sites/snapshotSite.ts'
import { until } from '../support/until.ts'

/** Stories of a person who takes snapshots, goes back to them and gives them up. */
let robot: Robot
let engine: ScreenEngine

async function open(state: VmState = 'shutdown', change: (vm: Vm) => Partial<Vm> = () => ({})): Promise<Vm> {
  const vm = vmOf(3, 'web01', 1, state)
  const storlinks = [storlinkOf(1, 'data', 1), storlinkOf(2, 'more', 1)]
  engine = createScreenEngine({ ...mockSite(), jobs: [], pms: [pmOf(1)], vms: [vm], storlinks })
  laySnapshots(engine, vm.uuid, '')
  engine.set({ vms: engine.site.vms.map((one) => ({ ...one, ...change(one) })) })
  robot = await openRobot(engine)
  await robot.press('3', 't')
  await robot.shows('Snapshots]')
  return vm
}

afterEach(() => robot.close())

async function done(): Promise<(typeof engine.started)[number]> {
  await until(() => engine.started.length === 1)
  return engine.started[0]!
}

/** One of a chain: s1 lies on s0. */
function layer(index: number): Layer {
  return {
    ...{ uuid: `l${index}`, number: index + 1, name: `s${index}`, note: '', createdAt: 0, volumes: [] },
    type: 'OFFLINE',
    ...(index === 0 ? {} : { parent: `l${index - 1}` }),
  }
}

const rows = () => robot.lines().filter((text) => text.startsWith('│'))
const tree = () => rows().flatMap((text) => /[ ├└─│]*[○◉] [a-zA-Z].*?(?=\s{3}|…)/.exec(text.slice(4))?.[0] ?? [])

describe('the tree', () => {
  test('shows what lies on what, where the VM is, and how deep', async () => {
    await open('running')
    expect(tree()).toEqual(['○ installed', '├─◉ before <&>  the VM is here', '└─○ other way'])
    expect(robot.line('Snapshots  3')).toContain('3 layers')
    await robot.shows('lies on no snapshot')
    await robot.press('j')
    await robot.shows('merge what it holds into the disks of the')
    await robot.shows('VM itself, while it runs; it')
    await robot.shows('not now: it is running: shut it down first')
    await robot.press('j')
    await robot.shows('remove what it holds: nothing lies on it')
  })

  test('is a plain list while something else orders or filters it', async () => {
    await open()
    await robot.press('>')
    await robot.shows('sort TAKEN')
    expect(tree()).toEqual(['○ other way', '◉ before <&>  the VM is here', '○ installed'])
    await robot.press('<', '/', ...'way', 'enter')
    await robot.shows('1 of 3')
    expect(tree()).toEqual(['○ other way'])
  })

  test('a chain that is deep says so, here and where the VM is looked at', async () => {
    const layers = Array.from({ length: DEEP }, (_, index) => layer(index))
    await open('shutdown', () => ({ layers, layer: `l${DEEP - 1}` }))
    await robot.shows(`▲ ${DEEP} layers slow its reads`)
    await robot.press('G')
    await robot.shows(`s${DEEP - 1}  the VM is here`)
    await robot.shows(`${DEEP} layers: each slows reads`)
    await robot.press('tab', 'tab', 'tab', 'tab')
    await robot.shows(`lies on s${DEEP - 1}, ${DEEP} layers: each slows its reads`)
  })

  test('none at all says what takes one', async () => {
    await open('shutdown', () => ({ layer: undefined, layers: undefined }))
    await robot.shows('no snapshot: n takes one')
    await robot.press('R')
    await robot.shows('there is no snapshot here')
  })
})

describe('what is done to one', () => {
  test('taken, with a note, and then it is there', async () => {
    const { uuid: vm } = await open('running')
    await robot.press('n')
    await robot.shows('Take a snapshot of web01')
    await robot.press(...'before 2.0', 'tab', ...'all well', 'enter')
    expect(await done()).toMatchObject({
      operation: 'snapshot.create',
      params: { vm, name: 'before 2.0', desc: 'all well' },
    })
    await robot.shows('◉ before 2.0  the VM is here')
    await robot.shows('4 layers')
  })

  test('taken without a name: its moment is one, as the form says', async () => {
    const { uuid: vm } = await open('running')
    await robot.press('n')
    await robot.shows('none given: the date and time')
    expect(robot.line('▸ Name')).not.toContain('*')
    expect(robot.line('▸ Name')).not.toContain('web01')
    await robot.press('tab', ...'before the update', 'enter')
    expect((await done()).params).toEqual({ vm, desc: 'before the update', deep: false, force: false })
  })

  test('what has to be insisted on is refused in the form, where one can insist', async () => {
    const deepest = Array.from({ length: MAX_DEPTH }, (_, index) => layer(index))
    const { uuid: vm } = await open('shutdown', () => ({ layers: deepest, layer: `l${MAX_DEPTH - 1}` }))
    await robot.press('n', 'enter')
    await robot.shows(`its disks lie on ${MAX_DEPTH} layers already`)
    await robot.press('up', 'space', 'down', 'y', 'enter')
    expect((await done()).params).toMatchObject({ vm, deep: true })
  })

  test('the question before going back names it, and what the VM holds may be given up', async () => {
    const { uuid: vm } = await open()
    engine.plan({ keeps: ['xvda /data/web01.qcow2'] })
    await robot.press('R')
    await robot.shows('Restore a snapshot of web01')
    expect(robot.line('│ snapshot  ')).toContain('installed, ')
    await robot.shows('keeps     xvda /data/web01.qcow2')
    await robot.press('y')
    expect(await done()).toMatchObject({
      operation: 'snapshot.restore',
      params: { vm, snapshot: INSTALLED, keep: true },
    })
    await robot.press('R')
    await robot.shows('Restore a snapshot of web01')
    await robot.press('tab', 'right', 'y')
    await until(() => engine.started.length === 2)
    expect(engine.started[1]).toMatchObject({ params: { snapshot: INSTALLED, keep: false } })
  })

  test('a running VM does not go back, and says what to do first', async () => {
    await open('running')
    await robot.press('R')
    await robot.shows('restore a snapshot of web01: it is running: shut it down first')
    await robot.press('s')
    await robot.shows('start from a snapshot of web01: it is running: shut it down first')
    expect(engine.started).toEqual([])
  })

  test('started from', async () => {
    const { uuid: vm } = await open()
    await robot.press('G', 's')
    await robot.shows('Start from a snapshot of web01')
    expect(robot.line('│ snapshot  ')).toContain('other way, ')
    await robot.press('y')
    expect(await done()).toMatchObject({ operation: 'snapshot.start', params: { vm, snapshot: OTHER_WAY } })
  })

  test('renamed: what it is called stands in the form, and only what differs is sent', async () => {
    const { uuid: vm } = await open()
    await robot.press('j', 'e')
    await robot.shows('Rename a snapshot of web01')
    expect(robot.line('│   Snapshot ')).toContain('before <&>, ')
    expect(robot.line('▸ Name')).toContain('before <&>')
    await robot.press('ctrl-u', ...'upgrade', 'enter')
    expect((await done()).params).toEqual({ vm, snapshot: BEFORE, name: 'upgrade' })
  })

  test('its note is taken away', async () => {
    const { uuid: vm } = await open()
    await robot.press('e')
    await robot.shows('Rename a snapshot of web01')
    await robot.press('tab', 'ctrl-u', 'enter')
    expect((await done()).params).toEqual({ vm, snapshot: INSTALLED, desc: '' })
  })

  test('deleted after the name is typed; the cursor goes on', async () => {
    const { uuid: vm } = await open()
    await robot.press('G', 'D')
    await robot.shows('Delete a snapshot of web01 for good?')
    expect(robot.line('│ snapshot  ')).toContain('other way, ')
    await robot.press(...'web01', 'enter')
    expect(await done()).toMatchObject({ operation: 'snapshot.delete', params: { vm, snapshot: OTHER_WAY } })
    await until(() => layersOf(engine.site.vms[0]!).length === 3)
    await robot.shows('Snapshots  2')
    expect(tree()).toEqual(['○ installed', '└─◉ before <&>  the VM is here'])
  })
})

test('on other tabs these keys are the VM’s, and n takes one from the list too', async () => {
  const { uuid: vm } = await open()
  await robot.press('tab', 'tab', 's')
  expect(await done()).toMatchObject({ operation: 'vm.start', params: { vm } })
  await robot.press('3', 'n')
  await robot.shows('Take a snapshot of web01')
})
