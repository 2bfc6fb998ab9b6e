import type { Io } from '../../src/cli/io.ts'

/** The ends of a process that does not exist: what it prints is kept, what it asks is answered. */
export function fakeIo(given: { input?: string; answers?: readonly (string | undefined)[] } = {}) {
  const printed = { out: '', err: '' }
  const answers = [...(given.answers ?? [])]
  const interrupts: (() => void)[] = []
  const io: Io = {
    out: async (text) => {
      printed.out += text
    },
    err: (text) => {
      printed.err += text
    },
    interactive: given.answers !== undefined,
    errIsTerminal: given.answers !== undefined,
    errColumns: () => 80,
    ask: async (question) => {
      printed.err += question
      return answers.shift()
    },
    readInput: async () => given.input ?? '',
    onInterrupt: (listener) => {
      interrupts.push(listener)
      return () => undefined
    },
  }
  /** Ctrl-c; false while nobody listens for it. */
  const interrupt = () => {
    interrupts.at(-1)?.()
    return interrupts.length > 0
  }
  return { io, printed, interrupt }
}
