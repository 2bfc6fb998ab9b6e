import { PengxError } from '../../model/error.ts'

/** Where an SSH host is, as a person writes it: `[user@]host[:port]`, an IPv6 address with a port in brackets. */
export interface SshAddress {
  readonly user?: string
  readonly host: string
  readonly port?: number
}

/** What a PM's destination says about how it is reached. */
export type Destination =
  | { readonly kind: 'local' }
  | { readonly kind: 'sim'; readonly name: string }
  | { readonly kind: 'ssh'; readonly address: SshAddress }

/**
 * Pure. `local`, `sim:NAME` or `ssh:[user@]host[:port]`; `invalid` for anything else. Nobody is asked whether it is
 * there.
 */
export function parseDestination(text: string): Destination {
  if (text === 'local') return { kind: 'local' }
  if (text.startsWith('sim:') && text.length > 4) return { kind: 'sim', name: text.slice(4) }
  if (text.startsWith('ssh:')) return { kind: 'ssh', address: parseSshAddress(text.slice(4)) }
  throw new PengxError('invalid', `${text} is no destination: expected local, ssh:[user@]host[:port] or sim:NAME`)
}

/** A host that begins with a dash would be an option to the `ssh` client; blanks and slashes are in no name. */
const HOST = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?$/
/** `DOMAIN\\user` is one too; a backslash at the end would quote what follows it in a ProxyCommand. */
const USER = /^[A-Za-z0-9_]([A-Za-z0-9_.+@\\-]*[A-Za-z0-9_.+@-])?$/

/** Pure. `invalid` for what is no such address: no word that ssh(1) would take for an option gets through. */
export function parseSshAddress(text: string): SshAddress {
  const at = text.lastIndexOf('@')
  const user = at < 0 ? undefined : text.slice(0, at)
  const { host, port } = splitPort(text.slice(at + 1))
  const number = port === undefined ? undefined : Number(port)
  const sound =
    HOST.test(host) &&
    (user === undefined || USER.test(user)) &&
    (number === undefined || (/^\d+$/.test(port ?? '') && number > 0 && number < 65536))
  if (!sound) throw new PengxError('invalid', `${text} is no SSH address: expected [user@]host[:port]`)
  return { host, ...(user === undefined ? {} : { user }), ...(number === undefined ? {} : { port: number }) }
}

/** `[::1]:22`, `::1` and `host:22` apart: several colons without brackets are an address and no port. */
function splitPort(text: string): { host: string; port?: string } {
  const bracketed = /^\[([^\]]+)\](?::(.*))?$/.exec(text)
  if (bracketed) return { host: bracketed[1]!, ...(bracketed[2] === undefined ? {} : { port: bracketed[2] }) }
  const colon = text.indexOf(':')
  if (colon < 0 || colon !== text.lastIndexOf(':')) return { host: text }
  return { host: text.slice(0, colon), port: text.slice(colon + 1) }
}

/** Pure. As `parseSshAddress` reads it, an IPv6 address in brackets. */
export function formatSshAddress(address: SshAddress): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${address.user ? `${address.user}@` : ''}${host}${address.port === undefined ? '' : `:${address.port}`}`
}
