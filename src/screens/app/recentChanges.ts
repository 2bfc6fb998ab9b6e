import { getOrMake } from '../../lib/getOrMake.ts'
import type { AppContext } from './context.ts'

/**
 * What has just changed in a list is bold for one beat, so that an eye finds it. Only rows that were on the screen can
 * change there: one that comes into sight has not changed.
 */
const BEAT_MS = 2000

interface CellText {
  readonly text: string
  /** When it became that; undefined for what it was when it came into sight. */
  readonly since?: number
}

type CellTexts = Map<string, CellText>

const shown = new WeakMap<AppContext, Map<string, CellTexts>>()

/** For one drawing of a list: tells of a cell whether it has just changed, and remembers what stands there now. */
export function recentChanges(
  app: AppContext,
  list: string,
): ((id: string, column: string, text: string) => boolean) | undefined {
  if (app.options.motion === false) return undefined
  const lists = getOrMake(shown, app, () => new Map<string, CellTexts>())
  const before = lists.get(list)
  const now: CellTexts = new Map()
  lists.set(list, now)
  const at = app.now()
  return (id, column, text) => {
    const key = `${id} ${column}`
    const known = before?.get(key)
    const kept = known?.text === text ? known : known ? { text, since: at } : { text }
    now.set(key, kept)
    return kept.since !== undefined && at - kept.since < BEAT_MS
  }
}
