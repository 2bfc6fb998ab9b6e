// A guest that writes numbered blocks without an end, wherever it runs: what it was known to hold, and when it stood where.
import type { Look } from '../kills/look.ts'
import { goesOn, markOf, type Since, type Told, type Victim } from '../kills/victim.ts'
import type { Known } from '../kills/whole.ts'
import { consoleText } from '../machine/console.ts'
import type { LabHost } from '../machine/ssh.ts'

interface Sample {
  /** Milliseconds since 1970: from before it was asked until it had answered. */
  readonly from: number
  readonly to: number
  readonly last: number
}

export interface Writer {
  victim: Victim
  told: Since
  readonly known: Known
  look?: Look
  /** Since it was last restored to an earlier number. */
  samples: Sample[]
  /** Seconds at one number, by its own clock. */
  longestS: number
}

export async function beginWriter(victim: Victim): Promise<Writer> {
  const writer: Writer = {
    victim,
    told: { mark: await markOf(victim), last: 0 },
    known: { snapshots: new Map(), filled: new Map() },
    samples: [],
    longestS: 0,
  }
  // Where it is by now is all that is known of it: it began before.
  writer.told = await untilIn(victim, writer.told.mark)
  return writer
}

/** Waits until it has told two more numbers than it had. */
export async function goOn(
  writer: Writer,
  how: { readonly begun?: boolean; readonly restored?: number | undefined } = {},
): Promise<Told> {
  const from = Date.now()
  const told = await goesOn(writer.victim, writer.told, how)
  if (how.restored !== undefined) writer.samples = []
  writer.samples.push({ from, to: Date.now(), last: told.last })
  writer.told = told
  writer.longestS = Math.max(writer.longestS, told.longestS)
  return told
}

/** The numbers that it can have stood at from one moment until another. */
export function bounds(
  { samples }: Writer,
  from: number,
  to: number,
): { readonly least: number; readonly most: number } {
  const before = samples.filter((sample) => sample.to <= from)
  const after = samples.filter((sample) => sample.from >= to)
  // What was told may be a little behind what was written.
  return { least: before.at(-1)?.last ?? 0, most: (after[0]?.last ?? Number.POSITIVE_INFINITY) + LAG }
}

const LAG = 8

/** After it has gone to another host: it tells the rest there. `mark` is of its console there, from before. */
export async function follow(writer: Writer, host: LabHost, mark: number): Promise<void> {
  const { victim, told } = writer
  const rest = await consoleText(victim.host, victim.name, told.mark)
  needNoFailure(victim.name, rest)
  const there = { ...victim, host }
  writer.told = await untilIn(there, mark, Math.max(told.last, lastTold(rest)))
  writer.victim = there
}

/**
 * Where a console goes on from a mark whose line may be the rest of one, or, after a migration, one that was told before: at
 * its first whole number, which is near `last`.
 */
async function untilIn(victim: Victim, mark: number, last?: number): Promise<Since> {
  const until = Date.now() + 240_000
  for (;;) {
    const text = await consoleText(victim.host, victim.name, mark)
    needNoFailure(victim.name, text)
    const line = /(?<=\n)COUNT (\d+)\r?\n/.exec(text)
    if (line) {
      const number = Number(line[1])
      if (last !== undefined && (number < last - LAG || number > last + LAG))
        throw new Error(`${victim.name} is at ${number} on ${victim.host.name}, and was at ${last}`)
      return { mark: mark + Buffer.byteLength(text.slice(0, line.index + line[0].length)), last: number }
    }
    if (Date.now() > until) throw new Error(`${victim.name} says nothing on ${victim.host.name}: ${text}`)
    await Bun.sleep(500)
  }
}

const lastTold = (text: string): number =>
  Math.max(0, ...[...text.matchAll(/^COUNT (\d+)\r?\n/gm)].map(([, n]) => Number(n)))

function needNoFailure(name: string, text: string): void {
  const failed = /^.*FAILED.*$/m.exec(text)?.[0]
  if (failed) throw new Error(`${name}: ${failed}`)
}
