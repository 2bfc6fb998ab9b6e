import type { Engine } from '../../engine/engine.ts'

/** A line of the Log: a command that ran somewhere, or, without a host, something that pengx did. */
export interface CommandLine {
  readonly seq: number
  readonly at: number
  readonly host: string
  readonly line: string
  readonly tookMs?: number
  readonly exit?: number
}

export interface CommandRing {
  /** Oldest first. */
  readonly lines: readonly CommandLine[]
  add(line: string, exit?: number): void
  dispose(): void
}

const KEPT = 1000
const LOOK_BACK = 60

/** The last commands that ran anywhere: the last line of the screen and the Log read it. */
export function createCommandRing(engine: Engine, now: () => number, added: () => void): CommandRing {
  const lines: CommandLine[] = []
  let seq = 0
  /** A command is told of when it begins and when it has ended; one line is kept of it. */
  const dropBegun = ({ host, line }: Omit<CommandLine, 'seq' | 'at'>) => {
    for (let at = lines.length - 1; at >= Math.max(lines.length - LOOK_BACK, 0); at--) {
      const begun = lines[at]!
      if (begun.host !== host || begun.line !== line || begun.tookMs !== undefined) continue
      lines.splice(at, 1)
      return
    }
  }
  const push = (record: Omit<CommandLine, 'seq' | 'at'>) => {
    if (record.tookMs !== undefined) dropBegun(record)
    lines.push({ ...record, seq: ++seq, at: now() })
    if (lines.length > KEPT * 1.25) lines.splice(0, lines.length - KEPT)
    added()
  }
  const dispose = engine.onCommand(push)
  return { lines, add: (line, exit) => push({ host: '', line, ...(exit === undefined ? {} : { exit }) }), dispose }
}
