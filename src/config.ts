import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { SiteArgs } from './args.ts'
import type { EngineConfig } from './engine/engine.ts'
import { PengxError } from './model/error.ts'
import { DEFAULT_SETTINGS, parseSettings, type Settings } from './settings.ts'

/** Where things lie, and what the administrator has set. Everything of one store lies beside it. */
export interface Config {
  readonly storePath: string
  readonly tokenPath: string
  readonly logPath: string
  /** How lists of the terminal interface are sorted and what they show. */
  readonly keptPath: string
  readonly knownHostsPath: string
  readonly settingsPath: string
  readonly settings: Settings
  /** Lines of the settings file that are not used, and why. */
  readonly problems: readonly string[]
}

export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number
  readonly home: string
}

function thisEnvironment(): Environment {
  return { env: process.env, uid: process.getuid?.() ?? -1, home: homedir() }
}

/** Reads the settings and settles every path; makes nothing. */
export function readConfig(
  site: Pick<SiteArgs, 'demo' | 'dbPath'>,
  environment: Environment = thisEnvironment(),
): Config {
  const settingsPath = join(
    baseDirectory(environment.env.XDG_CONFIG_HOME, join(environment.home, '.config')),
    'pengx/config.toml',
  )
  const storePath = site.dbPath ?? join(stateDirectory(environment), 'pengx.db')
  const beside = dirname(storePath)
  return {
    storePath,
    tokenPath: join(beside, 'token'),
    logPath: site.demo ? join(tmpdir(), `pengx-demo-${environment.uid}.log`) : join(beside, 'pengx.log'),
    keptPath: join(beside, 'terminal.json'),
    knownHostsPath: join(environment.home, '.ssh/known_hosts'),
    settingsPath,
    ...readSettings(settingsPath),
  }
}

/** The XDG base directory specification: a path that is not absolute is to be ignored. */
function baseDirectory(value: string | undefined, standard: string): string {
  return value?.startsWith('/') ? value : standard
}

/** root's site is the machine's own, so it lies where a service finds it. */
function stateDirectory(environment: Environment): string {
  const standard = environment.uid === 0 ? '/var/lib' : join(environment.home, '.local/state')
  return join(baseDirectory(environment.env.XDG_STATE_HOME, standard), 'pengx')
}

function readSettings(path: string): { settings: Settings; problems: readonly string[] } {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { settings: DEFAULT_SETTINGS, problems: [] }
    const reason = error instanceof Error ? error.message : String(error)
    return { settings: DEFAULT_SETTINGS, problems: [`${path} cannot be read, its settings are not used: ${reason}`] }
  }
  const parsed = parseSettings(text)
  return { settings: parsed.settings, problems: parsed.problems.map((problem) => `${path}:${problem}`) }
}

/** What a subcommand needs of the engine; `behind` as in its demo. */
export type EngineUse = Pick<EngineConfig, 'watch' | 'recovers'> & { readonly behind?: boolean }

/** What the engine is made of for this invocation; makes the store's directory, readable by its owner alone. */
export function engineConfig(
  config: Config,
  site: SiteArgs,
  { watch, recovers, behind = false }: EngineUse,
): EngineConfig {
  if (!site.demo) makeStateDirectory(config, site)
  return {
    store: site.demo ? 'memory' : { path: config.storePath },
    ...(site.demo ? { demo: { behind } } : {}),
    destinations: site.destinations,
    local: !site.demo && isXenHost(),
    readOnly: site.readOnly,
    ...(config.settings.site.self === '' ? {} : { self: config.settings.site.self }),
    knownHostsPath: config.knownHostsPath,
    ...(config.settings.ssh.config === '' ? {} : { sshConfigPath: config.settings.ssh.config }),
    isoDirectories: absolute(config.settings.iso.directories),
    configPatterns: absolute(config.settings.vm.configurations),
    ...(site.demo ? {} : lockspaceOf(config)),
    watch,
    recovers,
  }
}

/** Half of it must not pass for none: guests would start without the leases that somebody counts on. */
function lockspaceOf({ settings: { sanlock }, settingsPath }: Config): Pick<EngineConfig, 'lockspace'> {
  const { lockspace: name, leases } = sanlock
  if (name === '' && leases === '') return {}
  const wrong = /^[\w.-]{1,48}$/.test(name)
    ? /^\/[\w./-]*$/.test(leases) // a colon would end it in sanlock's own words
      ? undefined
      : `leases = "${leases}" is no absolute path of letters, digits and /._-`
    : `lockspace = "${name}" is no name of sanlock's: 1 to 48 letters, digits, dots, dashes and underscores`
  if (wrong) throw new PengxError('invalid', `[sanlock] of ${settingsPath}: ${wrong}`)
  return { lockspace: { name, leases: leases.replace(/(.)\/+$/, '$1') } }
}

function absolute(paths: string): string[] {
  return paths.split(':').filter((path) => path.startsWith('/'))
}

/** A directory that somebody names is theirs to make: a mistyped path is an error and not a new site. */
function makeStateDirectory(config: Config, site: SiteArgs): void {
  const directory = dirname(config.storePath)
  if (existsSync(directory)) return
  if (site.dbPath !== undefined) {
    throw new PengxError('notFound', `cannot open the store ${config.storePath}: there is no directory ${directory}`)
  }
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new PengxError(
      'internal',
      `cannot make ${directory} for the store: ${reason}; --db FILE names another place`,
      {
        cause: error,
      },
    )
  }
}

/** This machine is a Xen host's control domain, and `xl` is there to drive it. */
function isXenHost(): boolean {
  return isControlDomain() && Bun.which('xl', { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` }) !== null
}

function isControlDomain(): boolean {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return ''
    }
  }
  return read('/proc/xen/capabilities').includes('control_d') || read('/sys/hypervisor/type').trim() === 'xen'
}
