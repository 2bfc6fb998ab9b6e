import { afterEach, describe, expect, test } from 'bun:test'
import type { AppContext } from '../../src/screens/app/context.ts'
import { recentChanges } from '../../src/screens/app/recentChanges.ts'
import { openRobot, type Robot } from '../support/screenRobot.ts'
import { createScreenEngine, mockSite, uuidOf } from '../support/sites/screenSite.ts'

/** Bold and its colour, as they are written. */
const BOLD = '\x1b[1;33m‖ paused'

let robot: Robot | undefined
afterEach(async () => {
  await robot?.close()
  robot = undefined
})

describe('what has just changed', () => {
  test('is told for one beat, and what comes into sight is not', () => {
    let at = 0
    const app = { options: {}, now: () => at } as unknown as AppContext
    const hasChanged = (text: string) => recentChanges(app, 'vms')!('a', 'status', text)
    expect(hasChanged('running')).toBe(false)
    expect(hasChanged('paused')).toBe(true)
    at = 1999
    expect(hasChanged('paused')).toBe(true)
    at = 2000
    expect(hasChanged('paused')).toBe(false)
    recentChanges(app, 'vms')
    expect(hasChanged('running')).toBe(false)
  })

  test('is bold on the screen, and nowhere with motion off', async () => {
    const engine = createScreenEngine({ ...mockSite(), jobs: [] })
    const pause = async () => {
      const vms = engine.site.vms.map((vm) =>
        vm.name === 'web02' ? { ...vm, seen: { ...vm.seen, state: 'paused' as const } } : vm,
      )
      engine.set({ vms }, [{ kind: 'vm', id: uuidOf(2, 4) }])
      await robot!.shows('web02        ‖ paused')
    }
    robot = await openRobot(engine)
    await robot.press('3')
    expect(robot.raw()).not.toContain(BOLD)
    await pause()
    expect(robot.raw()).toContain(BOLD)
    await robot.close()
    engine.set({ vms: mockSite().vms })
    robot = await openRobot(engine, { motion: false })
    await robot.press('3')
    await pause()
    expect(robot.raw()).not.toContain(BOLD)
  })
})
