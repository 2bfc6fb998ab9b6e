import type { Inventory } from './inventory.ts'
import type { LiveView } from './memory/liveView.ts'
import { troubleIn } from './sqlite/errors.ts'

/** Waits for a write, and lets it be where the store cannot be written: for what is found, or tried, again later. */
export async function unlessUnwritten<T>(write: Promise<T>): Promise<T | undefined> {
  try {
    return await write
  } catch (error) {
    if (troubleIn(error)) return undefined
    throw error
  }
}

/**
 * The inventory for those who write down what they see and will see again: what cannot be written is no failure of
 * theirs. `recordSeen` has it in the view all the same.
 */
export function forSightings(inventory: Inventory): Inventory {
  return {
    ...inventory,
    settlePm: async (provisional, pm) => void (await unlessUnwritten(inventory.settlePm(provisional, pm))),
  }
}

/** Waits for something to be over, however it ends, and no longer than the store can be written. */
export async function untilTrouble(view: LiveView, work: Promise<unknown>): Promise<void> {
  if (view.storeTrouble) return
  const trouble = Promise.withResolvers<void>()
  const unwatch = view.onChange(() => {
    if (view.storeTrouble) trouble.resolve()
  })
  try {
    await Promise.race([work.catch(() => undefined), trouble.promise])
  } finally {
    unwatch()
  }
}
