import { readFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { PengxError } from '../../../model/error.ts'

/** By one letter what `%x` stands for (TOKENS in ssh_config(5)). */
export type Tokens = Readonly<Record<string, string>>

/** A person of this machine as passwd(5) knows it. */
interface LocalUser {
  readonly name: string
  readonly home: string
}

/**
 * Who runs pengx, by number, as the client does it: the environment may name somebody else, or nobody. It is asked
 * where /etc/passwd does not know the number.
 */
export function localUser(): LocalUser {
  const uid = String(process.getuid?.())
  const found = passwd().find((fields) => fields[2] === uid)
  const name = found?.[0] || process.env.USER || process.env.LOGNAME || 'root'
  return { name, home: found?.[5] || homedir() }
}

function passwd(): string[][] {
  try {
    return readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
  } catch {
    return []
  }
}

/** What the machine that is connected to brings to its tokens. */
export interface TokenSubject {
  /** As it was asked for, before HostName. */
  readonly given: string
  readonly hostName: string
  readonly port: number
  readonly user: string
  readonly hostKeyAlias?: string
}

/**
 * The tokens that paths take. `asked` are those that the client has told itself: it may know a person whom
 * /etc/passwd does not, and what goes into %C differs from version to version.
 */
export function pathTokens(subject: TokenSubject, asked: Tokens): Tokens {
  const local = localUser()
  const l = asked.l ?? hostname()
  const { given: n, hostName: h, user: r } = subject
  const p = String(subject.port)
  const C = new Bun.CryptoHasher('sha1').update(l + h + p + r).digest('hex')
  const i = String(process.getuid?.() ?? '')
  const k = subject.hostKeyAlias ?? n
  return { C, d: local.home, h, i, k, L: l.replace(/\..*/, ''), l, n, p, r, u: local.name, ...asked, '%': '%' }
}

/** The tokens that ProxyCommand and ProxyJump take. */
export function proxyTokens(subject: TokenSubject): Tokens {
  const { given: n, hostName: h, user: r, port } = subject
  return { h, k: subject.hostKeyAlias ?? n, n, p: String(port), r, '%': '%' }
}

/** Pure. `invalid` for a token that this keyword does not take: the client refuses that as well. */
export function expandTokens(keyword: string, text: string, tokens: Tokens): string {
  return text.replace(/%(.?)/gs, (whole, letter: string) => {
    const value = tokens[letter]
    if (value !== undefined) return value
    const text1 = `${keyword} ${text}: ${whole} is no token that it takes; a % that is meant as such is written %%`
    throw new PengxError('invalid', text1)
  })
}

/** `~`, `~user`, tokens, and `${NAME}` of the environment, once; `invalid` where one of them is not known. */
export function expandPath(keyword: string, path: string, tokens: Tokens): string {
  const outer = path.replace(/^~([^/]*)(\/?)\/*/, (_, name: string, slash: string) => {
    const home = name === '' ? localUser().home : passwd().find((fields) => fields[0] === name)?.[5]
    if (home === undefined) throw new PengxError('invalid', `${keyword} ${path}: there is no user ${name} here`)
    return home + slash
  })
  // In one go: what a token or a variable stands for is not looked at again.
  return outer.replace(/\$\{([^}]*)\}|%(.?)/gs, (whole, name: string | undefined) => {
    if (name === undefined) return expandTokens(keyword, whole, tokens)
    const value = process.env[name]
    if (value === undefined) throw new PengxError('invalid', `${keyword} ${path}: ${name} is not in the environment`)
    return value
  })
}
