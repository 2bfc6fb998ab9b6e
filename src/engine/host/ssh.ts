import { readFile } from 'node:fs/promises'
import { connect as connectSocket } from 'node:net'
import type { Duplex, Readable } from 'node:stream'
import {
  type AnyAuthMethod,
  type BaseAgent,
  Client,
  type ClientChannel,
  createAgent,
  type ParsedKey,
  utils,
} from 'ssh2'
import { PengxError } from '../../model/error.ts'
import { dialFailure, type SshError, signalExit } from './sshFailure.ts'

/**
 * One SSH connection, authenticated, its host key verified. The only place that knows the library; who
 * keeps connections, what is sent through them and how it ends is said elsewhere.
 */
export interface SshLink {
  /** Starts a command line in the login shell there; `busy` where this connection gets no further session. */
  exec(line: string, pty?: { readonly columns: number; readonly rows: number }): Promise<SshChannel>
  /**
   * To a Unix socket there (streamlocal, `AllowStreamLocalForwarding` in sshd_config(5)); fails with the server's
   * bare word, `unreachable` where the connection is lost.
   */
  connect(socketPath: string): Promise<Duplex>
  /** To a TCP port that is reached from there. */
  tunnel(host: string, port: number): Promise<Duplex>
  /** Called with the reason when the connection is over, also after close(); returns how to stop listening. */
  onLost(listener: (reason: string) => void): () => void
  /** Ends it, and within a second whatever the other side makes of it. */
  close(): Promise<void>
}

export interface SshChannel {
  readonly stream: Duplex
  readonly stderr: Readable
  /** The exit status, 128 + N for a signal; undefined where the channel ended without one. */
  readonly exit: Promise<number | undefined>
  /** When it is closed and all it said has been read. */
  readonly closed: Promise<void>
  /** Tells a terminal there its new size. */
  resize(columns: number, rows: number): void
  /** Closes the channel alone; the command there goes on until it notices. */
  close(): void
}

export interface DialOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  /** The way through a jump host or a ProxyCommand, in place of a TCP connection of our own. */
  readonly through?: Duplex
  /** Of a TCP connection of our own. */
  readonly family?: 4 | 6
  readonly localAddress?: string
  readonly hostKeyTypes: readonly string[]
  /** Whether that public key (RFC 4253 section 6.6) may be what the machine shows; must not wait. */
  verify(blob: Uint8Array): boolean
  readonly agentSocket?: string
  readonly identityFiles: readonly string[]
  /** Not understood; who is not let in is told so. */
  readonly certificateFiles: readonly string[]
  readonly identitiesOnly: boolean
  readonly connectTimeoutMs: number
  readonly keepaliveMs: number
  readonly keepaliveMisses: number
}

/**
 * One connection: a TCP socket or another stream in its place, the host key shown to `verify`, the agent and the key
 * files tried. Fails with the bare reason, as `unreachable` or (login, host key) `refused`.
 */
export async function dial(options: DialOptions): Promise<SshLink> {
  const login = await readLogin(options)
  const client = new Client()
  const { host, port, family, localAddress } = options
  const socket =
    options.through ??
    connectSocket({
      ...{ host, port, noDelay: true },
      ...(family === undefined ? {} : { family }),
      ...(localAddress === undefined ? {} : { localAddress }),
    })
  const end = watchEnd(client, socket)
  await new Promise<void>((resolve, reject) => {
    client.on('ready', resolve)
    client.on('error', (error: SshError) => {
      if (error.level === 'agent') {
        login.problems.push(`the agent at ${options.agentSocket} does not answer`)
        return
      }
      reject(dialFailure(error, { ...options, ...login }))
      end.force()
    })
    end.onLost((reason) => reject(new PengxError('unreachable', `${reason} before the login was done`)))
    client.connect({
      sock: socket as Readable,
      username: options.user,
      readyTimeout: options.connectTimeoutMs,
      keepaliveInterval: options.keepaliveMs,
      keepaliveCountMax: options.keepaliveMisses,
      authHandler: login.methods,
      hostVerifier: (blob: Buffer) => options.verify(blob),
      algorithms: {
        kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', ...NIST_KEX],
        cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr'],
        serverHostKey: [...options.hostKeyTypes] as never,
      },
    })
  })
  return linkOver(client, end)
}

/** Diffie-Hellman over integers takes seconds here and stands still meanwhile, so it is not offered. */
const NIST_KEX = ['ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521'] as const

interface End extends Pick<SshLink, 'onLost'> {
  /** It is over now, whatever the other side makes of it. */
  force(): void
}

/** Listeners come and go with commands; a connection lives for months, so none may stay behind. */
function watchEnd(client: Client, socket: Duplex): End {
  const listeners = new Set<(reason: string) => void>()
  let reason = 'the connection was closed'
  let over = false
  const finish = () => {
    over = true
    for (const listener of listeners) listener(reason)
    listeners.clear()
  }
  client.on('error', (error: SshError) => {
    reason = error.level === 'client-timeout' ? 'it does not answer any more' : error.message
  })
  client.on('close', finish)
  return {
    onLost(listener) {
      if (over) queueMicrotask(() => listener(reason))
      else listeners.add(listener)
      return () => listeners.delete(listener)
    },
    force() {
      socket.destroy()
      finish()
    },
  }
}

function linkOver(client: Client, { onLost, force }: End): SshLink {
  /** `use` takes the stream at once: what the server says next may come in this very turn. */
  const open = <S extends Duplex, T>(
    start: (done: (error: Error | undefined, stream: S) => void) => void,
    use: (stream: S) => T,
  ) => {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const stop = onLost((reason) => reject(new PengxError('unreachable', reason)))
    try {
      start((error, stream) => (error ? reject(error) : resolve(use(stream))))
    } catch (error) {
      // The library throws where the connection is already gone.
      reject(new PengxError('unreachable', (error as Error).message, { cause: error }))
    }
    return promise.finally(stop)
  }
  return {
    onLost,
    exec: async (line, pty) => {
      const window = pty ? { term: process.env.TERM || 'xterm-256color', cols: pty.columns, rows: pty.rows } : false
      try {
        return await open((done) => client.exec(line, { pty: window as never }, done), channelOver)
      } catch (error) {
        if (error instanceof PengxError) throw error
        throw new PengxError('busy', 'no further session on this connection', { cause: error })
      }
    },
    connect: (socketPath) => open((done) => client.openssh_forwardOutStreamLocal(socketPath, done), mirrorEnd),
    tunnel: (host, port) => open((done) => client.forwardOut('127.0.0.1', 0, host, port, done), mirrorEnd),
    close: async () => {
      client.end()
      const patience = setTimeout(force, 1_000)
      await new Promise<string>(onLost)
      clearTimeout(patience)
    },
  }
}

/** The library closes a forwarded stream only when both ends have ended. */
function mirrorEnd(stream: Duplex): Duplex {
  stream.on('error', () => undefined)
  stream.once('end', () => stream.end())
  return stream
}

function channelOver(channel: ClientChannel): SshChannel {
  const exit = new Promise<number | undefined>((resolve) => {
    channel.on('exit', (code: number | null, signal?: string) => resolve(code ?? signalExit(signal)))
    channel.on('close', () => resolve(undefined))
  })
  const closed = new Promise<void>((resolve) => channel.on('close', () => resolve()))
  channel.on('error', () => undefined)
  return {
    stream: channel,
    stderr: channel.stderr,
    exit,
    closed,
    resize: (columns, rows) => channel.setWindow(rows, columns, 0, 0),
    close: () => channel.close(),
  }
}

interface Login {
  readonly methods: AnyAuthMethod[]
  readonly tried: readonly string[]
  /** Why something that was meant to be tried was not. */
  readonly problems: string[]
}

/** The agent first, with the keys that the configuration names before its others; then the key files. */
async function readLogin(options: DialOptions): Promise<Login> {
  const methods: AnyAuthMethod[] = []
  const tried: string[] = []
  const problems = options.certificateFiles.map(
    (path) => `the certificate ${path} is not used: pengx logs in by plain keys`,
  )
  const named: Buffer[] = []
  const keys: { path: string; key: ParsedKey }[] = []
  for (const path of options.identityFiles) {
    const blob = publicBlob(await readFile(`${path}.pub`, 'utf8').catch(() => ''))
    if (blob) named.push(blob)
    const text = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') problems.push(`${path} cannot be read (${error.code})`)
      return undefined
    })
    if (text === undefined) continue
    const key = utils.parseKey(text)
    if (!(key instanceof Error)) {
      if (key.isPrivateKey()) keys.push({ path, key })
      named.push(key.getPublicSSH())
    } else if (/encrypted|passphrase/i.test(key.message)) {
      problems.push(
        `${path} is encrypted and no agent gives it: run \`ssh-add ${path}\` and start pengx again from there`,
      )
    } else problems.push(`${path} is no key that is understood`)
  }
  if (options.agentSocket !== undefined) {
    const agent = orderedAgent(createAgent(options.agentSocket), named, options.identitiesOnly)
    methods.push({ type: 'agent', username: options.user, agent })
    tried.push('the agent')
  }
  for (const { path, key } of keys) {
    methods.push({ type: 'publickey', username: options.user, key })
    tried.push(path)
  }
  return { methods, tried, problems }
}

function publicBlob(text: string): Buffer | undefined {
  const key = text === '' ? undefined : utils.parseKey(text)
  return key === undefined || key instanceof Error ? undefined : key.getPublicSSH()
}

/** A server counts refused keys: those that are named come first, and with IdentitiesOnly no others. */
function orderedAgent(agent: BaseAgent, named: readonly Buffer[], only: boolean): BaseAgent {
  const getIdentities = agent.getIdentities.bind(agent)
  const is = (key: unknown, blob: Buffer) => blob.equals((key as ParsedKey).getPublicSSH())
  return Object.assign(agent, {
    getIdentities: (done: Parameters<typeof getIdentities>[0]) =>
      getIdentities((error, keys) => {
        const all = keys ?? []
        const first = new Set(named.flatMap((blob) => all.filter((key) => is(key, blob))))
        done(error, [...first, ...(only ? [] : all.filter((key) => !first.has(key)))])
      }),
  })
}
