import { formatSpan } from '../../lib/age.ts'
import { fill, line, span } from '../../ui/line.ts'
import type { Screen } from '../screen.ts'
import { count, jobSign, signSpan } from '../words.ts'
import { stepLines } from './detail.ts'
import { drawDetail, handleLogKey, logList, shownJob } from './jobLog.ts'
import { BY, jobList } from './jobs.ts'
import { jobKeys } from './keys.ts'

/** One job opened: its steps, and every command with its output; `/` searches them, `w` wraps long lines. */

export const jobScreen: Screen = {
  name: 'job',
  title: 'Job',
  list: () => logList,
  keys: jobKeys(shownJob),
  heading(app) {
    const job = shownJob(app)
    if (job === undefined) return line(span(' Jobs › it is gone', 'strong'))
    const took = job.startedAt ? `   ${formatSpan((job.finishedAt ?? app.now()) - job.startedAt)}` : ''
    return line(
      span(` Jobs › ${job.number} ${job.operation} ${job.subject.name}`, 'strong'),
      '   ',
      signSpan(jobSign(job)),
      span(`${took}   asked by ${BY[job.by]}   ${count(job.stepCount, 'step')}`, 'dim'),
    )
  },
  subjects: () => [],
  copies: (app) => {
    const job = shownJob(app)
    return job ? jobList.copies(job, app) : []
  },
  says(app, width) {
    const job = shownJob(app)
    return job ? stepLines(app, job, width) : []
  },
  handleKey: (app, key) => handleLogKey(app, shownJob(app), key),
  draw(app, width, height) {
    const job = shownJob(app)
    if (job === undefined) return fill([[], line('  This job is not there any more. esc goes back.')], height)
    return drawDetail(app, job, width, height)
  },
}
