import { z } from 'zod'
import { newUuid, shortUuid } from '../../../lib/ids.ts'
import type { Disk, DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Template, TemplateDisk } from '../../../model/template.ts'
import type { Vm } from '../../../model/vm.ts'
import type { LiveCopyOptions } from '../../hypervisor/backup.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { keptFormat } from '../../volumes/volumeDriver.ts'
import { levelOf } from '../disk/target.ts'
import { refuseReach } from '../storlink/access.ts'
import { madeVolume } from '../storlink/madeVolume.ts'
import { livingDomain, needNoDomain, refuseState, refuseVolumes } from '../vm/domain.ts'
import { vmField } from '../vm/target.ts'
import { readFrom } from '../volume/asked.ts'
import { fillStep } from '../volume/copies.ts'
import { needSoleUse } from '../volume/users.ts'
import { newTemplateField, newTemplateOperation, protectStep, recordStep, refuseNew } from './target.ts'

/**
 * A template from a VM: each of its disks copied whole, whatever it lies on. A VM that is shut down is copied by
 * qemu-img; one that runs by its own QEMU, all disks as they are at one moment, so its guest is not disturbed and the
 * copy is what a power cut would have left.
 */
const params = z.object({
  vm: vmField,
  name: field(z.string(), { title: 'Name' }),
  storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }),
  desc: field(z.string().default(''), { title: 'Description' }),
  speed: field(z.number().int().min(0).default(200), {
    title: 'Speed',
    help: 'at most so many MiB a second are copied of a VM that runs; 0: as fast as it goes',
    advanced: true,
  }),
  template: newTemplateField,
})
type Params = z.infer<typeof params>

type Copied = {
  readonly vdev: string
  readonly path: string
  readonly format: DiskFormat
  readonly level: Level
  readonly target: TemplateDisk & Json
}

type Facts = {
  readonly pm: string
  readonly level: Level
  /** Its domain, where it runs. */
  readonly domid: number | null
  readonly disks: readonly Copied[]
  readonly createdAt: number
}

/** What a VM is made of: CD images and what it only reads are not. */
function disksOf(vm: Vm): readonly Disk[] {
  return vm.disks.filter((disk) => !disk.readOnly)
}

function refuse(p: Params, view: View): string | undefined {
  const vm = view.needVm(p.vm)
  const refusal = refuseNew(p, view)
  if (refusal) return refusal
  const state = refuseState(vm, view, ['shutdown', 'running', 'paused'], { crashed: 'power it off first' })
  if (state) return state
  const volumes = refuseVolumes(vm)
  if (volumes) return volumes
  if (disksOf(vm).length === 0) return 'it has no disk that could be copied'
  return refuseReach(view.needStorlink(p.storlink), vm.pm, view)
}

async function gather(p: Params, cx: Context): Promise<Facts> {
  const vm = cx.view.needVm(p.vm)
  const host = cx.host(vm.pm)
  const domain = await livingDomain(cx, vm)
  if (!domain) await needNoDomain(cx, vm)
  const sources = disksOf(vm)
  await needSoleUse(cx, vm, readFrom(sources), { use: 'write', silence: 'told' })
  const why = domain && (await cx.hypervisor.refuseBackup(host, domain.domid, sources))
  if (why) throw new PengxError('refused', `cannot make a template of ${vm.name} while it runs: ${why}`)
  const storlink = cx.view.needStorlink(p.storlink)
  const driver = cx.volumes(storlink.level)
  const createdAt = cx.clock.now()
  const disks: Copied[] = []
  let usedMib = 0
  for (const disk of sources) {
    const { vdev, path, format } = disk
    const level = levelOf(disk, cx.view)
    const info = await cx.volumes(level).stat(host, path, format)
    if (!info) throw new PengxError('refused', `${vm.name}: its disk ${vdev} (${path}) is not there`)
    usedMib += info.usedMib
    const uuid = newUuid()
    const kept = keptFormat(format)
    const place = { uuid, format: kept, path: driver.locate({ storlink, uuid, format: kept }), storlink: storlink.id }
    disks.push({ vdev, path, format, level, target: { ...place, sizeMib: info.sizeMib, desc: '', createdAt } })
  }
  const { freeMib } = await driver.inspect(host, storlink.link)
  if (freeMib < usedMib) {
    const where = `${storlink.name} (${storlink.link} on ${cx.view.needPm(vm.pm).name})`
    throw new PengxError('noSpace', `cannot copy ${vm.name} to ${where}: ${freeMib} MiB free, about ${usedMib} needed`)
  }
  if (domain) cx.notice('copied while it ran: the template is what a power cut would have left of the VM')
  return { pm: vm.pm, level: storlink.level, domid: domain?.domid ?? null, disks, createdAt }
}

function templateOf(p: Params, facts: Facts, view: View): Template {
  const vm = view.needVm(p.vm)
  return {
    uuid: p.template!,
    name: p.name,
    pm: view.needStorlink(p.storlink).pm,
    os: vm.os || 'OTHER',
    osArch: vm.osArch || 'X64',
    desc: p.desc,
    type: vm.type,
    boot: vm.boot,
    disks: facts.disks.map((disk) => disk.target),
    createdAt: facts.createdAt,
  }
}

function copyStep({ vdev, path, format, level: own, target }: Copied, { pm, level }: Facts): ChangingStep {
  const source = { path, format, pm, level: own }
  return fillStep('copy', {
    vdev,
    sizeMib: target.sizeMib,
    source,
    target: { path: target.path, format: target.format, pm, level },
  })
}

function roomStep({ vdev, target }: Copied, { pm, level }: Facts): ChangingStep {
  return {
    name: `make room for ${vdev}`,
    weight: 2,
    shows: [`qemu-img create -f ${target.format} ${target.path} ${target.sizeMib}M`],
    async do(cx) {
      await cx.volumes(level).create(cx.host(pm), target.path, target.format, target.sizeMib, cx.tag)
      return null
    },
    ...madeVolume(pm, { path: target.path, level, format: target.format }),
  }
}

function blockJobOptions(p: Params, cx: Context): LiveCopyOptions {
  return {
    name: `pengx-${shortUuid(p.template!)}`,
    bytesPerSecond: p.speed * 1024 * 1024,
    clock: cx.clock,
    signal: cx.signal,
    onProgress: (done) => cx.progress(done, `${Math.floor(done * 100)} %`),
  }
}

const COPY = 'copy what its disks hold now'

/** All disks at one moment. A domain that is gone has taken its copying with it. */
function backupStep(p: Params, { pm, domid, disks }: Facts & { readonly domid: number }): ChangingStep {
  return {
    name: COPY,
    weight: 20 * disks.length,
    shows: disks.map(({ vdev, target }) => `blockdev-backup ${vdev} ${target.path}`),
    async do(cx) {
      await cx.hypervisor.backupDisks(cx.host(pm), domid, disks, blockJobOptions(p, cx))
      return null
    },
    /** That QEMU has copied all, and all of one moment, only its end tells. */
    isApplied: async (cx) => cx.output(COPY) !== undefined,
    undo: (cx) => cx.hypervisor.cancelJobs(cx.host(pm), domid, blockJobOptions(p, cx)),
  }
}

export const templateCreate = newTemplateOperation<Params, Facts>(
  {
    name: 'template.create',
    title: 'make template of',
    help: 'Copies the disks of a VM as a template; a VM that runs goes on, and is copied as it is at one moment.',
    danger: 'safe',
    target: { param: 'vm', kind: 'vm' },
    params,
    refuse,
    gather,
    plan(p, facts) {
      const { pm, domid, disks } = facts
      const copies =
        domid === null
          ? disks.map((disk) => copyStep(disk, facts))
          : [...disks.map((disk) => roomStep(disk, facts)), backupStep(p, { ...facts, domid })]
      const targets = disks.map((disk) => disk.target)
      return [...copies, protectStep(pm, targets, true), recordStep(p.template!, (view) => templateOf(p, facts, view))]
    },
    result: ({ template, name }) => ({ uuid: template ?? '', name }),
  },
  {
    locks: ({ vm }, view) => [
      { key: `vm:${vm}`, mode: 'exclusive' },
      { key: `pm:${view.needVm(vm).pm}`, mode: 'shared' },
    ],
    touches: ({ vm }, view) => {
      const pm = view.getVm(vm)?.pm
      return pm === undefined ? [] : [pm]
    },
  },
)
