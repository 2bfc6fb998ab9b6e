import { createStore, type StoreApi } from 'zustand/vanilla'
import type { Line } from '../../ui/line.ts'
import { emptyList, type ListState } from '../../ui/list.ts'
import type { Tone } from '../../ui/theme.ts'

/** The only file that knows zustand: what the screens remember between two keys. */

export type ScreenName =
  | 'pms'
  | 'perf'
  | 'vms'
  | 'vm'
  | 'templates'
  | 'template'
  | 'storage'
  | 'backups'
  | 'verify'
  | 'jobs'
  | 'job'
  | 'log'

/** A place on the path: a screen and, for a screen of one thing, which. */
export interface Route {
  readonly screen: ScreenName
  readonly id?: string
  readonly tab?: string
}

/** A box of lines drawn over the body, which has the keys while it is there. */
export interface Overlay {
  readonly name: string
  /** Lines and their width; no higher and no wider than what it is given. */
  draw(width: number, height: number): { readonly lines: readonly Line[]; readonly width: number }
  handleKey(key: string): void
  /** Of a menu, for those who hear it: how many lines it has, and the one that is chosen. */
  menu?(): { readonly count: number; readonly typed: string; readonly here: string }
  /** Takes the line of a menu that was clicked at. */
  click?(index: number): void
  /** Called when it goes, however it goes. */
  closed?(): void
}

interface Toast {
  readonly text: string
  readonly tone: Tone
}

export interface State {
  readonly size: { readonly columns: number; readonly rows: number }
  /** The way here; the last one is what is shown. */
  readonly trail: readonly Route[]
  readonly lists: Readonly<Record<string, ListState>>
  readonly overlays: readonly Overlay[]
  /** Keys go into the filter of the list that is shown. */
  readonly filtering: boolean
  /** Clicks are listened to; selecting text then needs shift. */
  readonly mouse: boolean
  readonly toast?: Toast
  /** The moment at which the picture was stopped. */
  readonly frozenAt?: number
  /** Which part of the screen has the keys: `list`, `pane`, … */
  readonly focus: string
  /** How far panes are scrolled, and other small choices of screens, by name. */
  readonly choices: Readonly<Record<string, number | string | boolean | undefined>>
  /** Needs-attention items that were seen in this session. */
  readonly acknowledged: ReadonlySet<string>
  /** Waits for running jobs to end, then leaves. */
  readonly leaving: boolean
  /** The frame as it is on the terminal, line by line. */
  readonly lines: readonly string[]
  /** In place of a frame, for those who hear: what was said, and where one is. */
  readonly said: readonly string[]
  readonly here: string
}

export type ScreenStore = StoreApi<State>

export function createScreenStore(size: State['size']): ScreenStore {
  return createStore<State>()(() => ({
    size,
    trail: [{ screen: 'pms' }],
    lists: {},
    overlays: [],
    filtering: false,
    mouse: false,
    focus: 'list',
    choices: {},
    acknowledged: new Set(),
    leaving: false,
    lines: [],
    said: [],
    here: '',
  }))
}

export function listOf(state: State, name: string): ListState {
  return state.lists[name] ?? emptyList
}
