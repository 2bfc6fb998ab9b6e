import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import PQueue from 'p-queue'
import type { Json } from '../../src/model/json.ts'
import { copyWorld, openWorld, pictureOf, type World, type WorldPlace } from '../support/sites/world.ts'
import { countTrials } from '../support/trialCount.ts'
import type { OperationCase } from './operationCase.ts'

/**
 * The worlds in which an operation is tried: each its own, in files, and at one moment, that before the operation. What has
 * led to it is done once and its files are copied, where nothing outside the world belongs to it.
 */
export interface Trials {
  /** A new one, which nothing holds open. */
  prepare(): Promise<Prepared>
  /** Where another can lie. */
  nextPlace(): WorldPlace
  /** A new one at work; its files go with it. */
  inWorld(
    more: Parameters<typeof openWorld>[0],
    use: (world: World, raw: Raw, before: Json, place: WorldPlace) => Promise<void>,
  ): Promise<void>
  /** Each has a world of its own and mostly waits: two run at once. */
  each(trials: readonly (() => Promise<void>)[]): Promise<void>
  close(): void
}

type Raw = Readonly<Record<string, unknown>>

export interface Prepared {
  readonly place: WorldPlace
  readonly raw: Raw
  /** What a person would call the state of the site then. */
  readonly before: Json
}

/** In memory where there is such a file system: what is tried is not whether a disk keeps what it was given. */
const PLACES = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export function openTrials(one: OperationCase): Trials {
  const root = mkdtempSync(join(PLACES, 'pengx-operation-'))
  let count = 0
  let passed = 0
  let first: Promise<Prepared> | undefined
  const nextPlace = (): WorldPlace => ({ db: join(root, `${++count}.db`), state: join(root, `${count}.json`) })

  async function make(): Promise<Prepared> {
    const place = nextPlace()
    const world = await openWorld({ ...one.config }, place)
    try {
      const raw = await one.prepare(world)
      return { place, raw, before: await pictureOf(world) }
    } finally {
      await world.close()
    }
  }

  async function prepare(): Promise<Prepared> {
    if (one.inTurns) return await make()
    first ??= make()
    const { place, raw, before } = await first
    const to = nextPlace()
    copyWorld(place, to)
    return { place: to, raw, before }
  }

  return {
    prepare,
    nextPlace,
    async inWorld(more, use) {
      const { place, raw, before } = await prepare()
      const world = await openWorld({ ...one.config, ...more }, { ...place, forgets: true })
      try {
        await use(world, raw, before, place)
      } finally {
        await world.close()
        for (const path of [place.state, place.db, `${place.db}-wal`, `${place.db}-shm`]) rmSync(path, { force: true })
      }
    },
    async each(trials) {
      const queue = new PQueue({ concurrency: one.inTurns ? 1 : 2 })
      await queue.addAll(trials)
      passed += trials.length
    },
    close() {
      if (passed > 0) countTrials(passed)
      rmSync(root, { recursive: true, force: true })
    },
  }
}
