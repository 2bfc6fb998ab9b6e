import type { FileSeen, VolumeUse } from '../tools/volumeUse.ts'

/** By what all PMs know a volume, if others can see it at all. */

/** File systems that several machines mount at once; `fuse.` ones but those of local devices are taken for such too. */
const NETWORK =
  /^(nfs\d?|cifs|smb\d?|smbfs|ceph|glusterfs|ocfs2|gfs2|lustre|beegfs|gpfs|afs|9p|virtiofs|pvfs2|fuse\..+)$/
const LOCAL_FUSE = /^fuse\.(ntfs|exfat|ext2|lxcfs|overlayfs|fuse-overlayfs|mergerfs|gvfsd|portal)/

/**
 * Pure. A file on a network file system: its server gives the inode to all who mount it. Machines may name the server in
 * other words or mount another directory of it, so a file of the same inode and name counts as well; on a local file system
 * nobody else sees it.
 */
export function fileKeys(use: VolumeUse, { device, inode, path }: FileSeen): string[] {
  const mount = use.mounts.get(device)
  if (!mount || !NETWORK.test(mount.type) || LOCAL_FUSE.test(mount.type)) return []
  const family = mount.type.replace(/\d$/, '')
  return [`${family}:${mount.source}:${inode}`, `${family}::${inode}:${path.split('/').at(-1)}`]
}

/**
 * Pure. A block device by its name in sysfs: LVM's UUIDs, multipath's and the disk's own WWID (one disk has both), DRBD's
 * resource, RBD's image; a partition by its disk's. None where it lies on disks that are wired to this machine alone.
 */
export function deviceKeys(use: VolumeUse, name: string): string[] {
  const { values, resources } = use.block
  const resource = resources.get(name)
  if (resource !== undefined) return [`drbd:${resource}`]
  if (/^rbd\d+$/.test(name) && values.has(`${name}/pool`)) {
    const namespace = values.get(`${name}/pool_ns`)
    return [`rbd:${[values.get(`${name}/pool`), namespace, values.get(`${name}/name`)].filter(Boolean).join('/')}`]
  }
  if (isWiredHere(use, name)) return []
  const part = values.get(`${name}/partition`)
  if (part !== undefined) return deviceKeys(use, name.split('/')[0]!).map((key) => `${key} part ${part}`)
  const uuid = values.get(`${name}/dm/uuid`)
  if (uuid) return [mappedKey(uuid)]
  const wwid = values.get(`${name}/wwid`) || values.get(`${name}/device/wwid`)
  return wwid ? [`disk:${wwid.replace(/\s+/g, ' ')}`] : []
}

/** What device-mapper calls it (`dmsetup info`): the owner's prefix, and what that calls it. */
function mappedKey(uuid: string): string {
  if (uuid.startsWith('LVM-')) return `lv:${uuid.slice(4, 36)}/${uuid.slice(36)}`
  const [, part, wwid] = /^(?:part(\d+)-)?mpath-(.+)$/.exec(uuid) ?? []
  if (wwid === undefined) return `dm:${uuid}`
  // scsi_id(8) puts the kind's digit before what the kernel calls `naa.…` (3) or `eui.…` (2).
  const disk = wwid.replace(/^3(?=[0-9a-f]{16})/, 'naa.').replace(/^2(?=[0-9a-f]{16}$)/, 'eui.')
  return `disk:${disk}${part === undefined ? '' : ` part ${part}`}`
}

/** All that it lies on is SATA, USB, a card or NVMe on this machine's own PCI, or a loop device of a local file. */
function isWiredHere(use: VolumeUse, name: string): boolean {
  const leaves = leavesOf(use, name)
  return leaves.length > 0 && leaves.every((leaf) => isLeafWired(use, leaf))
}

function isLeafWired(use: VolumeUse, leaf: string): boolean {
  const shown = use.block.values.get(`${leaf}/loop/backing_file`)
  if (shown !== undefined) {
    const file = use.files.get(shown)
    return file !== undefined && !file.isBlock && fileKeys(use, file).length === 0
  }
  const at = use.block.links.get(leaf) ?? ''
  return /\/(ata\d+|usb\d+|mmc\d+)\/|\/pci[^/]*\/.*\/nvme\/nvme\d+\//.test(at)
}

/** The devices at the bottom of what one lies on, whole disks. */
function leavesOf(use: VolumeUse, name: string, depth = 0): string[] {
  const below = [...use.block.links.keys()].filter((at) => at.startsWith(`${name}/slaves/`))
  if (below.length === 0 || depth > 8) return [name.split('/')[0]!]
  return below.flatMap((at) => {
    const slave = at.split('/').at(-1)!
    const whole = [...use.block.names.values()].find((one) => one === slave || one.endsWith(`/${slave}`)) ?? slave
    return leavesOf(use, whole, depth + 1)
  })
}
