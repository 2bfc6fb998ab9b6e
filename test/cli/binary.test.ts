import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { openPty, type Pty } from '../support/pty.ts'
import { until } from '../support/until.ts'

/** The executable itself, in a real terminal; `npm test` builds it from these sources first. */
const PENGX = resolve(import.meta.dir, '../../dist/pengx')

const open: Pty[] = []
const start = (...words: string[]) => {
  if (!existsSync(PENGX)) throw new Error('dist/pengx is not there: npm run build')
  const pty = openPty([PENGX, ...words])
  open.push(pty)
  return pty
}

afterEach(async () => {
  for (const pty of open.splice(0)) {
    pty.kill('SIGKILL')
    await pty.exited
  }
})

const ENTERED = '\x1b[?1049h'
const LEFT = '\x1b[?1049l'
const CURSOR_SHOWN = '\x1b[?25h'

function expectTerminalBack(pty: Pty): void {
  const raw = pty.raw()
  expect(raw.lastIndexOf(LEFT)).toBeGreaterThan(raw.lastIndexOf(ENTERED))
  expect(raw.lastIndexOf(CURSOR_SHOWN)).toBeGreaterThan(raw.lastIndexOf('\x1b[?25l'))
  expect(pty.isCooked()).toBe(true)
}

describe('the terminal interface', () => {
  test('draws the site, follows a key, and gives the terminal back on q', async () => {
    const pty = start('--demo')
    expect(pty.isCooked()).toBe(true)
    await pty.shows('xen1')
    expect(pty.raw()).toContain(ENTERED)
    await until(() => !pty.isCooked(), 'raw mode')
    pty.forget()
    pty.type('3')
    await pty.shows('cache01')
    pty.type('q')
    expect(await pty.exited).toBe(0)
    expectTerminalBack(pty)
  })

  test('draws itself anew when the terminal changes its size', async () => {
    const pty = start('--demo')
    await pty.shows('xen1')
    pty.forget()
    pty.resize(70, 20)
    await pty.shows('70x20')
    pty.forget()
    pty.resize(100, 30)
    await pty.shows('xen1')
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('gives the terminal back on %s', async (signal, status) => {
    const pty = start('--demo')
    await pty.shows('xen1')
    pty.kill(signal)
    expect(await pty.exited).toBe(status)
    expectTerminalBack(pty)
  })
})

describe('the executable', () => {
  test('obeys no settings of the directory that it is started in', async () => {
    const child = Bun.spawn([PENGX, '--version'], {
      cwd: resolve(import.meta.dir, '../support/trap'),
      stdout: 'pipe',
      stderr: 'pipe',
    })
    expect(await new Response(child.stdout).text()).toMatch(/^pengx \d+\.\d+\.\d+\n$/)
    expect(await new Response(child.stderr).text()).toBe('')
  })

  test('asks on the terminal before it disrupts, and shows progress there', async () => {
    const pty = start('--demo', 'run', 'vm.poweroff', 'web01')
    await pty.shows('power off web01? [y/N] ')
    pty.type('y\r')
    await until(() => pty.text().includes('done in'), 'the end of the job')
    expect(await pty.exited).toBe(0)
    expect(pty.isCooked()).toBe(true)
  })

  test('undoes on ctrl-c what it is at', async () => {
    const pty = start('--demo', 'run', 'vm.shutdown', 'stubborn01', '--timeout', '600', '--yes')
    await pty.shows('waited')
    pty.type('\x03')
    expect(await pty.exited).toBe(1)
    expect(pty.text()).toContain('undoing job 1')
    expect(pty.text()).toContain('was cancelled and undone (job 1)')
  })
})
