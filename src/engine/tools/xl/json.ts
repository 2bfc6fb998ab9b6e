import type { Disk } from '../../../model/disk.ts'
import type { Drive } from '../../../model/drive.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Boot, VmSpec, VmType, Vnc } from '../../../model/vm.ts'
import { toDisk, toDrive } from './config.ts'
import { type DiskSpec, formatDisk } from './disk.ts'
import { LINES } from './jsonLines.ts'
import { createTreeReader, type Tree, type TreeReader, tree } from './jsonTree.ts'
import { toVnc } from './vnc.ts'

/**
 * `xl list -l`: what domains were built from, as libxl's own JSON. Keys of it that have a line in xl.cfg(5) become
 * `extraConfig`, so that a domain that is adopted without a configuration file starts again as it ran; what has none is
 * named. What libxl fills in by itself is neither.
 */
export interface DomainConfig {
  readonly domid: number
  readonly uuid: string
  readonly spec: VmSpec
  readonly notUnderstood: readonly string[]
}

/** All domains but dom0, which is nobody's VM; one at a time, since of thousands it takes a while. */
export function* parseConfigurations(stdout: string): Generator<DomainConfig, void, undefined> {
  const entries: unknown = JSON.parse(stdout.trim() === '' ? '[]' : stdout)
  if (!Array.isArray(entries)) return
  for (const entry of entries) if (Number(entry?.domid) > 0) yield parseOne(entry as Tree)
}

function parseOne(entry: Tree): DomainConfig {
  const config = createTreeReader(tree(entry.config), '')
  const create = config.under('c_info')
  const build = config.under('b_info')
  const type = asType(create.text('type') ?? build.text('type'))
  const own = build.under(`type.${type}`)
  const name = create.text('name') ?? '(null)'
  const uuid = create.text('uuid') ?? ''
  const available = build.list('avail_vcpus').length
  const maxVcpuCount = build.number('max_vcpus') ?? Math.max(1, available)
  const maxKib = build.number('max_memkb')
  const targetKib = build.number('target_memkb') ?? maxKib ?? 0
  const extra: string[] = []
  const { disks, drives } = readDisks(config)
  const vnc = readVnc(config, own, type)
  const boot = readBoot(build, own)
  for (const key of LINES) {
    const from = key.under === 'config' ? config : key.under === 'build' ? build : own
    const value = from.peek(key.json)
    const line = value === undefined ? undefined : key.line(value)
    if (line === undefined) continue
    from.take(key.json)
    if (line !== '') extra.push(line)
  }
  return {
    domid: Number(entry.domid),
    uuid,
    spec: {
      name,
      domainName: name,
      type,
      vcpuCount: available > 0 ? available : maxVcpuCount,
      maxVcpuCount,
      memoryMib: Math.round(targetKib / 1024),
      maxmemMib: Math.round((maxKib ?? targetKib) / 1024),
      boot,
      ...(vnc === undefined ? {} : { vnc }),
      disks,
      drives,
      nics: readNics(config),
      extraConfig: extra.join('\n'),
    },
    notUnderstood: config.left(),
  }
}

function asType(text: string | undefined): VmType {
  return text === 'hvm' || text === 'pvh' ? text : 'pv'
}

function readBoot(build: TreeReader, own: TreeReader): Boot {
  // old versions have these under the type
  const either = (key: string) => build.text(key) ?? own.text(key)
  const firmware = own.text('firmware')
  const bios = own.text('bios')
  const boot = {
    kernel: either('kernel'),
    ramdisk: either('ramdisk'),
    cmdline: either('cmdline'),
    bootloader: either('bootloader'),
    firmware: firmware ?? bios,
    order: own.text('boot'),
  }
  return Object.fromEntries(Object.entries(boot).filter(([, value]) => value !== undefined))
}

function readVnc(config: TreeReader, own: TreeReader, type: VmType): Vnc | undefined {
  // each frame buffer brings a keyboard along
  config.take('vkbs')
  const frame = type === 'hvm' ? own.under('vnc') : config.under('vfbs').under('0').under('vnc')
  if (type !== 'hvm') {
    config.under('vfbs').under('0').take('devid')
    if (config.list('vfbs').length === 0) return undefined
  }
  const enabled = frame.text('enable')
  const listen = frame.text('listen')
  const password = frame.text('passwd')
  const display = frame.number('display')
  // libxl's default is a display
  if (enabled === 'False') return undefined
  return toVnc(listen, password, display)
}

function readDisks(config: TreeReader): { disks: Disk[]; drives: Drive[] } {
  const disks: Disk[] = []
  const drives: Drive[] = []
  config.list('disks').forEach((_, index) => {
    const read = readDisk(config.under('disks').under(String(index)))
    const disk = toDisk(read)
    if (disk) disks.push(disk)
    else drives.push({ ...toDrive(read, disks.length), text: formatDisk(read) })
  })
  return { disks, drives }
}

function readDisk(from: TreeReader): DiskSpec {
  const words: string[] = []
  const word = (key: string, name: string) => {
    const value = from.text(key)
    if (value !== undefined && value !== '') words.push(`${name}=${value}`)
  }
  word('backend_domname', 'backend')
  word('script', 'script')
  const specification = from.text('specification')
  if (specification !== undefined && specification !== 'xen') words.push(`specification=${specification}`)
  if (from.peek('direct_io_safe')) words.push('direct-io-safe')
  from.take('direct_io_safe')
  const discard = from.text('discard_enable')
  if (discard !== undefined) words.push(discard === 'True' ? 'discard' : 'no-discard')
  const trusted = from.text('trusted')
  if (trusted === 'False') words.push('untrusted')
  const backend = from.text('backend')
  const format = from.text('format') ?? 'raw'
  const cdrom = Boolean(from.number('is_cdrom'))
  from.take('removable')
  const readWrite = Boolean(from.number('readwrite'))
  return {
    path: from.text('pdev_path') ?? '',
    format: format as DiskSpec['format'],
    vdev: from.text('vdev') ?? '',
    readOnly: !readWrite || cdrom,
    cdrom,
    ...(backend === undefined || backend === 'unknown' ? {} : { backend }),
    ...(words.length === 0 ? {} : { extra: words.join(',') }),
  }
}

function readNics(config: TreeReader): Nic[] {
  return config.list('nics').map((_, index) => {
    const from = config.under('nics').under(String(index))
    const words: string[] = []
    const word = (key: string, name: string) => {
      const value = from.text(key) ?? from.number(key)
      if (value !== undefined && value !== '') words.push(`${name}=${value}`)
    }
    word('script', 'script')
    word('backend_domname', 'backend')
    word('ifname', 'vifname')
    word('gatewaydev', 'gatewaydev')
    word('mtu', 'mtu')
    word('vlan', 'vlan')
    const rate = from.number('rate_bytes_per_interval')
    const interval = from.number('rate_interval_usecs')
    if (rate !== undefined && interval) words.push(`rate=${Math.round((rate * 1e6) / interval)}B/s@${interval}us`)
    const nictype = from.text('nictype')
    // an HVM guest's nic is both, emulated and PV, unless told otherwise
    if (nictype === 'vif' && asType(config.under('c_info').peek('type') as string) === 'hvm') words.push('type=vif')
    from.take('devid')
    if (from.text('trusted') === 'False') words.push('untrusted')
    const model = from.text('model')
    return {
      id: 0,
      name: `eth${index}`,
      mac: (from.text('mac') ?? '').toLowerCase(),
      bridge: from.text('bridge') ?? '',
      ip: from.text('ip') ?? '',
      ...(model === undefined ? {} : { model }),
      ...(words.length === 0 ? {} : { extra: words.join(',') }),
    }
  })
}
