import { quoteArgv } from '../../lib/quote.ts'
import { type Command, mayBeEnded, type NamedQueue, type Output } from './host.ts'

/**
 * Several commands in one round trip. Each part's exit status closes its stretch of stdout, and the same
 * mark closes its stretch of stderr, so both can be taken apart again. At most one part has stdin.
 */
const MARK = '\x1e'

export interface BatchOptions {
  /** The first part that fails ends the batch with its status. */
  readonly stopOnFailure?: boolean
  readonly timeoutMs?: number
  readonly queue?: NamedQueue
}

/**
 * Pure. One sh(1) script of them, a change where one of them is, which may be ended where all of them may; `runBatch`, `runMany` and `runAll` take its output
 * apart. A failure ends it only with `stopOnFailure`. Two parts with standard input are a defect, and thrown as one.
 */
export function batch(parts: readonly Command[], options: BatchOptions = {}): Command {
  const fed = parts.filter((part) => part.stdin !== undefined)
  if (fed.length > 1) throw new Error('a batch has one standard input')
  const lines = parts.map((part) => {
    const input = part.stdin === undefined ? ' </dev/null' : ''
    const ok = (part.okExits ?? [0]).map((exit) => `[ $r -eq ${exit} ]`).join(' || ')
    const stop = options.stopOnFailure ? `; ${ok} || exit $r` : ''
    // What was fed may have been cut off with the line, and then nothing must be made of it: nobody hears the mark either.
    const unheard = part.stdin === undefined ? '' : ' || exit 1'
    return `${quoteArgv(part.argv)}${input}; r=$?; printf '\\036%d\\036' $r${unheard}; printf '\\036' >&2${stop}`
  })
  return {
    argv: ['sh', '-c', `${lines.join('\n')}\nexit 0`],
    effect: parts.some((part) => part.effect === 'change') ? 'change' : 'read',
    stdin: fed[0]?.stdin,
    parts,
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    ...(options.stopOnFailure ? { stopOnFailure: true as const } : {}),
    ...(parts.every(mayBeEnded) ? { endable: true as const } : {}),
    ...(options.queue === undefined ? {} : { queue: options.queue }),
  }
}

/** What a host writes for one finished part: the simulated site and the shell write the same. */
export function markPart(output: Output): { stdout: string; stderr: string } {
  return { stdout: `${output.stdout}${MARK}${output.exit}${MARK}`, stderr: `${output.stderr}${MARK}` }
}

/** Takes a batch's output apart; shorter than the batch where it was ended early. */
export function splitBatch(output: Output): Output[] {
  const out = output.stdout.split(MARK)
  const err = output.stderr.split(MARK)
  const parts: Output[] = []
  for (let index = 0; index + 1 < out.length; index += 2) {
    parts.push({ stdout: out[index]!, exit: Number(out[index + 1]), stderr: err[index / 2] ?? '' })
  }
  return parts
}
