import type { By } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import { type EngineDeps, makeContext } from './context.ts'
import type { AnyOperation, Preview } from './operation.ts'
import { needAllowed } from './refusal.ts'

/**
 * The plan as it would be now: everything up to the journal, and nothing after it. Looks at hosts, takes no locks,
 * changes nothing. Fails as `refuse` and `gather` do.
 */
export async function previewOf(
  deps: EngineDeps,
  operation: AnyOperation,
  given: Json,
  by: By = 'terminal',
): Promise<Preview> {
  const { view } = deps.store
  const params: Json = operation.complete ? operation.complete(given) : given
  await needAllowed(deps, operation, params)
  const subject = operation.subject(params, view)
  const notices: string[] = []
  const context = makeContext(deps, {
    jobId: 'preview',
    by,
    signal: new AbortController().signal,
    outputs: new Map(),
    fresh: new Set(),
    lookOnly: true,
    step: 0,
    progress: () => undefined,
    notice: (text) => void notices.push(text),
  })
  const facts: Json = await operation.gather(params, context)
  const effects = operation.effects?.(params, facts) ?? {}
  return {
    operation: operation.name,
    title: operation.title,
    danger: operation.danger,
    subject,
    steps: operation.plan(params, facts).map((step) => ({
      name: step.name,
      shows: step.shows ?? [],
      pivot: step.pivot === true,
      undoable: step.undo !== undefined && !step.lasting,
      ...(step.isApplied === undefined ? {} : { decided: true as const }),
      ...(step.onlyReads ? { reads: true as const } : {}),
    })),
    frees: effects.frees ?? [],
    keeps: effects.keeps ?? [],
    notices: [...notices, ...(effects.notices ?? [])],
  }
}
