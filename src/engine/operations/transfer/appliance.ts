import { readTar, type TarMember } from '../../../lib/tar.ts'
import { PengxError } from '../../../model/error.ts'
import type { Pm } from '../../../model/pm.ts'
import { run } from '../../host/run.ts'
import type { Context, ReadingStep } from '../../jobs/operation.ts'
import { digestStretch, type Stretch } from '../../tools/transfer/foreignImage.ts'
import { type ManifestLine, type OvfDisk, type OvfVm, parseManifest, parseOvf } from '../../tools/transfer/ovf.ts'
import type { DiskRequest } from '../vm/createDisks.ts'
import { bytesOfStretch, isOfSize, lookAtImage } from './image.ts'

/**
 * An OVA: a tar archive of an OVF, the disks that it speaks of, and their digests. It is read where it lies: each disk is a
 * window of the file, and nothing of it is unpacked, so no name in it ever becomes a file's.
 */

/** What a member is to have, and where that lies. */
export type Digested = { readonly [K in keyof ManifestLine]: string } & {
  readonly path: string
  readonly offset: number
  readonly bytes: number
}

export interface Appliance {
  readonly vm: OvfVm
  readonly requests: readonly DiskRequest[]
  readonly digests: readonly Digested[]
}

/** No description of a VM is as long. */
const MOST_TEXT_BYTES = 1024 * 1024

/** Everything that an OVA on a PM is; `refused` where anything of it is not as it says. Looks only. */
export async function lookAtAppliance(cx: Context, pm: Pm, file: Stretch): Promise<Appliance> {
  const refuse = (why: string) => new PengxError('refused', `${file.path} on ${pm.name}: ${why}`)
  const tar = await readTar(file.bytes, (offset, bytes) => bytesOfStretch(cx, pm, { ...file, offset, bytes }))
  if (!tar.ok) throw refuse(tar.problem)
  const descriptions = tar.members.filter(({ name }) => /\.ovf$/i.test(name))
  const [description] = descriptions
  if (!description) throw refuse('there is no .ovf in it: it is a tar archive, and no OVA')
  if (descriptions.length > 1) throw refuse(`there are ${descriptions.length} OVFs in it: one is read`)
  const text = async (member: TarMember) => {
    if (member.bytes > MOST_TEXT_BYTES) throw refuse(`${member.name} is too long for what it is`)
    return new TextDecoder().decode(await bytesOfStretch(cx, pm, stretchOf(file, member)))
  }
  const ovf = parseOvf(await text(description))
  if (!ovf.ok) throw refuse(`${description.name}: ${ovf.problem}`)
  const digests = await digestsOf(tar.members, file, text, refuse)
  if (digests.length === 0) cx.notice('the OVA brings no digests: whether it is as it was made cannot be told')
  for (const notice of ovf.vm.notices) cx.notice(notice)
  const requests: DiskRequest[] = []
  for (const disk of ovf.vm.disks) requests.push(await requestOf(cx, pm, file, tar.members, disk, refuse))
  return { vm: ovf.vm, requests, digests }
}

function stretchOf({ path }: Stretch, { offset, bytes }: TarMember): Stretch {
  return { path, offset, bytes }
}

async function requestOf(
  cx: Context,
  pm: Pm,
  file: Stretch,
  members: readonly TarMember[],
  disk: OvfDisk,
  refuse: (why: string) => PengxError,
): Promise<DiskRequest> {
  if (!disk.file) return { sizeMib: Math.ceil(disk.bytes / (1024 * 1024)) }
  const { href, bytes } = disk.file
  const member = members.find(({ name }) => name === href)
  if (!member) throw refuse(`its OVF speaks of ${JSON.stringify(href)}, which is not in it`)
  if (bytes !== undefined && bytes !== member.bytes)
    throw refuse(`its OVF says that ${href} has ${bytes} bytes, and it has ${member.bytes}`)
  const name = `${href} in ${file.path}`
  const found = await lookAtImage(cx, pm, { stretch: stretchOf(file, member), name, whole: false })
  if (!isOfSize(found, disk.bytes))
    throw refuse(`its OVF says that the disk in ${href} has ${disk.bytes} bytes, and it has ${found.virtualBytes}`)
  return { source: found.source, sizeMib: found.source.sizeMib }
}

async function digestsOf(
  members: readonly TarMember[],
  file: Stretch,
  text: (member: TarMember) => Promise<string>,
  refuse: (why: string) => PengxError,
): Promise<Digested[]> {
  const manifests = members.filter(({ name }) => /\.mf$/i.test(name))
  const [manifest] = manifests
  if (!manifest) return []
  const lines = manifests.length > 1 ? undefined : parseManifest(await text(manifest))
  if (!lines) throw refuse(`${manifest.name} is no list of digests`)
  const known = lines.map((line) => {
    const member = members.find(({ name }) => name === line.name)
    if (!member) throw refuse(`${manifest.name} speaks of ${JSON.stringify(line.name)}, which is not in it`)
    return { ...line, ...stretchOf(file, member) }
  })
  const missing = members.find(({ name }) => isDigested(name) && !known.some((one) => one.name === name))
  if (missing) throw refuse(`${manifest.name} says nothing of ${missing.name}`)
  return known
}

/** The list does not speak of itself, nor of who has signed it. */
function isDigested(name: string): boolean {
  return !/\.(mf|cert)$/i.test(name)
}

/** Reads all of an OVA and compares it with the digests that it brings; none where it brings none. */
export function digestSteps(pm: string, digests: readonly Digested[]): ReadingStep[] {
  if (digests.length === 0) return []
  const total = digests.reduce((sum, { bytes }) => sum + bytes, 0)
  return [
    {
      name: 'compare the digests',
      weight: 10,
      onlyReads: true,
      shows: digests.map(({ program, path, name }) => `${program} ${path} (${name})`),
      async do(cx) {
        let done = 0
        for (const { path, offset, bytes, name, program, digest } of digests) {
          const command = digestStretch({ path, offset, bytes }, program as ManifestLine['program'])
          const { stdout, stderr } = await run(cx.host(pm), { ...command, queue: 'copies' }, cx.signal)
          if (stderr.trim() !== '') throw new PengxError('commandFailed', `${name} cannot be read: ${stderr.trim()}`)
          if (stdout.split(' ')[0] !== digest)
            throw new PengxError(
              'refused',
              `${name} in ${path} is not what its digest says: it was changed, or damaged`,
            )
          done += bytes
          cx.progress(done / total, name)
        }
        return null
      },
    },
  ]
}
