// What there is of the victim: what pengx says, what its configuration says, what its QEMU has open, and what lies there.
import { sh } from '../machine/ssh.ts'
import { listed, type Pengx } from '../pengx.ts'
import type { Victim } from './victim.ts'

export interface JobRow {
  readonly number: number
  readonly operation: string
  readonly state: string
  readonly step: string
  readonly message: string
}
interface VolumeRow {
  readonly disk: string
  readonly vdev: string
  readonly path: string
}
export interface SnapshotRow {
  readonly uuid: string
  readonly name: string
  readonly volumes: readonly VolumeRow[]
}
interface DiskRow {
  readonly uuid: string
  readonly vdev: string
  readonly path: string
}
interface VictimRow {
  readonly uuid: string
  readonly name: string
  /** The name of its PM. */
  readonly pm: string
  readonly state: string
  readonly domid?: number
  readonly disks: readonly DiskRow[]
  readonly drift: readonly string[]
}

export interface Look {
  readonly row: VictimRow
  readonly jobs: readonly JobRow[]
  readonly snapshots: readonly SnapshotRow[]
  /** Disks of its configuration, by path. */
  readonly configured: readonly string[]
  /** What its QEMU has open for writing; undefined where it has no domain. */
  readonly written: readonly string[] | undefined
  /** All that lies on its storlink. */
  readonly files: readonly string[]
}

/** What pengx says of all of them. */
export interface Rows {
  readonly vms: readonly VictimRow[]
  readonly jobs: readonly JobRow[]
}

export async function readRows(pengx: Pengx): Promise<Rows> {
  const [vms, jobs] = await Promise.all([listed<VictimRow>(pengx, 'vms'), listed<JobRow>(pengx, 'jobs')])
  return { vms, jobs }
}

export async function lookAt(victim: Victim, known?: Rows): Promise<Look> {
  const { pengx, uuid, name } = victim
  const [{ vms, jobs }, snapshots, there] = await Promise.all([
    known ?? readRows(pengx),
    listed<SnapshotRow>(pengx, 'snapshots', name),
    lookAtHost(victim),
  ])
  return { row: vms.find((row) => row.uuid === uuid)!, snapshots, jobs, ...there }
}

type HostLook = Pick<Look, 'configured' | 'written' | 'files'>

/** The device model of a domain is not its parent's child: its pid stands in XenStore. */
export async function lookAtHost({ host, uuid, link }: Victim): Promise<HostLook> {
  const script = `
    echo "== configured"; grep -o 'target=[^",]*' /etc/xen/pengx/${uuid}.cfg 2>/dev/null | cut -d= -f2
    echo "== files"; find ${link} -type f
    domid=$(xl list -v | awk '/ ${uuid} /{ print $2 }')
    [ -n "$domid" ] || exit 0
    echo "== written"
    pid=$(xenstore-read /local/domain/$domid/image/device-model-pid)
    ls -l /proc/$pid/fd | while read -r _ _ _ _ _ _ _ _ fd _ to; do
      case $to in ${link}/*) ;; *) continue ;; esac
      while read -r key flags; do case $key$flags in flags:*[12]) echo "$to" ;; esac; done </proc/$pid/fdinfo/$fd
    done
    :`
  const parts = new Map<string, string[]>()
  for (const part of (await sh(host, script)).split('== ').slice(1)) {
    const [title, ...lines] = part.trimEnd().split('\n')
    parts.set(title!, [...new Set(lines)].sort())
  }
  return { configured: parts.get('configured')!, files: parts.get('files')!, written: parts.get('written') }
}

/** What lies below volumes, themselves with it: by their headers. */
export async function chainsOf({ host }: Victim, paths: readonly string[]): Promise<Set<string>> {
  const command = `for path in ${paths.join(' ')}; do qemu-img info -U --backing-chain $path | sed -n 's/^image: //p'; done`
  return new Set((await sh(host, command)).split('\n').filter(Boolean))
}

/** SHA-256 of all that each volume reads as, by path. */
export async function sumsOf({ host, name }: Victim, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const raw = `/tmp/${name}.raw`
  const one = `qemu-img convert -U -f qcow2 -O raw $path ${raw} && echo "$path $(sha256sum <${raw})" && rm ${raw}`
  const text = await sh(host, `for path in ${paths.join(' ')}; do ${one} || exit; done`, { timeoutMs: 300_000 })
  return new Map(
    text
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' ').slice(0, 2) as [string, string]),
  )
}
