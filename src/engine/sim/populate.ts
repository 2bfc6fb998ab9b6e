/** Lays out a site: machines, guests with their disks, configuration files of guests that do not run. */
import { allocatedFor, charge, makeDir, makeDirs, makeLink, openForWrite, writeText } from './files.ts'
import { type Fate, fateOf, KINDS, type Kind, SPECIAL } from './kinds.ts'
import { createRandom, NO_COUNTERS } from './noise.ts'
import type { DirNode, Domain, FileNode, GuestConfig, GuestType, PmState, SimDisk, SimNic, SiteState } from './state.ts'

const GIB = 1073741824

export interface Layout {
  vmCount: number
  pmCount: number
  seed: number
  now: number
}

export function populate({ vmCount, pmCount, seed, now }: Layout): SiteState {
  const random = createRandom(seed)
  const perPm = Math.ceil(vmCount / pmCount)
  const pms = Array.from({ length: pmCount }, (_, index) => createPm(index, perPm, random, now))
  const counts = new Map<string, number>()
  for (let index = 0; index < vmCount; index++) {
    const pm = pms[index % pmCount]!
    const kind = SPECIAL[index] ?? KINDS[Math.floor(random() * KINDS.length)]!
    const number = (counts.get(kind.name) ?? 0) + 1
    counts.set(kind.name, number)
    const name = SPECIAL[index] ? kind.name : `${kind.name}${String(number).padStart(2, '0')}`
    addGuest(pm, kind, name, fateOf(index), random, now)
  }
  return { version: 1, seed, pms }
}

function uuidFrom(random: () => number): string {
  const hex = (length: number) =>
    Math.floor(random() * 16 ** length)
      .toString(16)
      .padStart(length, '0')
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(6)}${hex(6)}`
}

/** 24 random bits repeat themselves among some thousand guests, and a site has no address twice. */
const givenMacs = new WeakMap<() => number, Set<string>>()

function macFrom(random: () => number): string {
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

function createPm(index: number, perPm: number, random: () => number, now: number): PmState {
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
    nextIno: 100,
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
        uuid: `${uuidFrom(random).slice(0, 6)}-sim`,
        sizeBytes: 1024 * GIB,
        extentBytes: 4 * 1048576,
        volumes: [
          {
            name: 'pool',
            uuid: `${uuidFrom(random).slice(0, 6)}-sim`,
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

function putImage(pm: PmState, path: string, format: string, size: number, used: number, now: number): void {
  const node = putFile(pm, path, Math.floor(used), now)
  node.image = { format, virtualSize: size }
  if (format === 'raw') node.size = size
}

function addGuest(pm: PmState, kind: Kind, name: string, fate: Fate, random: () => number, now: number): void {
  const createdAt = pm.bootedAt + Math.floor(random() * (now - pm.bootedAt) * 0.9)
  const dir = random() < 0.5 ? '/data/images' : '/var/lib/xen/images'
  const format = random() < 0.85 ? 'qcow2' : 'raw'
  const disks: SimDisk[] = [diskOf(pm, `${dir}/${name}.${format}`, 'xvda', format, kind.diskGib, random, createdAt)]
  if (kind.data)
    disks.push(diskOf(pm, `/data/images/${name}-data.qcow2`, 'xvdb', 'qcow2', kind.diskGib * 4, random, createdAt))
  if (kind.type === 'hvm') {
    disks[0]!.vdev = 'hda'
    disks.push({ vdev: 'hdc', path: '/data/iso/virtio-win.iso', format: 'raw', readOnly: true, cdrom: true })
  }
  const nics: SimNic[] = [nicOf(0, 'xenbr0', kind.type, random)]
  if (random() < 0.3) nics.push(nicOf(1, 'xenbr1', kind.type, random))
  const config: GuestConfig = {
    name,
    uuid: uuidFrom(random),
    type: kind.type,
    vcpus: kind.vcpus,
    maxVcpus: random() < 0.3 ? kind.vcpus * 2 : kind.vcpus,
    memoryMib: kind.memoryMib,
    maxmemMib: random() < 0.3 ? kind.memoryMib * 2 : kind.memoryMib,
    ...(kind.type === 'hvm'
      ? { bootOrder: 'dc' }
      : kind.type === 'pv' && random() < 0.4
        ? { bootloader: 'pygrub' }
        : {
            kernel: '/boot/vmlinuz-guest',
            ramdisk: '/boot/initrd-guest.img',
            cmdline: 'root=/dev/xvda1 ro console=hvc0',
          }),
    disks,
    nics,
    ...(kind.type === 'hvm' ? { vnc: { listen: '127.0.0.1' } } : {}),
    onPoweroff: fate === 'shutdown' ? 'preserve' : 'destroy',
    onReboot: 'restart',
    onCrash: fate === 'crashed' ? 'preserve' : 'destroy',
  }
  if (fate === 'stopped' || random() < 0.4) {
    writeText(pm, `/etc/xen/${name}.cfg`, cfgText(config), createdAt, 0o600)
  }
  if (fate === 'stopped') return
  const builtAt = Math.min(now - 60_000, createdAt + Math.floor(random() * (now - createdAt)))
  const over = fate === 'crashed' || fate === 'shutdown'
  const domain: Domain = {
    domid: pm.nextDomid,
    name,
    uuid: config.uuid,
    config,
    phase: over ? 'shutdown' : 'up',
    paused: fate === 'paused',
    ...(over ? { shutdownReason: fate === 'crashed' ? 3 : 0 } : {}),
    memoryMib: config.memoryMib,
    maxmemMib: config.maxmemMib,
    vcpusOnline: config.vcpus,
    builtAt,
    populatedAt: builtAt,
    bootedAt: builtAt + 5000,
    paravirt: !name.includes('win'),
    counters:
      over || fate === 'paused'
        ? { cpu: 4000 * random(), rx: 1e8, tx: 1e8, read: 1e8, written: 1e8 }
        : { ...NO_COUNTERS },
    ...(over || fate === 'paused' ? {} : { countsSince: builtAt }),
    ...(name.startsWith('stubborn') ? { stubborn: true as const } : {}),
    ...(config.vnc ? { vncPort: (pm.domains.findLast((one) => one.vncPort)?.vncPort ?? 5899) + 1 } : {}),
  }
  // Domids of guests that came and went lie between.
  pm.nextDomid += 1 + Math.floor(random() * 3)
  pm.domains.push(domain)
}

function diskOf(
  pm: PmState,
  path: string,
  vdev: string,
  format: string,
  gib: number,
  random: () => number,
  now: number,
): SimDisk {
  putImage(pm, path, format, gib * GIB, gib * GIB * (0.05 + 0.4 * random()), now)
  return { vdev, path, format, readOnly: false, cdrom: false }
}

function nicOf(devid: number, bridge: string, type: GuestType, random: () => number): SimNic {
  return { devid, mac: macFrom(random), bridge, ...(type === 'hvm' ? { model: 'e1000' } : {}) }
}

/** A configuration file as an administrator would have written it. */
export function cfgText(config: GuestConfig): string {
  const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  const lines = [`name = ${quoted(config.name)}`, `uuid = ${quoted(config.uuid)}`, `type = ${quoted(config.type)}`]
  lines.push(`vcpus = ${config.vcpus}`)
  if (config.maxVcpus !== config.vcpus) lines.push(`maxvcpus = ${config.maxVcpus}`)
  lines.push(`memory = ${config.memoryMib}`)
  if (config.maxmemMib !== config.memoryMib) lines.push(`maxmem = ${config.maxmemMib}`)
  for (const key of ['kernel', 'ramdisk', 'cmdline', 'bootloader'] as const) {
    const value = config[key]
    if (value !== undefined) lines.push(`${key} = ${quoted(value)}`)
  }
  if (config.bootOrder) lines.push(`boot = ${quoted(config.bootOrder)}`)
  const disks = config.disks.map((disk) => {
    const kind = disk.cdrom ? ',devtype=cdrom' : ''
    return `  "format=${disk.format},vdev=${disk.vdev},access=${disk.readOnly ? 'ro' : 'rw'}${kind},target=${disk.path}",`
  })
  lines.push('disk = [', ...disks, ']')
  const nics = config.nics.map(
    (nic) => `"mac=${nic.mac},bridge=${nic.bridge}${nic.model ? `,model=${nic.model}` : ''}"`,
  )
  lines.push(`vif = [ ${nics.join(', ')} ]`)
  if (config.vnc && config.type === 'hvm') lines.push('vnc = 1', `vnclisten = ${quoted(config.vnc.listen)}`)
  if (config.onPoweroff !== 'destroy') lines.push(`on_poweroff = ${quoted(config.onPoweroff)}`)
  if (config.onCrash !== 'destroy') lines.push(`on_crash = ${quoted(config.onCrash)}`)
  return `${lines.join('\n')}\n`
}
