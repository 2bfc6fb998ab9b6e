import type { Format } from './views/shape.ts'

/** How an answer is wanted: its format, and which of two shapes of a row. */
export type Version = 'v1' | 'v2'

const FORMAT_OF: Record<string, Format> = {
  'application/xml': 'xml',
  'text/xml': 'xml',
  'application/*': 'xml',
  'text/*': 'xml',
  '*/*': 'xml',
  'application/json': 'json',
}

interface Accepted {
  readonly type: string
  readonly quality: number
  readonly version?: string
}

function parseAccept(header: string): Accepted[] {
  return header.split(',').map((part) => {
    const [type = '', ...rest] = part.split(';').map((word) => word.trim().toLowerCase())
    const given = Object.fromEntries(rest.map((word) => word.split('=', 2).map((side) => side.trim())))
    const quality = given.q === undefined ? 1 : Number(given.q)
    return {
      type,
      quality: Number.isFinite(quality) ? quality : 0,
      ...(given.version === undefined ? {} : { version: given.version }),
    }
  })
}

/** XML unless JSON is asked for; undefined where neither is wanted (406). `?format=` wins over `Accept`. */
export function wantedFormat(query: URLSearchParams, accept: string | null): Format | undefined {
  const asked = query.get('format')
  if (asked !== null) return asked === 'xml' || asked === 'json' ? asked : undefined
  if (accept === null || accept.trim() === '') return 'xml'
  let best: { format: Format; quality: number } | undefined
  for (const { type, quality } of parseAccept(accept)) {
    const format = FORMAT_OF[type]
    if (format !== undefined && quality > 0 && quality > (best?.quality ?? 0)) best = { format, quality }
  }
  return best?.format
}

/** The version that a path's prefix or the `Accept` header asks for; the prefix wins. */
export function wantedVersion(prefix: Version | undefined, accept: string | null): Version | undefined {
  if (prefix !== undefined) return prefix
  const asked = accept === null ? undefined : parseAccept(accept).find(({ version }) => version !== undefined)?.version
  return asked === 'v1' || asked === 'v2' ? asked : undefined
}

/** A row that has only one shape answers with it, whatever is asked; with nothing asked the first is v1's. */
export function pickVersion(versions: readonly Version[], wanted: Version | undefined): Version {
  if (wanted !== undefined && versions.includes(wanted)) return wanted
  return versions.includes('v1') ? 'v1' : 'v2'
}

const PREFIX = /^\/(?:api\/)?(v1|v2)(?=\/)/

/** The path without the prefix that names a version. */
export function splitPrefix(path: string): { readonly prefix?: Version; readonly rest: string } {
  const found = PREFIX.exec(path)
  if (!found) return { rest: path }
  return { prefix: found[1] as Version, rest: path.slice(found[0].length) }
}

/** What `Prefer` asks for (RFC 7240): an answer at once, or a body where there would be none. */
export interface Preferences {
  readonly async: boolean
  readonly representation: boolean
}

export function wantedPreferences(prefer: string | null): Preferences {
  const words = (prefer ?? '').toLowerCase().split(/[,;]/)
  const asks = (word: string) => words.some((other) => other.replace(/\s/g, '') === word)
  return { async: asks('respond-async'), representation: asks('return=representation') }
}
