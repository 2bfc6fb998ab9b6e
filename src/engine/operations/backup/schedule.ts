import { z } from 'zod'
import { refuseCron } from '../../../lib/cron.ts'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import type { Schedule } from '../../../model/backup.ts'
import { isSame, type Json } from '../../../model/json.ts'
import type { Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { isReached, refuseGroupChange } from '../storlink/access.ts'
import { vmField } from '../vm/target.ts'
import { retentionChanges, retentionFields, retentionOf } from './retentionFields.ts'

/** When backups of a VM are made by themselves, and which of them are kept. */
const uuidField = z.string().refine(isUuid, 'is not a UUID')
const scheduleField = field(uuidField, { title: 'Schedule', from: 'schedule' })
const CRON = { title: 'When', help: 'five fields of cron(5): "30 2 * * *" is every night at half past two' }
const RATE = {
  title: 'Rate',
  help: 'at most so many MiB a second are read of a VM that runs; 0: no limit',
  advanced: true,
} as const
const INCREMENTAL = {
  title: 'Incremental',
  help: 'only what was written since the last good one, where that was noted',
}
const rate = z.number().int().min(0).max(100_000)

const createParams = z.object({
  vm: vmField,
  storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }),
  cron: field(z.string().trim(), CRON),
  incremental: field(z.boolean().default(true), INCREMENTAL),
  ...retentionFields,
  rate: field(rate.default(50), RATE),
  schedule: field(uuidField.optional(), {
    title: 'UUID',
    help: 'of the schedule; none given: a new one',
    advanced: true,
  }),
})
type CreateParams = z.infer<typeof createParams>

const updateParams = z.object({
  schedule: scheduleField,
  storlink: field(z.number().int().optional(), { title: 'Storlink', from: 'storlink' }),
  cron: field(z.string().trim().optional(), CRON),
  incremental: field(z.boolean().optional(), INCREMENTAL),
  ...retentionChanges,
  rate: field(rate.optional(), RATE),
  enabled: field(z.boolean().optional(), {
    title: 'Enabled',
    help: 'False: nothing is made until it is enabled again',
  }),
})
type UpdateParams = z.infer<typeof updateParams>

const deleteParams = z.object({ schedule: scheduleField })
type DeleteParams = z.infer<typeof deleteParams>

type OneSchedule = 'subjectKind' | 'target' | 'subject' | 'locks' | 'touches'

function scheduleOperation<P extends { readonly schedule: string }, F extends Json>(
  operation: Omit<Operation<P, F>, OneSchedule>,
): Operation<P, F> {
  return {
    subjectKind: 'schedule',
    target: { param: 'schedule', kind: 'schedule' },
    subject: ({ schedule }, view) => ({ kind: 'schedule', id: schedule, name: view.needSchedule(schedule).vmName }),
    locks: ({ schedule }, view) => [
      { key: `schedule:${schedule}`, mode: 'exclusive' },
      { key: `storlink:${view.needSchedule(schedule).storlink}`, mode: 'shared' },
    ],
    touches: () => [],
    ...operation,
  }
}

function refusePlan(vm: string, storlink: number, cron: string, view: View): string | undefined {
  const wrong = refuseCron(cron)
  if (wrong) return `cron: ${wrong}`
  const pm = view.getVm(vm)?.pm
  const row = view.needStorlink(storlink)
  // Whether a storlink of another PM can be reached then is seen then.
  return pm === undefined || !isReached(row, pm) ? undefined : refuseGroupChange(row, pm, view)
}

export const scheduleCreate: Operation<CreateParams, { readonly at: number }> = {
  name: 'schedule.create',
  title: 'schedule backups of',
  help: 'Backs a VM up by itself at set times, and removes what need not be kept; a server or terminal must run.',
  danger: 'safe',
  subjectKind: 'schedule',
  target: { param: 'vm', kind: 'vm' },
  params: createParams,
  complete: (p) => ({ ...p, schedule: p.schedule ?? newUuid() }),
  subject: ({ vm, schedule }, view) => ({ kind: 'schedule', id: schedule ?? vm, name: view.needVm(vm).name }),
  locks: ({ schedule, storlink, vm }) => [
    { key: `schedule:${schedule}`, mode: 'exclusive' },
    { key: `storlink:${storlink}`, mode: 'shared' },
    { key: `vm:${vm}`, mode: 'shared' },
  ],
  refuse({ vm, storlink, cron }, view) {
    view.needVm(vm)
    return refusePlan(vm, storlink, cron, view)
  },
  gather: async (_params, cx) => ({ at: cx.clock.now() }),
  plan: (p, { at }) => [
    {
      name: 'record',
      async do(cx) {
        const { vm, storlink, cron, incremental, rate: rateMib } = p
        const vmName = cx.view.needVm(vm).name
        const rest = { storlink, cron, incremental, rateMib, retention: retentionOf(p), enabled: true, createdAt: at }
        await cx.inventory.putSchedule({ uuid: p.schedule!, vm, vmName, ...rest })
        return null
      },
      isApplied: async (cx) => cx.view.getSchedule(p.schedule!) !== undefined || 'again',
      undo: (cx) => cx.inventory.dropSchedule(p.schedule!),
    },
  ],
  result: ({ schedule }) => ({ uuid: schedule ?? '' }),
  touches: () => [],
}

function updated(before: Schedule, p: UpdateParams, now: number): Schedule {
  const enabled = p.enabled ?? before.enabled
  const cron = p.cron ?? before.cron
  // What went by at the old times, or while it was switched off, is not made up for.
  const anew = cron !== before.cron || enabled !== before.enabled
  return {
    ...before,
    storlink: p.storlink ?? before.storlink,
    cron,
    incremental: p.incremental ?? before.incremental,
    rateMib: p.rate ?? before.rateMib,
    retention: retentionOf(p, before.retention),
    enabled,
    ...(anew ? { takenAt: now } : {}),
  }
}

export const scheduleUpdate = scheduleOperation<
  UpdateParams,
  { readonly before: Schedule & Json; readonly at: number }
>({
  name: 'schedule.update',
  title: 'edit schedule',
  help: 'Changes when a VM is backed up by itself, to where, and what is kept.',
  danger: 'safe',
  params: updateParams,
  refuse(p, view) {
    const before = view.needSchedule(p.schedule)
    if (Object.keys(p).length === 1) return 'nothing is given to change'
    return refusePlan(before.vm, p.storlink ?? before.storlink, p.cron ?? before.cron, view)
  },
  gather: async ({ schedule }, cx) => ({
    before: cx.view.needSchedule(schedule) as Schedule & Json,
    at: cx.clock.now(),
  }),
  plan: (p, { before, at }) => [
    {
      name: 'record',
      async do(cx) {
        // It may have come due meanwhile, which stays taken on.
        await cx.inventory.putSchedule(updated(cx.view.getSchedule(before.uuid) ?? before, p, at))
        return null
      },
      async isApplied(cx) {
        const now = cx.view.getSchedule(before.uuid)
        return (now !== undefined && isSame(now, updated(now, p, at))) || 'again'
      },
      undo: (cx) => cx.inventory.putSchedule(before),
    },
  ],
})

export const scheduleDelete = scheduleOperation<DeleteParams, { readonly before: Schedule & Json }>({
  name: 'schedule.delete',
  title: 'delete schedule',
  help: 'Makes no more backups of a VM by itself; those that are there stay.',
  danger: 'disrupts',
  params: deleteParams,
  refuse({ schedule }, view) {
    view.needSchedule(schedule)
    return undefined
  },
  gather: async ({ schedule }, cx) => ({ before: cx.view.needSchedule(schedule) as Schedule & Json }),
  plan: ({ schedule }, { before }) => [
    {
      name: 'forget',
      async do(cx) {
        await cx.inventory.dropSchedule(schedule)
        return null
      },
      isApplied: async (cx) => cx.view.getSchedule(schedule) === undefined,
      async undo(cx) {
        if (!cx.view.getSchedule(schedule)) await cx.inventory.putSchedule(before)
      },
    },
  ],
})
