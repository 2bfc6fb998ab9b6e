import type { RunArgs } from '../args.ts'
import type { Engine } from '../engine/engine.ts'
import { describeParams } from '../engine/jobs/params.ts'
import { formatSpan } from '../lib/age.ts'
import { stripControl } from '../lib/text.ts'
import { PengxError, toPengxError } from '../model/error.ts'
import type { Job } from '../model/job.ts'
import type { Json } from '../model/json.ts'
import { isNoun } from '../model/noun.ts'
import { EXIT, exitOfJob } from './exit.ts'
import { kebab, readOperationWords } from './flags.ts'
import { formatJson, type Io } from './io.ts'
import { STANDS, sayGoneOn, sayTakenOver } from './leftBehind.ts'
import { jobObject } from './lists.ts'
import { formatOperation, formatOperations, unknownOperation } from './operationHelp.ts'
import { formatPlan, isAllowed } from './plan.ts'
import { showProgress } from './progress.ts'
import { readSecrets } from './secrets.ts'
import { resolveTarget } from './target.ts'

type AnyOperation = Engine['operations'] extends ReadonlyMap<string, infer O> ? O : never

/** `pengx run OPERATION TARGET …`: asks where it is dangerous, waits, and gives the exit status. */
export async function runOperation(engine: Engine, subcommand: RunArgs, io: Io): Promise<number> {
  if (subcommand.operation === undefined) {
    await io.out(formatOperations(engine))
    return subcommand.help ? EXIT.done : EXIT.usage
  }
  const operation = engine.operations.get(subcommand.operation)
  if (operation === undefined) throw unknownOperation(engine, subcommand.operation)
  if (subcommand.help) {
    await io.out(formatOperation(operation))
    return EXIT.done
  }
  const raw = await readRaw(engine, operation, subcommand, io)
  // What is refused or planned now should not rest on what a dead process has left half done.
  await sayTakenOver(engine, io)
  const params = await decodeFresh(engine, operation, raw, io)
  if (subcommand.plan) {
    const preview = await engine.preview(operation.name, params)
    await io.out(subcommand.json ? formatJson(preview) : formatPlan(preview))
    return EXIT.done
  }
  if (operation.danger !== 'safe' && !subcommand.yes) await askFirst(engine, operation, params, io)
  const exit = await carryOut(engine, operation.name, params, subcommand.json, io)
  await sayGoneOn(engine, io)
  return exit
}

/**
 * What a command line knows of the site may be old, since nothing watched it meanwhile. So a name that is not found
 * and a refusal are believed only after a look, of all PMs or of those that it is about; what goes well at once costs
 * no look at all.
 */
async function decodeFresh(
  engine: Engine,
  operation: AnyOperation,
  raw: Record<string, unknown>,
  io: Io,
): Promise<Json> {
  const decode = () => engine.decode(operation.name, nameTargets(engine, operation, raw))
  const reasonNow = (params: Json) => engine.refuse(operation.name, params)
  let params: Json
  let concerned: readonly string[] | undefined
  try {
    params = decode()
    if (reasonNow(params) === undefined) return params
    concerned = [...operation.touches(params, engine.view), ...awayFor(engine, operation, params)]
  } catch (error) {
    const { code } = toPengxError(error)
    if (code !== 'notFound' && code !== 'refused' && code !== 'conflict') throw error
  }
  if (concerned === undefined || concerned.length === 0) await engine.look()
  else await Promise.all([...new Set(concerned)].map((pm) => engine.look(pm)))
  await sayGoneOn(engine, io)
  params = decode()
  const reason = reasonNow(params)
  if (reason === undefined) return params
  const { name } = operation.subject(params, engine.view)
  throw new PengxError('refused', `cannot ${operation.title} ${name}: ${reason}`)
}

/** The PM that a job waits for which is stuck on what this is about: where it answers again, the job goes on. */
function awayFor({ view }: Engine, operation: AnyOperation, params: Json): readonly string[] {
  const { kind, id } = operation.subject(params, view)
  const job = view.jobOn(kind, id)
  return job?.state === 'stuck' && job.away !== undefined && view.getPm(job.away) ? [job.away] : []
}

async function readRaw(
  engine: Engine,
  operation: AnyOperation,
  subcommand: RunArgs,
  io: Io,
): Promise<Record<string, unknown>> {
  const given = readOperationWords(describeParams(operation.params), subcommand.words, subcommand.further)
  if (engine.readOnly) throw new PengxError('readOnly', `${operation.name} is not done: --read-only is set`)
  const { param, kind } = operation.target
  if (given.target !== undefined && kind === 'none')
    throw new PengxError(
      'invalid',
      `${operation.name} is for the whole site and takes no TARGET, got "${given.target}"`,
    )
  if (given.target !== undefined && param in given.raw) {
    throw new PengxError(
      'invalid',
      `the TARGET "${given.target}" and --${kebab(param)} are the same parameter: give one of them`,
    )
  }
  const target = given.target === undefined ? {} : { [param]: given.target }
  return { ...given.raw, ...target, ...(await readSecrets(given.secrets, io)) }
}

/** Every parameter that names a VM, PM, storlink or template takes a name in place of its id. */
function nameTargets(engine: Engine, operation: AnyOperation, raw: Record<string, unknown>): Record<string, unknown> {
  const named = { ...raw }
  for (const field of describeParams(operation.params)) {
    const value = raw[field.name]
    const kind = field.name === operation.target.param ? operation.target.kind : (field.from ?? 'text')
    if (typeof value !== 'string' || !isNoun(kind)) continue
    named[field.name] = resolveTarget(engine, kind, value)
  }
  return named
}

async function askFirst(engine: Engine, operation: AnyOperation, params: Json, io: Io): Promise<void> {
  if (!io.interactive) {
    throw new PengxError(
      'refused',
      `${operation.name} ${operation.danger}, and there is no terminal to ask on: give --yes to allow it`,
    )
  }
  if (!(await isAllowed(await engine.preview(operation.name, params), io)))
    throw new PengxError('refused', 'not allowed: nothing was done')
}

/** Does it, shows how far it is, tells how it ended (as JSON where that is asked for), and gives the exit status. */
export async function carryOut(engine: Engine, name: string, params: Json, json: boolean, io: Io): Promise<number> {
  const started = await engine.start(name, params, 'cli')
  const stopProgress = showProgress(engine, started.id, io)
  const stopInterrupts = onInterrupts(engine, started, io)
  const { job, result } = await engine.finished(started.id).finally(() => {
    stopInterrupts()
    stopProgress()
  })
  if (json) await io.out(formatJson({ job: jobObject(job), result: result ?? null }))
  else await printEnd(job, result, io)
  return exitOfJob(job)
}

/** The first ctrl-c undoes; the second leaves the job to the next start of pengx, which takes it up from its journal. */
function onInterrupts(engine: Engine, job: Job, io: Io): () => void {
  let interrupts = 0
  return io.onInterrupt(() => {
    interrupts += 1
    if (interrupts > 1) {
      io.err(`\npengx: left as it is: the next start of pengx takes job ${job.number} up again\n`)
      process.exit(EXIT.failed)
    }
    io.err(`\npengx: undoing job ${job.number}; ctrl-c again leaves it to the next start of pengx\n`)
    engine.cancel(job.id).catch((error) => io.err(`pengx: ${stripControl(toPengxError(error).message)}\n`))
  })
}

async function printEnd(job: Job, result: Json | undefined, io: Io): Promise<void> {
  const what = `${job.operation} ${stripControl(job.subject.name)}`
  const message = job.message ? `: ${stripControl(job.message)}` : ''
  if (job.state !== 'done') {
    io.err(`pengx: ${what} ${STANDS[job.state]} (job ${job.number})${message}\n`)
    return
  }
  const took = formatSpan((job.finishedAt ?? Date.now()) - (job.startedAt ?? job.createdAt))
  const lines = resultLines(result).map((line) => `  ${line}\n`)
  await io.out(`${what}: done in ${took} (job ${job.number})${message}\n${lines.join('')}`)
}

function resultLines(result: Json | undefined): string[] {
  if (result === undefined || result === null) return []
  if (typeof result !== 'object') return [stripControl(String(result))]
  return Object.entries(result)
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .map(([key, value]) => `${key}: ${stripControl(typeof value === 'object' ? JSON.stringify(value) : String(value))}`)
}
