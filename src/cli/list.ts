import type { ListName, Subcommand } from '../args.ts'
import type { Engine } from '../engine/engine.ts'
import { stripControl } from '../lib/text.ts'
import { EXIT } from './exit.ts'
import { formatJson, type Io } from './io.ts'
import { LISTINGS } from './lists.ts'

/** Lists of what is only written down: no PM is looked at. */
const WRITTEN: readonly ListName[] = ['jobs', 'backups', 'schedules']

type ListArgs = Omit<Extract<Subcommand, { kind: 'list' }>, 'kind'>

/**
 * Looks, prints, and gives the exit status. A PM that does not answer is named on stderr and what was last known
 * of it is printed all the same; only where none answers is the whole of it `unreachable`.
 */
export async function printList(engine: Engine, subcommand: ListArgs, io: Io): Promise<number> {
  const { list, json, of } = subcommand
  if (!WRITTEN.includes(list)) await lookForRates(engine, list)
  const listing = LISTINGS[list]
  await io.out(json ? formatJson(listing.objects(engine, of)) : listing.table(engine, of))
  if (WRITTEN.includes(list)) return EXIT.done
  return warnUnreachable(engine, io)
}

/** A rate is over the time between two looks, so a first look alone has none. */
async function lookForRates(engine: Engine, list: ListName): Promise<void> {
  await engine.look()
  if (list !== 'perf') return
  const lacking = engine.view.pms().some((pm) => pm.seen.reach === 'up' && !engine.view.rates(pm.uuid)?.cpuPercent)
  if (!lacking) return
  await Bun.sleep(1000)
  await engine.look()
}

function warnUnreachable(engine: Engine, io: Io): number {
  const pms = engine.view.pms()
  const down = pms.filter((pm) => pm.seen.reach === 'down')
  for (const pm of down) {
    const what = pm.seen.twinOf === undefined ? 'cannot be reached' : 'is not shown'
    io.err(`pengx: ${stripControl(`${pm.name} ${what}: ${pm.seen.problem ?? 'no reason is known'}`)}\n`)
  }
  for (const pm of pms) {
    for (const also of pm.seen.alsoAt ?? [])
      io.err(`pengx: ${stripControl(`${also} is ${pm.name} (${pm.destination}): one machine, shown once`)}\n`)
  }
  if (pms.length === 0) {
    io.err(
      'pengx: no PM is known: this machine is not a Xen host; `pengx run pm.add root@HOST` adds one, --demo shows a simulated site\n',
    )
  }
  return down.length > 0 && down.length === pms.length ? EXIT.unreachable : EXIT.done
}

/** The site as one text, for a machine without a terminal. */
export async function printSite(engine: Engine, io: Io): Promise<number> {
  await engine.look()
  const titled = (['pms', 'vms', 'storlinks', 'jobs'] as const).map(
    (list) => `${list.toUpperCase()}\n${LISTINGS[list].table(engine)}`,
  )
  await io.out(titled.join('\n'))
  return warnUnreachable(engine, io)
}
