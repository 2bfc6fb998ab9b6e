import type { World } from '../support/sites/world.ts'

/** How an operation is tried by the suite (operation.ts). */
export interface OperationCase {
  readonly operation: string
  /** Which of an operation's ways this is, where it has several. */
  readonly variant?: string
  /** What its engine is made of beyond a simulated site; plain data, since a killed process gets it too. */
  readonly config?: { readonly knownHostsPath: string }
  /** Its trials share something outside their worlds, so they take turns. */
  readonly inTurns?: true
  /** Brings the world to where the operation can run, and gives its raw parameters. The same each time. */
  prepare(world: World): Promise<Readonly<Record<string, unknown>>>
  /** What is true when it has been done. */
  check(world: World, params: Readonly<Record<string, unknown>>): Promise<void> | void
}
