import type { Change } from '../view.ts'

/** Collects what changes and tells the listeners once a tick; nothing runs while nothing changes. */
export interface Notices {
  readonly revision: number
  add(kind: Change['kind'], id: string): void
  onChange(listener: (changes: readonly Change[]) => void): () => void
}

/** Nobody listens yet; changes before the first listener are counted and not kept. */
export function createNotices(): Notices {
  const listeners = new Set<(changes: readonly Change[]) => void>()
  let pending = new Map<string, Change>()
  let revision = 0

  function tell(): void {
    const changes = [...pending.values()]
    pending = new Map()
    for (const listener of [...listeners]) listener(changes)
  }

  return {
    get revision() {
      return revision
    },
    add(kind, id) {
      revision++
      if (listeners.size === 0) return
      if (pending.size === 0) setImmediate(tell)
      pending.set(`${kind}:${id}`, { kind, id })
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
