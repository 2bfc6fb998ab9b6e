/** A machine before it has guests: its hardware, its networks, what lies on its file systems; and how files are laid there. */
import { allocatedFor, charge, makeDir, makeDirs, makeLink, openForWrite, writeText } from './files.ts'
import type { DirNode, FileNode, PmState } from './state.ts'

export const GIB = 1073741824

export function uuidFrom(random: () => number): string {
  const hex = (length: number) =>
    Math.floor(random() * 16 ** length)
      .toString(16)
      .padStart(length, '0')
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(6)}${hex(6)}`
}

/** 24 random bits repeat themselves among some thousand guests, and a site has no address twice. */
const givenMacs = new WeakMap<() => number, Set<string>>()

export function macFrom(random: () => number): string {
  const given = givenMacs.get(random) ?? new Set<string>()
  givenMacs.set(random, given)
  const byte = () =>
    Math.floor(random() * 256)
      .toString(16)
      .padStart(2, '0')
  let mac: string
  do mac = `00:16:3e:${byte()}:${byte()}:${byte()}`
  while (given.has(mac))
  given.add(mac)
  return mac
}

export function createPm(index: number, perPm: number, random: () => number, now: number): PmState {
  const name = `xen${index + 1}`
  const memoryMib = Math.max(131_071, perPm * 9000)
  const bootedAt = now - Math.floor((3 + random() * 200) * 86_400_000)
  const root: DirNode = { kind: 'dir', mode: 0o755, uid: 0, gid: 0, mtimeMs: bootedAt, ino: 2, children: {} }
  const dataBytes = Math.max(4096, perPm * 120) * GIB
  const pm: PmState = {
    name,
    machineId: uuidFrom(random).replaceAll('-', ''),
    bootId: uuidFrom(random),
    bootedAt,
    cpuCount: perPm > 100 ? 256 : 32,
    coresPerSocket: perPm > 100 ? 64 : 8,
    threadsPerCore: 2,
    memoryMib,
    dom0MemoryMib: 4096,
    dom0VcpuCount: 4,
    nextDomid: 1,
    // what machines have in common has one inode, and no two files there the same
    nextIno: 100 + index * 1_000_000,
    nets: [
      { name: 'eth0', mac: macFrom(random).replace('00:16:3e', '3c:ec:ef'), master: 'xenbr0', kind: 'physical' },
      { name: 'eth1', mac: macFrom(random).replace('00:16:3e', '3c:ec:ef'), master: 'xenbr1', kind: 'physical' },
      {
        name: 'xenbr0',
        mac: macFrom(random).replace('00:16:3e', '3c:ec:ef'),
        ip: `192.0.2.${11 + index}/24`,
        kind: 'bridge',
      },
      {
        name: 'xenbr1',
        mac: macFrom(random).replace('00:16:3e', '3c:ec:ef'),
        ip: `198.51.100.${11 + index}/24`,
        kind: 'bridge',
      },
    ],
    root,
    mounts: [
      { at: '/', device: '/dev/sda2', fstype: 'ext4', sizeBytes: 80 * GIB, usedBytes: 6 * GIB },
      { at: '/data', device: '/dev/sdb1', fstype: 'xfs', sizeBytes: dataBytes, usedBytes: 4 * GIB },
      { at: '/var/lib/xen/images', device: '/dev/sdc1', fstype: 'ext4', sizeBytes: dataBytes, usedBytes: GIB },
      { at: '/run', device: 'tmpfs', fstype: 'tmpfs', sizeBytes: 400 * 1048576, usedBytes: 0 },
    ],
    groups: [
      {
        name: 'vg-fast',
        uuid: uuidFrom(random),
        sizeBytes: 1024 * GIB,
        extentBytes: 4 * 1048576,
        volumes: [
          {
            name: 'pool',
            uuid: uuidFrom(random),
            sizeBytes: 512 * GIB,
            segType: 'thin-pool',
            active: true,
            tags: [],
          },
        ],
      },
    ],
    domains: [],
    dues: [],
    xenstore: {},
  }
  for (const dir of [
    '/etc/xen/auto',
    '/etc/rc2.d',
    '/etc/rc3.d',
    '/etc/rc5.d',
    '/etc/systemd/system',
    '/etc/runlevels',
    '/etc/xen/scripts',
    '/data/images',
    '/data/iso',
    '/var/lib/xen/images',
    '/var/lib/xen/boot',
    '/var/lib/xen/save',
    '/run/xen',
    '/run/lock',
    '/root',
    '/boot',
    '/tmp',
    '/dev',
    '/var/log/xen',
    '/var/tmp',
    '/mnt',
    '/srv',
  ])
    makeDirs(pm, dir, bootedAt)
  makeLink(pm, '/var/run', '/run', bootedAt)
  for (const level of [2, 3, 5]) makeLink(pm, `/etc/rc${level}.d/S01xendomains`, '../init.d/xendomains', bootedAt)
  makeLink(pm, '/var/lock', '/run/lock', bootedAt)
  makeDir(pm, '/dev/vg-fast', bootedAt)
  writeText(pm, '/etc/machine-id', `${pm.machineId}\n`, bootedAt)
  writeText(pm, '/etc/hostname', `${name}\n`, bootedAt)
  writeText(
    pm,
    '/etc/os-release',
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
    bootedAt,
  )
  writeText(pm, '/etc/xen/xl.conf', '# Global XL config file\nautoballoon="off"\n', bootedAt)
  putFile(pm, '/boot/vmlinuz-guest', 8_200_000, bootedAt)
  putFile(pm, '/boot/initrd-guest.img', 31_000_000, bootedAt)
  putImage(pm, '/data/iso/debian-12.iso', 'raw', 700 * 1048576, 700 * 1048576, bootedAt)
  putImage(pm, '/data/iso/virtio-win.iso', 'raw', 600 * 1048576, 600 * 1048576, bootedAt)
  putImage(pm, '/data/images/debian-12.qcow2', 'qcow2', 10 * GIB, 1.2 * GIB, bootedAt)
  return pm
}

function putFile(pm: PmState, path: string, bytes: number, now: number): FileNode {
  const node = openForWrite(pm, path, now)
  if (node.kind !== 'file') throw new Error(`${path} is no file`)
  node.size = bytes
  node.allocated = allocatedFor(bytes)
  node.text = undefined
  charge(pm, path, node.allocated)
  return node
}

export function putImage(pm: PmState, path: string, format: string, size: number, used: number, now: number): void {
  const node = putFile(pm, path, Math.floor(used), now)
  node.image = { format, virtualSize: size }
  if (format === 'raw') node.size = size
}
