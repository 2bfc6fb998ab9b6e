import type { LiveView } from './store/liveView.ts'
import type { Change } from './store/view.ts'

/** How often what other processes have written is asked for, while somebody listens. */
const REFRESH_MS = 250

/** Lets listeners follow the view; other processes' writes are looked for only while there is a listener. */
export function createFollower(view: LiveView): (listener: (changes: readonly Change[]) => void) => () => void {
  let listeners = 0
  let timer: ReturnType<typeof setInterval> | undefined
  return (listener) => {
    const stop = view.onChange(listener)
    if (listeners++ === 0) timer = setInterval(() => void view.refresh().catch(() => undefined), REFRESH_MS)
    let following = true
    return () => {
      if (!following) return
      following = false
      stop()
      if (--listeners === 0) clearInterval(timer)
    }
  }
}
