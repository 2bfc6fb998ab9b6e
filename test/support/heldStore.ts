import { Database } from 'bun:sqlite'

/** A store that another connection is writing, and does not end to, until it is released. */
export interface HeldStore {
  release(): void
}

/** Waits for its turn first, as what is being written belongs to others. */
export async function holdStore(path: string): Promise<HeldStore> {
  const holder = new Database(path)
  while (!begins(holder)) await Bun.sleep(1)
  let isHeld = true
  return {
    release() {
      if (!isHeld) return
      isHeld = false
      holder.run('rollback')
      holder.close()
    },
  }
}

function begins(holder: Database): boolean {
  try {
    holder.run('begin immediate')
    return true
  } catch {
    return false
  }
}
