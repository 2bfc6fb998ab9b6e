import { z } from 'zod'
import { newUuid } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Storlink } from '../../../model/storlink.ts'
import { type Boot, refuseName } from '../../../model/vm.ts'
import type { Context, Lock, Operation, ReadingStep } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { type ForeignFormat, HEAD_BYTES, isTar } from '../../tools/transfer/imageHeader.ts'
import { newConfigStep } from '../vm/configFile.ts'
import { type DiskRequest, diskStep, type NewDisk, placeDisks, type Source } from '../vm/createDisks.ts'
import { type CreateParams, candidatePms, createParams, refuseCreate, storlinkFor } from '../vm/createParams.ts'
import { configPathFor } from '../vm/domain.ts'
import { bootOf, type NewVmFacts, needFiles, rowOf, takeNameStep } from '../vm/newVm.ts'
import { pickNics } from '../vm/pickNics.ts'
import { needSoleUse } from '../volume/users.ts'
import { type Appliance, type Digested, digestSteps, lookAtAppliance } from './appliance.ts'
import { bytesOfStretch, lookAtImage, wholeFile } from './image.ts'

/**
 * A VM from files that somebody brings: disk images, or an OVA, which says itself what VM it is. All of it is looked at
 * first, and nothing is made where anything of it is not as it says. The files stay as they are.
 */
const LEFT_OUT = {
  template: true,
  overlay: true,
  image: true,
  copyImage: true,
  diskSize: true,
  seedUser: true,
  seedKey: true,
  seedHostname: true,
  seedAddress: true,
} as const

const FORMATS = ['qcow2', 'raw', 'vmdk', 'vhd', 'vhdx', 'ova'] as const

const params = z.object({
  file: field(z.string(), { title: 'File', help: 'on the PM: a disk image (qcow2, raw, VMDK, VHD, VHDX) or an OVA' }),
  disks: field(z.array(z.string()).default([]), {
    title: 'Further images',
    help: 'of the disks behind the first, in their order',
  }),
  format: field(z.enum(FORMATS).optional(), {
    title: 'Format of the files',
    help: 'none given: what their first bytes say; raw where those say nothing',
    advanced: true,
  }),
  ...createParams.omit(LEFT_OUT).shape,
  name: field(z.string().optional(), { title: 'Name', help: 'none given: what the OVA says, else the file’s' }),
  storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }),
  memory: field(z.number().int().min(1).optional(), {
    title: 'Memory',
    unit: 'MiB',
    help: 'none given: what the OVA says',
  }),
  vcpus: field(z.number().int().min(1).max(512).optional(), {
    title: 'VCPUs',
    help: 'none given: what the OVA says, else one',
  }),
  bridges: field(z.array(z.string()).default([]), {
    title: 'Bridges',
    from: 'bridge',
    help: 'one interface on each; none given: as many as the OVA says, on the bridge that xl takes by itself',
  }),
})
type Params = z.infer<typeof params>

type Facts = NewVmFacts & {
  readonly name: string
  readonly memory: number
  readonly vcpus: number
  readonly digests: readonly Digested[]
}

/** The name of its file without what tells its format. */
function nameOfFile(file: string): string {
  const name = file.slice(file.lastIndexOf('/') + 1)
  return name.replace(/\.(qcow2|raw|img|vmdk|vhdx?|ova)$/i, '') || name
}

/** As the parameters of a VM that is made: what the file says is filled in when it has been read. */
function createParamsOf(p: Params, said: Partial<Pick<Facts, 'name' | 'memory' | 'vcpus'>> = {}): CreateParams {
  const { file, disks: _disks, format: _format, ...rest } = p
  const { name = p.name ?? nameOfFile(file), memory = p.memory ?? 1, vcpus = p.vcpus ?? 1 } = said
  return { ...rest, name, memory, vcpus, image: file, copyImage: true, overlay: false }
}

function refuse(p: Params, view: View): string | undefined {
  const odd = [p.file, ...p.disks].find((path) => !path.startsWith('/') || /[\u0000-\u001f]/.test(path))
  if (odd !== undefined) return `${JSON.stringify(odd)} is no path on the PM: it begins with a "/"`
  if (p.format === 'ova' && p.disks.length > 0) return 'an OVA brings all of its disks: no further images are taken'
  // what it is called where that is not said is known when the files have been read
  return refuseCreate(createParamsOf(p, { name: p.name ?? newUuid() }), view)
}

async function gather(p: Params, cx: Context): Promise<Facts> {
  const storlink = storlinkFor(createParamsOf(p), cx.view)!
  const pm = candidatePms(createParamsOf(p), cx.view)[0]!
  const { vm, requests, digests } = await lookAtFiles(p, pm, cx)
  const said = {
    name: p.name ?? vm?.name ?? nameOfFile(p.file),
    memory: p.memory ?? vm?.memoryMib ?? 0,
    vcpus: p.vcpus ?? vm?.vcpus ?? 1,
  }
  const made = createParamsOf(p, said)
  if (said.memory === 0) throw new PengxError('invalid', 'memory is missing: the files do not say how much the VM has')
  const refusal = refuseName(said.name) ?? refuseCreate(made, cx.view)
  if (refusal) throw new PengxError('refused', refusal)
  if (p.extraDiskSize !== undefined) requests.push({ sizeMib: p.extraDiskSize })
  const type = p.type ?? 'hvm'
  const boot = bootOf(made, type, vm?.isUefi && type === 'hvm' ? { firmware: 'uefi' } : {})
  await needFiles(cx, pm, { ...made, image: undefined }, boot)
  await needLarger(requests, storlink, pm, cx)
  return {
    ...(await placeDisks(requests, made, storlink, pm, cx)),
    ...said,
    uuid: p.uuid!,
    pm: pm.uuid,
    level: storlink.level,
    nics: pickNics(pm, bridgesFor(p, vm, cx), cx.view, p.unseenBridge),
    seed: null,
    type,
    boot: boot as Boot & Json,
    os: p.os,
    osArch: p.osArch,
    createdAt: cx.clock.now(),
    digests,
  }
}

interface Found {
  readonly vm?: Appliance['vm']
  readonly requests: DiskRequest[]
  readonly digests: readonly Digested[]
}

async function lookAtFiles(p: Params, pm: Pm, cx: Context): Promise<Found> {
  const file = await wholeFile(cx, pm, p.file)
  const paths = [p.file, ...p.disks]
  const reader = { uuid: p.uuid!, pm: pm.uuid, name: `the import of ${p.file}` }
  const read = paths.map((path) => ({ path, readOnly: true }))
  await needSoleUse(cx, reader, read, { use: 'write', silence: 'told' })
  const head = await bytesOfStretch(cx, pm, { ...file, bytes: Math.min(HEAD_BYTES, file.bytes) })
  const isArchive = isTar(head)
  if (p.format === 'ova' && !isArchive) throw new PengxError('refused', `${p.file} on ${pm.name} is no tar archive`)
  if (isArchive && (p.format === undefined || p.format === 'ova')) {
    if (p.disks.length > 0)
      throw new PengxError('refused', `${p.file} is an OVA, which brings all of its disks: no further images are taken`)
    const { vm, requests, digests } = await lookAtAppliance(cx, pm, file)
    return { vm, requests: [...requests], digests }
  }
  const requests: DiskRequest[] = []
  for (const path of paths) {
    const stretch = path === p.file ? file : await wholeFile(cx, pm, path)
    const found = await lookAtImage(cx, pm, { stretch, name: path, whole: true, as: qemuName(p.format) })
    requests.push({ source: found.source, sizeMib: found.source.sizeMib })
  }
  return { requests, digests: [] }
}

function qemuName(format: Params['format']): ForeignFormat | undefined {
  return format === 'vhd' ? 'vpc' : format === 'ova' ? undefined : format
}

/** A disk that is larger than all of its place will not be written to for long. */
async function needLarger(requests: readonly DiskRequest[], storlink: Storlink, pm: Pm, cx: Context): Promise<void> {
  const { name, link, level } = storlink
  const { sizeMib } = await cx.volumes(level).inspect(cx.host(pm.uuid), link)
  const larger = requests.find((request) => request.sizeMib > sizeMib)
  if (!larger) return
  const where = `${name} (${link} on ${pm.name})`
  throw new PengxError('noSpace', `a disk of ${larger.sizeMib} MiB is larger than ${where}, which has ${sizeMib} MiB`)
}

function bridgesFor(p: Params, vm: Appliance['vm'] | undefined, cx: Context): readonly string[] {
  const count = vm?.nicCount ?? 0
  if (p.bridges.length > 0) {
    if (vm && count !== p.bridges.length)
      cx.notice(`it gets ${p.bridges.length} interfaces, as was said; the OVA says ${count}`)
    return p.bridges
  }
  if (count > 0) cx.notice(`interfaces (${count}) are on the bridge that xl takes by itself: --bridges says which`)
  return Array.from({ length: count }, () => '')
}

function readBackStep({ vdev, path, format }: NewDisk, source: Source, { pm, level }: Facts): ReadingStep {
  return {
    name: `read ${vdev} back`,
    weight: 10,
    onlyReads: true,
    shows: [`qemu-img compare ${source.path} ${path}`],
    async do(cx) {
      const say = (done: number) =>
        cx.progress(done, `compared ${Math.floor(done * source.sizeMib)} of ${source.sizeMib} MiB`)
      const same = await cx.volumes(level).compare(cx.host(pm), source, { path, format }, say, cx.signal)
      if (same) return null
      throw new PengxError('commandFailed', `${path}, read back, is not what ${source.path} holds`)
    },
  }
}

export const vmImport: Operation<Params, Facts> = {
  name: 'vm.import',
  title: 'import VM',
  help: 'Makes a VM of a disk image or an OVA that lies on a PM, and reads it back; it is left shut down.',
  danger: 'safe',
  subjectKind: 'vm',
  target: { param: 'file', kind: 'text' },
  params,
  complete: (p) => ({ ...p, uuid: p.uuid ?? newUuid() }),
  subject: ({ uuid, name, file }) => ({ kind: 'vm', id: uuid ?? file, name: name ?? nameOfFile(file) }),
  locks(p, view) {
    const made = createParamsOf(p)
    return [
      { key: `vm:${p.uuid}`, mode: 'exclusive' },
      // The name that an OVA says is not known yet: of two at once the store refuses the second.
      { key: `name:vm:${made.name}`, mode: 'exclusive' },
      { key: `storlink:${p.storlink}`, mode: 'shared' },
      ...candidatePms(made, view).map((pm): Lock => ({ key: `pm:${pm.uuid}`, mode: 'shared' })),
    ]
  },
  refuse,
  gather,
  plan(p, facts) {
    const row = () => rowOf(createParamsOf(p, facts), facts)
    const disks = facts.disks.map((disk) => ({ disk, source: facts.sources[disk.uuid] }))
    return [
      ...digestSteps(facts.pm, facts.digests),
      takeNameStep(facts.uuid, facts.name, row),
      ...disks.map(({ disk, source }) => diskStep(disk, source, facts, { uuid: facts.uuid, name: facts.name })),
      ...disks.flatMap(({ disk, source }) => (source ? [readBackStep(disk, source, facts)] : [])),
      newConfigStep(facts.pm, configPathFor(facts.uuid), (cx) =>
        cx.hypervisor.formatConfig(facts.uuid, cx.view.needVm(facts.uuid)),
      ),
    ]
  },
  result: (_p, facts) => ({ uuid: facts.uuid, name: facts.name }),
  touches: ({ uuid }, view) => {
    const pm = view.getVm(uuid ?? '')?.pm
    return pm === undefined ? [] : [pm]
  },
}
