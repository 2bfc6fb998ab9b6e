import { EventEmitter } from 'node:events'
import { cellWidth } from '../../src/lib/text.ts'
import { startScreens } from '../../src/screens/shell/start.tsx'
import { createEmulator } from './emulator.ts'
import { NOW, type ScreenEngine } from './sites/screenSite.ts'
import { until } from './until.ts'

/** A person at a terminal: presses keys and reads the screen, through Ink and everything behind it. */
export interface Robot {
  /** Keys by name (`enter`, `esc`, `down`, `ctrl-d`) or characters; each arrives by itself. */
  press(...keys: readonly string[]): Promise<void>
  /** All at once, as typed ahead. */
  burst(text: string): Promise<void>
  paste(text: string): Promise<void>
  /** The screen without colours. */
  text(): string
  lines(): string[]
  /** The screen as it was written, colours and all. */
  raw(): string
  /** The line that holds a text; fails where none does. */
  line(text: string): string
  /** Goes on from field to field of a form until that one has the cursor. */
  toField(title: string): Promise<void>
  shows(text: string): Promise<void>
  hides(text: string): Promise<void>
  resize(columns: number, rows: number): Promise<void>
  /** Everything that was written beside frames: the clipboard, for one. */
  written(): string
  readonly left: () => boolean
  close(): Promise<void>
}

const SEQUENCES: Record<string, string> = {
  enter: '\r',
  esc: '\x1b',
  tab: '\t',
  'shift-tab': '\x1b[Z',
  up: '\x1b[A',
  down: '\x1b[B',
  right: '\x1b[C',
  left: '\x1b[D',
  pageup: '\x1b[5~',
  pagedown: '\x1b[6~',
  home: '\x1b[H',
  end: '\x1b[F',
  space: ' ',
  backspace: '\x7f',
}

function sequenceOf(key: string): string {
  if (/^ctrl-[a-z]$/.test(key)) return String.fromCharCode(key.charCodeAt(5) - 96)
  return SEQUENCES[key] ?? key
}

class FakeStdin extends EventEmitter {
  isTTY = true
  private data: string | null = null
  type(data: string): void {
    this.data = data
    this.emit('readable')
  }
  read = () => {
    const { data } = this
    this.data = null
    return data
  }
  setEncoding(): void {}
  setRawMode(): void {}
  ref(): void {}
  unref(): void {}
}

export interface RobotOptions {
  readonly columns?: number
  readonly rows?: number
  readonly production?: boolean
  readonly ascii?: boolean
  readonly screenReader?: boolean
  readonly motion?: boolean
  readonly environment?: Readonly<Record<string, string>>
  /** Where time moves. */
  readonly now?: () => number
  /** Reads a terminal on which only differences are drawn, and not whole frames. */
  readonly drawn?: boolean
}

/** An escape by itself is told from a sequence by waiting a little: Ink's own time. */
const ESCAPE_MS = 60

export async function openRobot(engine: ScreenEngine, options: RobotOptions = {}): Promise<Robot> {
  const stdin = new FakeStdin()
  let size = { columns: options.columns ?? 120, rows: options.rows ?? 36 }
  const emulator = options.drawn ? createEmulator(size.columns, size.rows) : undefined
  let frame = ''
  let beside = ''
  let left = false
  const stdout = Object.defineProperties(new EventEmitter(), {
    isTTY: { value: true },
    columns: { get: () => size.columns },
    rows: { get: () => size.rows },
    write: {
      value: (data: string, done?: () => void) => {
        if (emulator) {
          emulator.write(data)
          beside += data
          frame = emulator.lines().join('\n').trimEnd()
        } else if (options.screenReader || data.split('\n').length >= size.rows) frame = data
        else beside += data
        done?.()
        return true
      },
    },
  })
  const running = startScreens(engine, {
    siteName: 'seoul',
    production: options.production ?? false,
    ascii: options.ascii ?? false,
    screenReader: options.screenReader ?? false,
    motion: options.motion ?? true,
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout: stdout as unknown as NodeJS.WriteStream,
    environment: options.environment ?? { LANG: 'C.UTF-8', TERM: 'xterm-256color' },
    now: options.now ?? (() => NOW),
    wholeFrames: !options.drawn,
  }).then(() => {
    left = true
  })
  await until(() => frame !== '', 'the first frame')

  const settle = async () => {
    await Bun.sleep(0)
    await Bun.sleep(0)
  }
  const type = async (data: string) => {
    stdin.type(data)
    if (data === '\x1b') await Bun.sleep(ESCAPE_MS)
    await settle()
  }
  const text = () => Bun.stripANSI(frame)
  const robot: Robot = {
    async press(...keys) {
      for (const key of keys) await type(sequenceOf(key))
    },
    burst: type,
    paste: (pasted) => type(`\x1b[200~${pasted}\x1b[201~`),
    text,
    lines: () => text().split('\n'),
    raw: () => frame,
    line(wanted) {
      const found = robot.lines().find((line) => line.includes(wanted))
      if (found === undefined) throw new Error(`no line holds "${wanted}":\n${text()}`)
      return found
    },
    async toField(title) {
      for (let tries = 0; tries < 60; tries++) {
        if (robot.lines().some((line) => line.includes(`▸ ${title}`))) return
        await robot.press('tab')
      }
      throw new Error(`no field ${title}:\n${robot.text()}`)
    },
    shows: async (wanted) => {
      await until(() => text().includes(wanted), `"${wanted}" on the screen:\n${text()}\nwhich`)
    },
    hides: async (wanted) => {
      await until(() => !text().includes(wanted), `a screen without "${wanted}":\n${text()}\nwhich`)
    },
    async resize(columns, rows) {
      size = { columns, rows }
      emulator?.resize(columns, rows)
      stdout.emit('resize')
      await settle()
    },
    written: () => beside,
    left: () => left,
    async close() {
      if (!left) {
        await robot.press('ctrl-c', 'esc')
        engine.set({ jobs: [] })
        for (let tries = 0; !left && tries < 20; tries++) await robot.press('esc', 'q')
      }
      await running
    },
  }
  return robot
}

/** The cells of the widest line: Ink leaves blanks at the end of a line out. */
export function widest(lines: readonly string[]): number {
  return Math.max(...lines.map((line) => cellWidth(line)))
}
