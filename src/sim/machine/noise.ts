/**
 * How busy a simulated guest is. Rates swing on two sine waves whose phase and height come from a hash, so
 * a counter at any moment is a closed formula: nothing ticks while nobody looks.
 */
import type { Counters } from './state.ts'

/** A near origin for times: a cosine of seconds since 1970 has few digits left. */
const ORIGIN_MS = 1_790_000_000_000

/** FNV-1a over UTF-16 units. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

/** A number in [0, 1) that depends on nothing but its arguments. */
function unit(hash: number, salt: number): number {
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

interface Wave {
  readonly speed: number
  readonly height: number
  readonly phase: number
}

/** What one guest or interface is like, for as long as it lives. */
interface Character {
  readonly hash: number
  readonly load: number
  /** Bytes a second on average. */
  readonly rx: number
  readonly tx: number
  readonly read: number
  readonly written: number
  readonly waves: { readonly [K in keyof Counters]: readonly Wave[] }
}

/** By what it was asked for: a character never changes, and a site asks for the same again and again. */
const characters = new Map<string, Character>()

function characterOf(key: string): Character {
  const known = characters.get(key)
  if (known) return known
  const hash = hashText(key)
  const load = loadOf(hash)
  const traffic = 2_000 + 4_000_000 * load * load * unit(hash, 3)
  const disk = 500 + 20_000_000 * load * load * unit(hash, 4)
  const made: Character = {
    hash,
    load,
    rx: traffic * (0.4 + unit(hash, 5)),
    tx: traffic * (0.4 + unit(hash, 6)),
    read: disk * unit(hash, 7),
    written: disk * (0.3 + unit(hash, 8)),
    waves: {
      cpu: wavesOf(hash, 10),
      rx: wavesOf(hash, 20),
      tx: wavesOf(hash, 30),
      read: wavesOf(hash, 40),
      written: wavesOf(hash, 50),
    },
  }
  characters.set(key, made)
  return made
}

function wavesOf(hash: number, salt: number): readonly Wave[] {
  const phase = 2 * Math.PI * unit(hash, salt + 2)
  return [
    { speed: (2 * Math.PI) / (40 + 120 * unit(hash, salt)), height: 0.5, phase },
    { speed: (2 * Math.PI) / (900 + 2700 * unit(hash, salt + 1)), height: 0.3, phase },
  ]
}

/** How many of its vcpus a guest keeps busy on average, 0 to 1. */
function loadOf(hash: number): number {
  const kind = unit(hash, 1)
  const within = unit(hash, 2)
  if (kind < 0.6) return 0.005 + 0.03 * within
  if (kind < 0.9) return 0.05 + 0.25 * within
  return 0.4 + 0.14 * within
}

/** The area under `1 + 0.5 sin + 0.3 sin` from one second to another: 1 a second on average, never falling. */
function swing(waves: readonly Wave[], from: number, to: number): number {
  let area = to - from
  for (const { speed, height, phase } of waves)
    area += (height / speed) * (Math.cos(speed * from + phase) - Math.cos(speed * to + phase))
  return area
}

function secondsOf(fromMs: number, toMs: number): [number, number] {
  const from = (fromMs - ORIGIN_MS) / 1000
  return [from, Math.max(from, (toMs - ORIGIN_MS) / 1000)]
}

/** What a guest of `vcpus` used and moved between two moments (milliseconds since 1970). */
export function countersBetween(key: string, vcpus: number, fromMs: number, toMs: number): Counters {
  const one = characterOf(key)
  const [from, to] = secondsOf(fromMs, toMs)
  return {
    cpu: cpuBetween(key, vcpus, fromMs, toMs),
    ...trafficBetween(key, fromMs, toMs),
    read: one.read * swing(one.waves.read, from, to),
    written: one.written * swing(one.waves.written, from, to),
  }
}

/** Only the CPU seconds of `countersBetween`. */
export function cpuBetween(key: string, vcpus: number, fromMs: number, toMs: number): number {
  const one = characterOf(key)
  return one.load * vcpus * swing(one.waves.cpu, ...secondsOf(fromMs, toMs))
}

/** Only the network bytes of `countersBetween`. */
export function trafficBetween(key: string, fromMs: number, toMs: number): { rx: number; tx: number } {
  const one = characterOf(key)
  const [from, to] = secondsOf(fromMs, toMs)
  return { rx: one.rx * swing(one.waves.rx, from, to), tx: one.tx * swing(one.waves.tx, from, to) }
}

/** A number in [0, 1) that something has at a moment, for letters and loads that flicker. */
export function flicker(key: string, moment: number): number {
  return unit(characterOf(key).hash, moment)
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
