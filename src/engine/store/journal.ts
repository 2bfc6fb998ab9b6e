import type { CommandRecord, StepEvent } from '../../model/job.ts'
import type { Database, Sql } from './database.ts'

/**
 * A job's journal. An event is on disk before what it announces, against a power cut too; the commands are for people
 * to read and may lose their last lines with the power.
 */
export function appendEvent(database: Database, job: string, event: Omit<StepEvent, 'seq'>): Promise<StepEvent> {
  return database.write('durable', async ({ sql }) => {
    const seq = await nextSeq(sql, 'jobEvents', job)
    await sql
      .insertInto('jobEvents')
      .values({
        job,
        seq,
        step: event.step,
        name: event.name,
        kind: event.kind,
        at: event.at,
        outputJson: event.output === undefined ? null : JSON.stringify(event.output),
        message: event.message ?? null,
      })
      .execute()
    return { ...event, seq }
  })
}

export function appendCommand(database: Database, job: string, command: Omit<CommandRecord, 'seq'>): Promise<number> {
  return database.write('relaxed', async ({ sql }) => {
    const seq = await nextSeq(sql, 'jobCommands', job)
    await sql
      .insertInto('jobCommands')
      .values({
        job,
        seq,
        host: command.host,
        line: command.line,
        at: command.at,
        tookMs: command.tookMs ?? null,
        exit: command.exit ?? null,
        output: command.output,
      })
      .execute()
    return seq
  })
}

export function finishCommand(
  database: Database,
  job: string,
  seq: number,
  end: { readonly tookMs: number; readonly exit?: number; readonly output: string },
): Promise<void> {
  return database.write('relaxed', async ({ sql }) => {
    await sql
      .updateTable('jobCommands')
      .set({ tookMs: end.tookMs, exit: end.exit ?? null, output: end.output })
      .where('job', '=', job)
      .where('seq', '=', seq)
      .execute()
  })
}

async function nextSeq(sql: Sql, table: 'jobEvents' | 'jobCommands', job: string): Promise<number> {
  const last = await sql
    .selectFrom(table)
    .select('seq')
    .where('job', '=', job)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  return (last?.seq ?? 0) + 1
}
