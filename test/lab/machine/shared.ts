// What two hosts have in common: a LUN, and a directory or a Ceph cluster that one of them serves to the other and to itself.
import { type LabHost, sh } from './ssh.ts'

/** The LUN by the name that it has on every host (its wwn is in boot.ts). Nothing but care keeps two hosts from writing at once. */
const SHARED_DISK = '/dev/disk/by-id/wwn-0x5000c50000000100'

/** Where every host has the directory mounted; unmounted it is an empty directory on the root disk. */
export const SHARED_DIRECTORY = '/srv/shared'

/** What is mounted there lies here on the server (see dom0/serve.sh). */
const SERVED_DIRECTORY = '/srv/nfs'

/**
 * Attributes and names are cached as they are by default: what pengx makes of a mount, it has to make of that.
 * 4.2: locks are part of it, and die with their host after a lease of 10 s; hosts copy and find holes through it.
 * soft: with `hard` whatever looks at the mount hangs for ever when its server is gone, the suite's own clean-up too. 10,
 * 20 and 30 s are well beyond what an emulated server that works takes to answer.
 */
const MOUNT_OPTIONS = 'vers=4.2,soft,timeo=100,retrans=2'

/** A volume group on the LUN, without locks of LVM's own: the first of `hosts` makes it, and the others see it. */
export async function makeSharedGroup(hosts: readonly LabHost[], group: string): Promise<void> {
  const [maker, ...others] = hosts
  await sh(maker!, `vgcreate -q -y ${group} ${SHARED_DISK}`)
  // Where LVM has once found a group it looks at no other disk again (/run/lvm/hints) until something changes on that very
  // host: it says of this one that it is not found, and vgscan changes nothing about it.
  for (const host of others) await sh(host, 'pvscan -q --cache')
}

/** With all its volumes, which must not be in use; `hosts` are all that may have activated some. */
export async function removeSharedGroup(hosts: readonly LabHost[], group: string): Promise<void> {
  // A host that does not remove it itself would keep its active volumes, as devices of no group.
  for (const host of hosts) await sh(host, `vgchange -q -an ${group}`)
  await sh(hosts[0]!, `vgremove -q -f -y ${group} && pvremove -q ${SHARED_DISK}`)
}

interface Segment {
  readonly lv_name: string
  readonly pvseg_start: string
  readonly pvseg_size: string
}

/** Where each volume of a group lies on the LUN, as one host has it. */
export async function segmentsOn(host: LabHost, group: string): Promise<Segment[]> {
  const said = await sh(host, 'pvs --segments --reportformat json -o lv_name,pvseg_start,pvseg_size,vg_name')
  const [rows] = Object.values(JSON.parse(said).report[0]) as [(Segment & { vg_name: string })[]]
  return rows.filter((row) => row.vg_name === group && row.lv_name !== '')
}

/** Every extent that segments take, as often as it is taken. */
export function extentsOf(segments: readonly Segment[]): number[] {
  return segments.flatMap(({ pvseg_start: start, pvseg_size: size }) =>
    Array.from({ length: Number(size) }, (_, extent) => Number(start) + extent),
  )
}

/**
 * A volume group on the LUN whose locks lvmlockd takes for all `hosts` through a real sanlock, whose watchdog is left out: a
 * host that is cut off is not what a suite is about. Ended by removeLockedGroup().
 */
export async function makeLockedGroup(hosts: readonly LabHost[], group: string): Promise<void> {
  const [maker, ...others] = hosts
  for (const [index, host] of hosts.entries())
    await sh(
      host,
      `set -e
      sed -i -e '/use_lvmlockd *=/d' -e 's/^global {/&\\n\\tuse_lvmlockd = 1/' /etc/lvm/lvm.conf
      printf 'local {\\n\\thost_id = ${index + 1}\\n}\\n' >/etc/lvm/lvmlocal.conf
      mkdir -p /run/sanlock /run/lvm
      pidof sanlock >/dev/null || sanlock daemon -w 0
      pidof lvmlockd >/dev/null || lvmlockd
      for i in $(seq 100); do sanlock client status >/dev/null && lvmlockctl -i >/dev/null && exit; sleep 0.1; done
      exit 1`,
    )
  await sh(maker!, `vgcreate -q -y --shared ${group} ${SHARED_DISK}`)
  for (const host of others) await sh(host, `pvscan -q --cache; vgchange -q --lock-start ${group}`)
}

/** Takes the group away, with all its volumes, and lets LVM go without lvmlockd again. */
export async function removeLockedGroup(hosts: readonly LabHost[], group: string): Promise<void> {
  const [maker, ...others] = hosts
  for (const host of others) await sh(host, `vgchange -q -an ${group}; vgchange -q --lock-stop ${group}`)
  await sh(maker!, `vgchange -q -an ${group}; vgremove -q -f -y ${group}`)
  for (const host of hosts)
    await sh(
      host,
      `sed -i -e '/use_lvmlockd *=/d' /etc/lvm/lvm.conf
      rm -f /etc/lvm/lvmlocal.conf
      kill $(pidof lvmlockd); sanlock shutdown -f 1 || true
      while pidof lvmlockd || pidof sanlock; do sleep 0.2; done`,
    )
  // the lock that it would want lay in the group
  await sh(maker!, `pvremove -q ${SHARED_DISK}`)
}

/**
 * Serves the directory from `server` and mounts it on all `hosts`, the server too if it is among them. The server is a host
 * that the suite never switches off: the others' mounts would end with it.
 */
export async function shareDirectory(server: LabHost, hosts: readonly LabHost[]): Promise<void> {
  // an emulated processor takes long to load the modules: all hosts at once
  const load = hosts.filter((host) => host !== server).map((host) => sh(host, 'modprobe nfsv4'))
  await Promise.all([sh(server, '/lab/serve.sh nfs'), ...load])
  await Promise.all(hosts.map((host) => mountShared(server, host)))
}

/** Mounts it on one host, after its boot or after unmountShared(). */
export async function mountShared(server: LabHost, host: LabHost): Promise<void> {
  const at = SHARED_DIRECTORY
  await sh(host, `mkdir -p ${at}; mountpoint -q ${at} || mount -t nfs -o ${MOUNT_OPTIONS} ${server.name}:/ ${at}`)
}

/** Takes it from one host. Who has a file open there goes on with it (`-l`): a running guest keeps no test from this. */
export async function unmountShared(host: LabHost): Promise<void> {
  await sh(host, `umount -l ${SHARED_DIRECTORY}`)
}

/** Takes it from all hosts, and what is in it with it. */
export async function endSharing(server: LabHost, hosts: readonly LabHost[]): Promise<void> {
  for (const host of hosts) await sh(host, `! mountpoint -q ${SHARED_DIRECTORY} || umount -l ${SHARED_DIRECTORY}`)
  await sh(server, `find ${SERVED_DIRECTORY} -mindepth 1 -delete`)
}

/** A Ceph cluster on `server`, with a pool `vms`, for all `hosts`, until it is switched off. */
export async function serveCeph(server: LabHost, hosts: readonly LabHost[]): Promise<void> {
  await sh(server, '/lab/serve.sh ceph')
  const settings = await sh(server, 'base64 -w0 /etc/ceph/ceph.conf')
  for (const host of hosts.filter((one) => one !== server))
    await sh(host, `mkdir -p /etc/ceph; echo ${settings} | base64 -d >/etc/ceph/ceph.conf`)
}

/** Has a host's kernel show an RBD image, `POOL/IMAGE`; gives the kernel's name of the device, beside `/dev/rbd/POOL/IMAGE`. */
export async function mapImage(host: LabHost, image: string): Promise<string> {
  return (await sh(host, `rbd map ${image}; udevadm settle; ls /dev/rbd/${image} >/dev/null`)).trim()
}

export async function unmapImage(host: LabHost, image: string): Promise<void> {
  await sh(host, `rbd unmap ${image}`)
}
