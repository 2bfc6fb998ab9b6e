import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import SSHConfig from 'ssh-config'
import { PengxError } from '../../model/error.ts'
import { formatSshAddress, parseSshAddress, type SshAddress } from './destination.ts'
import type { Host } from './host.ts'
import { run } from './run.ts'

/** What ssh_config(5) says about one machine. */
export interface SshSettings {
  /** `[user@]host[:port]`, for messages. */
  readonly address: string
  readonly hostName: string
  readonly port: number
  readonly user: string
  readonly identityFiles: readonly string[]
  readonly identitiesOnly: boolean
  /** The agent's socket; undefined: none. */
  readonly agentSocket?: string
  /** Machines to go through, nearest first, as written in ProxyJump. */
  readonly jumps: readonly string[]
  readonly knownHostsFiles: readonly string[]
  /** Under which name its key is known, where that is not its own. */
  readonly hostKeyAlias?: string
}

export interface SshConfigOptions {
  /** This machine, to ask the installed client. */
  readonly local: Host
  /** A configuration file in place of the person's own. */
  readonly configPath?: string
}

/** A directive in lower case and its values. */
type Directives = ReadonlyMap<string, readonly string[]>

/**
 * What ssh_config(5) says of a machine: exact where the OpenSSH client is installed (`ssh -G`), else what
 * ~/.ssh/config says, without Include and Match exec. Nobody is connected to. `invalid` where the client does not
 * take the configuration, `unsupported` for a ProxyCommand.
 */
async function readSshSettings(address: SshAddress, options: SshConfigOptions): Promise<SshSettings> {
  const directives = (await askClient(address, options)) ?? (await readConfig(address, options))
  return settingsFrom(address, directives)
}

async function askClient(address: SshAddress, options: SshConfigOptions): Promise<Directives | undefined> {
  const file = options.configPath === undefined ? [] : ['-F', options.configPath]
  const port = address.port === undefined ? [] : ['-p', String(address.port)]
  const user = address.user === undefined ? [] : ['-l', address.user]
  try {
    const output = await run(options.local, {
      argv: ['ssh', '-G', ...file, ...port, ...user, address.host],
      effect: 'read',
      timeoutMs: 10_000,
    })
    return parseSshG(output.stdout)
  } catch (error) {
    if (error instanceof PengxError && error.code === 'notFound') return undefined
    const text = `cannot read the SSH settings of ${formatSshAddress(address)}: ${(error as Error).message}`
    throw new PengxError('invalid', text, { cause: error })
  }
}

function parseSshG(text: string): Directives {
  const found = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const blank = line.indexOf(' ')
    if (blank > 0) append(found, line.slice(0, blank).toLowerCase(), line.slice(blank + 1))
  }
  return found
}

async function readConfig(address: SshAddress, options: SshConfigOptions): Promise<Directives> {
  const text = await readFile(options.configPath ?? join(homedir(), '.ssh/config'), 'utf8').catch(() => '')
  const found = new Map<string, string[]>()
  for (const [name, value] of Object.entries(SSHConfig.parse(text).compute(address.host))) {
    for (const word of Array.isArray(value) ? value : [value]) append(found, name.toLowerCase(), String(word))
  }
  if (address.user !== undefined) found.set('user', [address.user])
  if (address.port !== undefined) found.set('port', [String(address.port)])
  return found
}

function append(found: Map<string, string[]>, name: string, value: string): void {
  found.set(name, [...(found.get(name) ?? []), value])
}

const DEFAULT_IDENTITIES = ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => `~/.ssh/${name}`)
const DEFAULT_KNOWN_HOSTS = ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']
const DEFAULT_GLOBAL_KNOWN_HOSTS = ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']

function settingsFrom(address: SshAddress, directives: Directives): SshSettings {
  const one = (name: string) => directives.get(name)?.[0]
  const set = (name: string) => {
    const value = one(name)
    return value === undefined || value.toLowerCase() === 'none' ? undefined : value
  }
  const text = formatSshAddress(address)
  if (set('proxycommand') !== undefined) {
    throw new PengxError('unsupported', `${text} is reached by a ProxyCommand, which is not understood: use ProxyJump`)
  }
  const local = localUser()
  const user = one('user') ?? local
  const port = Number(one('port') ?? 22)
  const hostName = (one('hostname') ?? address.host).replaceAll('%h', address.host).replaceAll('%%', '%')
  const expand = (path: string) =>
    expandPath(path, { h: hostName, r: user, u: local, p: String(port), n: address.host })
  const hostKeyAlias = set('hostkeyalias')
  const agentSocket = agentFrom(one('identityagent'), expand)
  const words = (name: string, fallback: readonly string[]) =>
    (directives.get(name) ?? [fallback.join(' ')]).flatMap((value) => value.split(/\s+/).filter((word) => word !== ''))
  return {
    address: text,
    hostName,
    port,
    user,
    identityFiles: [...new Set((directives.get('identityfile') ?? DEFAULT_IDENTITIES).map(unquote).map(expand))],
    identitiesOnly: one('identitiesonly')?.toLowerCase() === 'yes',
    ...(agentSocket === undefined ? {} : { agentSocket }),
    jumps: set('proxyjump')?.split(',') ?? [],
    knownHostsFiles: [
      ...words('userknownhostsfile', DEFAULT_KNOWN_HOSTS),
      ...words('globalknownhostsfile', DEFAULT_GLOBAL_KNOWN_HOSTS),
    ].map(expand),
    ...(hostKeyAlias === undefined ? {} : { hostKeyAlias }),
  }
}

/** By number, as the client does it: the environment may name somebody else, or nobody. */
function localUser(): string {
  const uid = String(process.getuid?.())
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
    const name = lines.map((line) => line.split(':')).find((fields) => fields[2] === uid)?.[0]
    if (name) return name
  } catch {
    // The environment is asked then.
  }
  return process.env.USER || process.env.LOGNAME || 'root'
}

function agentFrom(directive: string | undefined, expand: (path: string) => string): string | undefined {
  if (directive?.toLowerCase() === 'none') return undefined
  if (directive === undefined || directive === 'SSH_AUTH_SOCK') return process.env.SSH_AUTH_SOCK || undefined
  if (directive.startsWith('$')) return process.env[directive.slice(1).replace(/[{}]/g, '')] || undefined
  return expand(unquote(directive))
}

function unquote(text: string): string {
  return text.replace(/^"(.*)"$/, '$1')
}

/** `~` and the tokens of ssh_config(5) that stand in paths. */
function expandPath(path: string, tokens: Readonly<Record<string, string>>): string {
  const home = homedir()
  const known: Readonly<Record<string, string>> = { ...tokens, d: home, '%': '%' }
  return path
    .replace(/^~(?=\/|$)/, home)
    .replace(/%([a-z%])/g, (whole, token: string) => known[token] ?? whole)
    .replace(/\$\{(\w+)\}/g, (whole, name: string) => process.env[name] ?? whole)
}

const MOST_HOPS = 8

/**
 * The machines on the way, nearest first, the wanted one last (ProxyJump in ssh_config(5)). A jump host's own
 * ProxyJump is honoured too; `invalid` where that goes in a circle. Nobody is connected to.
 */
export async function readRoute(address: SshAddress, options: SshConfigOptions, depth = 0): Promise<SshSettings[]> {
  const settings = await readSshSettings(address, options)
  if (depth >= MOST_HOPS) throw new PengxError('invalid', `${settings.address}: ProxyJump goes in a circle`)
  const route: SshSettings[] = []
  for (const [index, jump] of settings.jumps.entries()) {
    const hop = parseSshAddress(jump.replace(/^ssh:\/\//, '').replace(/\/$/, ''))
    // As the client does it: only the first of a list may itself need another.
    if (index === 0) route.push(...(await readRoute(hop, options, depth + 1)))
    else route.push(await readSshSettings(hop, options))
  }
  return [...route, settings]
}
