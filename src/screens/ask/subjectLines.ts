import { formatSpan } from '../../lib/age.ts'
import { wrapCells } from '../../lib/text.ts'
import type { Subject } from '../../model/job.ts'
import { type Line, line, span } from '../../ui/line.ts'
import type { AppContext } from '../app/context.ts'
import type { KeyRow } from '../screen.ts'
import { jobSign, percent } from '../words.ts'
import { type RawParams, refusalOf } from './action.ts'

/**
 * What a pane says of anything that jobs are about: the last of them, what a key would do with it, and what cannot be done
 * with it now and why.
 */

interface Would {
  /** The key and what it is called: `R restore`. */
  readonly title: string
  readonly operation: string
  readonly subject: Subject
  readonly extra?: RawParams
  /** What it would do, a sentence each. */
  readonly what: readonly string[]
}

export function wouldLines(app: AppContext, { title, operation, subject, extra, what }: Would, width: number): Line[] {
  const refusal = refusalOf(app, operation, [subject], extra)
  const said = what.flatMap((text) => wrapCells(text, width - 4).map((part, at) => line(at === 0 ? '  ' : '   ', part)))
  const reason = refusal === undefined ? [] : wrapCells(`not now: ${refusal}`, width - 4)
  return [[], line(span(` ${title} would`, 'strong')), ...said, ...reason.map((part) => line('  ', span(part, 'dim')))]
}

export function lastJobs(app: AppContext, id: string): Line[] {
  const jobs: Line[] = []
  for (const job of app.view().jobs()) {
    if (job.subject.id !== id) continue
    const sign = jobSign(job)
    const title = app.engine.operations.get(job.operation)?.title ?? job.operation
    const took =
      job.startedAt && job.finishedAt
        ? ` ${formatSpan(job.finishedAt - job.startedAt)}`
        : job.state === 'running'
          ? ` ${percent(job.progress)}`
          : ''
    jobs.push(
      line(
        `  ${String(job.number).padStart(4)} ${title.padEnd(12)} `,
        span(`${sign.glyph} ${sign.word}`, sign.tone),
        took,
      ),
    )
    if (jobs.length === 3) break
  }
  return jobs.length === 0 ? [] : [[], line(span(' Last jobs', 'strong')), ...jobs]
}

export function notNow(app: AppContext, subject: Subject, keys: readonly KeyRow[], width: number): Line[] {
  const lines: Line[] = []
  for (const row of keys) {
    if (row.operation === undefined || !app.engine.operations.has(row.operation)) continue
    if (row.fresh || row.operation === 'vm.adopt') continue
    const refusal = ({ key, operation }: KeyRow) =>
      operation && key === row.key ? refusalOf(app, operation, [subject]) : undefined
    const reason = refusal(row)
    const other = keys.some((twin) => twin !== row && twin.key === row.key && refusal(twin) === undefined)
    if (reason === undefined || other) continue
    const [first = '', ...rest] = wrapCells(reason, width - 17)
    lines.push(line('  ', span(row.key, 'accent'), ` ${row.title.padEnd(10)} `, span(first, 'dim')))
    for (const part of rest) lines.push(line(span(`               ${part}`, 'dim')))
  }
  return lines.length === 0 ? [] : [[], line(span(' Not now', 'strong')), ...lines]
}
