import { type Program, reads } from './program.ts'
import { parseStoreList } from './xenstore.ts'

/**
 * What the kernel of a dom0 tells of volumes, in one script: which file or device a path leads to, what QEMU processes have
 * open (top images and all that those lie on, wherever a live snapshot has moved them), what XenStore says that backends
 * serve, and, where block devices are among them, what those really are. GNU coreutils, findutils, grep and sed.
 */
const SCRIPT = `export LC_ALL=C
for one in cat cut find grep sed stat tr xargs; do
  command -v $one >/dev/null || { echo "there is no $one" >&2; exit 3; }
done
told() { tr '\\n' '\\0' | xargs -0r stat -L -c 'p %f %d %i %t %T %n' -- 2>/dev/null; }
out=$(
  grep '^/' | told
  sed 's/^/m /' /proc/self/mountinfo
  pairs=$(grep -aszHxA1 -e -xen-domid /proc/[0-9]*/cmdline | tr '\\0' '\\n' |
    sed -n 's#^/proc/\\([0-9]*\\)/cmdline-\\([0-9][0-9]*\\)$#\\1 \\2#p')
  if [ -n "$pairs" ]; then
    printf '%s\\n' "$pairs" | sed 's/^/q /'
    open=$(find $(printf '%s\\n' "$pairs" | sed 's#^\\([0-9]*\\) .*#/proc/\\1/fd#') -maxdepth 1 \\
      \\( -xtype f -o -xtype b \\) -printf '%p %l\\n' 2>/dev/null)
    printf '%s\\n' "$open" | sed 's/^/l /'
    printf '%s\\n' "$open" | cut -d ' ' -f 1 | xargs -r stat -L -c 'f %f %d %i %t %T %n' 2>/dev/null
    printf '%s\\n' "$open" | sed 's#/fd/\\([0-9]*\\) .*#/fdinfo/\\1#' | xargs -r grep -sH '^flags:' | sed 's/^/w /'
  fi
  served=$(xenstore-ls -f /local/domain/0/backend 2>/dev/null |
    grep -E '^/local/domain/0/backend/(vbd|vbd3|qdisk|tap)/.*/(params|mode|physical-device) = ')
  printf '%s\\n' "$served" | sed -n 's#^/#x /#p'
  printf '%s\\n' "$served" | sed -n 's#^[^"]*/params = "\\([a-z0-9]*:\\)*\\(/.*\\)"$#\\2#p' | told
)
printf '%s\\n' "$out"
if printf '%s\\n' "$out" | grep -qE '^[pf] 6[0-9a-f]{3} |/physical-device = "[0-9a-f]'; then
  cat /sys/block/loop*/loop/backing_file 2>/dev/null | told
  cd /sys/block && grep -sH . */dev */dm/uuid */loop/backing_file */wwid */device/wwid */*/dev */*/partition | sed 's/^/b /'
  find . ./*/slaves -maxdepth 1 -type l -printf 's %p %l\\n' 2>/dev/null
  cd /sys/bus/rbd/devices 2>/dev/null && grep -sH . */pool */pool_ns */name | sed 's/^/r /'
  find /dev/drbd/by-res -type l -printf 'd %p %l\\n' 2>/dev/null
fi
echo end`

/** `parseVolumeUse` reads its answer. Paths are told one a line, absolute; those that lead nowhere have no answer. */
export function showVolumeUse(paths: readonly string[]): Program {
  const stdin = paths.map((path) => `${path}\n`).join('')
  return { ...reads('sh', '-c', SCRIPT, 'pengx-volume-use'), stdin }
}

/** Where a path leads to, by the numbers that this one kernel has for it: `MAJOR:MINOR` in decimal digits. */
export interface FileSeen {
  readonly path: string
  readonly isBlock: boolean
  /** The file system that it is a name on. */
  readonly device: string
  readonly inode: string
  /** Of a block device, its own number. */
  readonly number: string
}

/** What a QEMU has open. */
interface OpenImage {
  readonly domid: number
  readonly file: FileSeen
  readonly writes: boolean
}

/** A virtual disk as XenStore has it. */
interface ServedDisk {
  /** `vbd` is the kernel's, `qdisk` QEMU's. */
  readonly kind: string
  readonly domid: number
  /** What libxl was told, without the driver before it; empty for a drive with nothing in it. */
  readonly target: string
  readonly writes: boolean
  /** The device that the kernel has opened, `MAJOR:MINOR`. */
  readonly number?: string
}

/** What sysfs says of the block devices, by their names (`dm-3`, `sda`, `sda/sda1`). */
interface BlockDevices {
  readonly names: ReadonlyMap<string, string>
  /** `sda/wwid`, `dm-3/dm/uuid`, … */
  readonly values: ReadonlyMap<string, string>
  /** Where their links lead, and those of what they lie on: `dm-3/slaves/sda`. */
  readonly links: ReadonlyMap<string, string>
  /** DRBD's resource and volume, by the device's name. */
  readonly resources: ReadonlyMap<string, string>
}

export interface VolumeUse {
  readonly files: ReadonlyMap<string, FileSeen>
  /** By `MAJOR:MINOR`. */
  readonly mounts: ReadonlyMap<string, { readonly type: string; readonly source: string }>
  /** Domains that have a QEMU process. */
  readonly qemus: ReadonlySet<number>
  readonly open: readonly OpenImage[]
  readonly served: readonly ServedDisk[]
  readonly block: BlockDevices
}

/** Undefined where the answer does not go to its end, so that what it lacks proves nothing. */
export function parseVolumeUse(stdout: string): VolumeUse | undefined {
  const lines = Map.groupBy(stdout.split('\n'), (line) => line.slice(0, 2))
  if (!stdout.endsWith('end\n')) return undefined
  const of = (kind: string) => (lines.get(`${kind} `) ?? []).map((line) => line.slice(2))
  const files = of('p').flatMap((line) => fileOf(line) ?? [])
  const domids = new Map(of('q').map((line) => line.split(' ') as [string, string]))
  return {
    files: new Map(files.map((file) => [file.path, file])),
    mounts: new Map(of('m').flatMap(mountOf)),
    qemus: new Set([...domids.values()].map(Number)),
    open: openOf(of('f'), of('l'), of('w'), domids),
    served: servedOf(of('x').join('\n')),
    block: blockOf(of('b'), of('r'), of('s'), of('d')),
  }
}

function fileOf(line: string): FileSeen | undefined {
  const [, mode, device, inode, major, minor, path] = /^(\w+) (\d+) (\d+) (\w+) (\w+) (.*)$/.exec(line) ?? []
  if (path === undefined) return undefined
  const isBlock = (Number.parseInt(mode!, 16) & 0xf000) === 0x6000
  const number = `${Number.parseInt(major!, 16)}:${Number.parseInt(minor!, 16)}`
  return { path, isBlock, device: splitDevice(Number(device)), inode: inode!, number }
}

/** As the kernel packs a device's number for user space (makedev(3)). */
function splitDevice(packed: number): string {
  return `${(packed >> 8) & 0xfff}:${(packed & 0xff) | ((packed >>> 12) & 0xfff00)}`
}

/** proc_pid_mountinfo(5): the type and the source follow the lone dash; what a path may not hold is escaped in octal. */
function mountOf(line: string): [string, { type: string; source: string }][] {
  const [, device, type, source] = /^\d+ \d+ (\d+:\d+) .*? - (\S+) (\S*)/.exec(line) ?? []
  const plain = source?.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)))
  return device === undefined ? [] : [[device, { type: type!, source: plain! }]]
}

function openOf(
  files: readonly string[],
  links: readonly string[],
  flags: readonly string[],
  domids: ReadonlyMap<string, string>,
): OpenImage[] {
  const split = (line: string) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const
  const paths = new Map(links.map(split))
  const modes = new Map(
    flags.flatMap((line) => {
      const [, at, octal] = /^(\S+):flags:\s*([0-7]+)$/.exec(line) ?? []
      return at === undefined ? [] : [[at.replace('/fdinfo/', '/fd/'), Number.parseInt(octal!, 8) & 3] as const]
    }),
  )
  return files.flatMap((line) => {
    const file = fileOf(line)
    const domid = file && domids.get(file.path.split('/')[2]!)
    if (!file || domid === undefined) return []
    // What cannot be told (it is closed by now) is taken for written.
    const writes = modes.get(file.path) !== 0
    return [{ domid: Number(domid), file: { ...file, path: paths.get(file.path) ?? file.path }, writes }]
  })
}

function servedOf(listed: string): ServedDisk[] {
  const values = parseStoreList(listed)
  return [...values].flatMap(([path, params]) => {
    const [, at, kind, domid] = /^(\/local\/domain\/0\/backend\/(\w+)\/(\d+)\/\d+)\/params$/.exec(path) ?? []
    if (at === undefined) return []
    const target = params.replace(/^[a-z0-9]+:(?=\/|$)/, '')
    const hex = /^([0-9a-f]+):([0-9a-f]+)$/.exec(values.get(`${at}/physical-device`) ?? '')
    const number = hex ? { number: `${Number.parseInt(hex[1]!, 16)}:${Number.parseInt(hex[2]!, 16)}` } : {}
    return [{ kind: kind!, domid: Number(domid), target, writes: values.get(`${at}/mode`) !== 'r', ...number }]
  })
}

function blockOf(
  lines: readonly string[],
  images: readonly string[],
  links: readonly string[],
  resources: readonly string[],
): BlockDevices {
  const values = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  )
  for (const line of images) values.set(`rbd${line.slice(0, line.indexOf(':'))}`, line.slice(line.indexOf(':') + 1))
  const names = [...values].flatMap(([at, value]) => (at.endsWith('/dev') ? [[value, at.slice(0, -4)] as const] : []))
  const pair = (line: string) => line.split(' ') as [string, string]
  return {
    names: new Map(names),
    values,
    links: new Map(links.map(pair).map(([at, target]) => [at.replace(/^\.\//, ''), target])),
    resources: new Map(
      resources.map(pair).map(([at, target]) => [target.split('/').at(-1)!, at.replace('/dev/drbd/by-res/', '')]),
    ),
  }
}
