import { z } from 'zod'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import { type BackedUpVm, backedUpDisks, specOf } from '../../../model/backup.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Vm } from '../../../model/vm.ts'
import { batch } from '../../host/batch.ts'
import { run, runBatch } from '../../host/run.ts'
import type { Context } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { fileExists, isDirectory, readLink } from '../../tools/files.ts'
import { reads } from '../../tools/program.ts'
import { measureImage, parseMeasure } from '../../tools/qemuImg.ts'
import { freeSpace, parseFreeSpace } from '../../tools/system.ts'
import { levelOf } from '../disk/target.ts'
import { needNoDomain, refuseState, refuseVolumes } from '../vm/domain.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { readFrom } from '../volume/asked.ts'
import { needSoleUse } from '../volume/users.ts'
import {
  archiveSteps,
  describeStep,
  diskSteps,
  draftStep,
  type ExportedDisk,
  type ExportFacts,
  nameStep,
} from './exportSteps.ts'

/**
 * What a VM is and what its disks hold, as files that others read: a directory of images with an OVF, or an OVA, one file
 * of all. They are written in a directory of their own beside the place, read back and compared, and have their name only
 * then; nothing is ever written over.
 */
const params = z.object({
  vm: vmField,
  to: field(z.string(), { title: 'To', help: 'on its PM: a new directory, or a new file NAME.ova' }),
  format: field(z.enum(['qcow2', 'raw', 'vmdk']).optional(), {
    title: 'Format of the disks',
    help: 'none given: qcow2, and in an OVA vmdk (streamOptimized)',
  }),
  export: field(z.string().refine(isUuid, 'is not a UUID').optional(), {
    title: 'UUID',
    help: 'of the export; none given: a new one',
    advanced: true,
  }),
})
type Params = z.infer<typeof params>

const isArchive = ({ to }: Pick<Params, 'to'>) => /\.ova$/i.test(to)

function refuse(p: Params, view: View): string | undefined {
  const vm = view.needVm(p.vm)
  const hint = 'shut it down, or back it up and restore the backup as another VM, which can be exported'
  const state = refuseState(vm, view, ['shutdown'], { running: hint, paused: hint, crashed: 'power it off first' })
  if (state) return state
  const volumes = refuseVolumes(vm)
  if (volumes) return volumes
  if (backedUpDisks(vm).length === 0) return 'it has no disk that is written to'
  if (!p.to.startsWith('/') || /[\u0000-\u001f]|\/\.{0,2}(\/|$)/.test(p.to))
    return `${JSON.stringify(p.to)} is no path of a new directory or file: it begins with a "/", and has no "." or ".."`
  return undefined
}

/** For the names of files, whatever the VM is called. */
function plainName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^[.-]+/, '')
  return plain === '' ? 'vm' : plain
}

async function gather(p: Params, cx: Context): Promise<ExportFacts> {
  const vm = cx.view.needVm(p.vm)
  await needNoDomain(cx, vm)
  await needSoleUse(cx, vm, readFrom(backedUpDisks(vm)), { use: 'write', silence: 'told' })
  const at = p.to.lastIndexOf('/')
  const [parent, name] = [at === 0 ? '/' : p.to.slice(0, at), p.to.slice(at + 1)]
  const format = p.format ?? (isArchive(p) ? 'vmdk' : 'qcow2')
  const base = plainName(vm.name)
  const disks: ExportedDisk[] = []
  let neededMib = 1
  for (const { vdev, path, format: own, ...disk } of backedUpDisks(vm)) {
    const level = levelOf({ vdev, path, format: own, ...disk }, cx.view)
    const info = await cx.volumes(level).stat(cx.host(vm.pm), path, own)
    if (!info) throw new PengxError('refused', `${vm.name}: its disk ${vdev} (${path}) is not there`)
    const measure = { ...measureImage('qcow2', { path, format: own }), okExits: [0, 1] }
    const measured = await run(cx.host(vm.pm), measure, cx.signal)
    // one that sleeps can only take what it has
    const mib =
      measured.exit === 0 ? Math.ceil(parseMeasure(measured.stdout).requiredBytes / (1024 * 1024)) : info.usedMib
    neededMib += mib
    const { sizeMib } = info
    disks.push({ vdev, source: { path, format: own }, level, sizeMib, file: `${base}-${vdev}.${format}` })
  }
  tellLeftOut(vm, cx)
  await needPlace(cx, vm, { to: p.to, parent, neededMib: isArchive(p) ? 2 * neededMib : neededMib })
  const { vnc, ...rest } = vm
  const { password: _secret, ...shown } = vnc ?? { listen: '' }
  const written = { ...rest, ...(vnc ? { vnc: shown } : {}) }
  return {
    pm: vm.pm,
    export: p.export!,
    to: p.to,
    draft: `${parent === '/' ? '' : parent}/.${name}.${p.export!.slice(0, 8)}.new`,
    base,
    archive: isArchive(p),
    format,
    vm: vm.uuid,
    spec: specOf(vm) as BackedUpVm & Json,
    configuration: cx.hypervisor.formatConfig(vm.uuid, written),
    disks,
    at: cx.clock.now(),
  }
}

function tellLeftOut(vm: Vm, cx: Context): void {
  const taken = backedUpDisks(vm)
  for (const { uuid, vdev, path } of vm.disks)
    if (!taken.some((disk) => disk.uuid === uuid)) cx.notice(`${vdev} (${path}) is only read by it: left out`)
  for (const { vdev, path } of vm.drives) if (path !== '') cx.notice(`drive ${vdev} (${path}) is left out`)
}

interface Place {
  readonly to: string
  readonly parent: string
  readonly neededMib: number
}

/** Throws `refused` where nothing new can be made there, `noSpace` where it has no room. */
async function needPlace(cx: Context, vm: Vm, { to, parent, neededMib }: Place): Promise<void> {
  const pm = cx.view.needPm(vm.pm)
  const refuse = (why: string) => new PengxError('refused', `to: ${why}`)
  const asked = [
    isDirectory(parent),
    { ...reads('test', '-w', parent), okExits: [0, 1] },
    fileExists(to),
    readLink(to),
    { ...freeSpace(parent), okExits: [0, 1] },
  ]
  const [directory, writable, there, link, free] = await runBatch(cx.host(pm.uuid), batch(asked), cx.signal)
  if (directory?.exit !== 0) throw refuse(`there is no directory ${parent} on ${pm.name}`)
  if (writable?.exit !== 0) throw refuse(`${parent} on ${pm.name} cannot be written to`)
  if (there?.exit === 0 || link?.exit === 0) throw refuse(`${to} is there on ${pm.name}: nothing is written over`)
  const freeMib = parseFreeSpace(free?.stdout ?? '')?.freeMib ?? 0
  if (freeMib >= neededMib) return
  throw new PengxError('noSpace', `cannot export to ${to} on ${pm.name}: ${freeMib} MiB free, ${neededMib} needed`)
}

export const vmExport = vmOperation<Params, ExportFacts>({
  name: 'vm.export',
  title: 'export',
  help: 'Copies what a VM is and holds into a new directory or an OVA on its PM, and reads it back; it has to be shut down.',
  danger: 'safe',
  params,
  complete: (p) => ({ ...p, to: p.to.replace(/(?<=.)\/+$/, ''), export: p.export ?? newUuid() }),
  locks: ({ vm }, view) => {
    const row = view.needVm(vm)
    const storlinks = [...new Set(row.disks.flatMap(({ storlink }) => storlink ?? []))]
    return [
      { key: `vm:${vm}`, mode: 'exclusive' },
      { key: `pm:${row.pm}`, mode: 'shared' },
      ...storlinks.map((id) => ({ key: `storlink:${id}`, mode: 'shared' as const })),
    ]
  },
  refuse,
  gather,
  plan: (_p, facts) => [
    draftStep(facts),
    ...facts.disks.flatMap((disk) => diskSteps(disk, facts)),
    describeStep(facts),
    ...(facts.archive ? archiveSteps(facts) : []),
    ...nameStep(facts),
  ],
  result: ({ to }) => ({ to }),
})
