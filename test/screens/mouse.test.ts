import { afterEach, describe, expect, test } from 'bun:test'
import { type Click, withoutClicks } from '../../src/ui/mouseInput.ts'
import { openRobot, type Robot } from '../support/screenRobot.ts'
import { createScreenEngine, mockSite, type ScreenEngine } from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** Stories of a person with a mouse. */
let robot: Robot
let engine: ScreenEngine

afterEach(() => robot.close())

async function open(): Promise<void> {
  engine = createScreenEngine({ ...mockSite(), jobs: [] })
  robot = await openRobot(engine)
  await robot.press('3')
}

/** A click on the first cell of a text, on the line that holds another. */
async function click(text: string, on = text): Promise<void> {
  const row = robot.lines().findIndex((line) => line.includes(on) && line.includes(text))
  if (row < 0) throw new Error(`no line holds "${text}":\n${robot.text()}`)
  const column = Bun.stringWidth(robot.lines()[row]!.split(text)[0]!)
  await robot.burst(`\x1b[<0;${column + 1};${row + 1}M`)
  await robot.burst(`\x1b[<0;${column + 1};${row + 1}m`)
}

const cursor = () => robot.line('▸').split('▸')[1]!.trim().split(/\s+/)[0]

describe('the mouse', () => {
  test('is off until ctrl-o, and the terminal is told', async () => {
    await open()
    await click('web02')
    expect(cursor()).toBe('db01')
    expect(robot.written()).not.toContain('\x1b[?1000h')
    await robot.press('ctrl-o')
    expect(robot.written()).toContain('\x1b[?1000h\x1b[?1006h')
    await robot.press('ctrl-o')
    expect(robot.written()).toEndWith('\x1b[?1006l\x1b[?1000l')
  })

  test('a click is the cursor, a second one opens, and the wheel moves', async () => {
    await open()
    await robot.press('ctrl-o')
    await click('web02')
    expect(cursor()).toBe('web02')
    await robot.burst('\x1b[<65;5;10M')
    expect(cursor()).toBe('web05')
    await click('web-한국', '? unknown')
    await click('web-한국', '? unknown')
    await robot.shows('VMs › web-한국')
  })

  test('titles sort, places and keys below do what they say', async () => {
    await open()
    await robot.press('ctrl-o')
    await click('CPU%', 'STATUS')
    expect(robot.line('sort')).toContain('sort CPU% ↓')
    await click('CPU%', 'STATUS')
    expect(robot.line('sort')).toContain('sort CPU% ↑')
    await click('5 Storage')
    await robot.shows('[5 Storage]')
    await click('n new')
    await robot.shows('Create storlink')
    await click('3 VMs')
    expect(robot.text()).toContain('Create storlink')
  })

  test('in menus and questions lines and buttons are clicked', async () => {
    await open()
    await robot.press('ctrl-o', 'x')
    await click('shut down db01')
    await robot.shows('Shut down db01?')
    await click('[ n no ]')
    await robot.hides('Shut down db01?')
    await robot.press('d')
    await robot.shows('Shut down db01?')
    await click('[ y yes ]')
    await until(() => engine.started.length === 1)
  })

  test('is taken back from the terminal at the end', async () => {
    await open()
    await robot.press('ctrl-o')
    await robot.close()
    expect(robot.written().lastIndexOf('\x1b[?1000l')).toBeGreaterThan(robot.written().lastIndexOf('\x1b[?1000h'))
  })
})

test('reports of the mouse are taken out of what is typed', () => {
  const readFrom = (text: string) => {
    const clicks: Click[] = []
    const stdin = withoutClicks({ read: () => text } as NodeJS.ReadStream, (click) => clicks.push(click))
    return { rest: stdin.read(), clicks }
  }
  expect(readFrom('a\x1b[<0;10;5Mb\x1b[<0;10;5mc\x1b[<64;1;1M')).toEqual({
    clicks: [
      { button: 'left', column: 9, row: 4 },
      { button: 'wheelUp', column: 0, row: 0 },
    ],
    rest: 'abc',
  })
  expect(readFrom('\x1b[<2;10;5M\x1b[A')).toEqual({ clicks: [], rest: '\x1b[A' })
})
