import { describe, expect, test } from 'bun:test'
import { createBeat } from '../../../src/engine/watch/beat.ts'
import type { Pm } from '../../../src/model/pm.ts'
import { act, makeVm, pmNamed } from '../../support/sites/acts.ts'
import { openWorld } from '../../support/sites/world.ts'
import { createTurnedClock } from '../../support/turnedClock.ts'
import { until } from '../../support/until.ts'
import { aPm, newPlace } from '../store/samples.ts'

/** When PMs have their turn. */
async function beatOn(pms: readonly Pm[]) {
  const place = newPlace()
  const clock = createTurnedClock()
  const { view, inventory } = await place.open(clock)
  for (const pm of pms) await inventory.putPm(pm)
  const looks: string[] = []
  const gates: (() => void)[] = []
  let isGated = false
  const beat = createBeat(
    view,
    {
      async look(pm) {
        looks.push(pm)
        if (isGated) await new Promise<void>((resolve) => gates.push(resolve))
      },
    },
    clock,
  )
  return {
    ...{ beat, clock, looks, inventory },
    /** From now on a look lasts until it is let through. */
    gate() {
      isGated = true
    },
    pass: () => gates.shift()?.(),
    /** The look at work ends, and the next one comes so much later and no sooner. */
    async nextAfter(ms: number) {
      const before = looks.length
      gates.shift()?.()
      await clock.advance(ms - 1)
      expect(looks).toHaveLength(before)
      await clock.advance(1)
      expect(looks).toHaveLength(before + 1)
    },
    async close() {
      beat.stop()
      await place[Symbol.asyncDispose]()
    },
  }
}

describe('the beat', () => {
  test('a nudge during a look is another look after it, and one', async () => {
    const pm = aPm()
    const { beat, clock, looks, gate, pass, nextAfter, close } = await beatOn([pm])
    try {
      gate()
      beat.start()
      expect(looks).toHaveLength(1)
      beat.nudge(pm.uuid)
      beat.nudge(pm.uuid)
      pass()
      await clock.advance(0)
      expect(looks).toHaveLength(2)
      await nextAfter(2_000)
    } finally {
      await close()
    }
  })

  test('a PM that takes long to answer is not looked at all the time: it is left alone for four times as long', async () => {
    const pm = aPm()
    const { beat, clock, inventory, gate, nextAfter, close } = await beatOn([pm])
    try {
      gate()
      beat.start()
      for (const [tookMs, pauseMs] of [
        [1_500, 6_000],
        [400, 2_000],
        [60_000, 10_000],
      ] as const) {
        await clock.advance(tookMs)
        await nextAfter(pauseMs)
      }
      // When it is down it is asked again as soon as any other.
      await inventory.putPm({ ...pm, seen: { ...pm.seen, reach: 'down', since: 0, problem: 'it is away' } })
      await nextAfter(3_200)
    } finally {
      await close()
    }
  })

  test('a PM that is removed has no turn, nor a pause that is waited for', async () => {
    const [stays, goes] = [aPm(), aPm()]
    const { beat, clock, looks, inventory, close } = await beatOn([stays, goes])
    try {
      beat.start()
      await clock.advance(0)
      expect(clock.sleepers).toBe(2)
      await inventory.dropPm(goes.uuid)
      beat.sync()
      await clock.advance(0)
      expect(clock.sleepers).toBe(1)
      looks.length = 0
      await clock.advance(10_000)
      expect(new Set(looks)).toEqual(new Set([stays.uuid]))
      beat.stop()
      await clock.advance(0)
      expect(clock.sleepers).toBe(0)
    } finally {
      await close()
    }
  })
})

test('the end of a job has the PMs looked at that it was about, and no other', async () => {
  const clock = createTurnedClock()
  const world = await openWorld({ clock, watch: 'beat' })
  try {
    await until(async () => {
      await clock.advance(100)
      return world.engine.view.vms().length > 4
    })
    const { uuid: vm } = await makeVm(world)
    await clock.advance(0)
    const looked: string[] = []
    world.engine.onCommand(({ host, line, tookMs }) => {
      if (tookMs === undefined && line.includes('xl info')) looked.push(host)
    })
    await act(world, 'vm.start', { vm })
    await clock.advance(0)
    expect(world.engine.view.needVm(vm).pm).toBe(pmNamed(world))
    expect(new Set(looked)).toEqual(new Set(['xen1']))
  } finally {
    await world.close()
  }
})
