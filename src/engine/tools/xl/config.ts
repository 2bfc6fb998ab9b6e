import type { Disk } from '../../../model/disk.ts'
import { type Drive, inListOrder, isDrive } from '../../../model/drive.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Boot, VmSpec, VmType } from '../../../model/vm.ts'
import { type DiskSpec, formatDisk, formatDrive, parseDisk, toDiskSpec } from './disk.ts'
import { formatNic, parseNic } from './nic.ts'
import { type ConfigReader, createReader } from './reader.ts'
import { formatList, parseStatements, quoteString, type XlStatement } from './syntax.ts'
import { formatVnc, readVnc } from './vnc.ts'

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

export const HEADER = /^# written by pengx for ([^\n]*) \(([0-9a-f-]{36})\);/

/** `statements`: those of the text, where they have been read already. */
export function parseConfig(
  text: string,
  source = 'configuration',
  statements: readonly XlStatement[] = parseStatements(text, source),
): ParsedConfig {
  const reader = createReader(statements, source)
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
  const { disks, drives } = readDisks(reader)
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
      disks,
      drives,
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
  const disks = inListOrder(spec).map((one) => (isDrive(one) ? formatDrive(one) : formatDisk(toDiskSpec(one))))
  lines.push(formatList('disk', disks), formatList('vif', spec.nics.map(formatNic)))
  if (spec.extraConfig !== '') lines.push(spec.extraConfig)
  return `${lines.join('\n')}\n`
}

function readType(reader: ConfigReader): VmType {
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

function readUuid(reader: ConfigReader): string | undefined {
  const digits = reader.text('uuid')?.toLowerCase().replaceAll('-', '')
  if (digits === undefined) return undefined
  if (!/^[0-9a-f]{32}$/.test(digits)) throw reader.wrong('its uuid is none')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function readBoot(reader: ConfigReader, type: VmType): Boot {
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
function readCommandLine(reader: ConfigReader): string | undefined {
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

function readDisks(reader: ConfigReader): { disks: Disk[]; drives: Drive[] } {
  const disks: Disk[] = []
  const drives: Drive[] = []
  reader.list('disk', (text) => {
    const read = readDisk(reader, text)
    const disk = toDisk(read)
    if (disk) disks.push(disk)
    else drives.push({ ...toDrive(read, disks.length), text })
    return text
  })
  return { disks, drives }
}

function readDisk(reader: ConfigReader, item: string): DiskSpec {
  try {
    return parseDisk(item)
  } catch (error) {
    throw reader.wrong((error as Error).message)
  }
}

/** Undefined for a CD drive, and for a format that pengx has no word for. */
export function toDisk(disk: DiskSpec): Disk | undefined {
  const { format } = disk
  if (disk.cdrom) return undefined
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

/** What is no disk of a VM; `after`: how many of its disks stand before it. */
export function toDrive({ vdev, cdrom, path }: DiskSpec, after: number): Drive {
  return { vdev, cdrom, path, after }
}

function readNics(reader: ConfigReader): Nic[] {
  let index = 0
  return reader.list('vif', (item) => parseNic(item, index++))
}
