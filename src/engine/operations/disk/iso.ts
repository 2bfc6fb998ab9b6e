import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Vm } from '../../../model/vm.ts'
import { run } from '../../host/run.ts'
import type { Applied, Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { fileExists } from '../../tools/files.ts'
import { withIso, withoutIso } from '../../tools/xl/drive.ts'
import { type ChangeFacts, configStep, gatherChange, recordStep, refuseChange } from '../vm/change.ts'
import { findDomain, lives } from '../vm/domain.ts'
import { type VmParams, vmField, vmOperation, vmParams } from '../vm/target.ts'

/** The CD drive of an HVM guest, which runs or not: an image put into it, and taken out again. */

/** What was in the running domain's drive; null where it has none. */
type Facts = ChangeFacts & { readonly loaded: string | null }

function refuseDrive(vm: Vm, view: View): string | undefined {
  if (vm.type !== 'hvm') return `a ${vm.type.toUpperCase()} guest has no CD drive: give it the image as a disk`
  return refuseChange(vm, view)
}

async function gatherDrive(uuid: string, cx: Context): Promise<Facts> {
  const facts = await gatherChange(uuid, cx)
  if (facts.domid === null) return { ...facts, loaded: null }
  const { disks } = await cx.hypervisor.devices(cx.host(facts.before.pm), facts.domid, cx.signal)
  return { ...facts, loaded: disks.find((disk) => disk.cdrom)?.path ?? null }
}

/** An empty path: nothing in it. */
async function load(cx: Context, { before }: Facts, path: string): Promise<void> {
  const domain = await findDomain(cx, before)
  if (!lives(domain)) return
  const host = cx.host(before.pm)
  if (path === '') await cx.hypervisor.ejectCd(host, domain.domid, cx.tag)
  else await cx.hypervisor.insertCd(host, domain.domid, path, cx.tag)
}

/** A guest that has gone away meanwhile finds it in its configuration. */
async function isLoaded(cx: Context, { before }: Facts, path: string): Promise<Applied> {
  const domain = await findDomain(cx, before)
  if (!lives(domain)) return true
  const { disks } = await cx.hypervisor.devices(cx.host(before.pm), domain.domid, cx.signal)
  return disks.some((disk) => disk.cdrom && disk.path === path) || 'again'
}

function loadStep(facts: Facts, path: string): Step[] {
  const { loaded, domid } = facts
  if (loaded === null) return []
  return [
    {
      name: path === '' ? 'eject' : 'insert',
      shows: [path === '' ? `xl cd-eject ${domid} hdc` : `xl cd-insert ${domid} hdc ${path}`],
      async do(cx) {
        await load(cx, facts, path)
        return null
      },
      isApplied: (cx) => isLoaded(cx, facts, path),
      undo: (cx) => load(cx, facts, loaded),
    },
  ]
}

const insertParams = z.object({
  vm: vmField,
  path: field(
    z.string().refine((path) => path.startsWith('/'), 'is not an absolute path'),
    {
      title: 'Image',
      from: 'iso',
      help: 'an ISO image on the PM',
    },
  ),
})
type InsertParams = z.infer<typeof insertParams>

export const isoInsert = vmOperation<InsertParams, Facts>({
  name: 'iso.insert',
  title: 'insert a CD into',
  help: 'Puts an ISO image into the CD drive of an HVM guest.',
  danger: 'safe',
  params: insertParams,
  refuse: ({ vm }, view) => refuseDrive(view.needVm(vm), view),
  async gather({ vm, path }, cx) {
    const row = cx.view.needVm(vm)
    const there = await run(cx.host(row.pm), { ...fileExists(path), timeoutMs: 60_000 }, cx.signal)
    if (there.exit !== 0)
      throw new PengxError('invalid', `path: there is no file ${path} on ${cx.view.needPm(row.pm).name}`)
    const facts = await gatherDrive(vm, cx)
    if (facts.domid !== null && facts.loaded === null)
      throw new PengxError('refused', `${row.name} was started without a CD drive: shut it down first`)
    return facts
  },
  plan({ path }, facts) {
    const change = (vm: Vm) => withIso(vm, path)
    return [recordStep(facts, change), configStep(facts, change), ...loadStep(facts, path)]
  },
})

export const isoEject = vmOperation<VmParams, Facts>({
  name: 'iso.eject',
  title: 'eject the CD of',
  help: 'Takes the ISO image out of the CD drive of an HVM guest; the drive stays.',
  danger: 'safe',
  params: vmParams,
  refuse({ vm }, view) {
    const row = view.needVm(vm)
    return refuseDrive(row, view) ?? (row.iso === undefined ? 'there is nothing in its CD drive' : undefined)
  },
  gather: ({ vm }, cx) => gatherDrive(vm, cx),
  plan: (_params, facts) => [recordStep(facts, withoutIso), configStep(facts, withoutIso), ...loadStep(facts, '')],
})
