import { expect } from 'bun:test'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import { PengxError } from '../../../src/model/error.ts'
import type { Vm } from '../../../src/model/vm.ts'
import { until } from '../until.ts'
import { pictureOf, type World } from './world.ts'

/** What brings a simulated site to where an operation can run. */

/** Runs an operation to its end, which must be a good one. */
export async function act(world: World, operation: string, raw: Readonly<Record<string, unknown>>): Promise<void> {
  const started = await world.engine.start(operation, world.engine.decode(operation, raw), 'cli')
  const { job } = await world.engine.finished(started.id)
  if (job.state !== 'done')
    throw new Error(`${operation} was to prepare the site, and ended as ${job.state}: ${job.message}`)
}

/** What refuses an operation before it begins, the code and the words; nothing is changed by it, and no job is made. */
export async function refusalOf(
  world: World,
  operation: string,
  raw: Readonly<Record<string, unknown>>,
): Promise<string> {
  const { engine } = world
  const before = await pictureOf(world)
  const jobs = engine.view.jobs().length
  try {
    await engine.finished((await engine.start(operation, engine.decode(operation, raw), 'cli')).id)
  } catch (error) {
    if (!(error instanceof PengxError)) throw error
    expect(await pictureOf(world)).toEqual(before)
    expect(engine.view.jobs()).toHaveLength(jobs)
    return `${error.code}: ${error.message}`
  }
  return 'it was not refused'
}

export function pmNamed(world: World, name = 'xen1'): string {
  return world.engine.view.pms().find((pm) => pm.name === name)!.uuid
}

export async function makeStorlink(world: World): Promise<number> {
  await act(world, 'storlink.create', { name: 'data', link: '/data', type: 'LO', level: 'FL', pm: pmNamed(world) })
  return world.engine.view.storlinks()[0]!.id
}

/** One of each kind: a directory, a volume group, and one that is shared. */
export async function makeStorlinks(world: World): Promise<void> {
  const pm = pmNamed(world)
  await act(world, 'storlink.create', { name: 'data', link: '/data', type: 'LO', level: 'FL', pm })
  await act(world, 'storlink.create', { name: 'fast', link: '/dev/vg-fast', type: 'LO', level: 'BL', pm })
  await act(world, 'storlink.create', { name: 'nfs', link: '/srv', type: 'NFS', level: 'FL', pm, shared: true })
}

export const NEW_VM = {
  name: 'fresh',
  memory: 512,
  vcpus: 2,
  type: 'hvm',
  diskSize: 1024,
  extraDiskSize: 64,
  bridges: 'xenbr0',
  vncPassword: 'verysafe',
  uuid: '11111111-2222-4333-8444-555555555555',
}

export async function makeVm(world: World): Promise<Vm> {
  await act(world, 'vm.create', { ...NEW_VM, storlink: await makeStorlink(world) })
  return world.engine.view.needVm(NEW_VM.uuid)
}

/** That VM, started, when its domain runs. */
export async function startVm(world: World, made?: string): Promise<Vm> {
  const uuid = made ?? (await makeVm(world)).uuid
  await act(world, 'vm.start', { vm: uuid })
  await until(async () => {
    await world.engine.look()
    return world.engine.view.needVm(uuid).seen.state === 'running'
  })
  return world.engine.view.needVm(uuid)
}

/** A running VM that was found and adopted; its guest answers. */
export async function adoptRunning(world: World): Promise<Vm> {
  const found = world.engine.view
    .vms()
    .find((vm) => vm.origin === 'found' && vm.seen.state === 'running' && !vm.name.startsWith('stubborn'))!
  await act(world, 'vm.adopt', { what: found.uuid, acceptLoss: true })
  return world.engine.view.needVm(found.uuid)
}

/** The same with a configuration file of its owner's, which says something that pengx does not interpret. */
export async function adoptForeign(world: World): Promise<Vm> {
  const found = world.engine.view.vms().find((vm) => vm.origin === 'found' && vm.seen.state === 'running')!
  const host = world.site.host(world.engine.view.needPm(found.pm).name)
  const text = `${xen.formatConfig(found.uuid, found)}usbdevice = "tablet"\n`
  await xen.writeConfig(host, `/etc/xen/${found.name}.cfg`, text, 'prepare.0')
  await act(world, 'vm.adopt', { what: found.uuid })
  const vm = world.engine.view.needVm(found.uuid)
  if (!vm.configForeign) throw new Error(`${vm.name} was to have a file of its owner's`)
  return vm
}
