import { afterEach, expect, test } from 'bun:test'
import { openRobot, type Robot } from '../support/screenRobot.ts'
import { createScreenEngine, mockSite, uuidOf } from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** What is drawn piece by piece is what a whole frame would be, after whatever was there before. */

/** Blanks at the ends of lines and of the screen are no matter. */
const blunt = (text: string) => text.replace(/ +$/gm, '').trimEnd()

const robots: Robot[] = []
afterEach(async () => {
  for (const robot of robots.splice(0)) await robot.close()
})

async function openBoth(columns: number, rows: number) {
  const engine = createScreenEngine({ ...mockSite(), jobs: [] })
  const whole = await openRobot(engine, { columns, rows })
  robots.push(whole)
  const drawn = await openRobot(engine, { columns, rows, drawn: true })
  robots.push(drawn)
  const alike = () =>
    until(() => drawn.text() === blunt(whole.text()), `${drawn.text()}\nto be\n${whole.text()}\nwhich`)
  return {
    engine,
    alike,
    async press(key: string) {
      for (const robot of [whole, drawn]) await robot.press(key)
      await alike()
    },
    async resize(columns: number, rows: number) {
      for (const robot of [whole, drawn]) await robot.resize(columns, rows)
      await alike()
    },
  }
}

test.each([
  [120, 36],
  [80, 24],
] as const)('screens, lists, dialogs and their end, %i x %i', async (columns, rows) => {
  const both = await openBoth(columns, rows)
  await both.alike()
  for (const key of ['3', 'j', 'j', 'space', 'k', 'w', '/', 'w', 'e', 'enter', 'esc', 'esc', '?', 'esc', 'x', 'esc']) {
    await both.press(key)
  }
  for (const key of ['enter', 'tab', 'tab', 'esc', '2', '5', '7', '8', '1', 'tab', ':', 'v', 'esc'])
    await both.press(key)
})

test('a frame comes at one go', async () => {
  const robot = await openRobot(createScreenEngine(), { drawn: true })
  robots.push(robot)
  await until(() => robot.written().includes('\x1b[?2026l'), 'the end of a frame')
  expect(robot.written().indexOf('\x1b[?2026h')).toBeLessThan(robot.written().indexOf(' pengx'))
})

test('another size, and what changes by itself', async () => {
  const both = await openBoth(120, 36)
  await both.press('3')
  const seen = (state: 'paused' | 'running') =>
    mockSite().vms.map((vm) => (vm.name === 'web02' ? { ...vm, seen: { ...vm.seen, state } } : vm))
  both.engine.set({ vms: seen('paused') }, [{ kind: 'vm', id: uuidOf(2, 4) }])
  await both.alike()
  for (const [columns, rows] of [
    [100, 30],
    [140, 40],
    [70, 20],
    [120, 36],
  ] as const)
    await both.resize(columns, rows)
  both.engine.set({ vms: seen('running') }, [{ kind: 'vm', id: uuidOf(2, 4) }])
  await both.alike()
  expect(robots).toHaveLength(2)
})
