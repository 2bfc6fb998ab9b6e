import type { Disk, DiskFormat } from '../../../model/disk.ts'
import type { Drive } from '../../../model/drive.ts'
import { PengxError } from '../../../model/error.ts'

/**
 * Disk specifications of xl-disk-configuration(5), read as tools/libs/util/libxlu_disk_l.l reads them: named parameters
 * and positional ones mixed (`TARGET, FORMAT, VDEV, ACCESS`), the deprecated prefixes (`phy:`, `tap:qcow2:`, …), and
 * `target=`, which takes the rest of the text, commas included.
 */
export interface DiskSpec {
  readonly path: string
  /** `qed`, `qcow` and `empty` too: what Xen knows and pengx does not. */
  readonly format: DiskFormat | 'qcow' | 'qed' | 'empty'
  readonly vdev: string
  readonly readOnly: boolean
  readonly cdrom: boolean
  readonly backend?: string
  /** The parameters that are left, in their order: `script=…,discard`. */
  readonly extra?: string
}

const FORMATS = ['raw', 'qcow2', 'vhd', 'qcow', 'qed', 'empty'] as const
const BACKENDS = ['phy', 'tap', 'qdisk', 'standalone']
const FLAGS = /^(direct-io-safe|discard|no-discard|colo|no-colo|trusted|untrusted|grant_usage=[01])$/
const KEPT = /^(backend|specification|script|colo-host|colo-port|colo-export|active-disk|hidden-disk)=/

export function parseDisk(text: string): DiskSpec {
  const fail = (what: string): never => {
    throw new PengxError('invalid', `a disk specification is wrong: ${what}`)
  }
  let rest = text
  let path: string | undefined
  let format: DiskSpec['format'] | undefined
  let vdev: string | undefined
  let backend: string | undefined
  let readOnly = false
  let accessGiven = false
  let cdrom = false
  let prefixed = false
  const extra: string[] = []

  const setFormat = (name: string) => {
    const known = name === '' ? 'raw' : FORMATS.find((one) => one === name)
    format = known ?? fail(`no format "${name}"`)
  }
  const setAccess = (word: string) => {
    if (word === 'r' || word === 'ro') readOnly = true
    else if (word === '' || word === 'w' || word === 'rw') readOnly = false
    else fail(`no access "${word}"`)
  }
  /** `hdc:cdrom`, as xm had it. */
  const setVdev = (word: string): boolean => {
    const colon = word.lastIndexOf(':')
    vdev = colon < 0 ? word : word.slice(0, colon)
    if (colon < 0) return false
    const type = word.slice(colon + 1)
    if (type !== 'cdrom' && type !== 'disk') fail(`no device type "${type}"`)
    cdrom = type === 'cdrom'
    return true
  }
  const setPositional = (word: string) => {
    if (path === undefined) path = word
    else if (!prefixed && format === undefined) {
      // an empty drive has no format, so its vdev may stand in that place
      if (path === '' && word.includes(':')) {
        setVdev(word)
        format = 'empty'
      } else setFormat(word)
    } else if (vdev === undefined) setVdev(word)
    else if (!accessGiven) {
      accessGiven = true
      setAccess(word)
    } else fail('too many positional parameters')
  }

  for (;;) {
    rest = rest.replace(/^[ \t\n]+/, '')
    if (rest === '') break
    if (rest.startsWith('target=')) {
      path = rest.slice('target='.length).replace(/,$/, '')
      break
    }
    const prefix = /^(raw|qcow2?|vhd|iscsi|e?nbd|drbd|tapdisk|tap2?|aio|ioemu|file|phy):/.exec(rest)?.[1]
    if (prefix !== undefined) {
      prefixed = true
      if (/^(raw|qcow|vhd)/.test(prefix)) setFormat(prefix)
      else if (/^(iscsi|e?nbd|drbd)$/.test(prefix)) extra.push(`script=block-${prefix}`)
      rest = rest.slice(prefix.length + 1)
      continue
    }
    const comma = rest.indexOf(',')
    const word = comma < 0 ? rest : rest.slice(0, comma)
    rest = comma < 0 ? '' : rest.slice(comma + 1)
    const [, key, value] = /^([a-z][-_a-z0-9]*)=(.*)$/s.exec(word) ?? []
    if (word === 'cdrom' || word === 'devtype=cdrom') cdrom = true
    else if (word === 'devtype=disk') cdrom = false
    else if (key === 'format') setFormat(value!)
    else if (key === 'vdev') vdev = value!
    else if (key === 'access') setAccess(value!)
    else if (key === 'backendtype') backend = BACKENDS.includes(value!) ? value! : fail(`no backend type "${value}"`)
    else if (FLAGS.test(word) || KEPT.test(word)) extra.push(word)
    else if (word.includes('=')) fail(`unknown parameter "${word.slice(0, word.indexOf('='))}"`)
    else setPositional(word)
  }

  if (vdev === undefined || vdev === '') return fail('it has no vdev')
  if (path === undefined && !cdrom) return fail('it has no target')
  return {
    path: path ?? '',
    format: cdrom && (path ?? '') === '' ? 'empty' : (format ?? 'raw'),
    vdev,
    readOnly: readOnly || cdrom,
    cdrom,
    ...(backend === undefined ? {} : { backend }),
    ...(extra.length === 0 ? {} : { extra: extra.join(',') }),
  }
}

/** Every parameter by name, the target last: so it may hold any character. */
export function formatDisk(disk: DiskSpec): string {
  const words = [
    `format=${disk.format}`,
    `vdev=${disk.vdev}`,
    `access=${disk.readOnly ? 'ro' : 'rw'}`,
    ...(disk.cdrom ? ['devtype=cdrom'] : []),
    ...(disk.backend === undefined ? [] : [`backendtype=${disk.backend}`]),
    ...(disk.extra === undefined ? [] : [disk.extra]),
    // one comma at the end is taken off again
    `target=${disk.path}${disk.path.endsWith(',') ? ',' : ''}`,
  ]
  return words.join(',')
}

/** A drive as it was read, or, where pengx has made it or put something else into it, as that. */
export function formatDrive({ vdev, path, text }: Drive): string {
  const format = path === '' ? 'empty' : 'raw'
  return text ?? formatDisk({ path, format, vdev, readOnly: true, cdrom: true })
}

/** A disk of a VM as it stands in a configuration. */
export function toDiskSpec(disk: Disk): DiskSpec {
  const { path, format, vdev, readOnly, backend, extra } = disk
  const given = { ...(backend === undefined ? {} : { backend }), ...(extra === undefined ? {} : { extra }) }
  return { path, format, vdev, readOnly, cdrom: false, ...given }
}
