/** The sanlock that runs on a simulated PM. */
export interface SimSanlock {
  /** What it has joined. */
  lockspace?: { name: string; hostId: number; path: string }
  /** Names of leases that somebody has for as long as he likes. */
  held: string[]
  /** Those that count while a guest of that UUID is there. */
  ofGuests: string[]
}
