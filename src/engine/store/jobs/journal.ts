import type { CommandRecord, StepEvent } from '../../../model/job.ts'
import { compiled } from '../sqlite/compiled.ts'
import type { Database, Sql } from '../sqlite/database.ts'
import type { JobCommandRow, JobEventRow } from '../sqlite/schema.ts'
import type { CommandEnd } from './jobRows.ts'

/**
 * A job's journal. An event is on disk before what it announces, against a power cut too; the commands are for people
 * to read and may lose their last lines with the power.
 */
export function appendEvent(database: Database, job: string, event: Omit<StepEvent, 'seq'>): Promise<StepEvent> {
  return database.write('durable', async ({ sql }) => {
    const [row] = await insertEvent(sql, {
      job,
      step: event.step,
      name: event.name,
      kind: event.kind,
      at: event.at,
      outputJson: event.output === undefined ? null : JSON.stringify(event.output),
      message: event.message ?? null,
    })
    return { ...event, seq: row!.seq }
  })
}

/** A command as it begins; `relaxed`. Resolves with the number under which it is finished. */
export function appendCommand(database: Database, job: string, command: Omit<CommandRecord, 'seq'>): Promise<number> {
  return database.write('relaxed', async ({ sql }) => {
    const [row] = await insertCommand(sql, {
      job,
      host: command.host,
      line: command.line,
      at: command.at,
      tookMs: command.tookMs ?? null,
      exit: command.exit ?? null,
      output: command.output,
    })
    return row!.seq
  })
}

/**
 * How a command ended: milliseconds, exit code, and the end of its output; `relaxed`. What is asked again and again while
 * something is waited for stands there once, as it was asked last.
 */
export function finishCommand(database: Database, job: string, seq: number, end: CommandEnd): Promise<void> {
  return database.write('relaxed', async ({ sql }) => {
    await updateCommand(sql, { job, seq, tookMs: end.tookMs, exit: end.exit ?? null, output: end.output })
    if (end.polls && end.exit !== undefined) await dropPolled(sql, { job, seq, after: seq - POLL_ROUND })
  })
}

/** A poll that asks several things gets to the same one again within so many commands. */
const POLL_ROUND = 6

const insertEvent = compiled((sql, { job, step, name, kind, at, outputJson, message }: Omit<JobEventRow, 'seq'>) =>
  sql
    .insertInto('jobEvents')
    .values({ job, seq: nextSeq(sql, 'jobEvents', job), step, name, kind, at, outputJson, message })
    .returning('seq'),
)

const insertCommand = compiled((sql, { job, host, line, at, tookMs, exit, output }: Omit<JobCommandRow, 'seq'>) =>
  sql
    .insertInto('jobCommands')
    .values({ job, seq: nextSeq(sql, 'jobCommands', job), host, line, at, tookMs, exit, output })
    .returning('seq'),
)

type EndColumns = Pick<JobCommandRow, 'job' | 'seq' | 'tookMs' | 'exit' | 'output'>
const updateCommand = compiled((sql, { job, seq, tookMs, exit, output }: EndColumns) =>
  sql.updateTable('jobCommands').set({ tookMs, exit, output }).where('job', '=', job).where('seq', '=', seq),
)

type Polled = { readonly job: string; readonly seq: number; readonly after: number }
const dropPolled = compiled((sql, { job, seq, after }: Polled) =>
  sql
    .deleteFrom('jobCommands')
    .where('job', '=', job)
    .where('seq', '<', seq)
    .where('seq', '>=', after)
    .where(({ eb, selectFrom, refTuple, ref }) =>
      eb(
        refTuple('host', 'line', 'exit', 'output'),
        'in',
        selectFrom('jobCommands as last')
          .select(['last.host', 'last.line', 'last.exit', 'last.output'])
          .where('last.job', '=', ref('jobCommands.job'))
          .where('last.seq', '=', seq)
          .$asTuple('host', 'line', 'exit', 'output'),
      ),
    ),
)

/** The numbers of a job's rows begin with 1. */
function nextSeq(sql: Sql, table: 'jobEvents' | 'jobCommands', job: string) {
  return sql
    .selectFrom(table)
    .select(({ eb, fn, lit }) => eb(fn.coalesce(fn.max('seq'), lit(0)), '+', lit(1)).as('seq'))
    .where('job', '=', job)
}
