// What the soak does beside the schedules, and what it kills meanwhile: chosen by a generator that a seed repeats.
import { type Act, pickAct, type Standing } from '../kills/acts.ts'
import { BACKUPS } from './place.ts'

/** What is done beside what fits the guest's snapshots and disks. */
const SHARES = { migrate: 0.16, backup: 0.08, verify: 0.06 } as const

/** A server is what makes the scheduled backups, a command what does the act. */
type Killed = 'command' | 'server' | 'both' | 'nothing'

export interface SoakAct extends Act {
  readonly kill: Killed
  /** Of the time that it takes, from 0 on: when the command is killed, and when the server. */
  readonly commandAt: number
  readonly serverAt: number
  /** So long the world moves on before anybody takes over what was left. */
  readonly pauseMs: number
}

export interface SoakStanding extends Standing {
  /** The PM that it is not on; and whether it goes there this time, whatever else might be picked. */
  readonly otherPm: string
  readonly isToGo: boolean
  /** UUIDs of good backups of it, the oldest first. */
  readonly backups: readonly string[]
}

const LONGEST_PAUSE_MS = 6_000
/** Before, hardly more than pengx itself has begun; some end before they are killed. */
const MOMENTS = { from: 0.15, to: 1.05 } as const

/** Draws as many numbers whatever it picks, so that a seed's next act depends on nothing that was slow. */
export function pickSoakAct(standing: SoakStanding, random: () => number): SoakAct {
  const [kind, kill, commandAt, serverAt, pause] = Array.from({ length: 5 }, random) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const own = pickAct(standing, random)
  return {
    ...(actOf(kind, standing) ?? own),
    kill: kill < 0.4 ? 'command' : kill < 0.65 ? 'server' : kill < 0.8 ? 'both' : 'nothing',
    commandAt: MOMENTS.from + commandAt * (MOMENTS.to - MOMENTS.from),
    serverAt,
    pauseMs: pause < 0.5 ? 0 : (pause - 0.5) * 2 * LONGEST_PAUSE_MS,
  }
}

function actOf(kind: number, { name, otherPm, isToGo, backups }: SoakStanding): Act | undefined {
  const of = (...words: [string, ...string[]]): Act => ({ operation: words[0], words, isOff: false })
  if (isToGo || kind < SHARES.migrate) return of('vm.migrate', name, '--pm', otherPm)
  if (kind < SHARES.migrate + SHARES.backup) return of('backup.create', name, '--storlink', BACKUPS)
  // The newest, which no retention removes meanwhile.
  const backup = backups.at(-1)
  if (kind < SHARES.migrate + SHARES.backup + SHARES.verify && backup !== undefined) return of('backup.verify', backup)
  return undefined
}
