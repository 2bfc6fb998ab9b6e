import type { Store } from './store/store.ts'
import type { Observer } from './watch/observe.ts'

/** How many VMs of the simulated site are left as they were found, so that adopting can be tried. */
const LEFT_ALONE = 3

/**
 * Makes a simulated site look lived in: its PMs are looked at, most of its VMs are under care, and storlinks stand where
 * its disks lie.
 */
export async function furnishDemo(store: Store, observer: Observer): Promise<void> {
  const { view, inventory } = store
  await Promise.all(view.pms().map((pm) => observer.look(pm.uuid)))
  const found = view.vms().filter((vm) => vm.origin === 'found')
  const storlinks = new Map<string, number>()
  for (const vm of found) {
    for (const disk of vm.disks) {
      const link = disk.path.slice(0, disk.path.lastIndexOf('/'))
      const key = `${vm.pm} ${link}`
      if (storlinks.has(key) || disk.path.startsWith('/dev/')) continue
      const pmName = view.needPm(vm.pm).name
      const name = `${pmName}-${link.split('/').at(-1)}`
      const size = { sizeMib: 1_048_576, freeMib: 600_000 }
      storlinks.set(
        key,
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
  const adopted = found.slice(0, Math.max(0, found.length - LEFT_ALONE))
  for (const vm of adopted) {
    const disks = vm.disks.map((disk) => {
      const storlink = storlinks.get(`${vm.pm} ${disk.path.slice(0, disk.path.lastIndexOf('/'))}`)
      return { ...disk, owned: true, ...(storlink === undefined ? {} : { storlink }) }
    })
    await inventory.putVm({ ...vm, origin: 'adopted', disks, configPath: `/etc/xen/pengx/${vm.uuid}.cfg` })
  }
}
