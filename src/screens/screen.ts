import type { Subject } from '../model/job.ts'
import type { Json } from '../model/json.ts'
import type { Line } from '../ui/line.ts'
import type { AppContext } from './app/context.ts'
import type { AnyList } from './app/list.ts'
import type { ScreenName } from './app/state.ts'

/**
 * A key as a row: the footer, help, the palette, the action menu and docs/KEYS.md all read these. It either starts
 * an operation on what is chosen or does something of the screen's own.
 */
export interface KeyRow {
  readonly key: string
  readonly title: string
  /** One line more, for help. */
  readonly help?: string
  readonly operation?: string
  /** Values besides the one that names the subject. */
  raw?(app: AppContext): Readonly<Record<string, Json>>
  /** On what, where that is not what the screen is about. */
  subjects?(app: AppContext): readonly Subject[]
  /** What it gives says all: no form comes first. */
  readonly settled?: true
  act?(app: AppContext): void
  /** Why it does nothing now; for an operation this comes from the operation itself. */
  refuse?(app: AppContext): string | undefined
  /** Only there while this holds: on one tab of several. */
  when?(app: AppContext): boolean
  /** Not in the footer: there are enough keys there already. */
  readonly quiet?: true
  /** Acts on nothing that is chosen: always opens its form. */
  readonly fresh?: true
}

export interface Screen {
  readonly name: ScreenName
  readonly title: string
  /** Other words by which it is looked for. */
  readonly also?: string
  /** Where it stands in the place bar. */
  readonly digit?: string
  /** Found by the palette, without a digit. */
  readonly place?: true
  /** The list that has the keys; a screen with tabs has one for each. */
  list?(app: AppContext): AnyList | undefined
  readonly keys: readonly KeyRow[]
  /** The path and what there is to say beside it. */
  heading(app: AppContext): Line
  /** The body, exactly `height` lines. */
  draw(app: AppContext, width: number, height: number): Line[]
  /** What is said, beside its list, to those who hear it. */
  says?(app: AppContext, width: number): readonly Line[]
  /** Where one is there, when that is not the row of a list. */
  here?(app: AppContext): Line | undefined
  /** Keys of its own parts; false hands the key on. */
  handleKey?(app: AppContext, key: string): boolean
  /** Parts that `tab` goes through, the list first. */
  parts?(app: AppContext): readonly string[]
  /** What a key acts on: chosen rows, or the one thing the screen is about. */
  subjects(app: AppContext): readonly Subject[]
  /** What can be copied here. */
  copies?(app: AppContext): readonly (readonly [string, string])[]
}
