import type { Disk } from '../../model/disk.ts'
import type { Nic } from '../../model/nic.ts'
import type { Boot, VmSpec, VmType, Vnc } from '../../model/vm.ts'
import { toDisk } from './xlConfig.ts'
import { type DiskSpec, formatDisk } from './xlDisk.ts'
import { quoteString } from './xlSyntax.ts'

/**
 * `xl list -l`: what domains were built from, as libxl's own JSON. Keys of it that have a line in xl.cfg(5) become
 * `extraConfig`, so that a domain that is adopted without a configuration file starts again as it ran; what has none is
 * named. What libxl fills in by itself is neither.
 */
export interface Configured {
  readonly domid: number
  readonly uuid: string
  readonly spec: VmSpec
  readonly notUnderstood: readonly string[]
}

type Tree = { readonly [key: string]: unknown }

/** All domains but dom0, which is nobody's VM. */
export function parseConfigurations(stdout: string): Configured[] {
  const entries: unknown = JSON.parse(stdout.trim() === '' ? '[]' : stdout)
  if (!Array.isArray(entries)) return []
  return entries.filter((entry) => Number(entry?.domid) > 0).map((entry) => parseOne(entry as Tree))
}

function parseOne(entry: Tree): Configured {
  const config = createTaker(tree(entry.config), '')
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
  const { disks, iso } = readDisks(config, type, extra)
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
      ...(iso === undefined ? {} : { iso }),
      disks,
      nics: readNics(config),
      extraConfig: extra.join('\n'),
    },
    notUnderstood: config.left(),
  }
}

function asType(text: string | undefined): VmType {
  return text === 'hvm' || text === 'pvh' ? text : 'pv'
}

function readBoot(build: Taker, own: Taker): Boot {
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

function readVnc(config: Taker, own: Taker, type: VmType): Vnc | undefined {
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
  if (enabled === 'False' || (type === 'hvm' && enabled === undefined)) return undefined
  return {
    listen: listen ?? '127.0.0.1',
    ...(password === undefined ? {} : { password }),
    ...(display === undefined ? {} : { display }),
  }
}

function readDisks(config: Taker, type: VmType, extra: string[]): { disks: Disk[]; iso?: string } {
  const disks: Disk[] = []
  let iso: string | undefined
  config.list('disks').forEach((_, index) => {
    const disk = readDisk(config.under('disks').under(String(index)))
    const known = disk.cdrom ? undefined : toDisk(disk)
    if (known !== undefined) disks.push(known)
    else if (disk.cdrom && type === 'hvm' && disk.path !== '' && disk.format === 'raw' && iso === undefined)
      iso = disk.path
    else extra.push(`disk += [ ${quoteString(formatDisk(disk))} ]`)
  })
  return { disks, ...(iso === undefined ? {} : { iso }) }
}

function readDisk(from: Taker): DiskSpec {
  const words: string[] = []
  const word = (key: string, name: string) => {
    const value = from.text(key)
    if (value !== undefined && value !== '') words.push(`${name}=${value}`)
  }
  word('backend_domname', 'backend')
  word('script', 'script')
  const specification = from.text('specification')
  if (specification !== undefined && specification !== 'xen') words.push(`specification=${specification}`)
  if (from.number('direct_io_safe')) words.push('direct-io-safe')
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

function readNics(config: Taker): Nic[] {
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

/** A key of the JSON and its line in xl.cfg(5): `''` where libxl's own default says it, undefined where it does not fit. */
interface Line {
  readonly under: 'config' | 'build' | 'own'
  readonly json: string
  line(value: unknown): string | undefined
}

const action = (key: string, standard: string): Line => ({
  under: 'config',
  json: key,
  line: (value) =>
    value === standard
      ? ''
      : typeof value === 'string'
        ? `${key} = ${quoteString(value.replaceAll('_', '-'))}`
        : undefined,
})
const flag = (under: Line['under'], json: string, key = json): Line => ({
  under,
  json,
  line: (value) => (value === 'True' || value === 'False' ? `${key} = ${value === 'True' ? 1 : 0}` : undefined),
})
const text = (under: Line['under'], json: string, key = json): Line => ({
  under,
  json,
  line: (value) => (typeof value === 'string' ? `${key} = ${quoteString(value)}` : undefined),
})
const texts = (under: Line['under'], json: string, key: string): Line => ({
  under,
  json,
  line: (value) =>
    Array.isArray(value) && value.every((item) => typeof item === 'string')
      ? `${key} = [ ${value.map(quoteString).join(', ')} ]`
      : undefined,
})

const LINES: readonly Line[] = [
  action('on_poweroff', 'destroy'),
  action('on_reboot', 'restart'),
  action('on_watchdog', 'destroy'),
  action('on_crash', 'destroy'),
  action('on_soft_reset', 'soft_reset'),
  flag('build', 'localtime'),
  flag('build', 'nested_hvm', 'nestedhvm'),
  flag('build', 'acpi'),
  flag('build', 'apic'),
  flag('build', 'disable_migrate', 'nomigrate'),
  text('build', 'device_model', 'device_model_override'),
  texts('build', 'bootloader_args', 'bootloader_args'),
  texts('build', 'extra', 'device_model_args'),
  texts('build', 'extra_pv', 'device_model_args_pv'),
  texts('build', 'extra_hvm', 'device_model_args_hvm'),
  text('own', 'serial'),
  texts('own', 'serial_list', 'serial'),
  text('own', 'usbdevice'),
  texts('own', 'usbdevice_list', 'usbdevice'),
  text('own', 'keymap'),
  text('own', 'soundhw'),
  text('own', 'acpi_firmware'),
  text('own', 'smbios_firmware'),
  flag('own', 'usb'),
  flag('own', 'pae'),
  flag('own', 'acpi'),
  flag('own', 'viridian'),
  flag('own', 'hpet'),
  flag('own', 'nographic'),
  flag('own', 'xen_platform_pci'),
  flag('own', 'pvshim'),
]

/** What libxl writes there by itself; a value that is not the one here is worth naming. */
const DEFAULTS: Readonly<Record<string, (value: unknown) => boolean>> = {
  'c_info.domid': () => true,
  'c_info.run_hotplug_scripts': (value) => value === 'True',
  'c_info.hap': (value) => value === 'True',
  'c_info.oos': (value) => value === 'True',
  'c_info.pool_name': (value) => value === 'Pool-0',
  'c_info.passthrough': (value) => value === 'disabled' || value === 'default',
  'b_info.video_memkb': () => true,
  'b_info.shadow_memkb': () => true,
  'b_info.iommu_memkb': () => true,
  'b_info.claim_mode': () => true,
  'b_info.numa_placement': () => true,
  'b_info.sched_params.sched': () => true,
  'b_info.sched_params.weight': (value) => value === 256,
  'b_info.sched_params.cap': (value) => value === 0,
  'b_info.arch_x86.msr_relaxed': (value) => value === 'False',
  'b_info.device_model_version': (value) => value === 'qemu_xen',
  'b_info.max_grant_frames': () => true,
  'b_info.max_maptrack_frames': () => true,
  'b_info.max_grant_version': () => true,
  'b_info.event_channels': () => true,
  'b_info.type': () => true,
}

const IGNORED = [/^disks\.\d+\.colo_\w+$/, /\.vnc\.findunused$/, /^vkbs\b/]

/** Reads a tree and remembers what was read, so that the rest can be named. */
interface Taker {
  peek(key: string): unknown
  take(key: string): void
  text(key: string): string | undefined
  number(key: string): number | undefined
  list(key: string): readonly unknown[]
  under(key: string): Taker
  left(): string[]
}

function createTaker(root: Tree, path: string, taken: Set<string> = new Set(), whole: Tree = root): Taker {
  const at = (key: string) => (path === '' ? key : `${path}.${key}`)
  const take = <T>(key: string, value: T): T => {
    taken.add(at(key))
    return value
  }
  return {
    peek: (key) => root[key],
    take: (key) => void taken.add(at(key)),
    text: (key) => (typeof root[key] === 'string' ? take(key, root[key]) : undefined),
    number: (key) => (typeof root[key] === 'number' ? take(key, root[key]) : undefined),
    // items are named one by one
    list: (key) => {
      const value = root[key]
      if (!Array.isArray(value)) return []
      return value.every((item) => typeof item !== 'object') ? take(key, value) : value
    },
    under: (key) => createTaker(tree(root[key]), at(key), taken, whole),
    left: () =>
      leaves(whole, '')
        .filter(([name, value]) => !isTaken(taken, name) && !isDefault(name, value))
        .map(([name]) => name),
  }
}

function isTaken(taken: ReadonlySet<string>, name: string): boolean {
  return taken.has(name) || [...taken].some((one) => name.startsWith(`${one}.`))
}

function isDefault(name: string, value: unknown): boolean {
  return (DEFAULTS[name]?.(value) ?? false) || IGNORED.some((pattern) => pattern.test(name))
}

/** Every value that is not a tree or a list of trees, with its path. */
function leaves(node: unknown, path: string): [string, unknown][] {
  if (typeof node !== 'object' || node === null) return [[path, node]]
  if (Array.isArray(node) && node.every((item) => typeof item !== 'object'))
    return node.length === 0 ? [] : [[path, node]]
  return Object.entries(node).flatMap(([key, value]) => leaves(value, path === '' ? key : `${path}.${key}`))
}

function tree(value: unknown): Tree {
  return typeof value === 'object' && value !== null ? (value as Tree) : {}
}
