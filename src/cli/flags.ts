import type { Field } from '../engine/jobs/params.ts'
import { nearest } from '../lib/near.ts'
import { PengxError } from '../model/error.ts'

/**
 * `--name value …` after an operation, by its own parameters: `--disk-size` and `--diskSize` are the same, a flag
 * stands alone, as `--no-NAME` or with a word for yes or no, a list is given several times or with commas. A secret is
 * never a word of a command line, where every user of the machine can read it: it comes from a file or from standard
 * input.
 */
export interface ParsedFlags {
  readonly target?: string
  readonly raw: Readonly<Record<string, unknown>>
  /** Secrets and where to read them: a path, or `-` for standard input. */
  readonly secrets: readonly { readonly name: string; readonly from: string }[]
}

/** What a flag may be followed by; any other word is the TARGET, since a flag may stand alone before it. */
export const FLAG_WORDS: readonly string[] = ['true', 'false', 'yes', 'no']
const FLAG_CHOICE = 'true, false, yes or no'

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `further`: the parameter that bare words after the TARGET are for, of which a list takes any number. */
export function readOperationWords(fields: readonly Field[], words: readonly string[], further?: string): ParsedFlags {
  const more = fields.find(({ name }) => name === further)
  const raw: Record<string, unknown> = {}
  const secrets: { name: string; from: string }[] = []
  let target: string | undefined
  /** Of a flag that stood alone before a word which may have been meant for it. */
  let hint = ''
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    if (!word.startsWith('--')) {
      if (target !== undefined && more?.kind === 'list')
        raw[more.name] = [...((raw[more.name] as string[]) ?? []), word]
      else if (target !== undefined && more && !(more.name in raw)) raw[more.name] = word
      else if (target !== undefined) throw invalid(`one TARGET is expected, got "${target}" and "${word}"${hint}`)
      else target = word
      continue
    }
    const { field, value: inline, negated } = readFlag(fields, word)
    if (field.kind === 'flag') {
      const next = words[index + 1] ?? '--'
      const given = inline ?? (FLAG_WORDS.includes(next) ? words[++index] : undefined)
      raw[field.name] = flagValue(word, negated, given)
      if (given === undefined && !next.startsWith('--')) hint = `; --${kebab(field.name)} takes ${FLAG_CHOICE}`
      continue
    }
    const value = inline ?? words[++index]
    if (value === undefined || (inline === undefined && value.startsWith('--'))) {
      throw invalid(`--${kebab(field.name)} needs a value`)
    }
    if (field.secret) secrets.push({ name: field.name, from: secretSource(field, value) })
    else if (field.kind === 'list') raw[field.name] = [...((raw[field.name] as string[]) ?? []), ...value.split(',')]
    else if (field.name in raw) throw invalid(`--${kebab(field.name)} is given twice`)
    else raw[field.name] = value
  }
  return { ...(target === undefined ? {} : { target }), raw, secrets }
}

function readFlag(fields: readonly Field[], word: string): { field: Field; value?: string; negated: boolean } {
  const [, name = '', , value] = /^--([^=]*)(=(.*))?$/s.exec(word) ?? []
  const named = (wanted: string) => fields.find((field) => field.name === wanted || kebab(field.name) === wanted)
  const field = named(name)
  if (field) return { field, negated: false, ...(value === undefined ? {} : { value }) }
  const opposite = name.startsWith('no-') ? named(name.slice(3)) : undefined
  if (opposite?.kind === 'flag') return { field: opposite, negated: true, ...(value === undefined ? {} : { value }) }
  if (name === 'read-only')
    throw new PengxError('readOnly', 'nothing is done: --read-only is set, and every operation is a change')
  const known = fields.map(({ name: known }) => kebab(known))
  const near = nearest(name, known)
  const help = near ? `did you mean --${near}?` : `it takes ${known.map((flag) => `--${flag}`).join(', ') || 'none'}`
  throw invalid(`unknown flag --${name}; ${help}`)
}

function flagValue(word: string, negated: boolean, given: string | undefined): string {
  if (given === undefined) return String(!negated)
  const [flag = ''] = word.split('=')
  if (negated)
    throw invalid(`${flag} takes no value, got "${given}"; --${flag.slice('--no-'.length)} takes ${FLAG_CHOICE}`)
  const value = given.toLowerCase()
  if (FLAG_WORDS.includes(value)) return value
  throw invalid(`${flag} takes ${FLAG_CHOICE}, got "${given}"`)
}

function secretSource(field: Field, value: string): string {
  if (value === '-') return '-'
  if (value.startsWith('@') && value.length > 1) return value.slice(1)
  const flag = `--${kebab(field.name)}`
  throw invalid(
    `${flag} is a secret, and other users can read a command line: give ${flag} - (standard input) or ${flag} @FILE`,
  )
}

function invalid(message: string): PengxError {
  return new PengxError('invalid', message)
}
