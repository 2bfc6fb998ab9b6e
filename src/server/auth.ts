import { createHash, timingSafeEqual } from 'node:crypto'
import { isLoopback } from './listen.ts'

/**
 * Who may ask. Callers show the token, as bearer or as a password; and no page in somebody's browser may ask for
 * them: a request from a foreign page is refused, and one that came by a foreign name (DNS rebinding) too where there
 * is no token to tell it apart. No CORS header is ever sent.
 */
export interface Access {
  /** Absent: nobody is asked, which only a loopback address or a Unix socket allows. */
  readonly token?: string
  /** The name or address that is listened on; absent for a Unix socket, which no browser reaches. */
  readonly host?: string
}

export function showsToken(request: Request, { token }: Access): boolean {
  if (token === undefined) return true
  const shown = shownToken(request.headers.get('authorization'))
  return shown !== undefined && isSame(shown, token)
}

function shownToken(header: string | null): string | undefined {
  const [, scheme = '', rest = ''] = /^(\S+)\s+(\S+)\s*$/.exec(header ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') return rest
  if (scheme.toLowerCase() !== 'basic') return undefined
  const pair = Buffer.from(rest, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon < 0 ? undefined : pair.slice(colon + 1)
}

/** Takes as long for a token that is nearly right as for any other. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}

/** Why a request looks like a foreign page's, or undefined. */
export function foreignPage(request: Request, { token, host }: Access): string | undefined {
  const origin = request.headers.get('origin')
  const asked = request.headers.get('host') ?? ''
  if (origin !== null && origin !== `http://${asked}` && origin !== `https://${asked}`) {
    return `a page of ${origin.slice(0, 100)} may not ask here`
  }
  if (request.headers.get('sec-fetch-site') === 'cross-site') return 'a page of another site may not ask here'
  if (token === undefined && host !== undefined && !isOwnName(asked, host)) {
    return `this is not ${asked.slice(0, 100)}: ask by the address that is listened on`
  }
  return undefined
}

function isOwnName(asked: string, host: string): boolean {
  const name = asked
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
  return name === host.toLowerCase() || isLoopback(name)
}
