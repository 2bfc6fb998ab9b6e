import { afterEach, describe, expect, test } from 'bun:test'
import { PENGX } from '../support/pengx.ts'
import { openPty, type Pty } from '../support/pty.ts'

/** What only a real terminal shows: sequences that are sent to it, and what it sends by itself. */
const open: Pty[] = []

function start(words: readonly string[], env: Record<string, string> = {}): Pty {
  const pty = openPty([...PENGX, '--demo', ...words], { env })
  open.push(pty)
  return pty
}

afterEach(async () => {
  for (const pty of open.splice(0)) {
    pty.kill('SIGKILL')
    await pty.exited
  }
})

describe('for those who hear the screen', () => {
  test.each([
    [['--screen-reader'], {}],
    [[], { INK_SCREEN_READER: 'true' }],
  ])('%p %p: words on the terminal as it is, and nothing moves by itself', async (words, env) => {
    const pty = start(words, env)
    await pty.shows('Row 1 of 4: xen1')
    await pty.hears()
    // The site is looked at while it is shown, and says nothing of what comes by itself: it is asked until all are there.
    while (!/Row \d+ of 40: /.test(pty.text())) {
      pty.type('3')
      await Bun.sleep(100)
    }
    expect(pty.text()).toMatch(/VMs, \d+, sorted by name ascending\./)
    pty.type('/web01\r')
    await pty.shows('Row 1 of 1: web01')
    expect(pty.raw()).not.toContain('\x1b[?1049h')
    expect(pty.text()).not.toMatch(/[╭│╰]/)
    pty.type('q')
    expect(await pty.exited).toBe(0)
    expect(pty.isCooked()).toBe(true)
  })
})

describe('the mouse', () => {
  test('is asked for by ctrl-o, heard, and given back on the way out', async () => {
    const pty = start([])
    await pty.shows('xen4')
    await pty.hears()
    pty.type('\x0f')
    await pty.shows('mouse on')
    expect(pty.raw()).toContain('\x1b[?1000h\x1b[?1006h')
    // The place bar is the second line; VMs stand there.
    pty.type('\x1b[<0;24;2M\x1b[<0;24;2m')
    await pty.shows('[3 VMs]')
    pty.type('q')
    expect(await pty.exited).toBe(0)
    expect(pty.raw().lastIndexOf('\x1b[?1000l')).toBeGreaterThan(pty.raw().lastIndexOf('\x1b[?1000h'))
  })
})
