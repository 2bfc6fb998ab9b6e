import { z } from 'zod'
import { refuseCron } from '../../../lib/cron.ts'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import type { Schedule } from '../../../model/backup.ts'
import { isSame, type Json } from '../../../model/json.ts'
import { refuseVmFilter, vmsMatching } from '../../../model/schedule/vmFilter.ts'
import type { Context, Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { isReached, refuseGroupChange } from '../storlink/access.ts'
import { vmField } from '../vm/target.ts'
import { retentionChanges, retentionFields, retentionOf } from './retentionFields.ts'

/** When backups of a VM are made by themselves, and which of them are kept. */
const uuidField = z.string().refine(isUuid, 'is not a UUID')
const scheduleField = field(uuidField, { title: 'Schedule', from: 'schedule' })
const CRON = { title: 'When', help: 'five fields of cron(5): "30 2 * * *" is every night at half past two' }
const FILTER = {
  title: 'Filter',
  help: 'in place of one VM all that match it each time, by the words of their list: "os:debian pm:xen2 !test"',
} as const
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
  vm: vmField.optional(),
  filter: field(z.string().trim().optional(), FILTER),
  storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }),
  cron: field(z.string().trim(), CRON),
  what: field(z.enum(['backup', 'verify']).default('backup'), {
    title: 'What',
    help: 'backup: a new one is made; verify: the good ones that are there are read back, the longest unchecked first',
  }),
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
  filter: field(z.string().trim().optional(), FILTER),
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

type Plan = Pick<Schedule, 'vm' | 'filter' | 'storlink' | 'cron'>

function refusePlan({ vm, filter, storlink, cron }: Plan, view: View): string | undefined {
  const wrong = refuseCron(cron)
  if (wrong) return `cron: ${wrong}`
  const unclear = filter === undefined ? undefined : refuseVmFilter(filter, view)
  if (unclear) return `filter: ${unclear}`
  const row = view.needStorlink(storlink)
  // Whether the PMs of those that match, or the storlink's own, can be reached is seen each time.
  const pm = vm === undefined ? undefined : view.getVm(vm)?.pm
  return pm === undefined || !isReached(row, pm) ? undefined : refuseGroupChange(row, pm, view)
}

/** Which VMs match a filter changes: what a person may not expect is said. */
function noticeMatches(filter: string | undefined, cx: Context): void {
  if (filter === undefined) return
  const names = vmsMatching(filter, cx.view).map((vm) => vm.name)
  cx.notice(names.length === 0 ? 'the filter matches no VM now' : `the filter matches now: ${names.join(', ')}`)
}

export const scheduleCreate: Operation<CreateParams, { readonly at: number }> = {
  name: 'schedule.create',
  title: 'schedule backups of',
  help: 'Backs a VM, or all that match a filter, up by itself at set times, and removes what need not be kept; a server or terminal must run.',
  danger: 'safe',
  subjectKind: 'schedule',
  target: { param: 'vm', kind: 'vm' },
  params: createParams,
  complete: (p) => ({ ...p, schedule: p.schedule ?? newUuid() }),
  subject: (p, view) => ({ kind: 'schedule', id: p.schedule ?? '', name: nameOf(p, view) }),
  locks: ({ schedule, storlink, vm }) => [
    { key: `schedule:${schedule}`, mode: 'exclusive' },
    { key: `storlink:${storlink}`, mode: 'shared' },
    ...(vm === undefined ? [] : [{ key: `vm:${vm}`, mode: 'shared' as const }]),
  ],
  refuse(p, view) {
    if (p.vm === undefined && p.filter === undefined) return 'which one is not said: give vm, or filter'
    if (p.vm !== undefined && p.filter !== undefined) return 'both vm and filter are given: give one of them'
    if (p.vm !== undefined) view.needVm(p.vm)
    return refusePlan(p, view)
  },
  async gather({ filter }, cx) {
    noticeMatches(filter, cx)
    return { at: cx.clock.now() }
  },
  plan: (p, { at }) => [
    {
      name: 'record',
      async do(cx) {
        const { storlink, cron, incremental, rate: rateMib } = p
        const what = p.what === 'verify' ? { what: p.what } : {}
        const whom = p.filter === undefined ? { vm: p.vm } : { filter: p.filter }
        const rest = { storlink, cron, incremental, rateMib, retention: retentionOf(p), enabled: true, createdAt: at }
        await cx.inventory.putSchedule({ uuid: p.schedule!, ...whom, ...what, vmName: nameOf(p, cx.view), ...rest })
        return null
      },
      isApplied: async (cx) => cx.view.getSchedule(p.schedule!) !== undefined || 'again',
      undo: (cx) => cx.inventory.dropSchedule(p.schedule!),
    },
  ],
  result: ({ schedule }) => ({ uuid: schedule ?? '' }),
  touches: () => [],
}

/** Whom it is for, as Jobs shows it. Throws `notFound`. */
function nameOf({ vm, filter }: Pick<CreateParams, 'vm' | 'filter'>, view: View): string {
  return vm === undefined ? (filter ?? 'a VM') : view.needVm(vm).name
}

function updated(before: Schedule, p: UpdateParams, now: number): Schedule {
  const enabled = p.enabled ?? before.enabled
  const cron = p.cron ?? before.cron
  // What went by at the old times, or while it was switched off, is not made up for.
  const anew = cron !== before.cron || enabled !== before.enabled
  return {
    ...before,
    ...(p.filter === undefined ? {} : { filter: p.filter, vmName: p.filter }),
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
    if (p.filter !== undefined && before.filter === undefined)
      return `it is for ${before.vmName} alone: make another for a filter, and delete it`
    const { storlink = before.storlink, cron = before.cron, filter = before.filter } = p
    return refusePlan({ vm: before.vm, filter, storlink, cron }, view)
  },
  async gather({ schedule, filter }, cx) {
    noticeMatches(filter, cx)
    return { before: cx.view.needSchedule(schedule) as Schedule & Json, at: cx.clock.now() }
  },
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
