import { splitBatch } from '../host/batch.ts'
import type { Command, Host, Process } from '../host/host.ts'
import type { Inventory } from '../store/inventory.ts'

/** What a step has changed so far: whether its `conflict`, which promises that it has changed nothing, can be true. */
export interface Effects {
  /** Some change has succeeded, or nobody can tell yet that it has not. */
  has(): boolean
  /** Something may change from now on; to be called with what became of it. */
  begin(): (changed: boolean) => void
}

/** None yet. */
export function createEffects(): Effects {
  let count = 0
  return {
    has: () => count > 0,
    begin() {
      count++
      return (changed) => {
        if (!changed) count--
      }
    },
  }
}

/**
 * A host that counts what changes something there: a command that ended well; of a batch, one of its parts; a connection
 * that is to change something. What failed is taken at its word.
 */
export function countChanges(host: Host, effects: Effects | undefined): Host {
  if (!effects) return host
  return {
    ...host,
    async open(command, ...rest) {
      if (command.effect !== 'change' || command.passing) return await host.open(command, ...rest)
      const end = effects.begin()
      try {
        const process = await host.open(command, ...rest)
        return command.parts ? watchParts(process, command.parts, end) : watchExit(process, command, end)
      } catch (error) {
        end(false)
        throw error
      }
    },
    async connect(path, effect, ...rest) {
      const end = effect === 'change' ? effects.begin() : undefined
      try {
        return await host.connect(path, effect, ...rest)
      } catch (error) {
        end?.(false)
        throw error
      }
    },
  }
}

function watchExit(process: Process, command: Command, end: (changed: boolean) => void): Process {
  const exited = process.exited.then((exit) => {
    end(isChange(command, exit))
    return exit
  })
  return { ...process, exited }
}

/** A batch that a guard has ended exits with that guard's status, whatever it is: its parts tell, when all is read. */
function watchParts(process: Process, parts: readonly Command[], end: (changed: boolean) => void): Process {
  const decoder = new TextDecoder()
  let stdout = ''
  const through = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      stdout += decoder.decode(chunk, { stream: true })
      controller.enqueue(chunk)
    },
    flush() {
      const outputs = splitBatch({ exit: 0, stdout, stderr: '' })
      end(outputs.some((output, index) => isChange(parts[index], output.exit)))
    },
  })
  return { ...process, stdout: process.stdout.pipeThrough(through) }
}

function isChange(command: Command | undefined, exit: number): boolean {
  return command?.effect === 'change' && (command.okExits ?? [0]).includes(exit)
}

/** What is remembered, with its writes counted; one that fails has written nothing. */
export function countWrites(inventory: Inventory, effects: Effects | undefined): Inventory {
  if (!effects) return inventory
  const counted = Object.entries(inventory).map(([name, write]) => [
    name,
    async (...args: never[]) => {
      const end = effects.begin()
      try {
        return await write(...args)
      } catch (error) {
        end(false)
        throw error
      }
    },
  ])
  return Object.fromEntries(counted) as Inventory
}
