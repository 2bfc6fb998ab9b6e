import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import { act, refusalOf } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'

/** What the real xl starts, pengx starts: which interfaces need a Linux bridge, and which do not. */

let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

/** Adopts a VM by a file of its owner's with those interfaces, and gives its UUID. */
async function adoptWith(vifs: readonly string[]): Promise<string> {
  const text = [
    'name = "six"',
    'uuid = "0000000a-0000-4000-8000-00000000000a"',
    'type = "pvh"',
    'kernel = "/boot/vmlinuz-guest"',
    'memory = 64',
    `vif = [ ${vifs.map((vif) => `'${vif}'`).join(', ')} ]`,
  ].join('\n')
  const path = '/etc/xen/six.cfg'
  await run(world.site.host('xen1'), { argv: ['tee', path], effect: 'change', stdin: text })
  await act(world, 'vm.adopt', { what: path, pm: 'xen1' })
  return world.engine.view.vms().find((vm) => vm.name === 'six')!.uuid
}

const WITHOUT_A_BRIDGE = [
  '',
  'mac=00:16:3e:0a:00:01',
  'mac=00:16:3e:0a:00:02,ip=192.0.2.7,script=vif-route,gatewaydev=eth0',
  'mac=00:16:3e:0a:00:03,bridge=ovsbr0.110,script=vif-openvswitch',
  'mac=00:16:3e:0a:00:04,backend=netvm,bridge=brx',
  'mac=00:16:3e:0a:00:05,bridge=xenbr0',
]

test('empty, routed, on Open vSwitch, of a driver domain: a VM starts with them', async () => {
  const vm = await adoptWith(WITHOUT_A_BRIDGE)
  await act(world, 'vm.start', { vm })
  expect(world.site.domainsOn('xen1').find((one) => one.uuid === vm)).toMatchObject({ name: 'six' })
})

describe('a bridge that is not seen', () => {
  const PLAIN = 'mac=00:16:3e:0a:00:06,bridge=ovsbr0'

  test('is refused with what there is and what would help, and then passed by', async () => {
    const vm = await adoptWith([PLAIN])
    expect(await refusalOf(world, 'vm.start', { vm })).toBe(
      'refused: six: bridge ovsbr0 of eth0 is not on xen1, which has xenbr0, xenbr1: make it there, or give --unseen-bridge where it is no Linux bridge (Open vSwitch)',
    )
    // Where Open vSwitch makes the bridges, xl.conf names its script for all interfaces.
    const conf = 'vif.default.script="vif-openvswitch"\n'
    await run(world.site.host('xen1'), { argv: ['tee', '/etc/xen/xl.conf'], effect: 'change', stdin: conf })
    await act(world, 'vm.start', { vm, unseenBridge: true })
    expect(world.engine.view.needVm(vm).seen.domid).toBeGreaterThan(0)
  })

  test('is what the script of Linux bridges needs by its name, too', async () => {
    const vm = await adoptWith([`${PLAIN},script=vif-bridge`])
    expect(await refusalOf(world, 'vm.start', { vm })).toContain('bridge ovsbr0 of eth0 is not on xen1')
  })

  test('of an interface that is put elsewhere counts by that interface’s own script', async () => {
    const vm = await adoptWith(['mac=00:16:3e:0a:00:03,bridge=ovsbr0.110,script=vif-openvswitch', PLAIN])
    expect(await refusalOf(world, 'nic.update', { vm, nic: 'eth1', bridge: 'ovsbr1' })).toContain(
      'bridge ovsbr1 is not on xen1, which has xenbr0, xenbr1: make it there',
    )
    await act(world, 'nic.update', { vm, nic: 'eth0', bridge: 'ovsbr0.120' })
    await act(world, 'nic.update', { vm, nic: 'eth1', bridge: 'ovsbr1', unseenBridge: true })
    expect(world.engine.view.needVm(vm).nics.map((nic) => nic.bridge)).toEqual(['ovsbr0.120', 'ovsbr1'])
  })

  test('is one that a new interface can be given', async () => {
    const vm = await adoptWith([])
    expect(await refusalOf(world, 'nic.create', { vm, bridge: 'ovsbr0' })).toContain('bridge ovsbr0 is not on xen1')
    await act(world, 'nic.create', { vm, bridge: 'ovsbr0', unseenBridge: true })
    expect(world.engine.view.needVm(vm).nics.map((nic) => nic.bridge)).toEqual(['ovsbr0'])
  })
})
