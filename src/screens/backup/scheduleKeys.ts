import type { Json } from '../../model/json.ts'
import type { AppContext } from '../app/context.ts'
import { cursorRow, selectedRows } from '../app/list.ts'
import type { KeyRow } from '../screen.ts'
import { matchesOf, scheduleList, scheduleSubject } from './scheduleList.ts'

/** What is done with schedules by one key. */
export function scheduleKeys(when: (app: AppContext) => boolean): readonly KeyRow[] {
  const chosen = (app: AppContext) => selectedRows(app, scheduleList)
  const refuse = (app: AppContext) => (chosen(app).length === 0 ? 'there is no schedule here' : undefined)
  const on = { when, refuse, subjects: (app: AppContext) => chosen(app).map(scheduleSubject) }
  const turn = (enabled: boolean, already: string): Partial<KeyRow> => ({
    settled: true,
    raw: () => ({ enabled }),
    refuse: (app) => refuse(app) ?? (chosen(app).every((one) => one.enabled === enabled) ? already : undefined),
  })
  return [
    { key: 'n', title: 'new schedule', operation: 'schedule.create', fresh: true, when },
    { key: 'e', title: 'edit', operation: 'schedule.update', ...on },
    {
      key: 'z',
      title: 'pause',
      help: 'no backups by themselves until it is resumed',
      operation: 'schedule.update',
      ...on,
      ...turn(false, 'it is paused'),
    },
    {
      key: 'z',
      title: 'resume',
      help: 'what went by meanwhile is not made up for',
      operation: 'schedule.update',
      ...on,
      ...turn(true, 'it is not paused'),
    },
    {
      key: 'u',
      title: 'back up now',
      help: 'a backup as the schedule makes them, at once; nothing is removed for it',
      operation: 'backup.create',
      settled: true,
      ...on,
      refuse: (app) =>
        refuse(app) ??
        (cursorRow(app, scheduleList)?.what === 'verify' ? 'it makes none: it reads them back' : undefined),
      subjects(app) {
        const schedule = cursorRow(app, scheduleList)
        if (schedule?.filter !== undefined)
          return matchesOf(schedule.filter, app).map(({ uuid, name }) => ({ kind: 'vm', id: uuid, name }))
        return schedule?.vm === undefined ? [] : [{ kind: 'vm', id: schedule.vm, name: schedule.vmName }]
      },
      raw(app): Readonly<Record<string, Json>> {
        const schedule = cursorRow(app, scheduleList)
        if (schedule === undefined) return {}
        const { storlink, incremental, rateMib } = schedule
        return { storlink, incremental: incremental ? 'auto' : 'no', rate: rateMib }
      },
    },
    { key: 'D', title: 'delete schedule', operation: 'schedule.delete', ...on },
  ]
}
