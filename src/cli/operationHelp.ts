import type { Engine } from '../engine/engine.ts'
import { describeParams, type Field } from '../engine/jobs/params.ts'
import { nearest } from '../lib/near.ts'
import { PengxError } from '../model/error.ts'
import { isNoun } from '../model/noun.ts'
import { kebab } from './flags.ts'
import { formatTable } from './table.ts'

type AnyOperation = Engine['operations'] extends ReadonlyMap<string, infer O> ? O : never

/** What `pengx run` prints: every operation and what it takes. */
export function formatOperations(engine: Engine): string {
  const table = formatTable<AnyOperation>(
    [
      { title: 'OPERATION', text: (operation) => operation.name },
      { title: 'TARGET', text: targetWord },
      { title: 'PARAMETERS', text: (operation) => otherFields(operation).map(usageWord).join(' ') },
    ],
    [...engine.operations.values()],
  )
  return `usage: pengx run OPERATION TARGET [--name value …] [--plan] [--yes] [--json]\n\n${table}\n\`pengx run OPERATION --help\` explains one of them; --[no-]NAME is also --NAME true or --NAME false.\n`
}

export function formatOperation(operation: AnyOperation): string {
  const fields = otherFields(operation)
  const usage = [
    'pengx run',
    operation.name,
    targetWord(operation),
    ...fields.filter((field) => field.required).map(usageWord),
  ].filter((word) => word !== '')
  const lines = [`usage: ${usage.join(' ')} [--name value …]`, '', `${operation.help} (${operation.danger})`]
  if (fields.length > 0) lines.push('', ...fieldLines(fields))
  const flag = fields.find((field) => field.kind === 'flag')
  if (flag) lines.push('', flagLine(kebab(flag.name)))
  return `${lines.join('\n')}\n`
}

export function unknownOperation(engine: Engine, word: string): PengxError {
  const near = nearest(word, engine.operations.keys())
  const help = near ? `did you mean ${near}?` : '`pengx run` lists them'
  return new PengxError('invalid', `unknown operation "${word}"; ${help}`)
}

function flagLine(name: string): string {
  const ways = (alone: string, word: string) => `${alone}, --${name} ${word} and --${name}=${word}`
  return `${ways(`--${name}`, 'true')} say yes; ${ways(`--no-${name}`, 'false')} say no.`
}

function otherFields(operation: AnyOperation): Field[] {
  return describeParams(operation.params).filter((field) => field.name !== operation.target.param)
}

function targetWord(operation: AnyOperation): string {
  const { kind, param } = operation.target
  if (kind === 'none') return ''
  const word = kind === 'text' ? param.toUpperCase() : kind.toUpperCase()
  const isOptional = describeParams(operation.params).some((field) => field.name === param && !field.required)
  return isOptional ? `[${word}]` : word
}

function usageWord(field: Field): string {
  const flag = field.kind === 'flag' ? `--[no-]${kebab(field.name)}` : `--${kebab(field.name)} ${valueWord(field)}`
  return field.required ? flag : `[${flag}]`
}

function valueWord(field: Field): string {
  if (field.secret) return '-|@FILE'
  if (field.choices) return field.choices.join('|')
  if (isNoun(field.from)) return field.from.toUpperCase()
  if (field.kind === 'number') return field.unit ?? 'N'
  return field.kind === 'list' ? 'A,B' : 'TEXT'
}

function fieldLines(fields: readonly Field[]): string[] {
  const table = formatTable<Field>(
    [
      { title: 'PARAMETER', text: (field) => usageWord(field).replace(/^\[|\]$/g, '') },
      { title: 'DEFAULT', text: (field) => (field.required ? 'required' : defaultWord(field)) },
      { title: 'MEANING', text: (field) => field.help ?? field.title },
    ],
    fields,
  )
  return table.trimEnd().split('\n')
}

function defaultWord(field: Field): string {
  if (field.default === undefined) return ''
  return Array.isArray(field.default) ? field.default.join(',') : String(field.default)
}
