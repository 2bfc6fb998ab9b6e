/** From the assignments of a configuration file to what libxl keeps of a guest. */
import type { CfgValue } from './cfgSyntax.ts'
import { findNode } from './files.ts'
import type { SimVnc } from './screen.ts'
import type { GuestConfig, GuestType, PmState, SimDisk, SimNic } from './state.ts'

type Values = ReadonlyMap<string, CfgValue>

export function guestFromCfg(values: Values, newUuid: () => string, newMac: () => string): GuestConfig {
  const type = typeOf(values)
  const vcpus = number(values, 'vcpus') ?? number(values, 'maxvcpus') ?? 1
  const memoryMib = number(values, 'memory') ?? number(values, 'maxmem') ?? 32
  const boot = string(values, 'boot')
  const vnc = vncOf(values, type)
  return {
    name: string(values, 'name') ?? '',
    uuid: (string(values, 'uuid') ?? newUuid()).toLowerCase(),
    type,
    vcpus,
    maxVcpus: Math.max(vcpus, number(values, 'maxvcpus') ?? vcpus),
    memoryMib,
    maxmemMib: Math.max(memoryMib, number(values, 'maxmem') ?? memoryMib),
    ...optional('kernel', string(values, 'kernel')),
    ...optional('ramdisk', string(values, 'ramdisk')),
    ...optional('cmdline', cmdlineOf(values)),
    ...optional('bootloader', string(values, 'bootloader')),
    ...optional('bootloaderArgs', listOrWords(values, 'bootloader_args')),
    ...optional('firmware', string(values, 'bios') ?? string(values, 'firmware')),
    ...optional('bootOrder', boot),
    disks: list(values, 'disk').map(parseDisk),
    nics: list(values, 'vif').map((spec, devid) => parseNic(spec, devid, type, newMac)),
    ...optional('vnc', vnc),
    onPoweroff: string(values, 'on_poweroff') ?? 'destroy',
    onReboot: string(values, 'on_reboot') ?? 'restart',
    onCrash: string(values, 'on_crash') ?? 'destroy',
  }
}

function typeOf(values: Values): GuestType {
  const type = string(values, 'type')
  if (type === 'pv' || type === 'pvh' || type === 'hvm') return type
  return string(values, 'builder') === 'hvm' ? 'hvm' : 'pv'
}

function cmdlineOf(values: Values): string | undefined {
  const cmdline = string(values, 'cmdline')
  if (cmdline !== undefined) return cmdline
  const root = string(values, 'root')
  const extra = string(values, 'extra')
  if (root === undefined) return extra
  return extra === undefined ? `root=${root}` : `root=${root} ${extra}`
}

function vncOf(values: Values, type: GuestType): SimVnc | undefined {
  if (type !== 'hvm') {
    const frame = list(values, 'vfb')[0]
    if (frame === undefined) return undefined
    const keys = keyed(frame)
    return { ...vncFrom((key) => keys.get(key)), ...(keys.get('vnc') === '1' ? { enable: true } : {}) }
  }
  if (string(values, 'vnc') === '0') return undefined
  return vncFrom((key) => string(values, key))
}

function vncFrom(get: (key: string) => string | undefined): SimVnc {
  const display = get('vncdisplay')
  const unused = get('vncunused')
  return {
    listen: get('vnclisten') ?? '127.0.0.1',
    ...optional('password', get('vncpasswd') || undefined),
    ...(display === undefined ? {} : { display: Number(display) }),
    ...(unused === undefined ? {} : { unused: unused === '1' }),
  }
}

/** A disk of a guest that is built: QEMU 7.2 makes nothing of a CD drive that is empty. */
export function asBuilt({ unserved: _then, ...disk }: SimDisk): SimDisk {
  return disk.cdrom && disk.path === '' ? { ...disk, unserved: true } : disk
}

/** A disk as libxl builds it again from what it keeps: QEMU's own is lost with QEMU. */
export function builtAgain(disk: SimDisk): SimDisk {
  const {
    livePath: _path,
    liveFormat: _format,
    nodeName: _node,
    ownClosed: _own,
    connectedAt: _at,
    kept,
    ...built
  } = disk
  return { ...built, ...kept }
}

/** xl-disk-configuration(5): `TARGET,FORMAT,VDEV,ACCESS`, any of them as `key=value`, and the old prefixes. */
export function parseDisk(spec: string): SimDisk {
  const disk: SimDisk = { vdev: '', path: '', format: 'raw', readOnly: false, cdrom: false }
  const positional: ((value: string) => void)[] = [
    (value) => {
      disk.path = value
    },
    (value) => {
      disk.format = value || 'raw'
    },
    (value) => setVdev(disk, value),
    (value) => setAccess(disk, value),
  ]
  let rest = spec.trim()
  const prefix = /^(phy|file|tap2?|qcow2?|vhd|aio|raw):/.exec(rest)
  if (prefix) {
    // The old form has no format column: `phy:/dev/x,xvda,w`.
    rest = rest.replace(/^(?:(?:phy|file|tap2?|aio|raw):)*/, '')
    const format = /^(qcow2?|vhd):/.exec(rest)
    if (format) {
      disk.format = format[1]!
      rest = rest.slice(format[0].length)
    }
    positional.splice(1, 1)
  }
  let index = 0
  const target = /(?:^|,)\s*target=(.*)$/.exec(rest)
  if (target) {
    disk.path = target[1]!.trim()
    rest = rest.slice(0, target.index)
  }
  for (const part of rest === '' ? [] : rest.split(',')) {
    const word = part.trim()
    const [key, value] = word.includes('=') ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : []
    if (key === undefined) {
      if (word === 'cdrom') disk.cdrom = true
      else if (word === 'devtype' || word === 'discard' || word === 'no-discard' || word === 'direct-io-safe') continue
      else positional[index++]?.(word)
    } else if (key === 'format') disk.format = value!
    else if (key === 'vdev') setVdev(disk, value!)
    else if (key === 'access') setAccess(disk, value!)
    else if (key === 'devtype') disk.cdrom = value === 'cdrom'
    else if (key === 'backendtype') disk.backend = value!
  }
  if (disk.cdrom) disk.readOnly = true
  return disk
}

function setVdev(disk: SimDisk, value: string): void {
  const [vdev, kind] = value.split(':')
  disk.vdev = vdev!
  if (kind === 'cdrom') disk.cdrom = true
}

function setAccess(disk: SimDisk, value: string): void {
  disk.readOnly = value === 'r' || value === 'ro'
}

export function parseNic(spec: string, devid: number, type: GuestType, newMac: () => string): SimNic {
  const keys = keyed(spec)
  const model = keys.get('model')
  return {
    devid,
    mac: (keys.get('mac') ?? newMac()).toLowerCase(),
    bridge: keys.get('bridge') ?? 'xenbr0',
    ...optional('model', type === 'hvm' ? model : undefined),
    ...optional('ip', keys.get('ip')),
    ...optional('rate', keys.get('rate')),
    ...optional('script', keys.get('script')),
    ...optional('backend', keys.get('backend')),
  }
}

/** `vif-bridge` finds the interface's bridge, or is not asked: another script, or one of a driver domain. */
export function hasBridge(pm: PmState, nic: SimNic): boolean {
  const conf = findNode(pm, '/etc/xen/xl.conf')
  const [, usual] = /^vif\.default\.script="(.*)"$/m.exec((conf?.kind === 'file' && conf.text) || '') ?? []
  if (nic.backend !== undefined || !(nic.script ?? usual ?? 'vif-bridge').endsWith('vif-bridge')) return true
  return pm.nets.some((net) => net.kind === 'bridge' && net.name === nic.bridge)
}

function keyed(spec: string): Map<string, string> {
  const keys = new Map<string, string>()
  for (const part of spec.split(',')) {
    const at = part.indexOf('=')
    if (at > 0) keys.set(part.slice(0, at).trim(), part.slice(at + 1).trim())
  }
  return keys
}

/** qdisk where QEMU must read the format or was asked for; raw bytes go to the kernel (phy), a file through a loop device. */
export function backendOf(disk: SimDisk): 'qdisk' | 'phy' {
  if (disk.backend === 'phy' || disk.backend === 'qdisk') return disk.backend
  return disk.format === 'raw' && !disk.cdrom ? 'phy' : 'qdisk'
}

/** QEMU 7.2 gives a guest no disk that it may only read ("Block node is read-only"), and xl ends with 0 all the same. */
export function isServed(disk: SimDisk): boolean {
  return disk.cdrom || !disk.readOnly || backendOf(disk) !== 'qdisk'
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })
}

function string(values: Values, key: string): string | undefined {
  const value = values.get(key)
  return typeof value === 'string' ? value : undefined
}

function number(values: Values, key: string): number | undefined {
  const value = string(values, key)
  return value === undefined || value.trim() === '' || Number.isNaN(Number(value)) ? undefined : Number(value)
}

function list(values: Values, key: string): string[] {
  const value = values.get(key)
  if (typeof value === 'string') return [value]
  return (value ?? []).filter((entry): entry is string => typeof entry === 'string')
}

function listOrWords(values: Values, key: string): string[] | undefined {
  const value = values.get(key)
  if (value === undefined) return undefined
  return typeof value === 'string' ? value.split(' ') : list(values, key)
}
