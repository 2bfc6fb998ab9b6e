/** Who sleeps by a clock of tests, which wakes them itself. */
interface Sleeper {
  readonly at: number
  wake(): void
}

export interface Sleepers {
  /** Another list after each change: who holds one sees whether anything has changed. */
  all(): readonly Sleeper[]
  /** The one whose time comes first. */
  first(): Sleeper | undefined
  /** Takes one out and lets it go on. */
  wake(sleeper: Sleeper): void
  /** As a clock's `sleep`, until that time. */
  sleepUntil(at: number, signal?: AbortSignal): Promise<void>
}

export function createSleepers(): Sleepers {
  let sleeping: readonly Sleeper[] = []
  const takeOut = (sleeper: Sleeper) => {
    sleeping = sleeping.filter((one) => one !== sleeper)
  }
  return {
    all: () => sleeping,
    first: () =>
      sleeping.reduce<Sleeper | undefined>(
        (one, other) => (one === undefined || other.at < one.at ? other : one),
        undefined,
      ),
    wake(sleeper) {
      takeOut(sleeper)
      sleeper.wake()
    },
    sleepUntil: (at, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const sleeper: Sleeper = {
          at,
          wake: () => {
            signal?.removeEventListener('abort', stop)
            resolve()
          },
        }
        const stop = () => {
          takeOut(sleeper)
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', stop, { once: true })
        sleeping = [...sleeping, sleeper]
      }),
  }
}
