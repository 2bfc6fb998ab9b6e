/** Does one piece of work after another in each lane, in the order in which they were asked for; lanes side by side. */
export type InTurn = <T>(lane: string, work: () => Promise<T>) => Promise<T>

/** One that fails fails for who asked for it, and keeps nobody behind it from its turn. */
export function createLanes(): InTurn {
  const lasts = new Map<string, Promise<unknown>>()
  return async (lane, work) => {
    const before = lasts.get(lane)
    const own = before === undefined ? work() : before.then(work)
    const over = own.catch(() => undefined)
    lasts.set(lane, over)
    try {
      return await own
    } finally {
      if (lasts.get(lane) === over) lasts.delete(lane)
    }
  }
}
