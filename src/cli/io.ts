/** The process's own ends, as the command line uses them; a test gives others. */
export interface Io {
  /** Resolves when the text has left the process: what is written just before an exit must not be lost. */
  out(text: string): Promise<void>
  err(text: string): void
  /** A person can be asked: both the questions and the answers go through a terminal. */
  readonly interactive: boolean
  /** Progress can be drawn over itself. */
  readonly errIsTerminal: boolean
  readonly errColumns: () => number
  /** One line from the terminal; undefined where it was closed or interrupted. */
  ask(question: string, options?: { readonly hidden?: boolean }): Promise<string | undefined>
  /** All of standard input. */
  readInput(): Promise<string>
  onInterrupt(listener: () => void): () => void
}

export const processIo: Io = {
  out: (text) =>
    new Promise((resolve, reject) => {
      process.stdout.write(text, (error) => (error ? reject(error) : resolve()))
    }),
  err: (text) => {
    process.stderr.write(text)
  },
  get interactive() {
    return Boolean(process.stdin.isTTY && process.stderr.isTTY)
  },
  get errIsTerminal() {
    return Boolean(process.stderr.isTTY)
  },
  errColumns: () => process.stderr.columns ?? 80,
  ask,
  readInput: () => new Response(Bun.stdin.stream()).text(),
  onInterrupt: (listener) => {
    process.on('SIGINT', listener)
    return () => process.off('SIGINT', listener)
  },
}

async function ask(question: string, options: { readonly hidden?: boolean } = {}): Promise<string | undefined> {
  const { createInterface } = await import('node:readline')
  const { Writable } = await import('node:stream')
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({
    input: process.stdin,
    output: options.hidden ? silent : process.stderr,
    terminal: true,
  })
  if (options.hidden) process.stderr.write(question)
  try {
    return await new Promise((resolve) => {
      reader.on('SIGINT', () => resolve(undefined))
      reader.on('close', () => resolve(undefined))
      reader.question(options.hidden ? '' : question, resolve)
    })
  } finally {
    reader.close()
    if (options.hidden) process.stderr.write('\n')
  }
}

/** One JSON document; C1 control characters are escaped too, since some terminals obey them. */
export function formatJson(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `${text}\n`
}
