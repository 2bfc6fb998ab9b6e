import { PengxError } from '../../../model/error.ts'
import { type ConfigFile, includedFiles, readStatements } from './files.ts'
import { expandTokens, localUser, pathTokens, type Tokens } from './tokens.ts'
import { matchesAny, type Statement } from './words.ts'

/** For whom the files are read, and what of it an address has already said. */
export interface Asked {
  readonly host: string
  readonly user?: string
  readonly port?: number
}

/** A directive in lower case, and its values: the words of the first that applies, of keys those of all. */
export type Directives = ReadonlyMap<string, readonly string[]>

/** Of those that are read here, what takes one word. */
const ALONE = [
  'hostname',
  'port',
  'user',
  'hostkeyalias',
  'identityfile',
  'certificatefile',
  'identityagent',
  'identitiesonly',
  'addressfamily',
  'bindaddress',
  'connecttimeout',
  'proxyusefdpass',
  'canonicalizehostname',
  'proxycommand',
  'proxyjump',
]
/** And what takes several; one without any is as if it were not there. */
const LISTS = ['userknownhostsfile', 'globalknownhostsfile']

/** Of these every line counts. */
const ADDING = ['identityfile', 'certificatefile']

/**
 * What the files say of a machine, as the client would read them: Include, Host, and Match with all, host,
 * originalhost, user, localuser and exec. `exec` answers whether a command line ends well. `unsupported` for what only the
 * client can tell (other criteria, CanonicalizeHostname) where it matters.
 */
export async function evaluateFiles(
  files: readonly ConfigFile[],
  asked: Asked,
  exec: (line: string) => Promise<boolean>,
): Promise<Directives> {
  const found = new Map<string, readonly string[]>()
  if (asked.user !== undefined) found.set('user', [asked.user])
  if (asked.port !== undefined) found.set('port', [String(asked.port)])
  const say: Sayer = { asked, found, exec }
  for (const file of files) await readInto(say, file, true, 0)
  return found
}

interface Sayer {
  readonly asked: Asked
  readonly found: Map<string, readonly string[]>
  exec(line: string): Promise<boolean>
}

async function readInto(say: Sayer, file: ConfigFile, isMeant: boolean, depth: number): Promise<void> {
  let applies = isMeant
  for (const statement of await readStatements(file, depth)) {
    const { keyword, words } = statement
    if (keyword === 'host') applies = isMeant && matchesAny(say.asked.host, words)
    else if (keyword === 'match') applies = isMeant && (await matches(say, statement))
    else if (!applies) continue
    else if (keyword === 'include') {
      for (const included of await includedFiles(statement, file, tokensSoFar(say))) {
        await readInto(say, included, true, depth + 1)
      }
    } else take(say.found, statement)
  }
}

function take(found: Map<string, readonly string[]>, { keyword, words, at }: Statement): void {
  const isList = LISTS.includes(keyword)
  if (!isList && !ALONE.includes(keyword)) return
  if (isList && words.length === 0) return
  if (words.length === 0 || words.includes(''))
    throw new PengxError('invalid', `${at}: nothing stands behind ${keyword}`)
  if (words.length > 1 && !isList) {
    throw new PengxError('invalid', `${at}: ${keyword} takes one word; quotes hold one with blanks together`)
  }
  if (ADDING.includes(keyword)) found.set(keyword, [...(found.get(keyword) ?? []), words[0]!])
  if (found.has(keyword)) return
  if (keyword === 'proxyjump' && words[0]!.toLowerCase() !== 'none') {
    // Of the two the first decides; a ProxyJump that is none leaves the other its turn.
    if (found.has('proxycommand')) return
    found.set('proxycommand', ['none'])
  }
  if (keyword === 'canonicalizehostname' && !/^no$/i.test(words[0]!)) throw onlyClient(at, 'CanonicalizeHostname')
  found.set(keyword, words)
}

async function matches(say: Sayer, { words, at }: Statement): Promise<boolean> {
  const left = [...words]
  if (left.length === 0) throw new PengxError('invalid', `${at}: nothing stands behind Match`)
  let result = true
  while (left.length > 0) {
    const [whole, criterion, inline] = /^(!?[A-Za-z]+)(?:=(.*))?$/s.exec(left.shift()!) ?? []
    if (whole === undefined) throw new PengxError('invalid', `${at}: Match is not understood`)
    const negated = criterion!.startsWith('!')
    const name = criterion!.replace('!', '').toLowerCase()
    if (name === 'all') return result && !negated
    // Names are made canonical by the client alone, and without that it reads no second time for them.
    const isPass = name === 'canonical' || name === 'final'
    const value = isPass ? '' : (inline ?? left.shift())
    if (value === undefined) throw new PengxError('invalid', `${at}: nothing stands behind ${name}`)
    if (!result) continue
    result = (await isMet(say, { name, value, at })) !== negated
  }
  return result
}

interface Criterion {
  readonly name: string
  readonly value: string
  readonly at: string
}

async function isMet(say: Sayer, { name, value, at }: Criterion): Promise<boolean> {
  const tokens = tokensSoFar(say)
  const patterns = value.split(',')
  const lower = patterns.map((pattern) => pattern.toLowerCase())
  if (name === 'host') return matchesAny(tokens.h!.toLowerCase(), lower)
  if (name === 'originalhost') return matchesAny(say.asked.host.toLowerCase(), lower)
  if (name === 'user') return matchesAny(tokens.r!, patterns)
  if (name === 'localuser') return matchesAny(tokens.u!, patterns)
  if (name === 'exec') return await say.exec(expandTokens('Match exec', value, tokens))
  if (name === 'canonical') return false
  throw onlyClient(at, `Match ${name}`)
}

function tokensSoFar({ asked, found }: Sayer): Tokens {
  const one = (name: string) => found.get(name)?.[0]
  const hostName = expandTokens('HostName', one('hostname') ?? asked.host, { h: asked.host, '%': '%' })
  const user = one('user') ?? localUser().name
  const hostKeyAlias = one('hostkeyalias')
  const subject = { given: asked.host, hostName, user, port: Number(one('port') ?? 22) }
  return pathTokens({ ...subject, ...(hostKeyAlias === undefined ? {} : { hostKeyAlias }) }, {})
}

function onlyClient(at: string, what: string): PengxError {
  return new PengxError('unsupported', `${at}: ${what} is understood by OpenSSH's client alone: install that`)
}
