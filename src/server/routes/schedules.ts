import type { Schedule } from '../../model/backup.ts'
import type { Form } from '../views/form.ts'
import { scheduleForm, scheduleUpdateForm } from '../views/formsSchedule.ts'
import { type ScheduleNow, scheduleShape } from '../views/schedule.ts'
import { type Call, made, type Row, type RowAction, showMany, showOne } from './row.ts'

/** The rows about schedules of backups, beside the document. */
const ofSchedules = (method: Row['method'], rest: string, status: number, action: RowAction): Row => ({
  method,
  path: `/schedules/${rest}`,
  section: 'added',
  versions: ['v1'],
  status,
  action,
})

const asOf =
  (now: number) =>
  (schedule: Schedule): ScheduleNow => ({ schedule, now })
const needSchedule = ({ view, ids, now }: Call) => asOf(now)(view.needSchedule(ids.schedule_uuid ?? ''))

/** An operation on the schedule that the path names. */
function onSchedule(operation: string, takes?: Form): RowAction {
  const params = ({ ids }: Call) => ({ schedule: ids.schedule_uuid })
  return { kind: 'run', operation, params, ...(takes ? { takes } : {}) }
}

const create: RowAction = {
  kind: 'run',
  operation: 'schedule.create',
  takes: scheduleForm,
  params: () => ({}),
  location: ({ uuid }) => (typeof uuid === 'string' ? `/schedules/${uuid}/` : undefined),
  made: made(scheduleShape, ({ view, now }, { uuid }) => asOf(now)(view.needSchedule(String(uuid)))),
}

export const SCHEDULES: readonly Row[] = [
  ofSchedules(
    'GET',
    '',
    200,
    showMany('schedules', scheduleShape, ({ view, now }) => view.schedules().map(asOf(now))),
  ),
  ofSchedules('POST', '', 201, create),
  ofSchedules('GET', ':schedule_uuid/', 200, showOne(scheduleShape, needSchedule)),
  ofSchedules('PUT', ':schedule_uuid/', 204, onSchedule('schedule.update', scheduleUpdateForm)),
  ofSchedules('DELETE', ':schedule_uuid/', 204, onSchedule('schedule.delete')),
]
