/**
 * Much to do in one process, in slices: who has more to do than a moment's work asks for a turn between two pieces of it,
 * and whoever else is there (a request, a key, a timer) has theirs in between.
 */
export interface Turns {
  /**
   * Undefined: go on at once. Else it resolves in its turn, on a later round of the event loop; `awaited`: before all that
   * nobody waits for.
   */
  take(awaited?: 'awaited'): Promise<void> | undefined
  /** Somebody has a turn, or waits for one. */
  readonly isBusy: boolean
}

interface TurnsOptions {
  /** After so many milliseconds a round is over for all that take turns. */
  readonly longestMs: number
  readonly now?: () => number
  /** Calls back on the next round of the event loop. */
  readonly nextRound?: (go: () => void) => void
  /** Calls back when this round is over. */
  readonly roundOver?: (go: () => void) => void
}

/** Between a turn that is given and the work that was waiting for it lie so many promises at most. */
const HOPS = 4

/**
 * In the order in which they have asked; each round serves one at least.
 *
 * @internal Exported for its test, which turns the rounds itself.
 */
export function createTurns({
  longestMs,
  now = () => performance.now(),
  // What an immediate resolves, Bun 1.4.5 may leave for a second where `expect().rejects` waits for it.
  nextRound = (go) => void setTimeout(go, 0),
  roundOver = (go) => void setImmediate(go),
}: TurnsOptions): Turns {
  const waiting: (() => void)[] = []
  const waitingAwaited: (() => void)[] = []
  /** When this round began; undefined: nobody has taken a turn in it. */
  let since: number | undefined
  let isBusy = false

  function hasTime(): boolean {
    if (since === undefined) {
      since = now()
      roundOver(() => {
        since = undefined
      })
    }
    return now() - since <= longestMs
  }

  function give(): void {
    const next = waitingAwaited.shift() ?? waiting.shift()!
    next()
    void passOn()
  }

  /** Of many that ask in one moment, each sees what those before it have taken. */
  async function passOn(): Promise<void> {
    for (let hop = 0; hop < HOPS; hop++) await null
    if (waiting.length === 0 && waitingAwaited.length === 0) isBusy = false
    else if (hasTime()) give()
    else giveNextRound()
  }

  function giveNextRound(): void {
    nextRound(() => {
      since = undefined
      hasTime()
      give()
    })
  }

  return {
    get isBusy() {
      return isBusy
    },
    take(awaited) {
      const isFree = !isBusy
      isBusy = true
      if (isFree && hasTime()) {
        void passOn()
        return undefined
      }
      return new Promise((resolve) => {
        const queue = awaited ? waitingAwaited : waiting
        queue.push(resolve)
        if (isFree) giveNextRound()
      })
    },
  }
}

/** An answer of many megabytes goes out in several rounds, so each has to be short. */
const LONGEST_MS = 3

/** Those of this process: all that is at work in it shares its rounds. */
export const turns = createTurns({ longestMs: LONGEST_MS })
