import { PengxError } from '../../model/error.ts'
import { formatSshAddress, parseSshAddress, type SshAddress } from './destination.ts'
import type { Host } from './host.ts'
import { type Directives, evaluateFiles } from './openssh/evaluate.ts'
import { configFiles, everyValue } from './openssh/files.ts'
import { expandPath, expandTokens, localUser, pathTokens, proxyTokens, type Tokens } from './openssh/tokens.ts'
import { shellArgv } from './proxyCommand.ts'
import { run } from './run.ts'

/** What ssh_config(5) says about one machine. */
export interface SshSettings {
  /** `[user@]host[:port]`, for messages. */
  readonly address: string
  readonly hostName: string
  readonly port: number
  readonly user: string
  readonly identityFiles: readonly string[]
  readonly certificateFiles: readonly string[]
  readonly identitiesOnly: boolean
  /** The agent's socket; undefined: none. */
  readonly agentSocket?: string
  /** Machines to go through, nearest first, as `[user@]host[:port]`. */
  readonly jumps: readonly string[]
  /** The command line whose process is the connection, its tokens in place. */
  readonly proxyCommand?: string
  readonly knownHostsFiles: readonly string[]
  /** Under which name its key is known, where that is not its own. */
  readonly hostKeyAlias?: string
  /** AddressFamily, where it is one of the two. */
  readonly family?: 4 | 6
  /** BindAddress: from which address of this machine. */
  readonly localAddress?: string
  /** ConnectTimeout. */
  readonly connectTimeoutMs?: number
}

export interface SshConfigOptions {
  /** This machine, to ask the installed client. */
  readonly local: Host
  /** A configuration file in place of the person's own. */
  readonly configPath?: string
}

/** What the client, or in its absence its files, say of a machine. */
interface Answer {
  readonly directives: Directives
  readonly hostName: string
  /** The client has put some tokens in place itself, and prints a list of paths without its quotes. */
  readonly isAsked: boolean
  /** What the client says that tokens stand for. */
  readonly tokens: Tokens
}

/**
 * What ssh_config(5) says of a machine: exact where the OpenSSH client is installed (`ssh -G`), else what its files
 * say (`openssh/evaluate.ts`). Nobody is connected to; Match exec runs. `invalid` where the client does not take the
 * configuration, `unsupported` for ProxyUseFdpass and what only the client understands.
 */
async function readSshSettings(address: SshAddress, options: SshConfigOptions): Promise<SshSettings> {
  const answer = (await askClient(address, options)) ?? (await readFiles(address, options))
  return await settingsFrom(address, answer, options)
}

/** ControlPath is the client's own and not read here, but it takes tokens: so their meaning can be asked for. */
const ASKED_TOKENS = ['C', 'l', 'u'] as const
const ASK_TOKENS = ASKED_TOKENS.map((letter) => `%${letter}`).join('|')

async function askClient(address: SshAddress, options: SshConfigOptions): Promise<Answer | undefined> {
  const file = options.configPath === undefined ? [] : ['-F', options.configPath]
  const port = address.port === undefined ? [] : ['-p', String(address.port)]
  const user = address.user === undefined ? [] : ['-l', address.user]
  try {
    const output = await run(options.local, {
      argv: ['ssh', '-G', '-o', `ControlPath=${ASK_TOKENS}`, ...file, ...port, ...user, address.host],
      effect: 'read',
      timeoutMs: 10_000,
    })
    const directives = parseSshG(output.stdout)
    const said = directives.get('controlpath')?.[0]?.split('|') ?? []
    const isExpanded = said.length === ASKED_TOKENS.length && !said.some((value) => value.startsWith('%'))
    const tokens = isExpanded ? Object.fromEntries(ASKED_TOKENS.map((letter, index) => [letter, said[index]!])) : {}
    return { directives, hostName: directives.get('hostname')?.[0] ?? address.host, isAsked: true, tokens }
  } catch (error) {
    if (error instanceof PengxError && error.code === 'notFound') return undefined
    const said = (error as Error).message
    const hint = /unknown key %/.test(said)
      ? '; a % that is meant as such, as before the zone of an address, is written %%'
      : ''
    const text = `cannot read the SSH settings of ${formatSshAddress(address)}: ${said}${hint}`
    throw new PengxError('invalid', text, { cause: error })
  }
}

function parseSshG(text: string): Directives {
  const found = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const blank = line.indexOf(' ')
    if (blank <= 0) continue
    const name = line.slice(0, blank).toLowerCase()
    found.set(name, [...(found.get(name) ?? []), line.slice(blank + 1)])
  }
  return found
}

async function readFiles(address: SshAddress, options: SshConfigOptions): Promise<Answer> {
  const exec = (line: string) =>
    run(options.local, { argv: shellArgv(line), effect: 'read', timeoutMs: 10_000 }).then(
      () => true,
      (error: PengxError) => {
        if (error.code === 'commandFailed') return false
        throw error
      },
    )
  const directives = await evaluateFiles(configFiles(options.configPath), address, exec)
  const given = directives.get('hostname')?.[0] ?? '%h'
  const hostName = expandTokens('HostName', given, { h: address.host, '%': '%' })
  return { directives, hostName, isAsked: false, tokens: {} }
}

const DEFAULT_IDENTITIES = ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => `~/.ssh/${name}`)
const DEFAULT_KNOWN_HOSTS = ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']
const DEFAULT_GLOBAL_KNOWN_HOSTS = ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']

async function settingsFrom(address: SshAddress, answer: Answer, options: SshConfigOptions): Promise<SshSettings> {
  const { directives, hostName } = answer
  const one = (name: string) => directives.get(name)?.[0]
  const set = (name: string) => {
    const value = one(name)
    return value === undefined || value.toLowerCase() === 'none' ? undefined : value
  }
  const text = formatSshAddress(address)
  const hostKeyAlias = set('hostkeyalias')
  const subject = {
    given: address.host,
    hostName,
    port: Number(one('port') ?? 22),
    user: one('user') ?? localUser().name,
    ...(hostKeyAlias === undefined ? {} : { hostKeyAlias }),
  }
  const tokens = pathTokens(subject, answer.tokens)
  const keys = (name: string, fallback: readonly string[]) =>
    (directives.get(name) ?? fallback)
      .filter((path) => path.toLowerCase() !== 'none')
      .map((path) => expandPath(name, path, tokens))
  const command = set('proxycommand')
  if (command !== undefined && one('proxyusefdpass')?.toLowerCase() === 'yes') {
    const why =
      'ProxyUseFdpass hands over a socket, which is not understood: use a ProxyCommand that carries the connection itself'
    throw new PengxError('unsupported', `${text}: ${why}`)
  }
  const forProxy = proxyTokens(subject)
  const seconds = Number(set('connecttimeout') ?? 0)
  const family = { inet: 4, inet6: 6 }[one('addressfamily')?.toLowerCase() ?? ''] as 4 | 6 | undefined
  const localAddress = set('bindaddress')
  const agentSocket = agentFrom(one('identityagent'), answer, tokens)
  return {
    address: text,
    hostName,
    port: subject.port,
    user: subject.user,
    identityFiles: [...new Set(keys('identityfile', DEFAULT_IDENTITIES))],
    certificateFiles: keys('certificatefile', []),
    identitiesOnly: one('identitiesonly')?.toLowerCase() === 'yes',
    ...(agentSocket === undefined ? {} : { agentSocket }),
    jumps: (set('proxyjump')?.split(',') ?? []).map((jump) => expandTokens('ProxyJump', withoutScheme(jump), forProxy)),
    ...(command === undefined ? {} : { proxyCommand: expandTokens('ProxyCommand', command, forProxy) }),
    knownHostsFiles: await knownHostsFrom(answer, options, tokens),
    ...(hostKeyAlias === undefined ? {} : { hostKeyAlias }),
    ...(family === undefined ? {} : { family }),
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(seconds > 0 ? { connectTimeoutMs: seconds * 1000 } : {}),
  }
}

async function knownHostsFrom(answer: Answer, options: SshConfigOptions, tokens: Tokens): Promise<readonly string[]> {
  const expand = (path: string) => expandPath('UserKnownHostsFile', path, tokens)
  // That of the machine takes no tokens.
  const tilde = (path: string) => path.replace(/^~(?=\/)/, localUser().home)
  const lists = [
    { name: 'userknownhostsfile', fallback: DEFAULT_KNOWN_HOSTS, expand },
    { name: 'globalknownhostsfile', fallback: DEFAULT_GLOBAL_KNOWN_HOSTS, expand: tilde },
  ]
  const files: string[] = []
  for (const { name, fallback, expand } of lists) {
    const said = answer.directives.get(name)
    if (!answer.isAsked || said === undefined) files.push(...(said ?? fallback).map(expand))
    else {
      const written = await everyValue(configFiles(options.configPath), name, tokens)
      files.push(...splitPaths(said[0]!, [...written, fallback], expand))
    }
  }
  return files.filter((path) => path.toLowerCase() !== 'none')
}

/**
 * The paths of a list that the client prints with a blank between them, whatever blanks are in them: those of the line of
 * its files that says the same, tokens in place or not. Where no line does, a path begins with `/` or `~`.
 */
function splitPaths(printed: string, written: readonly (readonly string[])[], expand: (path: string) => string) {
  for (const words of written) {
    try {
      const paths = words.map(expand)
      if (paths.join(' ') === printed || words.join(' ') === printed) return paths
    } catch {
      // It is of another machine: the client has not taken it.
    }
  }
  return printed.split(/ (?=[/~])/).map((path) => (path.startsWith('~') ? expand(path) : path))
}

function agentFrom(said: string | undefined, { isAsked }: Answer, tokens: Tokens): string | undefined {
  if (said?.toLowerCase() === 'none') return undefined
  if (said === undefined || said === 'SSH_AUTH_SOCK') return process.env.SSH_AUTH_SOCK || undefined
  const variable = /^\$(\w+)$/.exec(said)?.[1]
  if (variable !== undefined) return process.env[variable] || undefined
  return isAsked && !said.startsWith('~') ? said : expandPath('IdentityAgent', said, tokens)
}

const MOST_HOPS = 8

/**
 * The machines on the way, nearest first, the wanted one last (ProxyJump in ssh_config(5)). A jump host's own
 * ProxyJump or ProxyCommand is honoured too; `invalid` where that goes in a circle. Nobody is connected to.
 */
export async function readRoute(address: SshAddress, options: SshConfigOptions, depth = 0): Promise<SshSettings[]> {
  const settings = await readSshSettings(address, options)
  if (depth >= MOST_HOPS) throw new PengxError('invalid', `${settings.address}: ProxyJump goes in a circle`)
  const route: SshSettings[] = []
  for (const [index, jump] of settings.jumps.entries()) {
    const hop = parseSshAddress(jump)
    // As the client does it: only the first of a list may itself need another.
    if (index === 0) route.push(...(await readRoute(hop, options, depth + 1)))
    else {
      const { proxyCommand: _, ...direct } = await readSshSettings(hop, options)
      route.push(direct)
    }
  }
  return [...route, settings]
}

/** `ssh://[user@]host[:port]/` as `[user@]host[:port]`: a user's `%40` is an `@` there. */
function withoutScheme(jump: string): string {
  const [, uri] = /^ssh:\/\/(.*?)\/?$/.exec(jump.trim()) ?? []
  return uri === undefined ? jump.trim() : uri.replace(/^[^@]*(?=@)/, decodeUser)
}

function decodeUser(user: string): string {
  try {
    return decodeURIComponent(user)
  } catch {
    return user
  }
}
