import { until } from './until.ts'

/** Letters of termios(3), `c_lflag` on Linux: what a shell's terminal has and a full-screen program takes away. */
const ISIG = 0o1
const ICANON = 0o2
const ECHO = 0o10

export interface Pty {
  readonly pid: number
  /** Everything that came, escape sequences and all. */
  readonly raw: () => string
  /** What was written since the last clearing of the screen or the last `forget`, without escape sequences. */
  readonly text: () => string
  forget(): void
  type(keys: string): void
  resize(columns: number, rows: number): void
  kill(signal: NodeJS.Signals): void
  /** Line editing and echo are on, as a shell left them. */
  isCooked(): boolean
  /** Waits until the text holds this. */
  shows(what: string): Promise<void>
  /** Waits until keys are heard as they are typed: what is typed before may be lost. */
  hears(): Promise<void>
  exited: Promise<number>
}

/** Runs a program in a real pseudo-terminal. */
export function openPty(
  argv: readonly string[],
  options: { columns?: number; rows?: number; env?: Record<string, string> } = {},
): Pty {
  const decoder = new TextDecoder()
  let raw = ''
  let from = 0
  const child = Bun.spawn([...argv], {
    env: { ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8', NO_COLOR: '', ...options.env },
    terminal: {
      cols: options.columns ?? 120,
      rows: options.rows ?? 36,
      data: (_terminal, data) => {
        raw += decoder.decode(data, { stream: true })
      },
    },
  })
  const terminal = child.terminal!
  const text = () => Bun.stripANSI(raw.slice(from))
  const isCooked = () => (terminal.localFlags & (ISIG | ICANON | ECHO)) === (ISIG | ICANON | ECHO)
  return {
    pid: child.pid,
    raw: () => raw,
    text,
    forget: () => {
      from = raw.length
    },
    type: (keys) => void terminal.write(keys),
    resize: (columns, rows) => terminal.resize(columns, rows),
    kill: (signal) => child.kill(signal),
    isCooked,
    hears: async () => void (await until(() => !isCooked(), 'raw mode')),
    shows: async (what) =>
      void (await until(() => text().includes(what), `"${what}" on the terminal, which shows ${text().slice(-2000)}`)),
    exited: child.exited,
  }
}
