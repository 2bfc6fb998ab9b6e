import { posix } from 'node:path'
import type { Storlink } from '../../model/storlink.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host } from '../host/host.ts'
import { runBatch, runMany } from '../host/run.ts'
import { fileExists, isDirectory } from '../tools/files.ts'
import { fstabFile, type MountEntry, mountsFile, parseMounts } from '../tools/storlinkMarker.ts'

/**
 * Whether a place without a marker is the one that a storlink means. Storlinks were made without markers once, and what
 * lies under their link today may be a directory on which nothing is mounted.
 */
export type DoubtedPlace = Pick<Storlink, 'link' | 'level' | 'type'>

/** File systems that a server keeps; their names as mount(8) has them. */
const OF_NETWORKS = /^(nfs|cifs|smb|ceph|glusterfs|9p|fuse\.(gluster|ceph|sshfs)|afs|lustre|beegfs|gpfs)/

/**
 * Why a person has to say that it is, as a clause; undefined where what is seen leaves no doubt. Looks only. A group of that
 * name is the one. A directory is where all of its volumes lie (`paths`, as they are remembered), or, with none, where
 * its type goes with its file system and nothing that fstab(5) has there is missing.
 */
export async function doubtOf(host: Host, place: DoubtedPlace, paths: readonly string[]): Promise<string | undefined> {
  const { link, level } = place
  if (level !== 'FL') return undefined
  const inside = paths.filter((path) => path.startsWith(`${link.replace(/\/$/, '')}/`))
  if (inside.length > 0) {
    const outputs = await runMany(
      host,
      inside.map((path): Command => fileExists(path)),
      { timeoutMs: 60_000 },
    )
    const missing = inside.filter((_path, index) => outputs[index]?.exit !== 0)
    if (missing.length === 0) return undefined
    const which =
      missing.length === 1 ? missing[0] : `${missing.length} of its ${inside.length} volumes (${missing[0]} …)`
    return `${which} ${missing.length === 1 ? 'is' : 'are'} not there`
  }
  const outputs = await runBatch(host, batch([isDirectory(link), mountsFile, fstabFile], { timeoutMs: 60_000 }))
  const [directory, ...files] = outputs
  if (directory?.exit !== 0) return 'there is no such directory'
  const [mounts = [], fstab = []] = files.map(({ stdout }) => parseMounts(stdout))
  return refuseMounts(place, mounts, fstab)
}

/**
 * Pure. What is mounted where a directory lies, and what is missing there, as a clause.
 *
 * @internal Exported for the test of mounts as real hosts have them.
 */
export function refuseMounts(
  { link, type }: DoubtedPlace,
  mounts: readonly MountEntry[],
  fstab: readonly MountEntry[],
): string | undefined {
  const around = (entries: readonly MountEntry[]) => entries.filter(({ at }) => isUnder(link, at))
  const missing = around(fstab).find(({ at }) => !mounts.some((mount) => mount.at === at))
  if (missing) return `${missing.at} is in /etc/fstab (${missing.device}) and not mounted`
  if (type !== 'NFS') return undefined
  // Of two on one directory the later one hides the other.
  const holding = around(mounts).reduce<MountEntry | undefined>(
    (best, one) => (best === undefined || one.at.length >= best.at.length ? one : best),
    undefined,
  )
  if (holding === undefined || OF_NETWORKS.test(holding.type)) return undefined
  return `its type is NFS, and it lies on ${holding.device} (${holding.type}, mounted on ${holding.at})`
}

function isUnder(link: string, at: string): boolean {
  const path = posix.normalize(link)
  return at === '/' || path === at || path.startsWith(`${at}/`)
}
