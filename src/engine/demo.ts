import { systemClock } from '../lib/clock.ts'
import { newUuid } from '../lib/ids.ts'
import type { Disk } from '../model/disk.ts'
import type { Pm } from '../model/pm.ts'
import type { Storlink } from '../model/storlink.ts'
import type { Vm } from '../model/vm.ts'
import { makeDemoBackups } from './demoBackups.ts'
import { batch } from './host/batch.ts'
import type { Host } from './host/host.ts'
import { runBatch } from './host/run.ts'
import type { ConfigFile } from './hypervisor/domain.ts'
import type { Hypervisor } from './hypervisor/hypervisor.ts'
import { adoptedVm, candidatesFor } from './operations/adopt/adopted.ts'
import type { Store } from './store/store.ts'
import { freeSpace, parseFreeSpace } from './tools/system.ts'
import { needDriver } from './volumes/drivers.ts'
import { ownGroup } from './volumes/groupPlace.ts'
import { putMarker } from './volumes/marker.ts'
import { withSizes } from './volumes/sizes.ts'
import { createClaimKeeper } from './watch/claims.ts'
import type { Observer } from './watch/observe.ts'

/** How many running VMs of the simulated site are left as they were found, so that adopting can be tried. */
const LEFT_ALONE = 3

export interface DemoDeps {
  readonly store: Store
  readonly observer: Observer
  readonly hypervisor: Hypervisor
  host(pm: Pm): Host
  /** The machine itself, of which a PM that is read-only is none: what stands there before anybody looks. */
  machine(pm: Pm): Host
}

/**
 * Makes a simulated site look lived in: its PMs are looked at, the first is meant where none is named, most of its VMs are
 * under care, storlinks stand where its disks lie, and some are backed up. One PM after the other, so that there is something to see early;
 * aborted, it stops between two.
 */
export async function furnishDemo(parts: DemoDeps, signal: AbortSignal): Promise<void> {
  const { view } = parts.store
  await settleSelf(parts.store)
  for (const pm of view.pms()) {
    if (signal.aborted) return
    await parts.observer.look(pm.uuid)
  }
  await parts.observer.settled()
  const found = view.vms().filter((vm) => vm.origin === 'found')
  const shared = await sharedDirectories(parts, found)
  const own = found.filter((vm) => !vm.disks.some((disk) => shared.has(directoryOf(disk.path))))
  const alone = new Set(own.slice(-LEFT_ALONE).map((vm) => vm.uuid))
  for (const pm of view.pms()) {
    if (signal.aborted) return
    await furnishPm(parts, pm, alone, shared)
  }
  if (!signal.aborted) await makeDemoBackups(parts)
}

/** A setting may name a PM of the real site, which is not here. */
async function settleSelf({ view, inventory }: Store): Promise<void> {
  const [first] = view.pms()
  const self = view.setting('self')
  if (first === undefined || view.pms().some(({ name, uuid }) => name === self || uuid === self)) return
  await inventory.putSetting('self', first.name)
}

/** Those of a file server, as df names it (`HOST:/PATH`): on this site every PM has them. */
async function sharedDirectories({ store, host }: DemoDeps, vms: readonly Vm[]): Promise<ReadonlySet<string>> {
  const [first] = store.view.pms()
  const directories = [...new Set(vms.flatMap((vm) => vm.disks.map((disk) => directoryOf(disk.path))))]
  if (first === undefined || directories.length === 0) return new Set()
  const parts = directories.map((directory) => ({ ...freeSpace(directory), okExits: [0, 1] }))
  const outputs = await runBatch(host(first), batch(parts))
  return new Set(
    directories.filter((_directory, index) => parseFreeSpace(outputs[index]?.stdout ?? '')?.device.includes(':/')),
  )
}

async function furnishPm(
  { store, hypervisor, host, machine }: DemoDeps,
  pm: Pm,
  alone: ReadonlySet<string>,
  shared: ReadonlySet<string>,
): Promise<void> {
  const files = await hypervisor.configFiles(host(pm))
  const found = store.view.vmsOn(pm.uuid).filter((vm) => vm.origin === 'found' && !alone.has(vm.uuid))
  const paths = new Set((pm.seen.configs ?? []).flatMap(({ path, vm }) => (vm === undefined ? path : [])))
  const fileOf = (vm: Vm) => candidatesFor(vm, files)[0]
  const rows = [
    ...found.map((vm) => adoptRunning(vm, fileOf(vm))),
    ...files.filter((file) => paths.has(file.path)).map((file) => adoptStopped(pm, file)),
  ]
  const disks = await withSizes(
    host(pm),
    rows.flatMap((vm) => vm.disks),
  )
  const sized = new Map(disks.map((disk) => [disk.uuid, disk]))
  const storlinks = await makeStorlinks(store, pm, machine(pm), disks, shared)
  const laid = (disk: Disk): Disk => {
    const storlink = storlinks.get(directoryOf(disk.path))
    return { ...(sized.get(disk.uuid) ?? disk), owned: true, ...(storlink === undefined ? {} : { storlink }) }
  }
  await store.inventory.putVms(rows.map((vm) => ({ ...vm, disks: vm.disks.map(laid) })))
  await createClaimKeeper(store.view, systemClock, ownGroup).keep(machine(pm), pm, await hypervisor.domains(host(pm)))
}

function adoptRunning(vm: Vm, file: ConfigFile | undefined): Vm {
  const { uuid, pm, name } = vm
  const from = { uuid, pm, name, now: Date.now(), before: vm }
  if (!file) return withSizesOf(adoptedVm({ ...from, spec: vm }), vm)
  const { spec } = file
  return withSizesOf(adoptedVm({ ...from, spec, configPath: file.path }), vm)
}

/** What the look at the running domain has found out already. */
function withSizesOf(vm: Vm, before: Vm): Vm {
  const sizes = new Map(before.disks.map((disk) => [disk.path, disk.sizeMib]))
  const sized = (disk: Disk): Disk => {
    const sizeMib = sizes.get(disk.path)
    return sizeMib === undefined ? disk : { ...disk, sizeMib }
  }
  return { ...vm, disks: vm.disks.map(sized) }
}

/** One that only its configuration file tells of. */
function adoptStopped(pm: Pm, file: ConfigFile): Vm {
  const { spec } = file
  const uuid = file.uuid ?? crypto.randomUUID()
  return adoptedVm({ spec, uuid, pm: pm.uuid, name: spec.name, now: Date.now(), configPath: file.path })
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

/** A storlink for each directory in which disks lie, by directory; one for all PMs where they share it. */
async function makeStorlinks(
  { inventory, view }: Store,
  pm: Pm,
  host: Host,
  disks: readonly Disk[],
  shared: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const made = new Map<string, number>()
  const links = new Set(disks.map((disk) => directoryOf(disk.path)).filter((link) => !link.startsWith('/dev')))
  for (const link of links) {
    const there = view.storlinks().find((other) => other.shared && other.link === link)
    if (there) made.set(link, there.id)
    else made.set(link, await inventory.putStorlink(await storlinkAt(link, pm, host, shared.has(link))))
  }
  return made
}

async function storlinkAt(link: string, pm: Pm, host: Host, shared: boolean): Promise<Storlink> {
  const { sizeMib, freeMib } = await needDriver('FL').inspect(host, link)
  const path = link.replaceAll('/', '-')
  const kind = shared
    ? ({ name: path.slice(1), type: 'NFS' } as const)
    : ({ name: `${pm.name}${path}`, type: 'LO' } as const)
  const row = { id: 0, pm: pm.uuid, link, ...kind, level: 'FL', shared, desc: '' } as const
  const { uuid } = await putMarker(host, row, newUuid(), undefined, ownGroup)
  return { ...row, uuid, sizeMib, freeMib, createdAt: Date.now() }
}
