import type { Disk } from '../../../../model/disk.ts'
import type { Drive } from '../../../../model/drive.ts'
import type { Nic } from '../../../../model/nic.ts'
import type { VmType } from '../../../../model/vm.ts'
import { toDisk, toDrive } from '../config.ts'
import { type DiskSpec, formatDisk } from '../disk.ts'
import type { TreeReader } from './tree.ts'
import { takeWords, type Word } from './words.ts'

export function readDisks(config: TreeReader): { disks: Disk[]; drives: Drive[] } {
  const disks: Disk[] = []
  const drives: Drive[] = []
  for (const from of config.items('disks')) {
    const read = readDisk(from)
    const disk = toDisk(read)
    if (disk) disks.push(disk)
    else drives.push({ ...toDrive(read, disks.length), text: formatDisk(read) })
  }
  return { disks, drives }
}

const DISK_WORDS: readonly Word[] = [
  ['backend_domname', 'backend'],
  ['script', 'script'],
  ['specification', 'specification', (value) => (value === 'xen' ? '' : String(value))],
  ['colo_host', 'colo-host'],
  ['colo_port', 'colo-port'],
  ['colo_export', 'colo-export'],
  ['active_disk', 'active-disk'],
  ['hidden_disk', 'hidden-disk'],
]

/** Being trusted goes without saying, and xl 4.17 has no word for it, whatever its manual says. */
const ACCESS = { discard_enable: ['discard', 'no-discard'], trusted: ['', 'untrusted'] } as const

function readDisk(from: TreeReader): DiskSpec {
  const words = takeWords(from, DISK_WORDS)
  if (from.peek('direct_io_safe') === true) words.push('direct-io-safe')
  from.take('direct_io_safe')
  for (const [key, [yes, no]] of Object.entries(ACCESS)) {
    const value = from.text(key)
    const word = value === 'True' ? yes : no
    if (value !== undefined && word !== '') words.push(word)
  }
  if (from.peek('colo_enable') === 'True') {
    words.push('colo')
    from.take('colo_enable')
  }
  const backend = from.text('backend')
  const format = from.text('format') ?? 'raw'
  const cdrom = Boolean(from.number('is_cdrom'))
  // xl says this of CD drives, and of nothing else
  if (cdrom) from.take('removable')
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

const NIC_WORDS: readonly Word[] = [
  ['script', 'script'],
  ['backend_domname', 'backend'],
  ['ifname', 'vifname'],
  ['gatewaydev', 'gatewaydev'],
  ['mtu', 'mtu'],
  ['vlan', 'vlan'],
  ['coloft_forwarddev', 'forwarddev'],
]

export function readNics(config: TreeReader, type: VmType): Nic[] {
  return config.items('nics').map((from, index) => {
    const words = takeWords(from, [...NIC_WORDS, ...coloWords(from)])
    const rate = readRate(from)
    if (rate !== undefined) words.push(rate)
    const nictype = from.text('nictype')
    // an HVM guest's nic is both, emulated and PV, and any other's is PV, unless told otherwise
    if (nictype === 'vif' && type === 'hvm') words.push('type=vif')
    if (nictype === 'vif_ioemu' && type !== 'hvm') words.push('type=ioemu')
    const devid = from.number('devid')
    if (devid !== undefined && devid !== index) words.push(`devid=${devid}`)
    const trusted = from.text('trusted')
    if (trusted !== undefined) words.push(trusted === 'True' ? 'trusted' : 'untrusted')
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

function coloWords(from: TreeReader): Word[] {
  return from.keys().flatMap((key): Word[] => (key.startsWith('colo_') ? [[key, key]] : []))
}

/** The rate a second of which xl computes the very bytes an interval, rounding down (libxlu_vif.c). */
function readRate(from: TreeReader): string | undefined {
  const bytes = from.peek('rate_bytes_per_interval') ?? 0
  const interval = from.peek('rate_interval_usecs')
  if (typeof bytes !== 'number' || typeof interval !== 'number' || interval === 0) return undefined
  const rate = Math.max(1, Math.ceil((bytes * 1e6) / interval))
  const inThousands = rate > 0xffffffff
  const isExact = Math.floor((rate * interval) / 1e6) === bytes && (!inThousands || rate % 1000 === 0)
  if (!isExact) return undefined
  from.take('rate_bytes_per_interval')
  from.take('rate_interval_usecs')
  return `rate=${inThousands ? `${rate / 1000}KB/s` : `${rate}B/s`}@${interval}us`
}
