import { afterEach, describe, expect, test } from 'bun:test'
import type { Vm } from '../../src/model/vm.ts'
import { openRobot, type Robot } from '../support/screenRobot.ts'
import {
  createScreenEngine,
  mockSite,
  pmOf,
  type ScreenEngine,
  storlinkOf,
  uuidOf,
  vmOf,
} from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** Stories of a person who changes what a VM is made of: disks, interfaces, the CD drive, its size and its name. */
let robot: Robot
let engine: ScreenEngine

const web = vmOf(3, 'web01', 1, 'running')
const second = { ...web.disks[0]!, uuid: uuidOf(3, 30), vdev: 'xvdb', sizeMib: 2048, path: '/data/web01-2.qcow2' }
const nics = [...web.nics, { id: 31, name: 'eth1', mac: '00:16:3e:00:01:00', bridge: 'xenbr1', ip: '' }]

async function open(change: Partial<Vm> = {}): Promise<void> {
  const vm: Vm = { ...web, disks: [...web.disks, second], nics, ...change }
  const pm = pmOf(1, { seen: { ...pmOf(1).seen, isos: [{ path: '/srv/iso/debian.iso', sizeMib: 600 }] } })
  engine = createScreenEngine({
    ...mockSite(),
    jobs: [],
    pms: [pm],
    vms: [vm],
    storlinks: [storlinkOf(1, 'data', 1), storlinkOf(2, 'more', 1)],
  })
  robot = await openRobot(engine)
  await robot.press('3', 'enter')
}

const shutDown = { seen: { state: 'shutdown', since: 0, drift: [] } } as const

afterEach(() => robot.close())

async function done(): Promise<(typeof engine.started)[number]> {
  await until(() => engine.started.length === 1)
  return engine.started[0]!
}

describe('disks', () => {
  test('one more, on another storlink', async () => {
    await open()
    await robot.press('tab', 'n')
    await robot.shows('Add a disk to web01')
    await robot.toField('Storlink')
    await robot.press(...'2 more')
    await robot.shows('‹ 2 more on xen1')
    await robot.toField('Size')
    await robot.press(...'4096', 'enter')
    expect(await done()).toMatchObject({
      operation: 'disk.create',
      params: { vm: web.uuid, storlink: 2, size: 4096, format: 'qcow2' },
    })
  })

  test('the one under the cursor grows, and what does not is said beside its field', async () => {
    await open()
    await robot.press('tab', 'j', '+')
    await robot.shows('Grow a disk of web01')
    expect(robot.line('│   Disk ')).toContain('xvdb, 2 GiB')
    await robot.press(...'1024', 'enter')
    await robot.shows('1024 is not more: no disk shrinks')
    await robot.press('ctrl-u', ...'8192', 'enter')
    expect(await done()).toMatchObject({ operation: 'disk.grow', params: { disk: second.uuid, size: 8192 } })
  })

  test('the one under the cursor moves to another storlink', async () => {
    await open()
    await robot.press('tab', 'j', 'M')
    await robot.shows('Move the disks of web01')
    expect(robot.line('│   Disk ')).toContain('xvdb, 2 GiB')
    await robot.press('right', 'enter')
    await robot.shows('xvdb lies on data already')
    await robot.press('right', 'enter')
    await robot.shows('Move the disks of web01?')
    await robot.press('y')
    const { operation, params } = await done()
    expect(operation).toBe('vm.smigrate')
    expect(params).toMatchObject({ vm: web.uuid, disk: second.uuid, storlink: expect.any(Number) })
  })

  test('the question before one is deleted names it', async () => {
    await open()
    engine.plan({ frees: ['xvdb /data/web01-2.qcow2 (2048 MiB)'] })
    await robot.press('tab', 'j', 'D')
    await robot.shows('Delete a disk of web01 for good?')
    expect(robot.line('disk   ')).toContain('xvdb, 2 GiB')
    await robot.shows('frees     xvdb /data/web01-2.qcow2')
    await robot.press(...'web01', 'enter')
    expect(await done()).toMatchObject({ operation: 'disk.delete', params: { vm: web.uuid, disk: second.uuid } })
  })

  test('a CD is put in by choosing it or by its path, and taken out again', async () => {
    await open()
    await robot.press('tab', 'i')
    await robot.shows('Insert a CD into web01')
    await robot.press('right')
    await robot.shows('‹ /srv/iso/debian.iso, 600 MiB ›')
    await robot.press(...'/root/my.iso', 'enter')
    expect(await done()).toMatchObject({ operation: 'iso.insert', params: { vm: web.uuid, path: '/root/my.iso' } })
    await robot.shows('CD drive: empty')
    await robot.press('I')
    await robot.shows('eject the CD of web01: there is nothing in its CD drive')
    const cd = { vdev: 'hdc', cdrom: true, path: '/root/my.iso', after: 1 }
    engine.set({ jobs: [], vms: [{ ...engine.site.vms[0]!, drives: [cd] }] }, [{ kind: 'vm', id: web.uuid }])
    await robot.shows('CD drive: /root/my.iso')
    await robot.press('I')
    await until(() => engine.started.length === 2)
    expect(engine.started[1]).toMatchObject({ operation: 'iso.eject', params: { vm: web.uuid } })
  })
})

describe('interfaces', () => {
  test('one more, on a bridge of its PM', async () => {
    await open()
    await robot.press('tab', 'tab', 'n')
    await robot.shows('Add an interface to web01')
    await robot.press('right', 'right')
    await robot.shows('‹ xenbr1 ›')
    await robot.toField('IP address')
    await robot.press(...'10.1.2.3', 'enter')
    expect(await done()).toMatchObject({ operation: 'nic.create', params: { bridge: 'xenbr1', ip: '10.1.2.3' } })
  })

  test('what it is now stands in the form, and only what differs is sent', async () => {
    await open(shutDown)
    await robot.press('tab', 'tab', 'e')
    await robot.shows('Change an interface of web01')
    expect(robot.line('│   Interface ')).toContain('eth0 on xenbr0')
    expect(robot.line('▸ IP address')).toContain('192.168.0.33')
    await robot.press('ctrl-u', ...'192.168.0.9x', 'enter')
    await robot.shows('✗ is not an ip address')
    await robot.press('backspace', '9', 'enter')
    expect((await done()).params).toEqual({ vm: web.uuid, nic: '3', ip: '192.168.0.99', unseenBridge: false })
    engine.set({ jobs: [] })
    await robot.press('e', 'ctrl-u', 'enter')
    await until(() => engine.started.length === 2)
    expect(engine.started[1]!.params).toEqual({ vm: web.uuid, nic: '3', ip: '', unseenBridge: false })
  })

  test('it is not taken from a guest that runs, nor changed under it', async () => {
    await open()
    await robot.press('tab', 'tab', 'D')
    await robot.shows('taking eth0 away of a running VM ruins its network')
    await robot.press('e')
    await robot.shows('eth0 of a running VM is never changed: shut it down first')
    expect(engine.started).toEqual([])
  })

  test('it is taken from one that is shut down, after a y', async () => {
    await open(shutDown)
    await robot.press('tab', 'tab', 'j', 'D')
    await robot.shows('Delete an interface of web01?')
    expect(robot.text()).toContain('interface eth1 on xenbr1')
    await robot.press('y')
    expect(await done()).toMatchObject({ operation: 'nic.delete', params: { vm: web.uuid, nic: '31' } })
  })
})

describe('the VM itself', () => {
  test('E resizes it: what it has stands there', async () => {
    await open()
    await robot.press('E')
    await robot.shows('Resize web01')
    expect(robot.line('▸ VCPUs')).toContain('4')
    await robot.toField('Memory')
    await robot.press('ctrl-u', ...'4096', 'enter')
    expect((await done()).params).toEqual({ vm: web.uuid, memory: 4096 })
  })

  test('K on the PMs spreads keys', async () => {
    await open()
    await robot.press('1', 'K')
    await robot.shows('Spread')
    await robot.toField('Make missing keys')
    await robot.press('y', 'enter')
    expect(await done()).toMatchObject({ operation: 'pm.spreadKeys', params: { create: true } })
  })
})

describe('storlinks', () => {
  test('e changes what is written down of one', async () => {
    await open()
    await robot.press('5', 'e')
    await robot.shows('Edit storlink data')
    await robot.toField('Description')
    await robot.press(...'the old array', 'enter')
    expect(await done()).toMatchObject({ operation: 'storlink.update', params: { storlink: 1, desc: 'the old array' } })
    expect(engine.started[0]!.params).not.toHaveProperty('link')
  })
})

test('copied, as often as one wants', async () => {
  await open()
  await robot.press('C')
  await robot.shows('Copy web01')
  await robot.press(...'again')
  await robot.toField('Copies')
  await robot.press('ctrl-u', '3', 'enter')
  expect(await done()).toMatchObject({ operation: 'vm.copy', params: { vm: web.uuid, name: 'again', count: 3 } })
})
