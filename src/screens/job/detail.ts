import type { JobDetail } from '../../engine/store/view.ts'
import { formatSpan, formatTime } from '../../lib/age.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { wrapCells } from '../../lib/text.ts'
import { toPengxError } from '../../model/error.ts'
import { type CommandRecord, isOver, type Job, type StepEvent } from '../../model/job.ts'
import { bar } from '../../ui/graph.ts'
import { type Line, line, type Span, span, spread } from '../../ui/line.ts'
import type { Tone } from '../../ui/theme.ts'
import type { AppContext } from '../app/context.ts'
import { isAtWork } from '../app/context.ts'
import { jobSign, percent, timeLeft } from '../words.ts'
import { paceOf } from './pace.ts'

/** A job opened: its steps as the journal has them, and every command it ran with its output. */

interface Loaded {
  readonly row: Job
  readonly at: number
  readonly detail?: JobDetail
  readonly problem?: string
}

const loaded = new WeakMap<AppContext, Map<string, Loaded>>()
const loading = new WeakMap<AppContext, Set<string>>()
/** The journal of a running job is read again at most this often. */
const AGAIN_MS = 400

/** What is known of a job's inside; reads it from the store when there is news and draws again when it is there. */
export function detailOf(app: AppContext, job: Job): Loaded | undefined {
  const known = getOrMake(loaded, app, () => new Map())
  const busy = getOrMake(loading, app, () => new Set())
  const have = known.get(job.id)
  const stale = have === undefined || (have.row !== job && (!isAtWork(job) || performance.now() - have.at > AGAIN_MS))
  if (stale && !busy.has(job.id)) {
    busy.add(job.id)
    void read(app, job, known, busy)
  }
  return have
}

async function read(app: AppContext, job: Job, known: Map<string, Loaded>, busy: Set<string>): Promise<void> {
  const at = performance.now()
  try {
    known.set(job.id, { row: job, at, detail: await app.engine.jobDetail(job.id) })
  } catch (error) {
    known.set(job.id, { row: job, at, problem: toPengxError(error).message })
  }
  busy.delete(job.id)
  app.repaint()
}

interface StepState {
  readonly glyph: string
  readonly tone: Tone
  readonly tookMs?: number
  readonly message?: string
}

function stepState(events: readonly StepEvent[], index: number, now: number, atWork: boolean): StepState {
  const own = events.filter(({ step }) => step === index)
  const last = own.at(-1)
  if (last === undefined) return { glyph: '·', tone: 'dim' }
  const started = own.find(({ kind }) => kind === 'started')?.at ?? last.at
  const tookMs = last.kind === 'started' ? (atWork ? now - started : undefined) : last.at - started
  const took = tookMs === undefined ? {} : { tookMs }
  const message = last.message === undefined ? {} : { message: last.message }
  switch (last.kind) {
    case 'started':
      return { glyph: '▶', tone: 'busy', ...took, ...message }
    case 'succeeded':
      return { glyph: '✓', tone: 'ok', ...took, ...message }
    case 'undoStarted':
      return { glyph: '↩', tone: 'busy', ...took, ...message }
    case 'undone':
      return { glyph: '↩', tone: 'warn', ...took, ...message }
    case 'failed':
    case 'undoFailed':
      return { glyph: '✗', tone: 'bad', ...took, ...message }
  }
}

/** Steps with their state, the progress of the one at work, locks, and what cancelling means. */
export function stepLines(app: AppContext, job: Job, width: number): Line[] {
  const have = detailOf(app, job)
  const lines: Line[] = []
  if (have?.problem) return [line(span(` ${have.problem}`, 'bad'))]
  if (have?.detail === undefined) return [line(span(' reading the journal …', 'dim'))]
  const { steps, events, locks } = have.detail
  for (const [index, step] of steps.entries()) {
    const state = stepState(events, index, app.now(), isAtWork(job))
    const took = state.tookMs === undefined ? '' : formatSpan(state.tookMs)
    const pivot: Span[] = step.pivot ? [span('  ◆ pivot', 'warn')] : []
    const left = line(' ', span(state.glyph, state.tone), ` ${index + 1} ${step.name}`, ...pivot)
    lines.push(spread(left, line(span(took ? `  ${took} ` : '', 'dim')), width))
    if (state.glyph === '▶' && index === job.stepIndex && job.progress > 0 && isAtWork(job)) {
      const pace = paceOf(app, job)
      // What the step says of itself is the better guess.
      const left = pace === '' ? timeLeft(job, app.now()) : ''
      lines.push(
        line(
          '     ',
          span(bar(job.progress, Math.max(Math.min(width - 24, 24), 5)), 'busy'),
          ` ${percent(job.progress)}${left === '' ? '' : `  ${left} left`}`,
        ),
      )
      if (job.step !== step.name) lines.push(...indented(job.step, width, 'plain'))
      if (pace !== '') lines.push(...indented(pace, width, 'dim'))
    }
    if (state.message) lines.push(...indented(state.message, width, state.tone))
  }
  if (job.message)
    lines.push([], ...wrapCells(job.message, width - 2).map((text) => line(span(` ${text}`, jobSign(job).tone))))
  if (locks.length > 0 && !isOver(job.state))
    lines.push([], ...wrapCells(`locks  ${locks.join('  ')}`, width - 2).map((text) => line(span(` ${text}`, 'dim'))))
  return [...lines, ...meaning(job, steps, width)]
}

function indented(text: string, width: number, tone: Tone): Line[] {
  return wrapCells(text, width - 7).map((part) => line(span(`     ${part}`, tone)))
}

function meaning(job: Job, steps: JobDetail['steps'], width: number): Line[] {
  const say = (text: string): Line[] => [[], ...wrapCells(text, width - 2).map((part) => line(span(` ${part}`, 'dim')))]
  if (job.state === 'stuck') return say('stuck: u tries again what failed, K keeps things as they are and closes it')
  if (!isAtWork(job)) return []
  const pivot = steps.findIndex(({ pivot: is }) => is)
  if (pivot < 0) return say('X cancels: what was done is undone')
  if (job.stepIndex > pivot) return say('past ◆: it only goes forward, X is refused')
  return say('X cancels: what was done is undone. After ◆ the job only goes forward and X is refused')
}

export interface LogOptions {
  readonly withOutput: boolean
  readonly wrap: boolean
  readonly width: number
  /** Those that a filter leaves. */
  readonly shown: readonly CommandRecord[]
}

/** Commands with their output, oldest first. */
export function commandLines(app: AppContext, job: Job, { withOutput, wrap, width, shown }: LogOptions): Line[] {
  const detail = detailOf(app, job)?.detail
  if (detail === undefined) return []
  const lines: Line[] = []
  const push = (indent: string, text: string, tone: Tone) => {
    const parts = wrap ? wrapCells(text, width - indent.length - 1) : [text]
    for (const part of parts) lines.push(line(indent, span(part, tone)))
  }
  for (const { at, host, line: command, tookMs, exit, output } of shown) {
    push(` ${formatTime(at)} `, `${host} $ ${command}`, 'plain')
    if (withOutput) for (const text of output.trimEnd().split('\n')) if (text !== '') push('          ', text, 'dim')
    if (exit === undefined) lines.push(line('          ', span('▶ runs', 'busy')))
    else
      lines.push(
        line(
          '          ',
          span(exit === 0 ? '✓ 0' : `✗ ${exit}`, exit === 0 ? 'ok' : 'bad'),
          span(tookMs === undefined ? '' : `  ${formatSpan(tookMs)}`, 'dim'),
        ),
      )
  }
  if (detail.commands.length === 0) lines.push(line(span(' no command yet', 'dim')))
  else if (lines.length === 0) lines.push(line(span(' no command holds that   esc clears the filter', 'dim')))
  return lines
}

/** The commands and their output as plain text, for copying. */
export function commandText(app: AppContext, job: Job): string {
  const detail = detailOf(app, job)?.detail
  return (detail?.commands ?? [])
    .map(
      ({ at, host, line: command, exit, output }) =>
        `${formatTime(at)} ${host} $ ${command}\n${output.trimEnd()}\n→ ${exit ?? 'runs'}\n`,
    )
    .join('')
}
