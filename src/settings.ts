import { nearest } from './lib/near.ts'

/**
 * The settings file, in TOML. A line that is wrong is named and left out, and the rest is used: a slip of the
 * hand in one setting must not take the others away. So the file is read statement by statement.
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
  /** Keys of one's own: an action's name and the keys that mean it. */
  readonly keys: Readonly<Record<string, readonly string[]>>
}

export const DEFAULT_SETTINGS: Settings = {
  site: { name: '', production: false, self: '' },
  terminal: { ascii: false, graph: '', motion: true },
  ssh: { config: '' },
  iso: { directories: '' },
  keys: {},
}

interface Statement {
  readonly line: number
  readonly text: string
}

/** Problems are `LINE: what is wrong`. */
export function parseSettings(text: string): { settings: Settings; problems: readonly string[] } {
  const problems: string[] = []
  const settings = structuredClone(DEFAULT_SETTINGS) as unknown as Record<string, Record<string, unknown>>
  let section = ''
  for (const statement of statements(text)) {
    const header = /^\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?$/.exec(statement.text)
    if (header) {
      section = header[1]!
      if (!Object.hasOwn(settings, section))
        problems.push(`${statement.line}: ${unknown('section', section, Object.keys(settings))}`)
      continue
    }
    const problem = takeStatement(settings, section, statement.text)
    if (problem) problems.push(`${statement.line}: ${problem}`)
  }
  return { settings: settings as unknown as Settings, problems }
}

/** One `key = value`; a value in brackets may go over several lines. */
function statements(text: string): Statement[] {
  const found: Statement[] = []
  let open: Statement | undefined
  text.split(/\r?\n/).forEach((raw, index) => {
    const joined: Statement = open
      ? { line: open.line, text: `${open.text}\n${raw}` }
      : { line: index + 1, text: raw.trim() }
    if (joined.text === '' || joined.text.startsWith('#')) return
    if (isOpen(joined.text)) {
      open = joined
      return
    }
    open = undefined
    found.push(joined)
  })
  return open ? [...found, open] : found
}

function isOpen(text: string): boolean {
  if (!text.includes('=')) return false
  const bare = text.replace(/"(?:\\.|[^"\\\n])*"|'[^'\n]*'/g, '').replace(/#.*$/gm, '')
  return (bare.match(/\[/g)?.length ?? 0) > (bare.match(/\]/g)?.length ?? 0)
}

function takeStatement(
  settings: Record<string, Record<string, unknown>>,
  section: string,
  text: string,
): string | undefined {
  let parsed: Record<string, unknown>
  try {
    parsed = Bun.TOML.parse(text) as Record<string, unknown>
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).replace(/^TOML Parse error: /, '').toLowerCase()
  }
  const [key, value] = Object.entries(parsed)[0] ?? []
  if (key === undefined) return undefined
  if (section === '') return `"${key}" stands before any section; sections are ${Object.keys(settings).join(', ')}`
  const target = Object.hasOwn(settings, section) ? settings[section] : undefined
  if (target === undefined) return `"${key}" is not used, because its section is not known`
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
