import type { Form, FormField } from './form.ts'

/** The bodies of rows about schedules, none of which is in the document. */

const how: readonly FormField[] = [
  { name: 'incremental', param: 'incremental', added: true },
  { name: 'rate', param: 'rate', added: true },
  { name: 'keep_last', param: 'keepLast', added: true },
  { name: 'keep_hourly', param: 'keepHourly', added: true },
  { name: 'keep_daily', param: 'keepDaily', added: true },
  { name: 'keep_weekly', param: 'keepWeekly', added: true },
  { name: 'keep_monthly', param: 'keepMonthly', added: true },
]
const storlink: FormField = { name: 'storlink', param: 'storlink', names: 'storlink', added: true }
const cron: FormField = { name: 'cron', param: 'cron', added: true }

/** In place of one VM, all that match it each time. */
const filter: FormField = { name: 'filter', param: 'filter', added: true }

export const scheduleForm: Form = {
  root: 'schedule',
  fields: [
    { name: 'vm', param: 'vm', names: 'vm', added: true },
    filter,
    { name: 'what', param: 'what', added: true },
    { ...storlink, required: true },
    { ...cron, required: true },
    ...how,
  ],
}

/** What is not given stays. */
export const scheduleUpdateForm: Form = {
  root: 'schedule',
  fields: [filter, storlink, cron, ...how, { name: 'enabled', param: 'enabled', added: true }],
}
