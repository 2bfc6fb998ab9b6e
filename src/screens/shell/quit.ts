import type { HostKeyQuestion } from '../../engine/engine.ts'
import { type Line, line, span, withHit } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import { type AppContext, isAtWork } from '../app/context.ts'
import type { Overlay } from '../app/state.ts'
import { count } from '../words.ts'

interface Answer {
  readonly key: string
  readonly text: string
  run(): void
}

/** A question with a letter for each answer; `esc` is the last of them. */
function openQuestion(
  app: AppContext,
  name: string,
  title: string,
  lines: readonly Line[],
  answers: readonly Answer[],
) {
  let answered = false
  const take = (answer: Answer) => {
    answered = true
    app.close(overlay)
    answer.run()
  }
  const overlay: Overlay = {
    name,
    handleKey(key) {
      const answer = key === 'esc' || key === 'enter' ? answers.at(-1) : answers.find((one) => one.key === key)
      if (answer) take(answer)
    },
    draw(width) {
      const boxWidth = Math.min(width - 4, 84)
      const body = [
        ...lines,
        [],
        ...answers.map(({ key, text }) => withHit(line(span(key, 'accent'), `  ${text}`), `answer ${key}`)),
      ]
      const padded = body.map((content) => [{ text: ' ' }, ...content])
      return { lines: panel(padded, boxWidth, padded.length + 2, { title, tone: 'warn' }), width: boxWidth }
    },
    closed: () => {
      if (!answered) answers.at(-1)!.run()
    },
  }
  app.open(overlay)
}

/** `q` leaves at once, or asks what becomes of the jobs at work. */
export function openQuit(app: AppContext) {
  const jobs = app.engine.view.jobs().filter(isAtWork)
  if (jobs.length === 0) return app.leave()
  const lines = jobs.slice(0, 6).map((job) => line(` ${job.number}  ${job.operation}  ${job.subject.name}`))
  openQuestion(app, 'quit', `${count(jobs.length, 'job')} at work. Quit?`, lines, [
    {
      key: 'w',
      text: 'wait until they are over, then quit',
      run: () => {
        app.set({ leaving: true })
        app.say('quits when the jobs are over; q asks again', 'busy')
      },
    },
    {
      key: 'u',
      text: 'cancel and undo them, then quit',
      run: () => {
        app.set({ leaving: true })
        for (const job of jobs) app.attempt(() => app.engine.cancel(job.id))
      },
    },
    { key: 'l', text: 'leave now: what was begun is finished or undone at the next start', run: () => app.leave() },
    { key: 'n', text: 'stay', run: () => app.set({ leaving: false }) },
  ])
}

/** An unknown host key: a person says whether that is the machine. */
export function askHostKey(app: AppContext, question: HostKeyQuestion): Promise<boolean> {
  return new Promise((resolve) => {
    const lines = [
      line(`The machine at ${question.address} shows a key that is not known yet:`),
      [],
      line(` ${question.keyType}  `, span(question.fingerprint, 'strong')),
      [],
      line('Compare it there:  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub'),
    ]
    openQuestion(app, 'hostKey', `Is this really ${question.pm}?`, lines, [
      { key: 'y', text: 'yes: remember the key and go on', run: () => resolve(true) },
      { key: 'n', text: 'no: do not connect', run: () => resolve(false) },
    ])
  })
}
