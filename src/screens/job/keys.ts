import { wrapCells } from '../../lib/text.ts'
import type { Job } from '../../model/job.ts'
import { line } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import { type AppContext, isAtWork } from '../app/context.ts'
import type { Overlay } from '../app/state.ts'
import type { KeyRow } from '../screen.ts'

/** What can be asked of jobs, the same in the list and on the screen of one job. */
export function jobKeys(chosen: (app: AppContext) => Job | undefined): readonly KeyRow[] {
  const unless = (wanted: (job: Job) => string | undefined) => (app: AppContext) => {
    const job = chosen(app)
    return job === undefined ? 'there is no job here' : wanted(job)
  }
  return [
    {
      key: 'X',
      title: 'cancel (undoes)',
      help: 'undoes what the job has done; refused past ◆',
      refuse: unless((job) => {
        if (!isAtWork(job)) return `it is ${job.state}`
        const past = job.pivotIndex !== undefined && job.stepIndex > job.pivotIndex
        return past ? 'it is past the point of no return and only goes forward' : undefined
      }),
      act: (app) =>
        ask(app, chosen(app)!, 'Cancel', 'What it has done is undone, step by step.', (id) => app.engine.cancel(id)),
    },
    {
      key: 'u',
      title: 'undo again',
      help: 'a stuck job tries again what failed',
      refuse: unless((job) => (job.state === 'stuck' ? undefined : `it is ${job.state}, not stuck`)),
      act: (app) => {
        const job = chosen(app)!
        ask(app, job, 'Try again', job.message, (id) => {
          app.say(`job ${job.number} tries again`, 'busy')
          return app.engine.retry(id)
        })
      },
    },
    {
      key: 'K',
      title: 'keep as is',
      help: 'a stuck job is closed and nothing more is done',
      refuse: unless((job) => (job.state === 'stuck' ? undefined : `it is ${job.state}, not stuck`)),
      act: (app) =>
        ask(app, chosen(app)!, 'Close', 'Nothing more is done or undone: what it left stays as it is.', (id) =>
          app.engine.keep(id),
        ),
    },
    {
      key: 'F',
      title: 'follow',
      help: 'the output stays at its end; scrolling ends it',
      act: (app) => app.choose('follow', app.state().choices.follow === false),
    },
    {
      key: 'm',
      title: 'commands only',
      help: 'without their output, or with it',
      quiet: true,
      act: (app) => app.choose('job.bare', app.state().choices['job.bare'] !== true),
    },
    {
      key: 'a',
      title: 'acknowledge',
      help: 'this failure was seen',
      quiet: true,
      refuse: unless((job) =>
        job.state === 'undone' && !job.acknowledged ? undefined : 'there is nothing to acknowledge',
      ),
      act: (app) => app.attempt(() => app.engine.acknowledge(chosen(app)!.id)),
    },
  ]
}

/** One question about one job; it stays on that job. */
function ask(app: AppContext, job: Job, verb: string, meaning: string, run: (id: string) => Promise<void>): void {
  const overlay: Overlay = {
    name: 'job',
    handleKey(key) {
      if (key === 'y') {
        app.close(overlay)
        app.attempt(() => run(job.id))
      } else if (key === 'n' || key === 'esc' || key === 'enter' || key === 'q') app.close(overlay)
    },
    draw(width) {
      const boxWidth = Math.min(width - 4, 76)
      const now = app.engine.view.getJob(job.id) ?? job
      const lines = [
        line(
          ` ${now.operation} of ${now.subject.name}, ${now.state}, step ${Math.min(now.stepIndex + 1, now.stepCount)} of ${now.stepCount}: ${now.step}`,
        ),
        ...wrapCells(meaning, boxWidth - 4).map((text) => line(` ${text}`)),
        [],
        line(' ', { text: '[ n no ]', inverse: true, hit: 'answer n' }, '   ', { text: '[ y yes ]', hit: 'answer y' }),
      ]
      return {
        lines: panel(lines, boxWidth, lines.length + 2, { title: `${verb} job ${job.number}?`, tone: 'warn' }),
        width: boxWidth,
      }
    },
  }
  app.open(overlay)
}
