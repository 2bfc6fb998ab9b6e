import { formatSpan } from '../../lib/age.ts'
import { fill, line, span } from '../../ui/line.ts'
import type { Screen } from '../screen.ts'
import { count, jobSign, signSpan } from '../words.ts'
import { stepLines } from './detail.ts'
import { drawDetail, logList, pressLog, shownJob } from './jobLog.ts'
import { BY, jobList } from './jobs.ts'
import { jobKeys } from './keys.ts'

/** One job opened: its steps, and every command with its output; `/` searches them, `w` wraps long lines. */

export const jobScreen: Screen = {
  name: 'job',
  title: 'Job',
  list: () => logList,
  keys: jobKeys(shownJob),
  heading(desk) {
    const job = shownJob(desk)
    if (job === undefined) return line(span(' Jobs › it is gone', 'strong'))
    const took = job.startedAt ? `   ${formatSpan((job.finishedAt ?? desk.now()) - job.startedAt)}` : ''
    return line(
      span(` Jobs › ${job.number} ${job.operation} ${job.subject.name}`, 'strong'),
      '   ',
      signSpan(jobSign(job)),
      span(`${took}   asked by ${BY[job.by]}   ${count(job.stepCount, 'step')}`, 'dim'),
    )
  },
  subjects: () => [],
  copies: (desk) => {
    const job = shownJob(desk)
    return job ? jobList.copies(job, desk) : []
  },
  says(desk, width) {
    const job = shownJob(desk)
    return job ? stepLines(desk, job, width) : []
  },
  press: (desk, key) => pressLog(desk, shownJob(desk), key),
  draw(desk, width, height) {
    const job = shownJob(desk)
    if (job === undefined) return fill([[], line('  This job is not there any more. esc goes back.')], height)
    return drawDetail(desk, job, width, height)
  },
}
