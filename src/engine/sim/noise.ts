/**
 * How busy a simulated guest is. Rates swing on two sine waves whose phase and height come from a hash, so
 * a counter at any moment is a closed formula: nothing ticks while nobody looks.
 */
import type { Counters } from './state.ts'

/** FNV-1a over UTF-16 units. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

/** A number in [0, 1) that depends on nothing but its arguments. */
export function unit(hash: number, salt: number): number {
  let x = (hash ^ Math.imul(salt + 1, 0x9e3779b1)) >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return ((x ^ (x >>> 16)) >>> 0) / 4294967296
}

/** A generator of such numbers, for laying out a site. */
export function createRandom(seed: number): () => number {
  let count = 0
  return () => unit(seed, count++)
}

/** The area under `1 + 0.5 sin + 0.3 sin` from one second to another: 1 a second on average, never falling. */
function swing(hash: number, salt: number, fromSeconds: number, toSeconds: number): number {
  let area = toSeconds - fromSeconds
  const waves: [number, number][] = [
    [40 + 120 * unit(hash, salt), 0.5],
    [900 + 2700 * unit(hash, salt + 1), 0.3],
  ]
  for (const [period, height] of waves) {
    const speed = (2 * Math.PI) / period
    const phase = 2 * Math.PI * unit(hash, salt + 2)
    area += (height / speed) * (Math.cos(speed * fromSeconds + phase) - Math.cos(speed * toSeconds + phase))
  }
  return area
}

/** How many of its vcpus a guest keeps busy on average, 0 to 1. */
export function loadOf(hash: number): number {
  const kind = unit(hash, 1)
  const within = unit(hash, 2)
  if (kind < 0.6) return 0.005 + 0.03 * within
  if (kind < 0.9) return 0.05 + 0.25 * within
  return 0.4 + 0.14 * within
}

/** What a guest of `vcpus` used and moved between two moments (milliseconds since 1970). */
export function countersBetween(hash: number, vcpus: number, fromMs: number, toMs: number): Counters {
  // Taken from a near origin: a cosine of a number of seconds since 1970 has few digits left.
  const from = (fromMs - 1_790_000_000_000) / 1000
  const to = Math.max(from, (toMs - 1_790_000_000_000) / 1000)
  const load = loadOf(hash)
  const traffic = 2_000 + 4_000_000 * load * load * unit(hash, 3)
  const disk = 500 + 20_000_000 * load * load * unit(hash, 4)
  return {
    cpu: load * vcpus * swing(hash, 10, from, to),
    rx: traffic * (0.4 + unit(hash, 5)) * swing(hash, 20, from, to),
    tx: traffic * (0.4 + unit(hash, 6)) * swing(hash, 30, from, to),
    read: disk * unit(hash, 7) * swing(hash, 40, from, to),
    written: disk * (0.3 + unit(hash, 8)) * swing(hash, 50, from, to),
  }
}

export function addCounters(a: Counters, b: Counters): Counters {
  return {
    cpu: a.cpu + b.cpu,
    rx: a.rx + b.rx,
    tx: a.tx + b.tx,
    read: a.read + b.read,
    written: a.written + b.written,
  }
}

export const NO_COUNTERS: Counters = { cpu: 0, rx: 0, tx: 0, read: 0, written: 0 }
