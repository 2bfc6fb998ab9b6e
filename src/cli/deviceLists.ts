import type { Engine } from '../engine/engine.ts'
import { formatMib } from '../lib/bytes.ts'
import type { Disk } from '../model/disk.ts'
import type { Nic } from '../model/nic.ts'
import type { Vm } from '../model/vm.ts'
import { iso, listing } from './listing.ts'
import { resolveTarget } from './target.ts'

/** What `pengx disks VM` and `pengx nics VM` print. */
function named(engine: Engine, word: string): Vm {
  return engine.view.needVm(resolveTarget(engine, 'vm', word))
}

const storlinkName = (engine: Engine, id: number | undefined) =>
  id === undefined ? undefined : engine.view.getStorlink(id)?.name

export const disks = listing<Disk>(
  (engine, of) => named(engine, of).disks,
  (engine) => [
    { title: 'DISK', text: (disk) => disk.vdev },
    { title: 'SIZE', align: 'right', text: (disk) => (disk.sizeMib === undefined ? '' : formatMib(disk.sizeMib)) },
    { title: 'FORMAT', text: (disk) => disk.format },
    { title: 'MODE', text: (disk) => (disk.readOnly ? 'read-only' : 'read-write') },
    { title: 'STORLINK', text: (disk) => storlinkName(engine, disk.storlink) ?? '' },
    { title: 'ON DELETE', text: (disk) => (disk.owned ? 'removed' : 'kept') },
    { title: 'UUID', text: (disk) => disk.uuid },
    { title: 'PATH', text: (disk) => disk.path },
    { title: 'DESCRIPTION', text: (disk) => disk.desc },
  ],
  (disk, engine) => ({
    uuid: disk.uuid,
    vdev: disk.vdev,
    format: disk.format,
    sizeMib: disk.sizeMib,
    path: disk.path,
    storlink: disk.storlink,
    storlinkName: storlinkName(engine, disk.storlink),
    readOnly: disk.readOnly,
    owned: disk.owned,
    base: disk.base,
    desc: disk.desc,
    createdAt: iso(disk.createdAt),
  }),
)

export const nics = listing<Nic>(
  (engine, of) => named(engine, of).nics,
  () => [
    { title: 'ID', align: 'right', text: (nic) => String(nic.id) },
    { title: 'NAME', text: (nic) => nic.name },
    { title: 'MAC', text: (nic) => nic.mac },
    { title: 'BRIDGE', text: (nic) => nic.bridge },
    { title: 'ADDRESS', text: (nic) => nic.ip },
    { title: 'MODEL', text: (nic) => nic.model ?? '' },
  ],
  ({ id, name, mac, bridge, ip, model }) => ({ id, name, mac, bridge, ip, model }),
)
