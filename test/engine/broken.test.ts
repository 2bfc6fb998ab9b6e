import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import { loadedCds } from '../../src/model/drive.ts'
import { toPengxError } from '../../src/model/error.ts'
import { act, adoptRunning, makeStorlink, NEW_VM, refusalOf, startVm } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { until } from '../support/until.ts'

/** A domain that an xl has left half built or half torn down, or whose QEMU is gone: pengx says so, and helps. */

let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

type Fault = 'leaveHalfBuilt' | 'leaveHalfTorn' | 'killQemu'
const FAULTS: readonly Fault[] = ['leaveHalfBuilt', 'leaveHalfTorn', 'killQemu']

/** A VM under care whose domain was left so. */
async function breakOne(fault: Fault) {
  const vm = await adoptRunning(world)
  world.site.faults[fault](vm.domainName)
  await world.engine.look()
  return world.engine.view.needVm(vm.uuid)
}

describe.each(FAULTS)('%s', (fault) => {
  test('is broken, in its row as on its PM', async () => {
    const vm = await breakOne(fault)
    expect(vm.seen.state).toBe('broken')
    expect(vm.seen.drift).toEqual([])
  })

  test('power off alone is offered, and clears it', async () => {
    const vm = await breakOne(fault)
    const { engine } = world
    const offered: string[] = []
    for (const name of ['start', 'shutdown', 'reboot', 'reset', 'suspend', 'resume', 'poweroff', 'delete']) {
      const raw = { vm: vm.uuid, ...(name === 'delete' ? { confirm: vm.name } : {}) }
      const refusal = engine.refuse(`vm.${name}`, engine.decode(`vm.${name}`, raw))
      if (refusal === undefined) offered.push(name)
      else expect([name, refusal]).toEqual([name, 'its domain is half built or half torn down: power it off'])
    }
    expect(offered).toEqual(['poweroff'])
    await act(world, 'vm.poweroff', { vm: vm.uuid })
    await engine.look()
    expect(engine.view.needVm(vm.uuid).seen).toMatchObject({ state: 'shutdown', drift: [] })
    expect(world.site.domain(vm.domainName)).toBeUndefined()
    await act(world, 'vm.start', { vm: vm.uuid })
    expect(engine.view.needVm(vm.uuid).seen.state).toBe('running')
  })

  test('an operation that was allowed a moment ago finds it broken when it looks', async () => {
    const vm = await adoptRunning(world)
    world.site.faults[fault](vm.domainName)
    const { engine } = world
    const started = engine.start('vm.suspend', engine.decode('vm.suspend', { vm: vm.uuid }), 'cli')
    const said = await started.then(
      async ({ id }) => (await engine.finished(id)).job.message,
      (error) => toPengxError(error).message,
    )
    expect(said).toContain('half built or half torn down: power it off')
  })
})

test('one that somebody clears is shut down, and nothing worth a word', async () => {
  const vm = await breakOne('leaveHalfTorn')
  world.site.faults.vanishDomain(vm.domainName)
  const seen = () => world.engine.view.needVm(vm.uuid).seen
  await until(async () => {
    await world.engine.look()
    return seen().state === 'shutdown'
  })
  expect(seen().drift).toEqual([])
})

describe('QEMU of an HVM guest', () => {
  const [LOADED, OTHER] = ['/data/iso/virtio-win.iso', '/data/iso/debian-12.iso']
  const make = async (iso?: string) => {
    await act(world, 'vm.create', { ...NEW_VM, iso, storlink: await makeStorlink(world) })
    return await startVm(world, NEW_VM.uuid)
  }

  test.each([
    ['iso.insert', 'insert', { path: OTHER }],
    ['disk.create', 'attach', { size: 8 }],
    ['nic.create', 'attach', { bridge: 'xenbr0' }],
  ] as const)(
    'that ends before %s has told it: the guest has not got it, and the change is taken back',
    async (name, step, raw) => {
      await world.close()
      world = await openWorld({
        intercept: async ({ operation, name: at, phase }) => {
          if (operation === name && at.startsWith(step) && phase === 'before') world.site.faults.killQemu(NEW_VM.name)
        },
      })
      const { uuid: vm, configPath, disks, nics } = await make(LOADED)
      const text = async () => (await xen.readConfig(world.site.host('xen1'), configPath!)).text
      const before = await text()
      const { engine } = world
      const { id } = await engine.start(name, engine.decode(name, { vm, ...raw }), 'cli')
      expect((await engine.finished(id)).job).toMatchObject({
        state: 'undone',
        message: expect.stringContaining('half built or half torn down: power it off'),
      })
      const row = engine.view.needVm(vm)
      expect([loadedCds(row), row.disks, row.nics]).toEqual([[LOADED], disks, nics])
      expect(await text()).toBe(before)
    },
  )

  test('would end where something is put into a drive that was empty when it was started: that is refused', async () => {
    const { uuid: vm } = await make(LOADED)
    await act(world, 'vm.poweroff', { vm })
    await act(world, 'iso.eject', { vm })
    await startVm(world, vm)
    expect(await refusalOf(world, 'iso.insert', { vm, path: OTHER })).toMatch(
      /drive hdc.* was empty when the guest was started/,
    )
    const host = world.site.host('xen1')
    const { domid } = world.engine.view.needVm(vm).seen
    await expect(xen.insertCd(host, domid!, { vdev: 'hdc', path: OTHER }, 'test.0')).rejects.toMatchObject({
      code: 'refused',
    })
    expect(world.site.domain(NEW_VM.name)?.qemuKilled).toBeUndefined()
    await act(world, 'vm.poweroff', { vm })
    await act(world, 'iso.insert', { vm, path: OTHER })
    await startVm(world, vm)
    await act(world, 'iso.eject', { vm })
    await act(world, 'iso.insert', { vm, path: LOADED })
    expect(loadedCds(world.engine.view.needVm(vm))).toEqual([LOADED])
  })
})
