import { removeFile } from './files.ts'
import { ANY_EXIT, changes, type Program, reads } from './program.ts'

/**
 * The marker of a storage: a file in the directory, or a tag of the volume group, that says its UUID. By it a directory on
 * which nothing is mounted, or another disk, is told from the one that is meant.
 */
const FILE_NAME = '.pengx-storlink'

/** Pure. Where it lies in a directory. */
export function markerPath(link: string): string {
  return `${link.replace(/\/+$/, '')}/${FILE_NAME}`
}

/** Pure. For an administrator who finds it; the UUID stands in a line of its own. */
function markerText(uuid: string): string {
  return `storlink ${uuid}
pengx keeps disks of VMs in this directory, and knows it by this file: leave it here.
`
}

/** Exit 1: it is not there, or cannot be read, and stderr says which. */
export function readMarker(link: string): Program {
  return { ...reads('cat', markerPath(link)), okExits: [0, 1] }
}

/** Pure. The UUID that it says; undefined where it says none. */
export function parseMarker(stdout: string): string | undefined {
  return /^storlink ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/m.exec(stdout)?.[1]
}

/**
 * Parts of one batch, of which the last tells what is there then. Of several at once one makes the file: link(2) is
 * exclusive on NFS, too. A file system without hard links has mv(1)'s `-n`.
 */
export function makeMarker(link: string, uuid: string): Program[] {
  const [path, draft] = [markerPath(link), draftOf(link, uuid)]
  return [
    changes('install', '-m', '644', '/dev/null', draft),
    { ...changes('dd', `of=${draft}`, 'conv=fsync', 'status=none'), stdin: markerText(uuid) },
    { ...changes('ln', '-T', draft, path), okExits: ANY_EXIT },
    { ...changes('mv', '-n', '-T', draft, path), okExits: ANY_EXIT },
    removeFile(draft),
    reads('cat', path),
  ]
}

/** What is left of making one with that UUID and, without asking whose it is, the marker itself. */
export function removeMarker(link: string, uuid: string, itself: boolean): Program {
  const draft = draftOf(link, uuid)
  return changes('rm', '-f', draft, ...(itself ? [markerPath(link)] : []))
}

function draftOf(link: string, uuid: string): string {
  return `${markerPath(link)}.${uuid}.new`
}

const TAG = 'pengx.storlink='

/** Pure. As a tag of a volume group (lvm(8), `--addtag`). */
export function markerTag(uuid: string): string {
  return `${TAG}${uuid}`
}

/** Pure. The UUIDs among a group's tags, the smallest first: two that marked it at once agree on that. */
export function markersAmong(tags: readonly string[]): string[] {
  return tags
    .flatMap((tag) => (tag.startsWith(TAG) ? [tag.slice(TAG.length)] : []))
    .filter((uuid) => /^[0-9a-f-]{36}$/.test(uuid))
    .sort()
}

/** What is mounted, one a line: the kernel's own list. */
export const mountsFile: Program = reads('cat', '/proc/mounts')
/** What is to be mounted (fstab(5)); exit 1: there is none. */
export const fstabFile: Program = { ...reads('cat', '/etc/fstab'), okExits: [0, 1] }

export interface MountEntry {
  readonly device: string
  readonly at: string
  readonly type: string
}

/** Pure. The entries of either file that are of a directory; blanks in names are written `\040`. */
export function parseMounts(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const [device = '', at = '', type = ''] = line.trim().split(/\s+/)
    if (device.startsWith('#') || !at.startsWith('/')) return []
    const plain = (word: string) =>
      word.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
    return [{ device: plain(device), at: plain(at).replace(/(.)\/+$/, '$1'), type }]
  })
}
