import { checkPlaces, readFlags, tokensOf, usage, type Values } from './argFlags.ts'
import { nearest } from './lib/near.ts'

/**
 * What a command line asks for. A word that is not understood is refused and the near one named: a wrong flag
 * that is ignored would run something else than what was meant. The words of `run` after its operation are
 * left as they are, because only the operation knows which of its parameters take a value.
 */
export const LISTS = ['pms', 'vms', 'perf', 'jobs', 'storlinks', 'templates', 'schedules'] as const
/** Lists of what one VM has. */
export const VM_LISTS = ['disks', 'nics', 'snapshots', 'backups'] as const
/** Those of them that are of the whole site where no VM is named. */
const SITE_TOO: readonly string[] = ['backups']
export type ListName = (typeof LISTS)[number] | (typeof VM_LISTS)[number]

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type ShellName = (typeof SHELLS)[number]

/** Words for an operation that is asked for with more than a TARGET, and the parameter that further words are for. */
export const SHORT_WORDS = {
  import: { operation: 'vm.import', further: 'disks' },
  export: { operation: 'vm.export', further: 'to' },
} as const
const isShort = (word: string): word is keyof typeof SHORT_WORDS => Object.hasOwn(SHORT_WORDS, word)

const COMMANDS = [
  ...[...LISTS, ...VM_LISTS, 'verify', 'gc', 'run', 'import', 'export'],
  ...['token', 'config', 'completion', 'help'],
] as const

/** Which site is meant and how it is opened. */
export interface SiteArgs {
  readonly demo?: { readonly vmCount?: number }
  readonly dbPath?: string
  readonly destinations: readonly string[]
  readonly readOnly: boolean
  readonly ascii: boolean
  readonly screenReader?: true
}

export type Subcommand =
  | { readonly kind: 'version' | 'help' | 'terminal' | 'config' }
  | { readonly kind: 'serve'; readonly listen: string; readonly auth: boolean; readonly tokenFile?: string }
  | { readonly kind: 'list'; readonly list: ListName; readonly json: boolean; readonly of?: string }
  /** Names, ids, paths or codes: what is asked about; none: the whole site. */
  | { readonly kind: 'verify'; readonly json: boolean; readonly deep: boolean; readonly targets: readonly string[] }
  | { readonly kind: 'gc'; readonly json: boolean; readonly yes: boolean; readonly storlink?: string }
  | { readonly kind: 'token'; readonly tokenFile?: string }
  | { readonly kind: 'completion'; readonly shell: ShellName }
  /** What the shell's completion asks: the words typed so far, the last one unfinished. */
  | { readonly kind: 'complete'; readonly words: readonly string[] }
  | RunArgs

export interface RunArgs {
  readonly kind: 'run'
  readonly operation?: string
  /** TARGET and `--name value …`, not yet understood. */
  readonly words: readonly string[]
  /** The parameter that bare words after the TARGET are for; absent: there are none. */
  readonly further?: string
  readonly yes: boolean
  readonly json: boolean
  /** Print the plan and do nothing. */
  readonly plan: boolean
  readonly help: boolean
}

export interface Invocation {
  readonly subcommand: Subcommand
  readonly site: SiteArgs
}

/** Understands a command line; fails with `invalid`, naming the word that is wrong. */
export function parseCommandLine(argv: readonly string[]): Invocation {
  if (argv[0] === 'complete') return completing(argv.slice(1))
  const words = argv.map((word) => (word === '--demo' ? '--demo=' : word))
  const command = findCommand(words)
  const word = command === undefined ? '' : words[command]!
  const isRun = word === 'run' || isShort(word)
  const { values, positionals } = readFlags(isRun ? words.slice(0, command! + 1) : words)
  const after = words.slice((command ?? 0) + 1)
  const run = isShort(word) ? readShort(word, after, values) : isRun ? readRun(after, values) : undefined
  if (values.version) return { subcommand: { kind: 'version' }, site: siteOf(values, []) }
  const { name, destinations } = command === undefined ? bare(positionals) : splitCommand(positionals)
  const site = siteOf(values, destinations)
  const subcommand = run ?? subcommandOf(name, positionals, values)
  checkPlaces(values, subcommand.kind, [...LISTS, ...VM_LISTS])
  return { subcommand, site }
}

/** A line that is being typed may be wrong in every way, so only its store is read from it. */
function completing(words: readonly string[]): Invocation {
  const db = words[words.indexOf('--db') + 1]
  const dbPath = words.includes('--db') && db ? { dbPath: db } : {}
  const demo = words.slice(0, -1).some((word) => /^--demo(=\d+)?$/.test(word)) ? { demo: {} } : {}
  const site = { ...dbPath, ...demo, destinations: [], readOnly: true, ascii: false }
  return { subcommand: { kind: 'complete', words }, site }
}

/** The index of the first word that is a command; destinations may stand before it. */
function findCommand(words: readonly string[]): number | undefined {
  for (const token of tokensOf(words)) {
    if (token.kind !== 'positional') continue
    if (isCommand(token.value)) return token.index
    if (!isDestination(token.value)) return undefined
  }
  return undefined
}

function readShort(word: keyof typeof SHORT_WORDS, after: readonly string[], values: Values): RunArgs {
  const { operation, further } = SHORT_WORDS[word]
  return { ...readRun([operation, ...after], values), further }
}

/** Takes out of the words after `run` the flags that are pengx's own; the rest belongs to the operation. */
function readRun(words: readonly string[], values: Values): RunArgs {
  const rest: string[] = []
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    const [, name, , value] = /^--([^=]+)(=(.*))?$/s.exec(word) ?? (word === '-h' ? ['', 'help'] : [])
    const own = name === 'yes' || name === 'json' || name === 'plan' || name === 'help' || name === 'ascii'
    if (own && value === undefined) values[name] = true
    else if (own) throw usage(`--${name} takes no value, got "${value}"`)
    else if (name === 'demo') values.demo = value ?? ''
    else if (name === 'db') {
      const path = value ?? words[++index]
      if (!path || path.startsWith('--')) throw usage('--db needs a value')
      values.db = path
    } else rest.push(word)
  }
  const first = rest[0]?.startsWith('--') ? undefined : rest.shift()
  return {
    kind: 'run',
    ...(first === undefined ? {} : { operation: first }),
    words: rest,
    yes: values.yes ?? false,
    json: values.json ?? false,
    plan: values.plan ?? false,
    help: values.help ?? false,
  }
}

/** No command: every bare word is a PM, except one that looks like a mistyped command. */
function bare(positionals: readonly string[]): { name: undefined; destinations: readonly string[] } {
  for (const word of positionals) {
    if (isCommand(word))
      throw usage(`"${word}" is a command, so only hosts written user@host or host:port stand before it`)
    const near = isDestination(word) || word.includes('.') ? undefined : nearest(word, COMMANDS)
    if (near)
      throw usage(`unknown command "${word}"; did you mean ${near}? (a host of that name is written root@${word})`)
    if (!/^[^\s/]+$/.test(word))
      throw usage(`"${word}" is neither a command nor a host; a host is written [user@]host[:port]`)
  }
  return { name: undefined, destinations: positionals }
}

function splitCommand(positionals: readonly string[]): { name: string; destinations: readonly string[] } {
  const at = positionals.findIndex(isCommand)
  const named = namesVm(positionals[at]!, positionals[at + 1]) ? 1 : 0
  const after = positionals.slice(at + 1 + named).filter(isDestination)
  return { name: positionals[at]!, destinations: [...positionals.slice(0, at), ...after] }
}

function isCommand(word: string): boolean {
  return (COMMANDS as readonly string[]).includes(word)
}

const isVmList = (word: string) => VM_LISTS.some((list) => list === word)

/** The VM that is named may look like a host, where one has to be named. */
function namesVm(list: string, next: string | undefined): boolean {
  return isVmList(list) && next !== undefined && !(SITE_TOO.includes(list) && isDestination(next))
}

function isDestination(word: string): boolean {
  return word.includes('@') || word.includes(':')
}

function siteOf(values: Values, destinations: readonly string[]): SiteArgs {
  if (values.demo !== undefined && destinations.length > 0) {
    throw usage(`--demo shows a simulated site and reaches no machine, so ${destinations[0]} cannot stand beside it`)
  }
  if (values.demo !== undefined && values.db !== undefined) {
    throw usage('--demo keeps its store in memory, so --db cannot stand beside it')
  }
  return {
    ...(values.demo === undefined ? {} : { demo: readDemo(values.demo) }),
    ...(values.db === undefined ? {} : { dbPath: values.db }),
    destinations,
    readOnly: values['read-only'] ?? false,
    ascii: values.ascii ?? false,
    ...(values['screen-reader'] ? { screenReader: true } : {}),
  }
}

function readDemo(value: string): { vmCount?: number } {
  if (value === '') return {}
  const vmCount = Number(value)
  if (!/^\d+$/.test(value) || vmCount < 1 || vmCount > 100_000) {
    throw usage(`--demo=${value}: the number of VMs is a whole number from 1 to 100000`)
  }
  return { vmCount }
}

function subcommandOf(name: string | undefined, positionals: readonly string[], values: Values): Subcommand {
  if (values.help || name === 'help') return { kind: 'help' }
  if (values.serve) {
    if (name !== undefined) throw usage(`--serve runs the API server, so the command ${name} cannot stand beside it`)
    return {
      kind: 'serve',
      listen: values.listen ?? '127.0.0.1:8000',
      auth: !values['no-auth'],
      ...(values['token-file'] === undefined ? {} : { tokenFile: values['token-file'] }),
    }
  }
  if (name === undefined) return { kind: 'terminal' }
  const after = positionals.slice(positionals.indexOf(name) + 1)
  if (name === 'completion') return { kind: 'completion', shell: readShell(after) }
  if (name === 'verify') {
    const targets = after.filter((word) => !isDestination(word))
    return { kind: 'verify', json: values.json ?? false, deep: values.deep ?? false, targets }
  }
  const of = namesVm(name, after[0]) ? after.shift() : undefined
  if (isVmList(name) && of === undefined && !SITE_TOO.includes(name))
    throw usage(`${name} needs a VM: pengx ${name} VM`)
  const odd = after.find((word) => !isDestination(word))
  if (odd !== undefined)
    throw usage(
      `${name} takes no ${of === undefined ? 'further' : 'second'} word but hosts written user@host, got "${odd}"`,
    )
  if (name === 'config') return { kind: 'config' }
  if (name === 'gc') return gcOf(values)
  if (name === 'token') {
    const file = values['token-file']
    return { kind: 'token', ...(file === undefined ? {} : { tokenFile: file }) }
  }
  const json = values.json ?? false
  return { kind: 'list', list: name as ListName, json, ...(of === undefined ? {} : { of }) }
}

function gcOf({ yes = false, json = false, storlink, 'dry-run': dry = false }: Values): Subcommand {
  if (yes && dry) throw usage('--dry-run takes nothing away, so --yes cannot stand beside it')
  return { kind: 'gc', yes, json, ...(storlink === undefined ? {} : { storlink }) }
}

function readShell(after: readonly string[]): ShellName {
  const shell = SHELLS.find((known) => known === after[0])
  if (shell === undefined || after.length > 1) throw usage(`completion is for one of ${SHELLS.join(', ')}`)
  return shell
}
