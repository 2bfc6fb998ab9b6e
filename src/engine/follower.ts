import type { LiveView } from './store/memory/liveView.ts'
import type { Change } from './store/view.ts'

/** How often what other processes have written is asked for, while somebody listens. */
const REFRESH_MS = 250

/** Lets listeners follow the view; of a `shared` store other processes' writes are looked for while there is a listener. */
export function createFollower(
  view: LiveView,
  shared: boolean,
): (listener: (changes: readonly Change[]) => void) => () => void {
  let listeners = 0
  let timer: ReturnType<typeof setInterval> | undefined
  const refresh = () => void view.refresh().catch(() => undefined)
  return (listener) => {
    const stop = view.onChange(listener)
    if (listeners++ === 0 && shared) timer = setInterval(refresh, REFRESH_MS)
    let following = true
    return () => {
      if (!following) return
      following = false
      stop()
      if (--listeners === 0) clearInterval(timer)
    }
  }
}
