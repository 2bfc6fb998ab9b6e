// SIGKILL of pengx at random moments of real operations on real Xen, under a guest that writes without an end. After the
// next start no job is at work or stuck, every snapshot reads as it did, QEMU's open files, configuration and row are one,
// nothing lies there that nobody knows of, and the guest has neither stopped nor failed a write.
import { expect } from 'bun:test'
import { say } from '../machine/command.ts'
import type { LabHost } from '../machine/ssh.ts'
import { type Pengx, perform } from '../pengx.ts'
import { type Act, pickAct, randomFrom } from './acts.ts'
import { cutOff } from './cut.ts'
import { evidenceOf } from './evidence.ts'
import type { JobRow, Look } from './look.ts'
import { createVictim, deleteVictim, goesOn, markOf, rebootsOrNot, type Told, type Victim } from './victim.ts'
import { extraDisksOf, fillNew, type Known, needOneMind, needOpen, needSameBytes } from './whole.ts'

interface Run {
  readonly victim: Victim
  readonly random: () => number
  readonly known: Known
  /** How long operations take, as far as that is known: from the command's beginning to its end. */
  readonly tookMs: Map<string, number>
  /** Where the guest stands. */
  told: Pick<Told, 'mark' | 'last'>
  look: Look
  longestS: number
}

export interface Kills {
  readonly seed: number
  readonly count: number
  /** One that knows nothing yet, for a run and again after a failure. */
  open(): Promise<Pengx>
}

const MOST_FAILURES = 5
/** Of the time that an operation takes: before, hardly more than pengx itself has begun; some end before they are killed. */
const MOMENTS = { from: 0.15, to: 1.1 } as const
/**
 * How long each takes, of the time that a start takes, until one has been seen to its end: measured in the lab, from the
 * command's beginning to its end.
 */
const SHARES: Readonly<Record<string, number>> = {
  'vm.start': 1,
  'vm.reboot': 2,
  'snapshot.create': 1.4,
  'snapshot.delete': 1.4,
  'snapshot.restore': 1.2,
  'disk.create': 1.2,
  'disk.delete': 1.2,
}
/** The world moves on between a kill and the next start, half of the times. */
const LONGEST_PAUSE_MS = 8_000

/** Gives what was wrong after which kill, with the journals; the seed repeats the run. */
export async function randomKills(host: LabHost, { seed, count, open }: Kills): Promise<readonly string[]> {
  const random = randomFrom(seed)
  const failures: string[] = []
  const ends = new Map<string, number>()
  let run = await begin(host, await open(), random, 0)
  let longestS = 0
  say(`kills: seed ${seed}, ${run.victim.pengx.where}, a start takes ${Math.round(run.tookMs.get('vm.start')!)} ms`)
  for (let number = 1; number <= count; ) {
    const began = performance.now()
    const done: string[] = []
    try {
      const end = await oneKill(run, done)
      const key = `${done[0]} ${end}`
      ends.set(key, (ends.get(key) ?? 0) + 1)
      say(`kills: ${number} ${done.join(', ')}: ${end}; ${Math.round((performance.now() - began) / 1000)} s`)
      if (end !== NOT_KILLED) number++
    } catch (error) {
      const text = `seed ${seed}, kill ${number}, ${done.join(', ')}: ${(error as Error).message}`
      say(`kills: ${text}`)
      const evidence = await evidenceOf(run.victim).catch((why) => `nothing more is known: ${why}`)
      say(evidence)
      failures.push(`${text}\n${evidence}`)
      if (failures.length >= MOST_FAILURES) return failures
      // What is not whole would fail whatever comes after it.
      run = await begin(host, await open(), random, failures.length)
      number++
    }
    longestS = Math.max(longestS, run.longestS)
  }
  await deleteVictim(run.victim)
  for (const [end, times] of [...ends].sort()) say(`kills: ${times} x ${end}`)
  say(`kills: ${count} with ${failures.length} failures; the guest was never longer than ${longestS} s at one number`)
  return failures
}

const NOT_KILLED = 'ended before'

/** Its guest writes, and there is a snapshot and a disk, so that any operation fits. */
async function begin(host: LabHost, pengx: Pengx, random: () => number, number: number): Promise<Run> {
  const victim = await createVictim(host, pengx, `victim-${pengx.where}${number}`)
  const mark = await markOf(victim)
  const known: Known = { snapshots: new Map(), filled: new Map() }
  const began = performance.now()
  await perform(pengx, 'vm.start', victim.name)
  const tookMs = new Map([['vm.start', performance.now() - began]])
  await goesOn(victim, { mark, last: 0 }, { begun: true })
  await perform(pengx, 'snapshot.create', victim.name)
  await perform(pengx, 'disk.create', victim.name, '--size', '2')
  const look = await needOneMind(victim)
  await needSameBytes(victim, look, known)
  await fillNew(victim, look, known)
  return { victim, random, known, tookMs, told: await goesOn(victim, { mark, last: 0 }), look, longestS: 0 }
}

/** Gives what became of the job; writes what it does down in `done`. */
async function oneKill(run: Run, done: string[]): Promise<string> {
  const { victim, random } = run
  const { pengx, name } = victim
  const act = pickAct(
    {
      name,
      snapshots: run.look.snapshots.map(({ uuid }) => uuid),
      extraDisks: extraDisksOf(run.look).map(({ uuid }) => uuid),
    },
    random,
  )
  done.push(act.operation)
  const off = act.isOff ? await perform(pengx, 'vm.poweroff', name) : undefined
  const before = off ? (off.job as JobRow).number : newest(run.look.jobs)
  const takesMs = run.tookMs.get(act.operation) ?? run.tookMs.get('vm.start')! * SHARES[act.operation]!
  const afterMs = (MOMENTS.from + random() * (MOMENTS.to - MOMENTS.from)) * takesMs
  const pauseMs = random() < 0.5 ? 0 : random() * LONGEST_PAUSE_MS
  const cut = await cutOff(victim.host, pengx, act.words, afterMs)
  if (!cut.killed && cut.exit !== 0) throw new Error(`it failed: ${cut.said}`)
  if (cut.killed) {
    done.push(
      `killed after ${Math.round(afterMs)} ms of about ${Math.round(takesMs)}`,
      `left for ${Math.round(pauseMs)} ms`,
    )
    // It may take longer than was thought.
    run.tookMs.set(act.operation, takesMs * 1.1)
    await Bun.sleep(pauseMs)
  } else {
    run.tookMs.set(act.operation, cut.tookMs)
    done.push(`which took ${Math.round(cut.tookMs)} ms`)
  }
  // Anything that is done takes over what was left, and waits for it.
  await perform(pengx, 'storlink.update', victim.storlink, '--desc', `since job ${before}`)
  const job = await settle(run, act, before)
  if (!cut.killed) return NOT_KILLED
  return job ? `${job.state}${job.state === 'done' ? '' : ` at "${job.step}"`}` : 'had not begun'
}

const newest = (jobs: readonly JobRow[]): number => Math.max(0, ...jobs.map(({ number }) => number))

/** Everything is asked that has to be so, and the guest runs at the end; gives the job, where it had begun. */
async function settle(run: Run, act: Act, before: number): Promise<JobRow | undefined> {
  const { victim, known } = run
  const since = run.told
  const begun = act.operation === 'vm.reboot' ? await rebootsOrNot(victim, since) : act.isOff
  run.look = await needOneMind(victim)
  const job = run.look.jobs.find(({ number, operation }) => number > before && operation === act.operation)
  const isRestored = act.operation === 'snapshot.restore' && job?.state === 'done'
  const restored = isRestored ? known.snapshots.get(act.snapshot!)!.number : undefined
  const fresh = await needSameBytes(victim, run.look, known)
  if (run.look.written === undefined) {
    if (!act.isOff) throw new Error('its domain is gone')
    const began = performance.now()
    await perform(victim.pengx, 'vm.start', victim.name)
    run.tookMs.set('vm.start', performance.now() - began)
    await needOpen(victim, run.look)
  }
  const told = await goesOn(victim, since, { begun, restored })
  expect({ began: told.resumed.length }).toEqual({ began: begun ? 1 : 0 })
  for (const { uuid, name } of fresh) {
    const { number } = known.snapshots.get(uuid)!
    // What is on both disks may not have been told before the guest was cut off.
    if (number < since.last || number > told.highest + 1)
      throw new Error(`${name} holds ${number}, of no moment since ${since.last}`)
  }
  await fillNew(victim, run.look, known)
  run.told = told
  run.longestS = Math.max(run.longestS, told.longestS)
  return job
}
