import { afterEach, describe, expect, test } from 'bun:test'
import { openRobot, type Robot } from '../support/screenRobot.ts'
import type { FakeSite } from '../support/sites/fakeEngine.ts'
import {
  createScreenEngine,
  mockSite,
  pmOf,
  type ScreenEngine,
  templateOf,
  uuidOf,
  vmOf,
} from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** Stories of a person who looks after templates and makes VMs from them. */
let robot: Robot
let engine: ScreenEngine

const debian = templateOf(1, 'debian12')
const lying = vmOf(20, 'app01', 1, 'running', {
  template: debian.uuid,
  disks: [{ ...vmOf(20, 'app01', 1, 'running').disks[0]!, base: debian.disks[0]!.uuid }],
})
const copied = vmOf(21, 'app02', 1, 'shutdown', { template: debian.uuid })
const upkeep = vmOf(22, 'upkeep of win-서버', 1, 'running', { uuid: uuidOf(5, 2), template: uuidOf(5, 2) })

async function open(change: Partial<FakeSite> = {}, columns = 120): Promise<void> {
  const site = mockSite()
  engine = createScreenEngine({ ...site, jobs: [], pms: [pmOf(1), pmOf(2), pmOf(3)], ...change })
  robot = await openRobot(engine, { columns })
  await robot.press('4')
}

afterEach(() => robot.close())

describe('templates', () => {
  test('a row says what it is, what depends on it and whether it may be written to', async () => {
    await open({ vms: [lying, copied, upkeep] })
    expect(robot.line('▸')).toMatch(/debian12 +○ ready +xen1 +DEBIAN +10 GiB locked +2/)
    expect(robot.line('│   win-')).toMatch(/● booted .* open +0/)
    expect(robot.text()).toContain('VMs made from it (2)')
    expect(robot.text()).toMatch(/app01 +● running {2}lies on it/)
    expect(robot.text()).toMatch(/app02 +○ shut down {2}copied/)
    await robot.press('/', ...'lock:open', 'enter')
    expect(robot.line('▸')).toContain('win-서버')
    await robot.press('u')
    await robot.shows('VMs › upkeep of win-서버')
  })

  test('what cannot be done with it is said, by what depends on it', async () => {
    await open({ vms: [lying] })
    await robot.press('D')
    await robot.shows('delete template debian12: VM app01 was made from it')
    await robot.press('s')
    await robot.shows('boot template debian12: disks of VM app01 lie on it')
    await robot.press('d')
    await robot.shows('end upkeep of debian12: it is not booted for upkeep')
    expect(engine.started).toEqual([])
  })

  test('its VMs are those made from it', async () => {
    await open({ vms: [lying, copied, ...mockSite().vms] })
    await robot.press('o')
    await robot.shows('VMs  2 of 12   /template:debian12')
  })

  test('a VM is made from it: an overlay, with a first user, and a larger disk', async () => {
    await open()
    await robot.press('c')
    await robot.shows('Create VM')
    expect(robot.line('Template  ')).toContain('debian12 on xen1, 10 GiB')
    await robot.press(...'app03')
    await robot.toField('Memory')
    await robot.press(...'1024')
    await robot.toField('Disk size')
    await robot.press(...'20480')
    await robot.toField('Overlay')
    await robot.press('y')
    await robot.toField('First user')
    await robot.press(...'ada', 'ctrl-s')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({
      operation: 'vm.create',
      params: {
        name: 'app03',
        template: debian.uuid,
        memory: 1024,
        diskSize: 20480,
        overlay: true,
        seedUser: 'ada',
      },
    })
  })

  test('on the form of a VM what goes with a template comes with it', async () => {
    await open()
    await robot.press('3', 'N')
    await robot.shows('Create VM')
    expect(robot.text()).not.toContain('Overlay')
    await robot.toField('Template')
    await robot.press('right')
    await robot.shows('‹ debian12 on xen1, 10 GiB ›')
    await robot.shows('Overlay')
    expect(robot.text()).toContain('First user')
  })

  test('booting it for upkeep asks what with, and then for a y', async () => {
    await open()
    await robot.press('s')
    await robot.shows('Boot template debian12')
    await robot.toField('Memory')
    await robot.press('ctrl-u', ...'2048', 'enter')
    await robot.shows('Boot template debian12?')
    await robot.press('y')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({
      operation: 'template.start',
      params: { template: debian.uuid, memory: 2048 },
    })
  })

  test('what is written down of it is changed, and only what differs is sent', async () => {
    await open()
    await robot.press('e')
    await robot.shows('Edit template debian12')
    await robot.toField('Description')
    await robot.press('ctrl-u', ...'with keys', 'enter')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]!.params).toEqual({ template: debian.uuid, desc: 'with keys' })
  })

  test('three ways to a new one: of a VM, empty, of an image', async () => {
    await open()
    await robot.press('n')
    await robot.shows('Make template of')
    await robot.press('d')
    await robot.shows('‹ db01 ›')
    await robot.press('esc', 'N')
    await robot.shows('Add empty template')
    await robot.press('esc', 'i')
    await robot.shows('Add template')
    await robot.shows('Image')
    await robot.press('esc', '3', '/', ...'db02', 'enter', 'T')
    await robot.shows('Make template of db02')
    await robot.toField('Name')
    await robot.press(...'db-gold')
    await robot.toField('Storlink')
    await robot.press('right', 'right', 'enter')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({
      operation: 'template.create',
      params: { vm: uuidOf(2, 2), name: 'db-gold', storlink: 4 },
    })
  })

  test('one that is deleted wants its name', async () => {
    await open()
    await robot.press('D')
    await robot.shows('Delete template debian12 for good?')
    await robot.press(...'debian12', 'enter')
    await until(() => engine.started.length === 1)
    expect(engine.started[0]).toMatchObject({ operation: 'template.delete', params: { disks: 'all' } })
  })

  test('the palette finds the place by its other name, and a template by its own', async () => {
    await open()
    await robot.press('1', ':', ...'gvm', 'enter')
    await robot.shows('[4 Templates]')
    await robot.press('1', ':', ...'debian12', 'enter')
    await robot.shows('Templates › debian12')
    await robot.press('esc')
    await robot.shows('[1 PMs]')
  })

  test('where nothing is, it says how there will be', async () => {
    await open({ templates: [] }, 100)
    await robot.shows('no template yet: n of a VM')
    await robot.press('c')
    await robot.shows('make a VM: there is no template here')
  })
})
