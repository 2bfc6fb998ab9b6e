/** One client must not starve the others: each has a bucket of requests that fills again all the time. */
export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** Generous: a script that polls every VM of a site passes. */
export const DEFAULT_RATE: RateLimit = { perSecond: 500, burst: 2_000 }

const MOST_CLIENTS = 10_000

/** Says whether a client may ask now. */
export function createRateLimiter({ perSecond, burst }: RateLimit, now: () => number): (client: string) => boolean {
  const buckets = new Map<string, { left: number; at: number }>()
  return (client) => {
    const at = now()
    const before = buckets.get(client)
    const left = before ? Math.min(burst, before.left + ((at - before.at) / 1_000) * perSecond) : burst
    // The longest known comes first: the map keeps the order in which clients were put in.
    buckets.delete(client)
    if (buckets.size >= MOST_CLIENTS) buckets.delete(buckets.keys().next().value!)
    buckets.set(client, { left: left >= 1 ? left - 1 : left, at })
    return left >= 1
  }
}
