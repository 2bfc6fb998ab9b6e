import type { CommandRecord, StepEvent } from '../../../model/job.ts'
import type { Json } from '../../../model/json.ts'
import type { JobCommandRow, JobEventRow, JobRow } from '../sqlite/schema.ts'
import type { JobPatch } from './jobRows.ts'

/** An event of the journal; its output is parsed JSON. */
export function fromEventRow(row: JobEventRow): StepEvent {
  return {
    seq: row.seq,
    step: row.step,
    name: row.name,
    kind: row.kind,
    at: row.at,
    output: row.outputJson === null ? undefined : (JSON.parse(row.outputJson) as Json),
    message: row.message ?? undefined,
  }
}

/** A command of the record, whole or still running (no `tookMs`, no `exit`). */
export function fromCommandRow(row: JobCommandRow): CommandRecord {
  return {
    seq: row.seq,
    host: row.host,
    line: row.line,
    at: row.at,
    tookMs: row.tookMs ?? undefined,
    exit: row.exit ?? undefined,
    output: row.output,
  }
}

/** A key that is there with `undefined` is cleared, one that is not there stays. */
export function toPatchRow(patch: JobPatch): Partial<JobRow> {
  const row: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(patch)) {
    if (key === 'result') row.resultJson = value === undefined ? null : JSON.stringify(value)
    else if (key === 'locks') row.locksJson = JSON.stringify(value)
    else if (key === 'acknowledged') row.acknowledged = value ? 1 : 0
    else row[key] = value ?? EMPTY[key] ?? null
  }
  return row as Partial<JobRow>
}

/** What cleared means where a column cannot be null. */
const EMPTY: Readonly<Record<string, unknown>> = { progress: 0, step: '', stepIndex: 0, stepCount: 0, message: '' }
