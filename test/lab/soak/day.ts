// A day of a small site in fast motion: twelve guests, backups by schedules, acts by hand, migrations there and back, and
// SIGKILL at random moments of the server and of the commands. It ends by itself; at the first thing that is not as it has
// to be it ends too, since whatever comes after would fail with it.

import { randomFrom } from '../kills/acts.ts'
import { cutOff } from '../kills/cut.ts'
import { evidenceOf } from '../kills/evidence.ts'
import { extraDisksOf } from '../kills/whole.ts'
import { say } from '../machine/command.ts'
import { consoleMark } from '../machine/console.ts'
import type { LabHost } from '../machine/ssh.ts'
import { perform } from '../pengx.ts'
import { pickSoakAct, type SoakAct } from './acts.ts'
import { type KnownBackups, needGood, restoreOne, verifyAll } from './backups.ts'
import { needActDone, needDomains, needOthersWell, needSnapshots } from './check.ts'
import { emptyFigures, type Figures, note } from './figures.ts'
import { BACKUPS, closePlace, openPlace, type Place } from './place.ts'
import { createServer, type Server } from './server.ts'
import { openJobs, readStore } from './store.ts'
import { beginWriter, type Writer } from './writer.ts'

interface Day {
  readonly place: Place
  readonly server: Server
  readonly writers: readonly Writer[]
  readonly random: () => number
  readonly known: KnownBackups
  readonly figures: Figures
  /** How long operations take, from the command's beginning to its end, as far as that is known. */
  readonly tookMs: Map<string, number>
}

/** Until one has been seen to its end: measured in the lab. */
const TAKES_MS: Readonly<Record<string, number>> = { 'vm.migrate': 60_000, 'vm.reboot': 25_000 }
const USUALLY_MS = 15_000
/** The longest that jobs may take when nobody kills anything any more. */
const QUIET_MS = 300_000
/** The longest that a command is refused by a backup of its guest, which the server had begun. */
const REFUSED_MS = 900_000
/** What takes longest of all that is done: with few rounds it might never be picked. */
const MOVED_EVERY = 4
/** So long backups are given to end; what is due meanwhile may be at work without an end. */
const SOME_MS = 40_000

/**
 * Whether incremental, and how many are kept. One takes a minute or two on an emulated host, several at once each several times
 * as long, and what fell due while no server ran is made up for at its start: each guest has a time of its own.
 */
const PLANS = [
  { incremental: true, keep: 2 },
  { incremental: false, keep: 1 },
  { incremental: true, keep: 2 },
  { incremental: false, keep: 1 },
] as const
const IDLE_PLAN = { incremental: false, keep: 1 } as const
const IDLERS_BACKED_UP = 2
const APART_MINUTES = 2
const CYCLE_MINUTES = (PLANS.length + IDLERS_BACKED_UP) * APART_MINUTES

export interface Soak {
  readonly hosts: readonly LabHost[]
  readonly seed: number
  readonly minutes: number
}

/** Ends with its first failure, which the figures name. */
export async function soak({ hosts, seed, minutes }: Soak): Promise<Figures> {
  const began = Date.now()
  const until = began + minutes * 60_000
  const figures = emptyFigures()
  let day: Day | undefined
  let at: Writer | undefined
  try {
    day = await begin(await openPlace(hosts), seed, figures)
    say(`soak: seed ${seed}, all guests run after ${since(began)}`)
    while (Date.now() < until) {
      at = day.writers[Math.floor(day.random() * day.writers.length)]!
      await oneRound(day, at)
      figures.rounds += 1
    }
    await end(day)
  } catch (error) {
    const text = `round ${figures.rounds + 1}: ${(error as Error).message}`
    say(`soak: ${text}\n${(error as Error).stack}`)
    if (at) say(await evidenceOf(at.victim).catch((why) => `nothing more is known: ${why}`))
    figures.failures.push(text)
  } finally {
    await day?.server.kill()
  }
  if (day) {
    note(figures, readStore(day.place.pengx.storePath))
    figures.longestS = Math.max(...day.writers.map(({ longestS }) => longestS))
    // What is not whole stays to be looked at, for as long as the hosts are up.
    if (figures.failures.length === 0) await closePlace(day.place)
  }
  figures.durationMs = Date.now() - began
  return figures
}

const since = (began: number): string => `${Math.round((Date.now() - began) / 1000)} s`

async function begin(place: Place, seed: number, figures: Figures): Promise<Day> {
  const { pengx, writers, idlers } = place
  const plans = [
    ...writers.map(({ name }, index) => ({ name, ...PLANS[index % PLANS.length]! })),
    ...idlers.slice(0, IDLERS_BACKED_UP).map(({ name }) => ({ name, ...IDLE_PLAN })),
  ]
  for (const [index, { name, incremental, keep }] of plans.entries()) {
    const cron = `${index * APART_MINUTES}-59/${CYCLE_MINUTES} * * * *`
    await perform(
      pengx,
      ...['schedule.create', name, '--storlink', BACKUPS, '--cron', cron, '--incremental', String(incremental)],
      ...['--keep-last', String(keep), '--keep-daily', '0', '--keep-weekly', '0'],
    )
  }
  return {
    place,
    server: createServer(pengx),
    writers: await Promise.all(writers.map(beginWriter)),
    random: randomFrom(seed),
    known: new Map(),
    figures,
    tookMs: new Map(),
  }
}

/** One act, what is killed meanwhile, and what has to be so afterwards. */
async function oneRound(day: Day, writer: Writer): Promise<void> {
  const { place, server, figures, random } = day
  const { pengx, hosts } = place
  const { name, host } = writer.victim
  const began = Date.now()
  const other = hosts.find((one) => one !== host)!
  const act = pickSoakAct(
    {
      name,
      snapshots: writer.look?.snapshots.map(({ uuid }) => uuid) ?? [],
      extraDisks: writer.look ? extraDisksOf(writer.look).map(({ uuid }) => uuid) : [],
      otherPm: other.name,
      isToGo: figures.rounds % MOVED_EVERY === 1,
      backups: readStore(pengx.storePath).backups.flatMap(({ vmName, uuid }) => (vmName === name ? [uuid] : [])),
    },
    random,
  )
  const markThere = await consoleMark(other, name)
  // Nothing is at work yet that would keep it from that.
  if (act.isOff) await perform(pengx, 'vm.poweroff', name)
  await server.start()
  const before = Math.max(0, ...readStore(pengx.storePath).jobs.map(({ number }) => number))
  const said = await actAndKill(day, writer, act)
  // Anything that is done takes over what was left, and waits for it.
  await perform(pengx, 'storlink.update', BACKUPS, '--desc', `round ${figures.rounds + 1}`)
  await quiet(day, SOME_MS)
  // What is at work now is cut off, as by anybody who ends a server.
  noteCut(day, () => true)
  await server.stop()
  noteCut(day, () => true)
  await perform(pengx, 'storlink.update', BACKUPS, '--desc', `after round ${figures.rounds + 1}`)
  if (!(await quiet(day, QUIET_MS)))
    throw new Error(`still at work: ${JSON.stringify(openJobs(readStore(pengx.storePath)))}`)
  const checked = Date.now()
  await check(day, writer, act, before, markThere)
  say(
    `soak: ${figures.rounds + 1} ${act.words.slice(0, 2).join(' ')}: ${said}; ${since(began)}, of which ${since(checked)} for the check`,
  )
}

/** Gives what was killed and when. */
async function actAndKill(day: Day, { victim }: Writer, act: SoakAct): Promise<string> {
  const { server, figures, tookMs, place } = day
  const kills = (what: 'command' | 'server') => act.kill === what || act.kill === 'both'
  const takesMs = tookMs.get(act.operation) ?? TAKES_MS[act.operation] ?? USUALLY_MS
  const afterMs = kills('command') ? act.commandAt * takesMs : QUIET_MS * 2
  const killServer = async () => {
    await Bun.sleep(act.serverAt * Math.max(takesMs, USUALLY_MS))
    await server.kill()
    figures.killedServers += 1
    noteCut(day, ({ by }) => by !== 'cli')
    await Bun.sleep(act.pauseMs)
    await server.start()
  }
  const doAct = async () => {
    const until = Date.now() + REFUSED_MS
    let cut = await cutOff(victim.host, place.pengx, act.words, afterMs)
    // Who is refused asks again.
    while (!cut.killed && cut.said.includes('is at work on it') && Date.now() < until) {
      await Bun.sleep(2_000)
      cut = await cutOff(victim.host, place.pengx, act.words, afterMs)
    }
    if (!cut.killed) {
      if (cut.exit !== 0) throw new Error(`${act.words.join(' ')} failed: ${cut.said}`)
      tookMs.set(act.operation, cut.tookMs)
      return `done in ${seconds(cut.tookMs)}`
    }
    figures.killedCommands += 1
    noteCut(day, ({ by }) => by === 'cli')
    // It may take longer than was thought.
    tookMs.set(act.operation, takesMs * 1.1)
    await Bun.sleep(act.pauseMs)
    return `killed after ${seconds(afterMs)} of about ${seconds(takesMs)}`
  }
  const [said] = await Promise.all([doAct(), kills('server') ? killServer() : undefined])
  return kills('server') ? `${said}, server killed` : said
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** Those of a process that has just ended. */
function noteCut({ place, figures }: Day, isOf: (job: { readonly by: string }) => boolean): void {
  for (const job of openJobs(readStore(place.pengx.storePath))) if (isOf(job)) figures.cut.add(job.id)
}

/** Waits until nothing is at work, so long at most; gives whether that is so. */
async function quiet({ place, figures }: Day, timeoutMs: number): Promise<boolean> {
  const until = Date.now() + timeoutMs
  for (;;) {
    const facts = readStore(place.pengx.storePath)
    note(figures, facts)
    if (openJobs(facts).length === 0) return true
    if (Date.now() > until) return false
    await Bun.sleep(1000)
  }
}

async function check(day: Day, writer: Writer, act: SoakAct, before: number, markThere: number): Promise<void> {
  const { place, writers, figures, known } = day
  figures.comparedBytes += await needActDone(place, writer, act, before, markThere)
  await needOthersWell(
    place,
    writers.filter((one) => one !== writer),
  )
  await needDomains(place)
  const facts = readStore(place.pengx.storePath)
  note(figures, facts)
  figures.comparedBytes += await needGood(place.hosts[1], facts.backups, writers, known)
}

/** Everything once more, with nothing at work: all snapshots, all backups, one of which is restored, and what `verify` finds. */
async function end(day: Day): Promise<void> {
  const { place, writers, figures, known } = day
  const { pengx, hosts } = place
  for (const writer of writers) figures.comparedBytes += await needSnapshots(writer)
  const { backups } = readStore(pengx.storePath)
  figures.comparedBytes += await verifyAll(pengx, hosts[1], backups, known)
  figures.verified = backups.length
  const of = backups.findLast(({ uuid }) => known.get(uuid)?.number !== undefined)
  if (of) {
    await restoreOne(place, of, known.get(of.uuid)!.number!)
    figures.restored += 1
  }
  await needOthersWell(place, writers)
  await needDomains(place)
  const found = await pengx.run('verify', '--deep')
  if (found.exit !== 0) throw new Error(`verify has found something: ${found.stdout}${found.stderr}`)
}
