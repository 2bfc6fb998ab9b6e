import { z } from 'zod'
import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Noun } from '../../model/noun.ts'

/**
 * One schema gives form fields, XML and JSON decoding, command-line flags and OpenAPI. A field is a zod type
 * with meta data; `describeParams` reads it back for whoever draws, documents or decodes it.
 */
export interface FieldMeta {
  readonly title: string
  readonly help?: string
  /** Where a form takes its choices from. */
  readonly from?: Noun | 'bridge' | 'config' | 'found' | 'iso' | 'disk' | 'nic' | 'snapshot'
  readonly unit?: 'MiB' | 's'
  /** Never shown, logged or journalled in clear. */
  readonly secret?: true
  /** Rarely wanted: a form folds it away. */
  readonly advanced?: true
  /** A form does not fold it away once one of these fields has a value. */
  readonly unfoldedBy?: readonly string[]
  /** An empty text is a value of its own: what is written there is taken away. Elsewhere it is not given. */
  readonly clearable?: true
}

type FieldKind = 'text' | 'number' | 'flag' | 'choice' | 'list'

export interface Field extends FieldMeta {
  readonly name: string
  readonly kind: FieldKind
  readonly required: boolean
  readonly choices?: readonly string[]
  readonly default?: Json
}

/** Attaches what people see of a field to its schema. */
export function field<T extends z.ZodType>(schema: T, meta: FieldMeta): T {
  return schema.meta({ ...meta, description: meta.help ?? meta.title }) as T
}

interface Peeled {
  readonly inner: z.ZodType
  readonly required: boolean
  readonly default?: Json
}

/** Takes optional(), default() and the like off a field. */
function peel(schema: z.ZodType): Peeled {
  if (schema instanceof z.ZodOptional) return { ...peel(schema.unwrap() as z.ZodType), required: false }
  if (schema instanceof z.ZodDefault) {
    return { ...peel(schema.unwrap() as z.ZodType), required: false, default: schema.def.defaultValue as Json }
  }
  return { inner: schema, required: true }
}

function kindOf(schema: z.ZodType): FieldKind {
  if (schema instanceof z.ZodNumber) return 'number'
  if (schema instanceof z.ZodBoolean) return 'flag'
  if (schema instanceof z.ZodEnum) return 'choice'
  if (schema instanceof z.ZodArray) return 'list'
  return 'text'
}

/**
 * Pure. The fields of an operation's parameters, in the order in which a form shows them; none where it has no
 * object.
 */
export function describeParams(schema: z.ZodType): Field[] {
  if (!(schema instanceof z.ZodObject)) return []
  return Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, type]) => {
    const { inner, required, default: standard } = peel(type)
    const meta = { ...inner.meta(), ...type.meta() } as Partial<FieldMeta>
    const choices = inner instanceof z.ZodEnum ? (inner.options as string[]) : undefined
    return {
      ...meta,
      name,
      title: meta.title ?? name,
      kind: kindOf(inner),
      required,
      ...(choices ? { choices } : {}),
      ...(standard === undefined ? {} : { default: standard }),
    }
  })
}

/**
 * Pure. Raw values (strings from a form, flags or XML; anything from JSON) as an operation's parameters. A value is
 * typed by its field and never guessed; text is trimmed, an empty one is not given where it is not `clearable`; what
 * is not a field is ignored. `invalid` names the first field that is missing or wrong.
 */
export function decodeParams(schema: z.ZodType, raw: Readonly<Record<string, unknown>>): Json {
  const typed: Record<string, unknown> = {}
  for (const field of describeParams(schema)) {
    const value = raw[field.name]
    const given = typeof value === 'string' ? value.trim() : value
    if (given === undefined || given === null || (given === '' && !field.clearable)) continue
    typed[field.name] = decodeField(field, given)
  }
  const result = schema.safeParse(typed)
  if (result.success) return result.data as Json
  const issue = result.error.issues[0]!
  const name = String(issue.path[0] ?? '')
  const missing = name !== '' && !(name in typed)
  throw new PengxError('invalid', missing ? `${name} is missing` : `${name}: ${issue.message.toLowerCase()}`, {
    cause: result.error,
  })
}

function decodeField(field: Field, value: unknown): unknown {
  switch (field.kind) {
    case 'number':
      return decodeNumber(field.name, value)
    case 'flag':
      return decodeFlag(field.name, value)
    case 'list':
      return (Array.isArray(value) ? value : String(value).split(','))
        .map((item) => String(item).trim())
        .filter((item) => item !== '')
    case 'choice':
      return decodeChoice(field, String(value))
    case 'text':
      if (typeof value === 'object') throw new PengxError('invalid', `${field.name}: one value is expected`)
      return String(value)
  }
}

function decodeNumber(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)) return Number(value)
  throw new PengxError('invalid', `${name}: "${String(value)}" is not a number`)
}

function decodeFlag(name: string, value: unknown): boolean {
  const text = String(value).toLowerCase()
  if (text === 'true' || text === 'yes' || text === '1') return true
  if (text === 'false' || text === 'no' || text === '0') return false
  throw new PengxError('invalid', `${name}: "${String(value)}" is not True or False`)
}

function decodeChoice(field: Field, value: string): string {
  const choice = field.choices?.find((option) => option.toLowerCase() === value.toLowerCase())
  if (choice !== undefined) return choice
  throw new PengxError('invalid', `${field.name}: "${value}" is not one of ${field.choices?.join(', ')}`)
}
