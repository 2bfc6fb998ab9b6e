import { isDeepStrictEqual } from 'node:util'

/** What may stand in a journal: plain data that survives JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }

/** Pure. Whether two say the same, as JSON: a field that is undefined is none. */
export function isSame(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)))
}
