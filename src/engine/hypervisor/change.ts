import type { Command, Host } from '../host/host.ts'
import { run } from '../host/run.ts'
import { ANY_EXIT, type Program } from '../tools/program.ts'
import { xlFailure } from './xlFailure.ts'

const CHANGE_PATIENCE_MS = 120_000

/**
 * Runs one xl(1) that changes something, to its end: it is never ended half way, and after 2 minutes whoever hears of waits
 * hears so. `doing` says what, for the error: `pause domain 3`.
 * Fails as `xlFailure` says: `notFound` where the domain is gone, else mostly `commandFailed`. xl may have done it
 * all the same.
 */
export async function change(host: Host, program: Program, tag: string, doing: string): Promise<void> {
  const command: Command = { ...program, tag, timeoutMs: CHANGE_PATIENCE_MS, okExits: ANY_EXIT }
  const output = await run(host, command)
  // xl pause and unpause end with 0 whatever libxl told them
  if (output.exit !== 0 || /^libxl: error: /m.test(output.stderr))
    throw xlFailure(`cannot ${doing} on ${host.name}`, output)
}
