import type { Engine } from '../../engine/engine.ts'
import type { View } from '../../engine/store/view.ts'
import type { Events } from '../events.ts'
import type { Metrics } from '../metrics.ts'
import type { Preferences, Version } from '../negotiate.ts'
import { type Document, many, one } from '../views/document.ts'
import type { Form } from '../views/form.ts'
import type { Format, Shape } from '../views/shape.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** What a row works with: who is meant by the path, and how the answer is wanted. */
export interface Call {
  readonly engine: Engine
  readonly view: View
  readonly request: Request
  /** The path's own ids, checked: `vm_uuid`, `pm_uuid`, `storlink_id`, `job_id`. */
  readonly ids: Readonly<Record<string, string>>
  readonly format: Format
  readonly version: Version
  readonly preferences: Preferences
  /** The PM that the configuration calls this server's own. */
  readonly configuredSelf: string | undefined
  /** All of the interface. */
  readonly rows: readonly Row[]
  readonly metrics: Metrics
  readonly events: Events
  /** When it is asked, in milliseconds since 1970. */
  readonly now: number
}

/** What a row does. */
export type RowAction =
  | {
      readonly kind: 'show'
      /** The root of a list. */
      readonly root?: string
      readonly shape: Shape<never>
      /** What v2 shows in its place: all of it, and more. */
      readonly shapeV2?: Shape<never>
      document(call: Call): Document | Promise<Document>
    }
  | {
      readonly kind: 'run'
      readonly operation: string
      readonly takes?: Form
      /** Parameters that the path gives, not the body. */
      params(call: Call): Readonly<Record<string, unknown>>
      /** Where what was made is found, from the operation's result. */
      location?(result: Readonly<Record<string, unknown>>): string | undefined
      /** What was made, where the answer is that and not its outcome. */
      readonly made?: {
        readonly shape: Shape<never>
        document(call: Call, result: Readonly<Record<string, unknown>>): Document
      }
    }
  | {
      readonly kind: 'own'
      /** A media type, or `document` where it answers as all others do. */
      readonly produces: string
      readonly help: string
      answer(call: Call): Response | Promise<Response>
    }

export type Run = Extract<RowAction, { kind: 'run' }>

/** One row of the interface: what is asked, where the document says it, and what is done. */
export interface Row {
  readonly method: Method
  readonly path: string
  /** Other spellings of the same path. */
  readonly also?: readonly string[]
  /** The method of the document that describes it; `added` for what stands beside the document. */
  readonly section: string
  readonly versions: readonly Version[]
  readonly status: number
  /** Answers without a token. */
  readonly open?: true
  readonly action: RowAction
}

export function showOne<T>(shape: Shape<T>, find: (call: Call) => T): RowAction {
  return { kind: 'show', shape: shape as unknown as Shape<never>, document: (call) => one(shape, find(call)) }
}

/** A list; `pure`: nothing but its items decides what is written. */
export function showMany<T>(
  root: string,
  shape: Shape<T>,
  items: (call: Call) => readonly T[],
  pure?: 'pure',
): RowAction {
  return {
    kind: 'show',
    root,
    shape: shape as unknown as Shape<never>,
    document: (call) => many(root, shape, items(call), pure === 'pure'),
  }
}

/** A list whose elements hold more in v2. */
export function showManyByVersion<T>(
  root: string,
  shapes: Readonly<Record<Version, Shape<T>>>,
  items: (call: Call) => readonly T[],
): RowAction {
  return {
    kind: 'show',
    root,
    shape: shapes.v1 as unknown as Shape<never>,
    shapeV2: shapes.v2 as unknown as Shape<never>,
    document: (call) => many(root, shapes[call.version], items(call)),
  }
}

/** What a change has made, as its answer. */
export function made<T>(
  shape: Shape<T>,
  find: (call: Call, result: Readonly<Record<string, unknown>>) => T,
): NonNullable<Run['made']> {
  return {
    shape: shape as unknown as Shape<never>,
    document: (call, result) => one(shape, find(call, result)),
  }
}
