/** Which volumes paths are and which domains have them: the answer of the script in tools/volumeUse.ts. */
import { findNode, isFsError, locate, mountOf } from '../machine/files.ts'
import { backendOf, isServed } from '../machine/guestConfig.ts'
import { hasQemu } from '../machine/guests.ts'
import { imagesOpenIn } from '../machine/openImages.ts'
import type { Program } from '../machine/program.ts'
import type { Domain, FsNode, LogicalVolume, Mount, PmState, VolumeGroup } from '../machine/state.ts'

export const volumeUse: Program = async (call) => {
  const { pm } = call
  const asked = (await call.stdin()).split('\n').filter((path) => path.startsWith('/'))
  const qemus = pm.domains.filter((domain) => hasQemu(domain))
  const served = pm.domains.flatMap(servedBy)
  const lines = [
    ...asked.flatMap((path) => told(pm, 'p', path) ?? []),
    ...pm.mounts.map(
      (mount, at) =>
        `m ${at + 20} 1 ${deviceOf(mount, at).join(':')} / ${mount.at} rw - ${mount.fstype} ${mount.device} rw`,
    ),
    ...qemus.map(({ domid }) => `q ${20_000 + domid} ${domid}`),
    ...qemus.flatMap((domain) => openIn(pm, domain)),
    ...served.flatMap(({ at, params, mode }) => [`x ${at}/mode = "${mode}"`, `x ${at}/params = "${params}"`]),
    ...served.flatMap(({ path }) => told(pm, 'p', path) ?? []),
  ]
  if (lines.some((line) => /^[pf] 6/.test(line))) lines.push(...pm.groups.flatMap((group) => mapped(pm, group)))
  call.out(`${lines.join('\n')}\nend\n`)
  return 0
}

/** A network file system has no device behind it. */
function deviceOf(mount: Mount, at: number): [number, number] {
  return mount.device.includes(':') ? [0, 40 + at] : [8, at + 1]
}

/** As `stat -L -c 'p %f %d %i %t %T %n'`; undefined where the path leads nowhere. */
function told(pm: PmState, kind: 'p' | 'f', path: string, name = path): string | undefined {
  const place = whole(pm, path)
  if (!place?.node) return undefined
  const { node } = place
  if (node.kind === 'block') return `${kind} 61b0 6 ${node.ino} fd ${node.ino.toString(16)} ${name}`
  const mount = mountOf(pm, place.path)
  const [major, minor] = deviceOf(mount, pm.mounts.indexOf(mount))
  return `${kind} ${node.kind === 'dir' ? '41ed' : '81a4'} ${(major << 8) | minor} ${node.ino} 0 0 ${name}`
}

function whole(pm: PmState, path: string): { readonly path: string; readonly node?: FsNode } | undefined {
  try {
    return locate(pm, path)
  } catch (error) {
    if (isFsError(error)) return undefined
    throw error
  }
}

function mapped(pm: PmState, group: VolumeGroup): string[] {
  const uuid = (one: VolumeGroup | LogicalVolume) => one.uuid.replaceAll('-', '')
  return group.volumes.flatMap((volume) => {
    const node = findNode(pm, `/dev/${group.name}/${volume.name}`)
    if (node?.kind !== 'block') return []
    const name = `dm-${node.ino}`
    return [`b ${name}/dev:253:${node.ino}`, `b ${name}/dm/uuid:LVM-${uuid(group)}${uuid(volume)}`]
  })
}

/** What its QEMU has open. */
function openIn(pm: PmState, domain: Domain): string[] {
  const images = imagesOpenIn(pm, domain)
  return images.flatMap(({ path, writes }, at) => {
    const name = `/proc/${20_000 + domain.domid}/fd/${at + 10}`
    const file = told(pm, 'f', path, name)
    if (file === undefined) return []
    return [
      `l ${name} ${whole(pm, path)?.path}`,
      file,
      `w ${name.replace('/fd/', '/fdinfo/')}:flags:\t010000${writes ? 2 : 0}`,
    ]
  })
}

/** The backends that XenStore has of a domain. */
function servedBy(domain: Domain) {
  if (domain.torn) return []
  return domain.config.disks.filter(isServed).map((disk, index) => {
    const kind = backendOf(disk)
    const driver = kind === 'phy' ? '' : `${disk.format === 'raw' ? 'aio' : disk.format}:`
    return {
      at: `/local/domain/0/backend/${kind === 'phy' ? 'vbd' : kind}/${domain.domid}/${51712 + index * 16}`,
      path: disk.path,
      params: `${driver}${disk.path}`,
      mode: disk.readOnly || disk.cdrom ? 'r' : 'w',
    }
  })
}
