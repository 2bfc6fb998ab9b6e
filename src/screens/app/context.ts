import type { Engine } from '../../engine/engine.ts'
import type { Change, View } from '../../engine/store/view.ts'
import { toPengxError } from '../../model/error.ts'
import type { Job } from '../../model/job.ts'
import type { Theme, Tone } from '../../ui/theme.ts'
import { type CommandLine, type CommandRing, createCommandRing } from './commandRing.ts'
import { frozenView } from './freeze.ts'
import { createScreenStore, type Overlay, type Route, type ScreenStore, type State } from './state.ts'

/** What is said once, at the start. */
export interface ScreenOptions {
  readonly siteName: string
  /** A site where one careless key is dear: every question is one level stricter. */
  readonly production: boolean
  readonly theme: Theme
  /** False: nothing is drawn for a moment only. */
  readonly motion?: boolean
  readonly now: () => number
  /** Keys that mean what another key means. */
  readonly aliases: ReadonlyMap<string, string>
  /** Has the terminal report clicks, or not. */
  readonly listenToMouse?: (on: boolean) => void
  /** Puts a text where the person can paste it, and says where that is. */
  readonly copy: (text: string) => Promise<string>
}

/**
 * What a screen works with: the engine, what is remembered, and how to say, open, go and come back. It knows no
 * Ink; whoever mounts it sets `paint` and `handOver`.
 */
export interface AppContext {
  readonly engine: Engine
  readonly options: ScreenOptions
  readonly store: ScreenStore
  readonly commands: readonly CommandLine[]
  state(): State
  set(change: Partial<State>): void
  choose(name: string, value: number | string | boolean | undefined): void
  /** What is shown: live, or as it was when it was frozen. */
  view(): View
  now(): number
  /** A word on the last line, for four seconds. */
  say(text: string, tone?: Tone): void
  /** Runs something that may fail, and says why. */
  attempt(work: () => Promise<unknown>): void
  open(overlay: Overlay): void
  close(overlay: Overlay): void
  route(): Route
  go(route: Route): void
  jump(route: Route): void
  back(): void
  /** Draws what changed; keys and changes call it, screens do not. */
  repaint(): void
  /** Lends the terminal to something else and takes it back. */
  handOver(work: () => Promise<void>): Promise<void>
  leave(): void
  dispose(): void
}

export interface AppHooks {
  paint(app: AppContext): void
  handOver(work: () => Promise<void>): Promise<void>
  leave(): void
}

const TOAST_MS = 4000
/** Changes are drawn at most this often; keys at once. */
const CHANGES_MS = 250
/** Numbers that every look changes are drawn at most this often, however many machines are looked at in turn. */
const BEAT_MS = 2000

export function createApp(engine: Engine, options: ScreenOptions, size: State['size'], hooks: AppHooks): AppContext {
  const store = createScreenStore(size)
  const ring = createCommandRing(engine, options.now, () => {
    if (app.route().screen === 'log') queueChange(CHANGES_MS)
  })
  let toastTimer: ReturnType<typeof setTimeout> | undefined
  let changeTimer: ReturnType<typeof setTimeout> | undefined
  let changeDue = 0
  let paintQueued = false
  let lastPaint = 0
  let disposed = false
  let frozen: { readonly at: number; readonly view: View } | undefined

  const repaint = () => {
    if (disposed) return
    lastPaint = performance.now()
    hooks.paint(app)
  }
  const queuePaint = () => {
    if (paintQueued) return
    paintQueued = true
    queueMicrotask(() => {
      paintQueued = false
      repaint()
    })
  }
  const changed = (changes: readonly Change[]) => {
    noticeJobs(app, changes, ring)
    if (changes.some(({ kind }) => kind === 'store')) noticeStore(app)
    queueChange(changes.every(({ kind }) => kind === 'perf' || kind === 'pm') ? BEAT_MS : CHANGES_MS)
  }
  const queueChange = (withinMs: number) => {
    const due = lastPaint + withinMs
    if (changeTimer !== undefined && changeDue <= due) return
    clearTimeout(changeTimer)
    changeDue = due
    changeTimer = setTimeout(
      () => {
        changeTimer = undefined
        repaint()
      },
      Math.max(due - performance.now(), 0),
    )
  }

  const app: AppContext = {
    engine,
    options,
    store,
    commands: ring.lines,
    state: store.getState,
    set(change) {
      store.setState(change)
      queuePaint()
    },
    choose(name, value) {
      app.set({ choices: { ...app.state().choices, [name]: value } })
    },
    view() {
      const at = app.state().frozenAt
      if (at === undefined) {
        frozen = undefined
        return engine.view
      }
      if (frozen?.at !== at) frozen = { at, view: frozenView(engine.view, at) }
      return frozen.view
    },
    now: options.now,
    say(text, tone = 'warn') {
      clearTimeout(toastTimer)
      toastTimer = setTimeout(() => app.set({ toast: undefined }), TOAST_MS)
      app.set({ toast: { text, tone } })
    },
    attempt(work) {
      work().catch((error) => app.say(toPengxError(error).message, 'bad'))
    },
    open(overlay) {
      app.set({ overlays: [...app.state().overlays, overlay] })
    },
    close(overlay) {
      const overlays = app.state().overlays
      if (!overlays.includes(overlay)) return
      overlay.closed?.()
      app.set({ overlays: overlays.filter((other) => other !== overlay) })
    },
    route: () => app.state().trail.at(-1)!,
    go(route) {
      app.set({ trail: [...app.state().trail, route], focus: 'list', filtering: false })
    },
    jump(route) {
      app.set({ trail: [route], focus: 'list', filtering: false })
    },
    back() {
      const { trail } = app.state()
      if (trail.length > 1) app.set({ trail: trail.slice(0, -1), focus: 'list', filtering: false })
    },
    repaint,
    handOver: hooks.handOver,
    leave: hooks.leave,
    dispose() {
      disposed = true
      clearTimeout(toastTimer)
      clearTimeout(changeTimer)
      unsubscribe()
      ring.dispose()
    },
  }
  const unsubscribe = engine.subscribe(changed)
  return app
}

/** A failure of what was asked for here is said at once; it then waits in "needs attention". */
function noticeJobs(app: AppContext, changes: readonly Change[], ring: CommandRing): void {
  for (const change of changes) {
    if (change.kind !== 'job') continue
    const job = app.engine.view.getJob(change.id)
    if (job?.finishedAt === undefined || app.now() - job.finishedAt > TOAST_MS) continue
    ring.add(endOf(job), job.state === 'done' ? 0 : 1)
    if (job.by !== 'terminal' || job.acknowledged) continue
    if (job.state === 'undone' || job.state === 'stuck') app.say(endOf(job), 'bad')
  }
  if (app.state().leaving && !app.engine.view.jobs().some(isAtWork)) app.leave()
}

/** Said as it comes and goes; while it lasts the header has it. */
function noticeStore(app: AppContext): void {
  const { storeTrouble } = app.engine.view
  if (storeTrouble) app.say(`the store cannot be written: ${storeTrouble.why}; jobs go on when it can`, 'bad')
  else app.say('the store can be written again', 'ok')
}

function endOf(job: Job): string {
  const message = job.message === '' ? '' : `: ${job.message}`
  return `job ${job.number} ${job.operation} of ${job.subject.name} ${job.state}${message}`
}

export function isAtWork(job: Job): boolean {
  return job.state === 'running' || job.state === 'queued' || job.state === 'undoing'
}
