import { expect } from 'bun:test'
import { run } from '../../../../src/engine/host/run.ts'
import { parseSeed, type Seed } from '../../../../src/engine/tools/cloudInit.ts'
import { parseBase64, readBytes } from '../../../../src/engine/tools/files.ts'
import type { Vm } from '../../../../src/model/vm.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, makeStorlink, NEW_VM, pmNamed, startVm } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'

/** Copies of a VM: of one that is off and of one that runs, once and several times, here and on another PM. */
const COPIES = [1, 2].map((number) => `77777777-000${number}-4333-8444-555555555555`)
const KEY = `ssh-ed25519 ${'A'.repeat(68)} me@desk`

const source = (world: World) => world.engine.view.needVm(NEW_VM.uuid)
const copies = (world: World, count: number) => COPIES.slice(0, count).map((uuid) => world.engine.view.needVm(uuid))
const domainOf = (world: World) => world.site.pm('xen1').domains.find((one) => one.uuid === NEW_VM.uuid)!

/** A storlink that the other PM alone sees. */
export async function makeFar(world: World): Promise<number> {
  await run(world.site.host('xen2'), { argv: ['mkdir', '-p', '/far'], effect: 'change' })
  await act(world, 'storlink.create', {
    name: 'far',
    link: '/far',
    type: 'LO',
    level: 'FL',
    pm: pmNamed(world, 'xen2'),
  })
  return world.engine.view.storlinks().find((one) => one.name === 'far')!.id
}

/** What no two VMs may have is the copy's own, and everything else is the VM's. */
async function checkOwn(world: World, made: Vm, pm: 'xen1' | 'xen2'): Promise<void> {
  const old = source(world)
  expect(made).toMatchObject({ pm: pmNamed(world, pm), origin: 'created', memoryMib: 512, vcpuCount: 2, type: 'hvm' })
  expect(made.seen.state).toBe('shutdown')
  expect(made.nics.map(({ bridge }) => bridge)).toEqual(old.nics.map(({ bridge }) => bridge))
  const others = world.engine.view.vms().filter(({ uuid }) => uuid !== made.uuid)
  const macs = others.flatMap((vm) => vm.nics.map(({ mac }) => mac))
  for (const { mac } of made.nics) expect(macs).not.toContain(mac)
  expect(made.vnc?.password).toMatch(/^[A-Za-z0-9]{8}$/)
  expect(others.map((vm) => vm.vnc?.password)).not.toContain(made.vnc?.password)
  const paths = others.flatMap((vm) => vm.disks.map(({ path }) => path))
  const files = world.site.filesOn(pm)
  for (const disk of made.disks) {
    expect(paths).not.toContain(disk.path)
    expect(files[disk.path]).toBeDefined()
    expect(disk).toMatchObject({ owned: true })
  }
  const config = await run(world.site.host(pm), { argv: ['cat', made.configPath!], effect: 'read' })
  expect(config.stdout).toContain(made.vnc!.password!)
  for (const { mac } of made.nics) expect(config.stdout).toContain(mac)
}

/** Nothing is left of the moment, in its QEMU or beside its disks, and of the guest nothing was wanted. */
function checkLeft(world: World): void {
  const { phase, blockJobs = [], addedNodes = [], bitmaps = [], nbd } = domainOf(world)
  expect([phase, blockJobs, addedNodes, bitmaps, nbd?.exports ?? []]).toEqual(['up', [], [], [], []])
  const known = world.engine.view.vms().flatMap((vm) => vm.disks.map((disk) => disk.path))
  const images = Object.keys(world.site.filesOn('xen1')).filter((path) => /\/[0-9a-f-]{36}\.(qcow2|raw)$/.test(path))
  expect(images.filter((path) => !known.includes(path))).toEqual([])
}

async function seedOn(world: World, vm: Vm): Promise<Seed | undefined> {
  const pm = world.engine.view.needPm(vm.pm).name
  const { path } = vm.disks.find((disk) => disk.vdev === 'xvdz')!
  return parseSeed(parseBase64((await run(world.site.host(pm), readBytes(path))).stdout))
}

/** A running VM; its QEMU shows a moment only where that is wanted. */
const running = (shows: boolean) => async (world: World) => {
  world.site.pm('xen1').qemuVersion = shows ? [10, 0, 13] : [7, 2, 0]
  return await startVm(world)
}

export const COPY_CASES: readonly OperationCase[] = [
  {
    operation: 'vm.copy',
    variant: 'of a VM that is shut down, twice, each with a seed of its own',
    async prepare(world) {
      const storlink = await makeStorlink(world)
      const seed = { seedUser: 'admin', seedKey: KEY, seedAddress: '192.0.2.10/24,192.0.2.1' }
      await act(world, 'vm.create', { ...NEW_VM, ...seed, storlink })
      return { vm: NEW_VM.uuid, name: 'web', count: 2, uuids: COPIES }
    },
    async check(world) {
      const made = copies(world, 2)
      expect(made.map(({ name }) => name)).toEqual(['web-1', 'web-2'])
      for (const vm of made) {
        await checkOwn(world, vm, 'xen1')
        expect(vm.disks.map(({ vdev, sizeMib }) => [vdev, sizeMib])).toEqual([
          ['xvda', 1024],
          ['xvdb', 64],
          ['xvdz', 1],
        ])
        // An address is one machine's: nobody has said another.
        const own = { instanceId: vm.uuid, hostname: vm.name, user: 'admin', key: KEY }
        expect(await seedOn(world, vm)).toEqual(own)
      }
      expect((await seedOn(world, source(world)))?.address?.address).toBe('192.0.2.10/24')
    },
  },
  {
    operation: 'vm.copy',
    variant: 'of a VM that runs, whose QEMU shows the moment',
    async prepare(world) {
      const vm = await running(true)(world)
      return { vm: vm.uuid, name: 'web02', uuids: COPIES[0] }
    },
    async check(world) {
      await checkOwn(world, copies(world, 1)[0]!, 'xen1')
      checkLeft(world)
    },
  },
  {
    operation: 'vm.copy',
    variant: 'of a VM that runs, twice, to another PM',
    async prepare(world) {
      const vm = await running(false)(world)
      return { vm: vm.uuid, name: 'web', count: 2, storlink: await makeFar(world), uuids: COPIES }
    },
    async check(world) {
      for (const vm of copies(world, 2)) await checkOwn(world, vm, 'xen2')
      checkLeft(world)
    },
  },
]
