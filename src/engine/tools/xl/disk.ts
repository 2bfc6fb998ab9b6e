import type { Disk, DiskFormat } from '../../../model/disk.ts'
import type { Drive } from '../../../model/drive.ts'
import { PengxError } from '../../../model/error.ts'
import { isShortEmpty, readDiskWords } from './diskSyntax.ts'

/** Disk specifications of xl-disk-configuration(5): what their words say. */
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

export function parseDisk(text: string): DiskSpec {
  const fail = (what: string): never => {
    throw new PengxError('invalid', `a disk specification is wrong: ${what}`)
  }
  const words = readDiskWords(text)
  let path: string | undefined
  let format: DiskSpec['format'] | undefined = isShortEmpty(words) ? 'empty' : undefined
  let vdev: string | undefined
  let backend: string | undefined
  let readOnly = false
  let cdrom = false
  const extra: string[] = []

  // xl takes a second value only for an empty one, or where it is the same word of a few
  const setOnce = (what: string, before: string | undefined, value: string): string =>
    before === undefined || before === '' ? value : fail(`${what} given twice`)
  const setFormat = (name: string) => {
    const known = FORMATS.find((one) => one === (name || 'raw')) ?? fail(`no format "${name}"`)
    format = format === known ? known : (setOnce('format', format, known) as typeof known)
  }
  const setBackend = (name: string) => {
    if (!BACKENDS.includes(name)) fail(`no backend type "${name}"`)
    backend = backend === name ? name : setOnce('backend type', backend, name)
  }
  const addScript = (script: string) => {
    setOnce(
      'script',
      extra.find((word) => /^script=./.test(word)),
      script,
    )
    extra.push(script)
  }
  const setAccess = (word: string) => {
    if (word === 'r' || word === 'ro') readOnly = true
    else if (word === '' || word === 'w' || word === 'rw') readOnly = false
    else fail(`no access "${word}"`)
  }
  const setType = (type: string) => {
    if (type !== 'cdrom' && type !== 'disk') fail(`no device type "${type}"`)
    cdrom = type === 'cdrom'
  }
  for (const { role, value, isNamed } of words) {
    if (role === 'path') path = setOnce('target', path, value)
    else if (role === 'format') setFormat(value)
    else if (role === 'access') setAccess(value)
    else if (role === 'type') setType(value)
    else if (role === 'backend') setBackend(value)
    else if (role === 'other' && value.startsWith('script=')) addScript(value)
    else if (role === 'other') extra.push(value)
    else if (role === 'vdev') {
      // `hdc:cdrom`, as xm had it
      const colon = isNamed ? -1 : value.lastIndexOf(':')
      vdev = setOnce('vdev', vdev, colon < 0 ? value : value.slice(0, colon))
      if (colon >= 0) setType(value.slice(colon + 1))
    } else if (/^(raw|qcow|vhd)/.test(value)) setFormat(value)
    else if (/^(iscsi|e?nbd|drbd)$/.test(value)) addScript(`script=block-${value}`)
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
