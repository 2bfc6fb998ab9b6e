import { z } from 'zod'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Template, TemplateDisk } from '../../../model/template.ts'
import type { Boot } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { accessPm } from '../storlink/access.ts'
import { madeVolume } from '../storlink/madeVolume.ts'
import { needSoleUse } from '../volume/users.ts'
import {
  booting,
  describing,
  newTemplateField,
  newTemplateOperation,
  protectStep,
  recordStep,
  refuseNew,
} from './target.ts'

/** Templates from an image that lies on a storlink already, and with an empty disk to install into. */

const common = {
  name: field(z.string(), { title: 'Name' }),
  ...describing,
  storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }),
}
const formatField = field(z.enum(['qcow2', 'raw']).default('qcow2'), { title: 'Format' })

const addParams = z.object({
  ...common,
  uuid: field(z.string().refine(isUuid, 'is not a UUID'), {
    title: 'Image',
    help: 'UUID of the image on the storlink: the file UUID.FORMAT in its directory, the volume pengx-UUID in its group',
  }),
  format: formatField,
  ...booting,
  template: newTemplateField,
})
type AddParams = z.infer<typeof addParams>

const addNewParams = z.object({
  ...common,
  size: field(z.number().int().min(1), { title: 'Size', unit: 'MiB' }),
  format: formatField,
  ...booting,
  template: newTemplateField,
})
type AddNewParams = z.infer<typeof addNewParams>

type Facts = {
  readonly pm: string
  readonly level: Level
  readonly disk: TemplateDisk & Json
  /** The image could be written to before. */
  readonly wasWritable: boolean
}

/** What the template is from its first row on; `bootOf` leaves out what is not given. */
function templateOf(p: Omit<AddParams, 'uuid'>, { disk }: Facts, view: View): Template {
  return {
    uuid: p.template!,
    name: p.name,
    pm: view.needStorlink(p.storlink).pm,
    os: p.os,
    osArch: p.osArch,
    desc: p.desc,
    type: p.type,
    boot: bootOf(p),
    disks: [disk],
    createdAt: disk.createdAt,
  }
}

function bootOf(p: Pick<AddParams, 'type' | 'kernel' | 'ramdisk' | 'cmdline' | 'bootloader' | 'firmware'>): Boot {
  const { kernel, ramdisk, cmdline, firmware } = p
  const bootloader = p.bootloader ?? (p.type === 'pv' && kernel === undefined ? 'pygrub' : undefined)
  const given = Object.entries({ kernel, ramdisk, cmdline, bootloader, firmware })
  const order = p.type === 'hvm' ? { order: 'c' } : {}
  return { ...Object.fromEntries(given.filter(([, value]) => value !== undefined)), ...order }
}

async function gatherAdd(p: AddParams, cx: Context): Promise<Facts> {
  const storlink = cx.view.needStorlink(p.storlink)
  const pm = accessPm(storlink, cx.view)!
  const driver = cx.volumes(storlink.level)
  const uuid = p.uuid.toLowerCase()
  const path = driver.locate({ storlink, uuid, format: p.format })
  const host = cx.host(pm.uuid)
  const info = await driver.stat(host, path, p.format)
  if (!info) throw new PengxError('invalid', `uuid: there is no image ${path} on ${pm.name}`)
  if (info.format !== p.format)
    throw new PengxError('invalid', `format: ${path} on ${pm.name} is ${info.format}, not ${p.format}`)
  if (info.backing !== undefined) {
    const help = 'a template holds all of its bytes itself: flatten it first (qemu-img convert)'
    throw new PengxError('refused', `${path} on ${pm.name} lies on ${info.backing}; ${help}`)
  }
  const owner = { uuid: p.template!, pm: pm.uuid, name: p.name }
  await needSoleUse(cx, owner, [{ path, storlink: storlink.id }], { use: 'freeze', silence: 'told' })
  const createdAt = cx.clock.now()
  const disk = { uuid, format: p.format, sizeMib: info.sizeMib, path, storlink: storlink.id, desc: '', createdAt }
  const wasWritable = (await driver.isWritable(host, path)) ?? true
  return { pm: pm.uuid, level: storlink.level, disk, wasWritable }
}

function refuseAdd(p: AddParams, view: View): string | undefined {
  const refusal = refuseNew(p, view)
  if (refusal) return refusal
  const uuid = p.uuid.toLowerCase()
  const other = view.templates().find((template) => template.disks.some((disk) => disk.uuid === uuid))
  if (other) return `image ${p.uuid} is a disk of template ${other.name} already`
  const user = view.vms().find((vm) => vm.disks.some((disk) => disk.uuid === uuid || disk.path.includes(uuid)))
  return user && `image ${p.uuid} is a disk of VM ${user.name}: make the template from the VM instead`
}

export const templateAdd = newTemplateOperation<AddParams, Facts>(
  {
    name: 'template.add',
    title: 'add template',
    help: 'Makes an image that lies on a storlink already a template.',
    danger: 'safe',
    target: { param: 'name', kind: 'text' },
    params: addParams,
    refuse: refuseAdd,
    gather: gatherAdd,
    plan: (p, facts) => [
      protectStep(facts.pm, [facts.disk], !facts.wasWritable),
      recordStep(p.template!, (view) => templateOf(p, facts, view)),
    ],
    result: ({ template, name }) => ({ uuid: template ?? '', name }),
  },
  { locks: ({ uuid }) => [{ key: `volume:${uuid.toLowerCase()}`, mode: 'exclusive' }], touches: () => [] },
)

export const templateAddNew = newTemplateOperation<AddNewParams, Facts>(
  {
    name: 'template.addNew',
    title: 'add empty template',
    help: 'Makes a template with an empty disk; boot it for upkeep to install into it.',
    danger: 'safe',
    target: { param: 'name', kind: 'text' },
    params: addNewParams,
    refuse: refuseNew,
    async gather(p, cx) {
      const storlink = cx.view.needStorlink(p.storlink)
      const pm = accessPm(storlink, cx.view)!
      const driver = cx.volumes(storlink.level)
      await driver.inspect(cx.host(pm.uuid), storlink.link)
      const uuid = newUuid()
      const path = driver.locate({ storlink, uuid, format: p.format })
      const placed = { uuid, format: p.format, sizeMib: p.size, path, storlink: storlink.id }
      const disk = { ...placed, desc: '', createdAt: cx.clock.now() }
      return { pm: pm.uuid, level: storlink.level, disk, wasWritable: true }
    },
    plan: (p, facts) => [
      {
        name: 'make its disk',
        weight: 2,
        shows: [`qemu-img create -f ${facts.disk.format} ${facts.disk.path} ${facts.disk.sizeMib}M`],
        async do(cx) {
          const { path, format, sizeMib } = facts.disk
          await cx.volumes(facts.level).create(cx.host(facts.pm), path, format, sizeMib, cx.tag)
          return null
        },
        ...madeVolume(facts.pm, { path: facts.disk.path, level: facts.level, format: facts.disk.format }),
      },
      protectStep(facts.pm, [facts.disk], true),
      recordStep(p.template!, (view) => templateOf(p, facts, view)),
    ],
    result: ({ template, name }) => ({ uuid: template ?? '', name }),
  },
  { locks: () => [], touches: () => [] },
)
