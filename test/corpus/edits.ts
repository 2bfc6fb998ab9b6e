import { cdDrives, freeCdVdev, withDrive, withImage } from '../../src/model/drive.ts'
import type { VmSpec } from '../../src/model/vm.ts'
import { disk } from '../support/sites/specs.ts'
import { differences, type Reading } from './reading.ts'

/**
 * Changes of one thing that are made in each configuration of the corpus: to another VM, in which keys of the text they
 * may be, and how the real xl has to read the text differently. `asked` says why a difference is none, or undefined.
 */
export interface Edit {
  /** Keys whose statements may be other ones, or come to be. */
  readonly keys: readonly string[]
  /** The VM with that change; undefined where there is nothing to change. */
  readonly change: (spec: VmSpec, given: ReadonlySet<string>) => VmSpec | undefined
  /** What is wrong with how xl reads it: paths that should not differ, or something that should and does not. */
  readonly wrong: (before: Reading, after: Reading, spec: VmSpec) => readonly string[]
}

const IMAGE = '/srv/iso/another one, 2.iso'
const OVERLAY = '/srv/images/over lay.qcow2'
const NEW_NAME = 'another-name'

export const EDITS: Readonly<Record<string, Edit>> = {
  memory: {
    keys: ['memory', 'maxmem'],
    // where there is a maximum it stays
    change: (spec, given) =>
      given.has('maxmem')
        ? { ...spec, memoryMib: spec.memoryMib - 8 }
        : { ...spec, memoryMib: spec.memoryMib + 64, maxmemMib: spec.memoryMib + 64 },
    wrong: (before, after, spec) => [
      ...but(differences(before, after), /^b_info\.(target|max)_memkb$/),
      ...unless(at(after, 'b_info.target_memkb') === spec.memoryMib * 1024, 'memory is not what was meant'),
    ],
  },
  attach: {
    keys: ['disk'],
    change: (spec) => ({ ...spec, disks: [...spec.disks, { ...NEW_DISK, vdev: freeVdev(spec) }] }),
    wrong: (before, after, spec) => {
      const [then, now] = [list(before, 'disks'), list(after, 'disks')]
      const meant = {
        pdev_path: NEW_DISK.path,
        vdev: freeVdev(spec, 1),
        format: 'qcow2',
        readwrite: 1,
      }
      return [
        ...but(differences(before, after), new RegExp(`^disks(\\.${then.length}(\\..*)?)?$`)),
        ...unless(now.length === then.length + 1, 'there is not one disk more'),
        ...differences(meant, now.at(-1), 'disks.last'),
      ]
    },
  },
  // as a snapshot does: a new image takes the writes of the last disk
  overlay: {
    keys: ['disk'],
    change: (spec) => {
      const last = spec.disks.at(-1)
      if (!last) return undefined
      const { backend: _, ...disk } = last
      return { ...spec, disks: [...spec.disks.slice(0, -1), { ...disk, path: OVERLAY, format: 'qcow2' }] }
    },
    wrong: (before, after, spec) => {
      const { vdev } = spec.disks.at(-1)!
      const now = list(after, 'disks').findIndex((one) => one.vdev === vdev)
      const { pdev_path, format, backend } = list(after, 'disks')[now] ?? {}
      return [
        ...but(differences(before, after), new RegExp(`^disks\\.${now}\\.(pdev_path|format|backend)$`)),
        ...differences({ pdev_path: OVERLAY, format: 'qcow2', backend: undefined }, { pdev_path, format, backend }),
      ]
    },
  },
  insert: {
    keys: ['disk'],
    change: (spec) => {
      const drive = cdDrives(spec)[0]
      if (drive) return withImage(spec, drive.vdev, IMAGE)
      const free = freeCdVdev(spec)
      return spec.type === 'hvm' && free !== undefined ? withDrive(spec, free, IMAGE) : undefined
    },
    wrong: (before, after, spec) => inDrive(before, after, cdDrives(spec)[0]!.vdev, IMAGE),
  },
  eject: {
    keys: ['disk'],
    change: (spec) => {
      const drive = cdDrives(spec).find(({ path }) => path !== '')
      return drive && withImage(spec, drive.vdev, '')
    },
    wrong: (before, after, spec) => {
      const emptied = list(before, 'disks').find((one) => isLoaded(one) && isEmptyIn(spec, String(one.vdev)))
      return inDrive(before, after, String(emptied?.vdev), '')
    },
  },
  rename: {
    keys: ['name'],
    change: (spec) => ({ ...spec, name: NEW_NAME, domainName: NEW_NAME }),
    wrong: (before, after) => [
      ...but(differences(before, after), /^c_info\.name$/),
      ...unless(at(after, 'c_info.name') === NEW_NAME, 'the name is not the new one'),
    ],
  },
  vcpus: {
    keys: ['vcpus', 'maxvcpus'],
    change: (spec, given) => {
      if (!given.has('maxvcpus')) return { ...spec, vcpuCount: spec.vcpuCount + 1, maxVcpuCount: spec.vcpuCount + 1 }
      const more = spec.vcpuCount < spec.maxVcpuCount ? 1 : -1
      return { ...spec, vcpuCount: spec.vcpuCount + more }
    },
    wrong: (before, after, spec) => [
      // one string of CPUs is meant for each that there is
      ...but(differences(before, after), /^b_info\.(max_vcpus|avail_vcpus(\..*)?|vcpu_(hard|soft)_affinity(\..*)?)$/),
      ...unless(
        list(at(after, 'b_info'), 'avail_vcpus').length === spec.vcpuCount,
        'there are not as many as was meant',
      ),
    ],
  },
}

const NEW_DISK = disk('', '/srv/images/new one, 1.qcow2')

/** `but`: how many of the disks are not counted, from the last. */
function freeVdev({ disks, drives }: VmSpec, but = 0): string {
  const taken = [...disks.slice(0, disks.length - but), ...drives].map(({ vdev }) => vdev)
  return ['xvdq', 'xvdiq'].find((vdev) => !taken.includes(vdev))!
}

function inDrive(before: Reading, after: Reading, vdev: string, path: string): string[] {
  const now = list(after, 'disks').findIndex((one) => one.vdev === vdev)
  const found = list(after, 'disks')[now]
  return [
    ...but(differences(before, after), new RegExp(`^disks(\\.${now}(\\..*)?)?$`)),
    ...unless(found?.pdev_path === path || (path === '' && !found?.pdev_path), `${vdev} does not hold ${path}`),
    ...unless(Boolean(found?.is_cdrom) && !found?.readwrite, `${vdev} is no CD drive`),
  ]
}

function isLoaded(one: Reading): boolean {
  return Boolean(one.is_cdrom) && Boolean(one.pdev_path)
}

function isEmptyIn(spec: VmSpec, vdev: string): boolean {
  return cdDrives(spec).some((drive) => drive.vdev === vdev && drive.path === '')
}

function at(reading: unknown, path: string): unknown {
  return path.split('.').reduce((value, key) => (value as Reading | undefined)?.[key], reading)
}

function list(reading: unknown, key: string): readonly Reading[] {
  const value = (reading as Reading)[key]
  return Array.isArray(value) ? value : []
}

function but(paths: readonly string[], allowed: RegExp): string[] {
  return paths.filter((path) => !allowed.test(path))
}

function unless(isSo: boolean, what: string): string[] {
  return isSo ? [] : [what]
}
