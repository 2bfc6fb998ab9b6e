import { emptyList, type ListState } from '../../ui/list.ts'

/** What is kept from one time to the next: how lists are sorted and which columns they show. Filters are not. */
export interface PreferenceStore {
  readonly read: () => string | undefined
  readonly write: (text: string) => void
}

type Lists = Readonly<Record<string, ListState>>

export function formatPreferences(lists: Lists): string {
  const kept = Object.entries(lists).flatMap(([name, { sort, wide, hidden }]) =>
    sort || wide || hidden.size > 0 ? [[name, { sort, wide, hidden: [...hidden] }]] : [],
  )
  return JSON.stringify({ lists: Object.fromEntries(kept) })
}

/** What was kept; a text that is none of it is as if there were none. */
export function parsePreferences(text: string | undefined): Lists {
  if (text === undefined) return {}
  try {
    const { lists } = JSON.parse(text) as {
      lists: Record<string, { sort?: ListState['sort']; wide?: boolean; hidden?: string[] }>
    }
    return Object.fromEntries(
      Object.entries(lists).map(([name, { sort, wide, hidden }]) => [
        name,
        { ...emptyList, ...(sort ? { sort } : {}), wide: wide === true, hidden: new Set(hidden ?? []) },
      ]),
    )
  } catch {
    return {}
  }
}
