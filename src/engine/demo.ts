import type { Pm } from '../model/pm.ts'
import type { Vm } from '../model/vm.ts'
import type { Host } from './host/host.ts'
import type { Hypervisor } from './hypervisor/hypervisor.ts'
import { adoptedVm } from './operations/adopt.ts'
import type { Store } from './store/store.ts'
import { withSizes } from './volumes/sizes.ts'
import type { Observer } from './watch/observe.ts'

/** How many running VMs of the simulated site are left as they were found, so that adopting can be tried. */
const LEFT_ALONE = 3

/**
 * Makes a simulated site look lived in: its PMs are looked at, most of its VMs are under care, and storlinks stand where
 * its disks lie.
 */
export async function furnishDemo(
  store: Store,
  observer: Observer,
  hypervisor: Hypervisor,
  host: (pm: Pm) => Host,
): Promise<void> {
  const { view, inventory } = store
  await Promise.all(view.pms().map((pm) => observer.look(pm.uuid)))
  const found = view.vms().filter((vm) => vm.origin === 'found')
  const running = found
    .slice(0, Math.max(0, found.length - LEFT_ALONE))
    .map((vm) => ({ ...vm, origin: 'adopted' as const, configPath: `/etc/xen/pengx/${vm.uuid}.cfg` }))
  const stopped = await Promise.all(view.pms().map((pm) => stoppedOn(pm, hypervisor, host(pm))))
  const adopted = [...running, ...stopped.flat()]
  const storlinks = await makeStorlinks(store, adopted)
  const owned = adopted.map((vm) => ({
    ...vm,
    disks: vm.disks.map((disk) => {
      const storlink = storlinks.get(placeOf(vm, disk.path))
      return { ...disk, owned: true, ...(storlink === undefined ? {} : { storlink }) }
    }),
  }))
  await inventory.putVms(owned)
  await Promise.all(view.pms().map((pm) => observer.look(pm.uuid)))
}

/** VMs that only their configuration files tell of. */
async function stoppedOn(pm: Pm, hypervisor: Hypervisor, host: Host): Promise<Vm[]> {
  const rows: Vm[] = []
  for (const { path, uuid } of pm.seen.configs ?? []) {
    const { spec } = await hypervisor.readConfig(host, path)
    const id = uuid ?? crypto.randomUUID()
    const row = adoptedVm({ spec, uuid: id, pm: pm.uuid, name: spec.name, now: Date.now(), configPath: path })
    rows.push({ ...row, disks: await withSizes(host, row.disks) })
  }
  return rows
}

function placeOf(vm: Vm, path: string): string {
  return `${vm.pm} ${path.slice(0, path.lastIndexOf('/'))}`
}

/** A storlink for each directory in which disks lie. */
async function makeStorlinks({ view, inventory }: Store, vms: readonly Vm[]): Promise<Map<string, number>> {
  const made = new Map<string, number>()
  for (const vm of vms) {
    for (const { path } of vm.disks) {
      const place = placeOf(vm, path)
      if (made.has(place) || path.startsWith('/dev/')) continue
      const link = path.slice(0, path.lastIndexOf('/'))
      const name = `${view.needPm(vm.pm).name}-${link.split('/').at(-1)}`
      const size = { sizeMib: 1_048_576, freeMib: 600_000 }
      made.set(
        place,
        await inventory.putStorlink({
          id: 0,
          pm: vm.pm,
          name,
          link,
          type: 'LO',
          level: 'FL',
          shared: false,
          desc: '',
          ...size,
          createdAt: vm.createdAt,
        }),
      )
    }
  }
  return made
}
