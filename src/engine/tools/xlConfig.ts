import type { Disk } from '../../model/disk.ts'
import { PengxError } from '../../model/error.ts'
import type { Nic } from '../../model/nic.ts'
import type { Boot, VmSpec, VmType, Vnc } from '../../model/vm.ts'
import { type DiskSpec, formatDisk, parseDisk } from './xlDisk.ts'
import { formatNic, parseNic } from './xlNic.ts'
import { parseStatements, quoteString, type XlStatement, type XlValue } from './xlSyntax.ts'

/**
 * A VM's configuration as xl.cfg(5) text and back. Reading takes what a VmSpec has words for; every other statement is
 * kept letter by letter in `extraConfig` and written back behind pengx's own lines. Later assignments win over earlier
 * ones, so nothing that pengx writes may stand in `extraConfig` too: reading takes a key whole or not at all, list items
 * apart, which `+=` can put back.
 *
 * What a file cannot say (a disk's UUID, its storlink, whether pengx owns it) is empty in what is read; who knows it
 * fills it in.
 */
export interface ParsedConfig {
  readonly spec: VmSpec
  readonly uuid?: string
  /** Keys kept in `extraConfig`, each once. */
  readonly notUnderstood: readonly string[]
}

const HEADER = /^# written by pengx for (.*) \(([0-9a-f-]{36})\);/

export function parseConfig(text: string, source = 'configuration'): ParsedConfig {
  const reader = createReader(parseStatements(text, source), source)
  const name = reader.text('name')
  if (name === undefined || name === '') throw reader.wrong('it has no name')
  const type = readType(reader)
  const uuid = readUuid(reader)
  const memoryMib = reader.number('memory')
  const maxmemMib = reader.number('maxmem')
  const vcpuCount = Math.max(1, reader.number('vcpus') ?? 1)
  const maxVcpuCount = reader.number('maxvcpus') ?? vcpuCount
  const boot = readBoot(reader, type)
  const vnc = readVnc(reader, type)
  const { disks, iso } = readDisks(reader, type)
  const nics = readNics(reader)
  // 32 MiB is libxl's own default
  const memory = memoryMib ?? maxmemMib ?? 32
  const written = HEADER.exec(text)
  const kept = reader.kept()
  return {
    spec: {
      name: written && written[2] === uuid ? written[1]! : name,
      domainName: name,
      type,
      vcpuCount,
      maxVcpuCount: Math.max(maxVcpuCount, vcpuCount),
      memoryMib: memory,
      maxmemMib: Math.max(maxmemMib ?? memory, memory),
      boot,
      ...(vnc === undefined ? {} : { vnc }),
      ...(iso === undefined ? {} : { iso }),
      disks,
      nics,
      extraConfig: kept.map((statement) => statement.text).join('\n'),
    },
    ...(uuid === undefined ? {} : { uuid }),
    notUnderstood: [...new Set(kept.map((statement) => statement.key))],
  }
}

/** One key a line, always in this order. */
export function formatConfig(uuid: string, spec: VmSpec): string {
  const lines: string[] = [
    `# written by pengx for ${spec.name} (${uuid}); what it does not know is kept below`,
    `name = ${quoteString(spec.domainName)}`,
    `uuid = ${quoteString(uuid)}`,
    `type = ${quoteString(spec.type)}`,
    `memory = ${spec.memoryMib}`,
    `maxmem = ${spec.maxmemMib}`,
    `vcpus = ${spec.vcpuCount}`,
    `maxvcpus = ${spec.maxVcpuCount}`,
  ]
  for (const [key, value] of bootKeys(spec)) {
    if (value !== undefined) lines.push(`${key} = ${quoteString(value)}`)
  }
  lines.push(...formatVnc(spec))
  const disks = [...spec.disks.map(toDiskSpec), ...(spec.iso === undefined ? [] : [cdDrive(spec)])]
  lines.push(formatList('disk', disks.map(formatDisk)), formatList('vif', spec.nics.map(formatNic)))
  if (spec.extraConfig !== '') lines.push(spec.extraConfig)
  return `${lines.join('\n')}\n`
}

interface Reader {
  /** The value that counts, as text or number; the key is then taken. A value of another kind is left to be kept. */
  text(key: string): string | undefined
  number(key: string): number | undefined
  /** List items that `take` understands; those for which it gives undefined are kept as `key += [ … ]`. */
  list<T>(key: string, take: (item: string) => T | undefined): T[]
  kept(): readonly XlStatement[]
  wrong(what: string): PengxError
}

function createReader(statements: readonly XlStatement[], source: string): Reader {
  const taken = new Set<string>()
  const added: XlStatement[] = []
  const valueOf = (key: string): XlValue | undefined => {
    let value: XlValue | undefined
    for (const statement of statements) {
      if (statement.key !== key) continue
      if (statement.op === '=' || value === undefined) value = statement.value
      else if (typeof value === 'string' && typeof statement.value === 'string') value += statement.value
      else if (typeof value !== 'string' && typeof statement.value !== 'string') value = [...value, ...statement.value]
      else throw wrong(`${key} += adds a list to a string, or the other way`, statement.line)
    }
    return value
  }
  const wrong = (what: string, line?: number) =>
    new PengxError('invalid', `${source}${line === undefined ? '' : `:${line}`}: ${what} (see xl.cfg(5))`)
  return {
    wrong,
    text(key) {
      const value = valueOf(key)
      if (typeof value !== 'string') return undefined
      taken.add(key)
      return value
    },
    number(key) {
      const value = valueOf(key)
      const number = typeof value === 'string' ? parseNumber(value) : undefined
      if (number !== undefined) taken.add(key)
      return number
    },
    list(key, take) {
      const value = valueOf(key)
      if (value === undefined || typeof value === 'string') return []
      taken.add(key)
      const line = statements.find((statement) => statement.key === key)!.line
      const items = []
      for (const item of value) {
        // xl ends a list of devices at the first item that is no string
        if (typeof item !== 'string') break
        const found = take(item)
        if (found !== undefined) items.push(found)
        else {
          const text = `${key} += [ ${quoteString(item)} ]`
          added.push({ key, op: '+=', value: [item], line, text })
        }
      }
      return items
    },
    kept: () => [...statements.filter((statement) => !taken.has(statement.key)), ...added],
  }
}

/** As strtol with base 0 reads it: `0x10`, `010`, `10`. */
function parseNumber(text: string): number | undefined {
  if (/^-?0x[0-9a-f]+$/i.test(text)) return Number(text)
  if (/^-?0[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  return /^-?\d+$/.test(text) ? Number(text) : undefined
}

function readType(reader: Reader): VmType {
  const type = reader.text('type')
  const builder = reader.text('builder')
  if (type !== undefined && type !== 'pv' && type !== 'pvh' && type !== 'hvm') {
    throw reader.wrong(`there is no type "${type}"`)
  }
  if (builder === undefined) return type ?? 'pv'
  if (builder !== 'hvm' && builder !== 'generic' && builder !== 'linux') {
    throw reader.wrong(`there is no builder "${builder}"`)
  }
  const built: VmType = builder === 'hvm' ? 'hvm' : 'pv'
  if (type !== undefined && type !== built) throw reader.wrong('"builder" and "type" contradict each other')
  return built
}

function readUuid(reader: Reader): string | undefined {
  const digits = reader.text('uuid')?.toLowerCase().replaceAll('-', '')
  if (digits === undefined) return undefined
  if (!/^[0-9a-f]{32}$/.test(digits)) throw reader.wrong('its uuid is none')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function readBoot(reader: Reader, type: VmType): Boot {
  const given = reader.text('kernel')
  // the firmware of HVM guests, named as their kernel by configurations of xm's time: xl passes over it
  const kernel = type === 'hvm' && given?.split('/').at(-1) === 'hvmloader' ? undefined : given
  const bios = type === 'hvm' ? reader.text('bios') : undefined
  const boot = {
    kernel,
    ramdisk: reader.text('ramdisk'),
    cmdline: readCommandLine(reader),
    bootloader: reader.text('bootloader'),
    firmware: reader.text('firmware') ?? bios,
    order: type === 'hvm' ? reader.text('boot') : undefined,
  }
  return Object.fromEntries(Object.entries(boot).filter(([, value]) => value !== undefined && value !== ''))
}

/** `cmdline` counts alone; without it `root` and `extra` are its two halves. */
function readCommandLine(reader: Reader): string | undefined {
  const cmdline = reader.text('cmdline')
  const root = reader.text('root')
  const extra = reader.text('extra')
  if (cmdline !== undefined) return cmdline
  if (root === undefined) return extra
  return extra === undefined ? `root=${root}` : `root=${root} ${extra}`
}

function bootKeys({ boot, type }: VmSpec): (readonly [string, string | undefined])[] {
  return [
    ['kernel', boot.kernel],
    ['ramdisk', boot.ramdisk],
    ['cmdline', boot.cmdline],
    ['bootloader', boot.bootloader],
    ['firmware', boot.firmware],
    ['boot', type === 'hvm' ? boot.order : undefined],
  ]
}

const LOOPBACK = '127.0.0.1'

/**
 * PV and PVH guests have a display where `vfb` or (PV alone) `vnc` asks for one; HVM guests have one unless `vnc = 0`.
 * Keys of a display that is switched off are kept, for the day it is switched on again.
 */
function readVnc(reader: Reader, type: VmType): Vnc | undefined {
  if (type !== 'hvm') {
    let count = 0
    // a second display, or one with words that pengx lacks, is kept as it is
    const [first] = reader.list('vfb', (item) => (count++ === 0 ? parseVfb(item) : undefined))
    if (count > 0) return first
  }
  const enabled = type === 'pvh' ? undefined : reader.number('vnc')
  if (enabled === 0 || (enabled === undefined && type !== 'hvm')) return undefined
  const display = reader.number('vncdisplay')
  return toVnc(reader.text('vnclisten'), reader.text('vncpasswd'), display)
}

function toVnc(listen: string | undefined, password: string | undefined, display: number | undefined): Vnc {
  return {
    listen: listen || LOOPBACK,
    ...(password === undefined || password === '' ? {} : { password }),
    ...(display === undefined ? {} : { display }),
  }
}

/** Words of a frame buffer that say what goes without saying. */
const VFB_DEFAULTS = ['type=vnc', 'vnc=1', 'sdl=0', 'opengl=0', 'vncunused=1']

function parseVfb(text: string): Vnc | undefined {
  const all = text.split(',').map((word) => word.trim())
  if (!all.includes('vnc=1') && !all.includes('type=vnc') && all.some((word) => /^(vnc|type)=/.test(word)))
    return undefined
  const words = all.filter((word) => word !== '' && !VFB_DEFAULTS.includes(word))
  const values = new Map(words.map((word) => [word.replace(/=.*$/s, ''), word.replace(/^[^=]*=/s, '')]))
  const known = ['vnclisten', 'vncpasswd', 'vncdisplay']
  const display = values.get('vncdisplay')
  if ([...values.keys()].some((key) => !known.includes(key)) || values.size !== words.length) return undefined
  if (display !== undefined && !/^\d+$/.test(display)) return undefined
  return toVnc(values.get('vnclisten'), values.get('vncpasswd'), display === undefined ? undefined : Number(display))
}

function formatVnc(spec: VmSpec): string[] {
  const { vnc, type } = spec
  if (vnc === undefined) return type === 'hvm' ? ['vnc = 0'] : []
  // a frame buffer's words end at commas; a PV guest can say it in other words, a PVH guest cannot
  if (type === 'pvh' || (type === 'pv' && !vnc.password?.includes(','))) {
    if (vnc.password?.includes(',')) throw new PengxError('invalid', 'a vnc password of a pvh guest has no comma')
    const password = vnc.password === undefined ? '' : `,vncpasswd=${vnc.password}`
    const display = vnc.display === undefined ? '' : `,vncdisplay=${vnc.display}`
    return [formatList('vfb', [`vnc=1,vnclisten=${vnc.listen}${password}${display}`])]
  }
  return [
    'vnc = 1',
    `vnclisten = ${quoteString(vnc.listen)}`,
    ...(vnc.password === undefined ? [] : [`vncpasswd = ${quoteString(vnc.password)}`]),
    ...(vnc.display === undefined ? [] : [`vncdisplay = ${vnc.display}`]),
  ]
}

/** The first CD drive of an HVM guest that holds an image is `iso`; other drives, and formats pengx lacks, are kept. */
function readDisks(reader: Reader, type: VmType): { disks: Disk[]; iso?: string } {
  let iso: string | undefined
  const disks = reader.list('disk', (item) => {
    const disk = readDisk(reader, item)
    if (
      disk.cdrom &&
      type === 'hvm' &&
      disk.path !== '' &&
      disk.format === 'raw' &&
      disk.extra === undefined &&
      iso === undefined
    ) {
      iso = disk.path
      return 'iso' as const
    }
    return disk.cdrom ? undefined : toDisk(disk)
  })
  const kept = disks.filter((disk): disk is Disk => disk !== 'iso')
  return { disks: kept, ...(iso === undefined ? {} : { iso }) }
}

function readDisk(reader: Reader, item: string): DiskSpec {
  try {
    return parseDisk(item)
  } catch (error) {
    throw reader.wrong((error as Error).message)
  }
}

/** Undefined for a format that pengx has no word for. */
export function toDisk(disk: DiskSpec): Disk | undefined {
  const { format } = disk
  if (format !== 'qcow2' && format !== 'raw' && format !== 'vhd') return undefined
  return {
    uuid: '',
    vdev: disk.vdev,
    format,
    path: disk.path,
    readOnly: disk.readOnly,
    owned: false,
    ...(disk.backend === undefined ? {} : { backend: disk.backend }),
    ...(disk.extra === undefined ? {} : { extra: disk.extra }),
    desc: '',
    createdAt: 0,
  }
}

function toDiskSpec(disk: Disk): DiskSpec {
  const { path, format, vdev, readOnly, backend, extra } = disk
  const given = { ...(backend === undefined ? {} : { backend }), ...(extra === undefined ? {} : { extra }) }
  return { path, format, vdev, readOnly, cdrom: false, ...given }
}

/** hdc, where guests expect a CD drive, unless a disk has it. */
function cdDrive(spec: VmSpec): DiskSpec {
  const letters = new Set(spec.disks.map((disk) => disk.vdev.replace(/^(xv|h|s)d/, '')))
  const letter = ['c', 'd', 'b', 'a'].find((one) => !letters.has(one))
  if (letter === undefined)
    throw new PengxError('invalid', `${spec.name} has no free drive for ${spec.iso}: hda to hdd`)
  return { path: spec.iso!, format: 'raw', vdev: `hd${letter}`, readOnly: true, cdrom: true }
}

function readNics(reader: Reader): Nic[] {
  let index = 0
  return reader.list('vif', (item) => parseNic(item, index++))
}

function formatList(key: string, items: readonly string[]): string {
  return items.length === 0 ? `${key} = []` : `${key} = [ ${items.map(quoteString).join(', ')} ]`
}
