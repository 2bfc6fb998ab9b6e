import type { Host, Output } from '../host/host.ts'
import { type RunMany, runMany } from '../host/run.ts'
import type { Program } from '../tools/program.ts'
import { isUnseen, rescanDisks } from '../tools/pvscan.ts'

/**
 * Runs programs, some of them lvm2's, in one batch, and gives the output of each, a failed one too. Before a group is called
 * not there all disks are looked at once more, and those that did not find theirs are run again: lvm2 goes by hints, which
 * know nothing of what another machine has made. One round trip where all is found, else two. Fails as `runMany` does.
 */
export async function runRescanning(
  host: Host,
  parts: readonly Program[],
  how: RunMany = {},
  signal?: AbortSignal,
): Promise<Output[]> {
  const outputs = await runMany(host, parts, how, signal)
  const missed = parts.flatMap((_, at) => (isUnseen(outputs[at]?.stderr ?? '') ? [at] : []))
  if (missed.length === 0) return outputs
  const again = missed.map((at) => parts[at]!)
  const [, ...seen] = await runMany(host, [rescanDisks, ...again], how, signal)
  const found = new Map(missed.map((at, index) => [at, seen[index]!]))
  return outputs.map((output, at) => found.get(at) ?? output)
}
