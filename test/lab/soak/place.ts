// Where the soak goes on: twelve guests on xen2, whose disks and backups lie on a directory that xen1 serves to both hosts,
// and one pengx outside with one store. Four of the guests write numbered blocks without an end, eight are idle.
import { addPm, type Controller, closeController, openController, pmsOf } from '../controllers.ts'
import type { Victim } from '../kills/victim.ts'
import { consoleMark, logArrivals, waitConsole } from '../machine/console.ts'
import { guestCmdline } from '../machine/guest.ts'
import { endSharing, SHARED_DIRECTORY, shareDirectory } from '../machine/shared.ts'
import { type LabHost, sh } from '../machine/ssh.ts'
import { allDone, idsOf } from '../manyJobs.ts'
import { perform, serveOutside } from '../pengx.ts'

const WRITERS = ['writer0', 'writer1', 'writer2', 'writer3']
const IDLERS = Array.from({ length: 8 }, (_, index) => `idler${index}`)
export const BACKUPS = 'backups'
const IDLE_LINK = 'idle'

export interface Place {
  readonly hosts: readonly [LabHost, LabHost]
  readonly pengx: Controller
  /** Each has a storlink of its own, so that whatever lies there is its own. */
  readonly writers: readonly Victim[]
  readonly idlers: readonly { readonly name: string; readonly uuid: string }[]
}

const linkOf = (storlink: string): string => `${SHARED_DIRECTORY}/${storlink}`

/** All guests run at the end. */
export async function openPlace(hosts: readonly LabHost[]): Promise<Place> {
  const [xen1, xen2] = hosts as readonly [LabHost, LabHost]
  // One that failed has left all of it to be looked at.
  await endGuests(hosts)
  await shareDirectory(xen1, hosts)
  await sh(xen1, `find ${SHARED_DIRECTORY} -mindepth 1 -delete`)
  const pengx = openController(hosts)
  for (const host of hosts) await addPm(pengx, host)
  const storlinks = [...WRITERS, IDLE_LINK, BACKUPS]
  await sh(xen1, `cd ${SHARED_DIRECTORY} && mkdir ${storlinks.join(' ')}`)
  for (const name of storlinks)
    await perform(
      pengx,
      'storlink.create',
      ...[name, '--link', linkOf(name), '--type', 'NFS', '--level', 'FL', '--shared', '--pm', xen2.name],
    )
  const names = [...WRITERS, ...IDLERS]
  for (const host of hosts) for (const name of WRITERS) await logArrivals(host, name)
  const pm = (await pmsOf(pengx)).get(xen2.name)!.uuid
  const api = await serveOutside(pengx)
  try {
    const { storlinks: rows } = (await api.ask('GET', '/storlinks/')).body as {
      storlinks: { id: number; name: string }[]
    }
    const idOf = (name: string) => rows.find((row) => row.name === name)!.id
    await allDone(
      api,
      names.map((name) => {
        const isWriter = WRITERS.includes(name)
        const sizes = isWriter ? { os_disk_size: 9, extra_disk_size: 9 } : { os_disk_size: 4 }
        const boot = { kernel: '/lab/guest/vmlinux', ramdisk: '/lab/guest/initrd', type: 'pv' }
        const rest = {
          cmdline: isWriter ? guestCmdline(name, 'prove', 'gpause=1') : guestCmdline(name, 'quiet'),
          memory: MEMORY_MIB,
          pm,
        }
        return ['POST', '/vms/', { name, storlink: idOf(isWriter ? name : IDLE_LINK), ...sizes, ...boot, ...rest }]
      }),
    )
    const ids = await idsOf(api, names)
    const marks = await Promise.all(names.map((name) => consoleMark(xen2, name)))
    // One after the other, those that are busy last: libxl waits for a QEMU for 40 s, which is little for a processor that is emulated.
    for (const id of ids.toReversed()) await allDone(api, [['POST', `/vms/${id}/start/`]])
    for (const [index, name] of names.entries())
      await waitConsole(xen2, name, new RegExp(`^READY name=${name} `), { mark: marks[index]! })
    const guests = names.map((name, index) => ({ name, uuid: ids[index]! }))
    const writers = guests
      .filter(({ name }) => WRITERS.includes(name))
      .map((guest): Victim => ({ host: xen2, pengx, ...guest, storlink: guest.name, link: linkOf(guest.name) }))
    return { hosts: [xen1, xen2], pengx, writers, idlers: guests.filter(({ name }) => IDLERS.includes(name)) }
  } finally {
    await api.stop()
  }
}

/** A PV guest holds its kernel unpacked, 58 MiB. */
const MEMORY_MIB = 96

/** Ends it; the hosts may go on. */
export async function closePlace({ hosts, pengx }: Place): Promise<void> {
  await endGuests(hosts)
  await endSharing(hosts[0], hosts)
  closeController(pengx)
}

async function endGuests(hosts: readonly LabHost[]): Promise<void> {
  const script =
    "for domid in $(xl list | awk 'NR > 2 { print $2 }'); do xl destroy $domid; done; rm -f /etc/xen/pengx/*.cfg"
  for (const host of hosts) await sh(host, script)
}
