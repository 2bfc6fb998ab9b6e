import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'

/**
 * A real OpenSSH server on loopback with keys of its own: nothing of the machine's own settings, accounts'
 * keys or known_hosts is read or written.
 */
export interface TestSshd {
  readonly port: number
  readonly directory: string
  /** A private key that may log in. */
  readonly identity: string
  readonly hostKey: string
  /** The processes that serve connections now. */
  connections(): number[]
  /** Kills the server and every connection it has, as a power cut would. */
  kill(): Promise<void>
  /** Listens again, on the same port. */
  start(): Promise<void>
}

/** By its full path, as it wants to be started. */
const SSHD = Bun.which('sshd') ?? 'sshd'

export async function startSshd(
  directory: string,
  options: { extra?: readonly string[]; hostKeyType?: string; authorized?: readonly string[] } = {},
): Promise<TestSshd> {
  mkdirSync(directory, { recursive: true })
  // Where the server is installed but was never started.
  mkdirSync('/run/sshd', { recursive: true })
  const hostKey = await makeKey(join(directory, 'host_key'), { type: options.hostKeyType ?? 'ed25519' })
  const identity = await makeKey(join(directory, 'identity'))
  const allowed = [identity, ...(options.authorized ?? [])].map((key) => readFileSync(`${key}.pub`, 'utf8'))
  writeFileSync(join(directory, 'authorized_keys'), allowed.join(''))
  const port = await freePort()
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'MaxStartups 100',
    // Else a bash that sshd starts reads the person's .bashrc, whatever that does and however long it takes.
    `SetEnv SHLVL=5 PATH=${process.env.PATH}`,
    ...(options.extra ?? []),
  ]
  const file = join(directory, 'sshd_config')
  writeFileSync(file, `${config.join('\n')}\n`)
  let server: Bun.Subprocess | undefined

  const start = async () => {
    const log = Bun.file(join(directory, 'sshd.log'))
    server = Bun.spawn([SSHD, '-D', '-e', '-f', file], { stdin: 'ignore', stdout: log, stderr: log })
    while (!(await listens(port))) {
      if (server.exitCode !== null) throw new Error(`sshd did not start: ${await log.text()}`)
      await Bun.sleep(20)
    }
  }
  const connections = () => (server ? descendants(server.pid).filter(isSshd) : [])
  const kill = async () => {
    const victims = connections()
    server?.kill('SIGKILL')
    await server?.exited
    for (const pid of victims) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended with its client.
      }
    }
  }
  await start()
  return { port, directory, identity, hostKey, connections, kill, start }
}

/** An OpenSSH key pair at `path` and `path.pub`. */
export async function makeKey(path: string, options: { type?: string; passphrase?: string } = {}): Promise<string> {
  const type = options.type ?? 'ed25519'
  await command(['ssh-keygen', '-q', '-t', type, '-N', options.passphrase ?? '', '-C', 'test', '-f', path])
  return path
}

export interface SshConfigEntry {
  readonly alias: string
  readonly port: number
  readonly identity?: string
  readonly jump?: string
  readonly agent?: string
  /** A ProxyCommand. */
  readonly proxy?: string
  /** What stands behind UserKnownHostsFile; else there is none. */
  readonly known?: string
}

/** An ssh_config in which nothing of the person's own appears. */
export function writeSshConfig(path: string, entries: readonly SshConfigEntry[]): string {
  const text = entries.map((entry) =>
    [
      `Host ${entry.alias}`,
      '  HostName 127.0.0.1',
      `  Port ${entry.port}`,
      `  IdentityFile ${entry.identity ?? '/nonexistent'}`,
      `  IdentityAgent ${entry.agent ?? 'none'}`,
      `  UserKnownHostsFile ${entry.known ?? '/nonexistent'}`,
      '  GlobalKnownHostsFile /nonexistent',
      ...(entry.jump ? [`  ProxyJump ${entry.jump}`] : []),
      ...(entry.proxy ? [`  ProxyCommand ${entry.proxy}`] : []),
    ].join('\n'),
  )
  writeFileSync(path, `${text.join('\n\n')}\n`)
  return path
}

/**
 * What nc(1) does, as a command line for a ProxyCommand: behind it come a file, to which it adds a line with its pid and
 * its further words, a host, and a port.
 */
export function writePipe(directory: string): string {
  mkdirSync(directory, { recursive: true })
  const script = join(directory, 'pipe.ts')
  writeFileSync(
    script,
    `import { appendFileSync } from 'node:fs'
     import { connect } from 'node:net'
     const [file, host, port, ...rest] = process.argv.slice(2)
     appendFileSync(file, [process.pid, host, port, ...rest].join(' ') + '\\n')
     const socket = connect(Number(port), host)
     process.stdin.pipe(socket)
     socket.pipe(process.stdout)
     socket.on('error', (error) => { console.error('pipe: ' + error.code); process.exit(7) })
     socket.on('close', () => process.exit(0))`,
  )
  return `${process.execPath} "${script}"`
}

/** A line for known_hosts with a server's real key. */
export function knownLine(sshd: TestSshd): string {
  const [type, key] = readFileSync(`${sshd.hostKey}.pub`, 'utf8').split(' ')
  return `[127.0.0.1]:${sshd.port} ${type} ${key}\n`
}

export async function command(argv: string[], input?: string): Promise<string> {
  const child = Bun.spawn(argv, { stdin: input === undefined ? 'ignore' : new Blob([input]), stderr: 'pipe' })
  const [stdout, stderr, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (exit !== 0) throw new Error(`${argv.join(' ')} exited with ${exit}: ${stderr}`)
  return stdout
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function descendants(root: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? readStat(Number(entry)) : undefined
    if (stat) parents.set(Number(entry), Number(stat[1]))
  }
  const found = [root]
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child)
  return found.slice(1)
}

function readStat(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

function isSshd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1').startsWith('sshd')
  } catch {
    return false
  }
}

/** Whether a process lives; a dead one that nobody has waited for does not. */
export function isAlive(pid: number): boolean {
  const state = readStat(pid)?.[0]
  return state !== undefined && state !== 'Z'
}
