/**
 * What goes wrong on a simulated site, on request. A fault names the commands that it meets (each part of a
 * batch is one) and what becomes of them; every way in which a real host fails or lies has its kind here.
 */
export type FaultEffect =
  /** It fails and has done nothing. */
  | { kind: 'failBefore'; exit?: number; stderr?: string; stdout?: string }
  /** It does its work and says that it failed. */
  | { kind: 'failAfter'; exit?: number; stderr?: string }
  /** It says that all is well and has done nothing. */
  | { kind: 'lie'; stdout?: string }
  /** It does its work, all is well, and the domain that it worked on is gone when somebody looks. */
  | { kind: 'vanish' }
  /** The connection is lost, before anything was done or after all was. */
  | { kind: 'lostBefore' }
  | { kind: 'lostAfter' }
  /** The PM does not answer for so long, from this command on. */
  | { kind: 'unreachable'; ms: number }
  | { kind: 'slow'; ms: number }
  /** Something else happens while it is at work, and then it does its work, where nobody has ended it. */
  | { kind: 'meanwhile'; happens: () => Promise<void> }
  /** It never ends, until it is aborted. */
  | { kind: 'hang' }
  /** The process that gave the command is killed at once, with its work not begun or done. */
  | { kind: 'dieBefore' }
  | { kind: 'dieAfter' }

export interface Fault {
  /** Only on this PM. */
  pm?: string
  /** The command line, or a piece of it (`xl create`), a pattern, or a question about argv; absent: every command. */
  match?: string | RegExp | ((argv: readonly string[]) => boolean)
  /** Only commands that change something, or only those that look. */
  of?: 'read' | 'change'
  /** Lets so many through first. */
  skip?: number
  /** How many it meets; 1 where nothing is said. */
  times?: number
  effect: FaultEffect
}

export interface ArmedFault {
  /** How many commands it has met. */
  readonly hits: number
  /** How many of those were made to fail. */
  readonly struck: number
  remove(): void
}

export interface FaultTable {
  add(fault: Fault): ArmedFault
  clear(): void
  /** The effect for a command, counted. */
  meet(pm: string, argv: readonly string[], effect: 'read' | 'change'): FaultEffect | undefined
}

export function createFaultTable(): FaultTable {
  let armed: { fault: Fault; hits: number; struck: number }[] = []
  return {
    add(fault) {
      const entry = { fault, hits: 0, struck: 0 }
      armed.push(entry)
      return {
        get hits() {
          return entry.hits
        },
        get struck() {
          return entry.struck
        },
        remove() {
          armed = armed.filter((one) => one !== entry)
        },
      }
    },
    clear() {
      armed = []
    },
    meet(pm, argv, effect) {
      for (const entry of armed) {
        const { fault } = entry
        if (fault.pm !== undefined && fault.pm !== pm) continue
        if (fault.of !== undefined && fault.of !== effect) continue
        if (!matches(fault.match, argv)) continue
        entry.hits++
        if (entry.hits <= (fault.skip ?? 0)) continue
        if (entry.struck >= (fault.times ?? 1)) continue
        entry.struck++
        return fault.effect
      }
      return undefined
    },
  }
}

function matches(match: Fault['match'], argv: readonly string[]): boolean {
  if (match === undefined) return true
  if (typeof match === 'function') return match(argv)
  const line = argv.join(' ')
  return typeof match === 'string' ? line.includes(match) : match.test(line)
}
