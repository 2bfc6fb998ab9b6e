import { z } from 'zod'
import { isSame, type Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import { madeFrom, OS_ARCHES, OS_NAMES, type Template, type TemplateDisk } from '../../../model/template.ts'
import { refuseName } from '../../../model/vm.ts'
import type { Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { accessPm } from '../storlink/access.ts'
import { removeAside, setAside } from '../storlink/asideVolume.ts'
import { counted } from '../storlink/contents.ts'
import { templateVolumes } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { refuseTouch, templateField, templateOperation, unprotectStep } from './target.ts'

/** What a template is called, and its end. */

const updateParams = z.object({
  template: templateField,
  name: field(z.string().optional(), { title: 'Name' }),
  os: field(z.enum(OS_NAMES).optional(), { title: 'OS' }),
  osArch: field(z.enum(OS_ARCHES).optional(), { title: 'OS architecture' }),
  desc: field(z.string().optional(), { title: 'Description', clearable: true }),
})
type UpdateParams = z.infer<typeof updateParams>

export const templateUpdate = templateOperation<UpdateParams, { readonly before: Template & Json }>({
  name: 'template.update',
  title: 'edit template',
  help: 'Changes what is written down of a template: its name, system and description.',
  danger: 'safe',
  params: updateParams,
  refuse({ template, name }, view) {
    view.needTemplate(template)
    const wrong = name === undefined ? undefined : refuseName(name)
    if (wrong) return wrong
    const taken = view.templates().find((other) => other.name === name && other.uuid !== template)
    return taken && `the name ${name} is taken by template ${taken.uuid}`
  },
  gather: async ({ template }, cx) => ({ before: cx.view.needTemplate(template) as Template & Json }),
  plan: ({ template: _same, ...given }, { before }: { readonly before: Template }) => [
    {
      name: 'record',
      async do(cx) {
        await cx.inventory.putTemplate(edited(before, given))
        return null
      },
      isApplied: async (cx) => isSame(cx.view.getTemplate(before.uuid), edited(before, given)) || 'again',
      undo: (cx) => cx.inventory.putTemplate(before),
    },
  ],
})

function edited(before: Template, given: Omit<UpdateParams, 'template'>): Template {
  const fields = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...before, ...Object.fromEntries(fields) }
}

const deleteParams = z.object({
  template: templateField,
  disks: field(z.enum(['all', 'none']).default('all'), {
    title: 'Disks',
    help: 'all: they are removed; none: they stay where they lie',
  }),
  force: forceField,
})
type DeleteParams = z.infer<typeof deleteParams>

type Removal = { readonly disk: TemplateDisk & Json; readonly level: Level }
type DeleteFacts = { readonly pm: string; readonly template: Template & Json; readonly doomed: readonly Removal[] }

function refuseDelete({ template }: DeleteParams, view: View): string | undefined {
  const row = view.needTemplate(template)
  const upkeep = view.getVm(template)
  if (upkeep) return `it is booted for upkeep as VM ${upkeep.name}: end that first (template.shutdown)`
  const made = madeFrom(row, view.vms())
  if (made.length > 0) return `${counted('VM', made)} ${made.length === 1 ? 'was' : 'were'} made from it`
  return refuseTouch(row, view)
}

function asideStep({ disk, level }: Removal, index: number, pm: string): Step {
  return {
    name: `set disk ${index + 1} aside`,
    shows: [`set aside ${disk.path} (${disk.sizeMib} MiB)`],
    ...setAside(pm, { path: disk.path, level }),
  }
}

function removeStep({ disk, level }: Removal, index: number, pm: string): Step {
  return {
    name: `remove disk ${index + 1}`,
    shows: [`remove ${disk.path}`],
    ...removeAside(pm, { path: disk.path, level }),
  }
}

export const templateDelete = templateOperation<DeleteParams, DeleteFacts>({
  name: 'template.delete',
  title: 'delete template',
  help: 'Forgets a template that no VM depends on, and removes its disks.',
  danger: 'destroys',
  params: deleteParams,
  refuse: refuseDelete,
  async gather({ template, disks, force }, cx) {
    const row = cx.view.needTemplate(template)
    const storlinkOf = (disk: TemplateDisk) => cx.view.needStorlink(disk.storlink)
    const pm = row.disks[0] ? accessPm(storlinkOf(row.disks[0]), cx.view)!.uuid : row.pm
    const all = row.disks.map((disk) => ({ disk: disk as TemplateDisk & Json, level: storlinkOf(disk).level }))
    if (disks === 'all') await needSoleUse(cx, { ...row, pm }, templateVolumes(row), { use: 'remove', force })
    return { pm, template: row as Template & Json, doomed: disks === 'all' ? all : [] }
  },
  plan: ({ disks }, { pm, template, doomed }) => [
    ...(disks === 'none' ? [unprotectStep('release its disks', template, pm)] : []),
    ...doomed.map((one, index) => asideStep(one, index, pm)),
    {
      name: `forget ${template.name}`,
      pivot: true,
      async do(cx) {
        await cx.inventory.dropTemplate(template.uuid)
        return null
      },
      isApplied: async (cx) => cx.view.getTemplate(template.uuid) === undefined,
      undo: (cx) => cx.inventory.putTemplate(template),
    },
    ...doomed.map((one, index) => removeStep(one, index, pm)),
  ],
  effects: (_params, { template, doomed }) => ({
    frees: doomed.map(({ disk }) => `${disk.path} (${disk.sizeMib} MiB)`),
    keeps: doomed.length > 0 ? [] : template.disks.map((disk) => disk.path),
  }),
})
