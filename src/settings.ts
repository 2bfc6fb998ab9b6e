import { nearest } from './lib/near.ts'

/**
 * The settings file, in TOML (toml.io, 1.1), as Bun's parser reads it: whole, where all of it is right. Else a line that
 * is wrong is named and left out, and the rest is used: a slip of the hand in one setting must not take the others
 * away. A parser stops at the first slip, and Bun's tells no line, so it is then given one statement after the other:
 * the fewest lines that it takes.
 */
export interface Settings {
  readonly site: {
    /** Shown in the header, so that nobody mistakes one site for another. */
    readonly name: string
    /** Marks the site in the header and raises every confirmation by one level. */
    readonly production: boolean
    /** The PM, by name or UUID, that is meant where none is named and this machine is none. */
    readonly self: string
  }
  readonly terminal: {
    readonly ascii: boolean
    /** What graphs are drawn with: `braille`, `block` or `ascii`; empty: what the terminal seems to have. */
    readonly graph: string
    /** False: nothing is bold for a moment because it has just changed. */
    readonly motion: boolean
  }
  readonly ssh: {
    /** An ssh_config(5) in place of ~/.ssh/config. */
    readonly config: string
  }
  readonly iso: {
    /** Where CD images lie on PMs, beside storlinks: paths with colons between. */
    readonly directories: string
  }
  readonly vm: {
    /** Where configurations of VMs lie, beside /etc/xen: patterns with `*` and `?`, with colons between. */
    readonly configurations: string
  }
  readonly sanlock: {
    /** The lockspace that all PMs have joined; empty: no leases are taken. */
    readonly lockspace: string
    /** The directory of the leases, on the file system where the lockspace lies. */
    readonly leases: string
  }
  /** Keys of one's own: an action's name and the keys that mean it. */
  readonly keys: Readonly<Record<string, readonly string[]>>
}

export const DEFAULT_SETTINGS: Settings = {
  site: { name: '', production: false, self: '' },
  terminal: { ascii: false, graph: '', motion: true },
  ssh: { config: '' },
  iso: { directories: '' },
  vm: { configurations: '' },
  sanlock: { lockspace: '', leases: '' },
  keys: {},
}

interface Parsed {
  readonly settings: Settings
  readonly problems: readonly string[]
}

type Tree = Readonly<Record<string, unknown>>
type Target = Record<string, Record<string, unknown>>

/** What a file says, and the standard where it says nothing. Problems are `LINE: what is wrong`. */
export function parseSettings(file: string): Parsed {
  const settings = structuredClone(DEFAULT_SETTINGS) as unknown as Target
  const { tree, problem } = read(file)
  const isRight = problem === undefined && take(settings, tree).length === 0
  return isRight
    ? { settings: settings as unknown as Settings, problems: [] }
    : parseStatements(file, problem === undefined)
}

/** A file in which something is wrong, or not known, statement by statement; `isSound`: it is TOML all the same. */
function parseStatements(file: string, isSound: boolean): Parsed {
  const settings = structuredClone(DEFAULT_SETTINGS) as unknown as Target
  /** The statements so far that are used, as a file of their own. */
  let used = ''
  let section: readonly string[] = []
  /** Why nothing in this section is used. */
  let unused: string | undefined

  /** What is right by itself may be wrong behind the others: it is there already. */
  const inPlace = (text: string) => (isSound ? undefined : read(used + text).problem)
  const takeHeader = (text: string): readonly string[] => {
    const { tree, problem = inPlace(text) } = read(text)
    section = pathOf(tree)
    const problems = problem === undefined ? take(settings, tree) : [problem]
    if (problems.length === 0) used += `${text}\n`
    const isKnown = section[0] === undefined || Object.hasOwn(settings, section[0])
    unused = problems.length === 0 ? undefined : isKnown ? 'wrong' : 'not known'
    return problems
  }
  const takeValue = (text: string): readonly string[] => {
    const { tree, problem } = read(text)
    const [key] = Object.keys(tree)
    if (problem !== undefined) return [problem]
    if (key === undefined) return []
    if (unused !== undefined) return [`"${key}" is not used, because its section is ${unused}`]
    const refused = inPlace(text)
    if (refused !== undefined) return [refused]
    used += `${text}\n`
    return take(settings, within(section, tree))
  }

  const problems = statements(file).flatMap(({ line, text }) => {
    const found = text.trimStart().startsWith('[') ? takeHeader(text) : takeValue(text)
    return found.map((problem) => `${line}: ${problem}`)
  })
  return { settings: settings as unknown as Settings, problems }
}

/** What a text says, or what is wrong with it in the parser's words. */
function read(text: string): { readonly tree: Tree; readonly problem?: string } {
  try {
    return { tree: Bun.TOML.parse(text) as Tree }
  } catch (error) {
    const words = (error instanceof Error ? error.message : String(error)).replace(/^TOML Parse error: /, '')
    return { tree: {}, problem: words.charAt(0).toLowerCase() + words.slice(1) }
  }
}

/** A section's header or `key = value`, or what stands in the place of one. */
interface Statement {
  readonly line: number
  readonly text: string
}

function statements(file: string): Statement[] {
  const lines = file.replace(/^\ufeff/, '').split(/\r?\n/)
  const found: Statement[] = []
  for (let at = 0; at < lines.length; ) {
    const end = endOf(lines, at)
    found.push({ line: at + 1, text: lines.slice(at, end).join('\n') })
    at = end
  }
  return found
}

/** Where a value that may go over several lines begins, and where one may end. */
const OPENS = /=\s*(?:[[{]|"""|''')/
const CLOSES = /[\]}]|"""|'''/
const LOOKS_NEW = /^\s*(?:\[[^\],]*\]\s*(?:#.*)?$|[\w."'-]+\s*=)/

/** The line behind a statement: the fewest lines that are TOML or, of a wrong one, all up to what looks like another. */
function endOf(lines: readonly string[], at: number): number {
  if (!OPENS.test(lines[at]!)) return at + 1
  for (let end = at + 1; end <= lines.length; end++) {
    if (CLOSES.test(lines[end - 1]!) && read(lines.slice(at, end).join('\n')).problem === undefined) return end
  }
  const next = lines.findIndex((text, index) => index > at && LOOKS_NEW.test(text))
  return next < 0 ? lines.length : next
}

/** The names in a section's header. */
function pathOf(tree: Tree): string[] {
  const [name] = Object.keys(tree)
  if (name === undefined) return []
  const inner = tree[name]
  return [name, ...(isTable(inner) ? pathOf(inner) : [])]
}

function within(path: readonly string[], tree: Tree): Tree {
  return path.reduceRight<Tree>((inner, name) => ({ [name]: inner }), tree)
}

function isTable(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** Sets what sections say, as far as it can be, and tells the rest. */
function take(settings: Target, sections: Tree): string[] {
  const known = Object.keys(settings)
  return Object.entries(sections).flatMap(([section, values]) => {
    if (!isTable(values)) {
      return known.includes(section)
        ? `"${section}" is a section: [${section}]`
        : `"${section}" stands before any section; sections are ${known.join(', ')}`
    }
    if (!known.includes(section)) return unknown('section', section, known)
    return Object.entries(values).flatMap(([key, value]) => takeSetting(settings[section]!, section, key, value) ?? [])
  })
}

function takeSetting(
  target: Record<string, unknown>,
  section: string,
  key: string,
  value: unknown,
): string | undefined {
  if (section === 'keys') return takeKeys(target, key, value)
  if (!Object.hasOwn(target, key)) return unknown('setting', key, Object.keys(target))
  if (typeof value !== typeof target[key]) return `${key}: a ${NAMES[typeof target[key]]} is expected`
  const choices = CHOICES[`${section}.${key}`]
  if (choices && value !== '' && !choices.includes(String(value)))
    return `${key}: one of ${choices.join(', ')} is expected`
  target[key] = value
  return undefined
}

const CHOICES: Readonly<Record<string, readonly string[]>> = { 'terminal.graph': ['braille', 'block', 'ascii'] }

const NAMES: Record<string, string> = { string: 'text in quotes', boolean: 'true or false', number: 'number' }

function takeKeys(target: Record<string, unknown>, action: string, value: unknown): string | undefined {
  const keys = typeof value === 'string' ? [value] : value
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== 'string'))
    return `${action}: a list of keys is expected`
  target[action] = keys
  return undefined
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return `unknown ${what} "${name}"${near ? `; did you mean ${near}?` : `; there are ${known.join(', ')}`}`
}

/** The settings as a file would have them. */
export function formatSettings(settings: Settings): string {
  const sections = Object.entries(settings).map(([name, values]) => {
    const lines = Object.entries(values as Record<string, unknown>).map(
      ([key, value]) => `${key} = ${JSON.stringify(value)}`,
    )
    return [`[${name}]`, ...lines].join('\n')
  })
  return `${sections.join('\n\n')}\n`
}
