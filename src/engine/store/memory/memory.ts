import type { Kind, Kinds } from '../rows/kind.ts'

/** What the store's own files put into the view; `rev` is the revision in which it was written. */
export interface Memory {
  put<K extends Kind>(kind: K, value: Kinds[K], rev: number): void
  /** Not if what is here is newer than that revision. */
  drop(kind: Kind, id: string, rev: number): void
  get<K extends Kind>(kind: K, id: string): Kinds[K] | undefined
  /** 0: it is not here. */
  revOf(kind: Kind, id: string): number
  ids(kind: Kind): readonly string[]
  noticePerf(subject: string): void
  /** Whether the store can be written has changed. */
  noticeStore(): void
}
