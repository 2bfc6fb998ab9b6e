/** One request of a golden; several of a row are one story on one site. */
export interface Exchange {
  readonly title: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Posted first, and not shown. */
  readonly after?: string
}

export type Exchanges = Readonly<Record<string, readonly Exchange[]>>

export const ASYNC = { Prefer: 'respond-async' }
export const WITH_BODY = { Prefer: 'return=representation' }
export const MISSING = '0f000000-0000-4000-8000-000000000000'
