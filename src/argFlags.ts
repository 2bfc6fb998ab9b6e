import { parseArgs } from 'node:util'
import { nearest } from './lib/near.ts'
import { PengxError } from './model/error.ts'

/** The flags of pengx's own: what they are called, and with which subcommands they go. */

/** Flags by the subcommands that they belong to; `site` flags go with every subcommand. */
const FLAGS = {
  demo: { type: 'string', with: ['site'] },
  db: { type: 'string', with: ['site'] },
  'read-only': { type: 'boolean', with: ['site'] },
  ascii: { type: 'boolean', with: ['site'] },
  'screen-reader': { type: 'boolean', with: ['terminal'] },
  serve: { type: 'boolean', with: ['site'] },
  listen: { type: 'string', with: ['serve'] },
  'no-auth': { type: 'boolean', with: ['serve'] },
  'token-file': { type: 'string', with: ['serve', 'token'] },
  json: { type: 'boolean', with: ['list', 'verify', 'gc', 'run'] },
  yes: { type: 'boolean', with: ['gc', 'run'] },
  deep: { type: 'boolean', with: ['verify'] },
  'dry-run': { type: 'boolean', with: ['gc'] },
  storlink: { type: 'string', with: ['gc'] },
  plan: { type: 'boolean', with: ['run'] },
  help: { type: 'boolean', short: 'h', with: ['site'] },
  version: { type: 'boolean', short: 'V', with: ['site'] },
} as const satisfies Record<string, { type: 'string' | 'boolean'; short?: string; with: readonly string[] }>

type Flag = keyof typeof FLAGS
export type Values = { -readonly [K in Flag]?: (typeof FLAGS)[K]['type'] extends 'string' ? string : boolean }

/** A command line as parseArgs reads it, right or wrong. */
export function tokensOf(words: readonly string[]) {
  return parseArgs({ args: [...words], options: FLAGS, strict: false, tokens: true, allowPositionals: true }).tokens
}

/** Takes flags and bare words apart; fails with `invalid`, naming the word that is wrong. */
export function readFlags(words: readonly string[]): { values: Values; positionals: string[] } {
  const values: Record<string, string | boolean> = {}
  const positionals: string[] = []
  for (const token of tokensOf(words)) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind === 'option') values[token.name] = flagValue(token)
  }
  return { values, positionals }
}

function flagValue(token: { name: string; rawName: string; value?: string }): string | boolean {
  const flag = (FLAGS as Record<string, { type: string }>)[token.name]
  if (flag === undefined) throw unknownFlag(token.rawName, Object.keys(FLAGS))
  if (flag.type === 'boolean') {
    if (token.value !== undefined) throw usage(`${token.rawName} takes no value, got "${token.value}"`)
    return true
  }
  if (token.value === undefined || (token.value === '' && token.name !== 'demo')) {
    throw usage(`${token.rawName} needs a value`)
  }
  if (token.value.startsWith('--')) throw usage(`${token.rawName} needs a value, got the flag ${token.value}`)
  return token.value
}

function unknownFlag(raw: string, known: Iterable<string>): PengxError {
  const near = nearest(raw.replace(/^--?/, ''), known)
  return usage(`unknown flag ${raw}${near ? `; did you mean --${near}?` : ''}`)
}

/** Fails with `invalid` for a flag that does not go with that subcommand; `lists`: what those are called that print one. */
export function checkPlaces(values: Values, kind: string, lists: readonly string[]): void {
  if (kind === 'help' || kind === 'version') return
  const names: Record<string, string> = { ...PLACE_NAMES, list: lists.join(', ') }
  for (const name of Object.keys(values) as Flag[]) {
    const places: readonly string[] = FLAGS[name].with
    if (!places.includes('site') && !places.includes(kind)) {
      throw usage(`--${name} goes with ${places.map((place) => names[place]).join(' or ')}`)
    }
  }
}

const PLACE_NAMES: Record<string, string> = {
  terminal: 'the terminal interface',
  serve: '--serve',
  token: 'token',
  run: 'run',
  verify: 'verify',
  gc: 'gc',
}

/** The error for a line that is used wrongly, not thrown here. */
export function usage(message: string): PengxError {
  return new PengxError('invalid', message)
}
