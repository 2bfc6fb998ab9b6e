import { z } from 'zod'
import type { Engine } from '../../engine/engine.ts'
import type { Form, FormField } from '../views/form.ts'
import { failureShape, successShape } from '../views/outcome.ts'
import type { Shape, ShapeField } from '../views/shape.ts'
import type { Row } from './row.ts'

/**
 * The interface as OpenAPI 3.0: paths from the rows, bodies from the operations' own schemas under the document's
 * names, answers from the shapes.
 */
type Schema = Record<string, unknown>

export function formatOpenApi(rows: readonly Row[], operations: Engine['operations']): Schema {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const row of rows) {
    const path = row.path.replace(/:(\w+)/g, '{$1}')
    paths[path] ??= {}
    paths[path][row.method.toLowerCase()] = describeRow(row, operations)
  }
  return {
    openapi: '3.0.3',
    info: { title: 'pengx', version: '3.1.9', description: 'The pengx XML API, with JSON beside XML.' },
    servers: [
      { url: '/' },
      { url: '/v2', description: 'some rows tell more; what v2 alone tells is left out elsewhere' },
    ],
    security: [{ bearer: [] }, { basic: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic', description: 'any user; the token is the password' },
      },
      schemas: { success: rooted(successShape), failure: rooted(failureShape) },
    },
  }
}

function describeRow(row: Row, operations: Engine['operations']): Schema {
  const names = [...row.path.matchAll(/:(\w+)/g)].map((match) => match[1]!)
  const operation = row.action.kind === 'run' ? operations.get(row.action.operation) : undefined
  const takes = row.action.kind === 'run' ? row.action.takes : undefined
  const summary = operation?.help ?? (row.action.kind === 'own' ? row.action.help : row.section)
  return {
    summary,
    'x-pengx-section': row.section,
    ...(row.open ? { security: [] } : {}),
    ...(names.length === 0 ? {} : { parameters: names.map(pathParameter) }),
    ...(takes && operation
      ? { requestBody: { required: isBodyNeeded(takes), content: bothFormats(bodySchema(takes, operation.params)) } }
      : {}),
    responses: { [String(row.status)]: success(row), default: failure },
  }
}

const failure = { description: 'failure', content: bothFormats({ $ref: '#/components/schemas/failure' }) }

function pathParameter(name: string): Schema {
  const numbered = name === 'storlink_id' || name === 'interface_id'
  const schema = numbered ? { type: 'integer' } : { type: 'string', format: 'uuid' }
  return { name, in: 'path', required: true, schema }
}

function success({ action, status }: Row): Schema {
  if (status === 204) return { description: 'done' }
  if (action.kind === 'show') return { description: 'what was asked for', content: shownContent(action) }
  if (action.kind === 'own')
    return { description: action.help, content: { [action.produces]: { schema: { type: 'string' } } } }
  if (action.kind === 'run' && action.made) return { description: 'what was made', content: shownContent(action.made) }
  return { description: 'done', content: bothFormats({ $ref: '#/components/schemas/success' }) }
}

/** Where v2 shows more, that is what is described: v1 leaves some of it out. */
function shownContent(action: { root?: string; shape: Shape<never>; shapeV2?: Shape<never> }): Schema {
  const { root, shape } = action
  const element = elementSchema((action.shapeV2 ?? shape) as Shape<unknown>)
  if (root === undefined)
    return { 'application/xml': { schema: element }, 'application/json': { schema: rooted(shape) } }
  const items = { type: 'array', items: element, xml: { name: root, wrapped: true } }
  const json = { type: 'object', properties: { [root]: { type: 'array', items: element } } }
  return { 'application/xml': { schema: items }, 'application/json': { schema: json } }
}

function rooted<T>(shape: Shape<T>): Schema {
  return { type: 'object', properties: { [shape.name]: elementSchema(shape) } }
}

function bothFormats(schema: Schema): Schema {
  return { 'application/xml': { schema }, 'application/json': { schema } }
}

function elementSchema<T>(shape: Shape<T>): Schema {
  const type = shape.numbered ? 'integer' : 'string'
  const id = shape.id === undefined ? {} : { id: { type, xml: { attribute: true } } }
  const fields = Object.fromEntries(shape.fields.map((field) => [field.name, fieldSchema(field)]))
  return { type: 'object', xml: { name: shape.name }, properties: { ...id, ...fields } }
}

function fieldSchema<T>(field: ShapeField<T>): Schema {
  const help = field.help === undefined ? {} : { description: field.help }
  switch (field.kind) {
    case 'text':
      return { type: 'string', nullable: true, ...help }
    case 'number':
      return { type: 'integer', nullable: true, ...help }
    case 'flag':
      return { type: 'boolean', nullable: true, ...help }
    case 'time':
      return { type: 'string', format: 'date-time', nullable: true, ...help }
    case 'ref':
      return { type: 'string', ...help }
    case 'list':
      return { type: 'array', items: elementSchema(field.of as Shape<unknown>), xml: { wrapped: true }, ...help }
  }
}

function isBodyNeeded(form: Form): boolean {
  return form.fields.some((field) => field.required === true)
}

function bodySchema(form: Form, params: z.ZodType): Schema {
  const known = z.toJSONSchema(params, { target: 'openapi-3.0', io: 'input' }).properties ?? {}
  return { ...fieldsSchema(form.fields, known), xml: { name: form.root } }
}

/** Fields that stand together, those in an element of their own under its name. */
function fieldsSchema(fields: readonly FormField[], known: Schema, within?: string): Schema {
  const properties: Record<string, unknown> = {}
  const required: string[] = []
  for (const field of fields) {
    const isHere = field.within === within
    const name = isHere ? field.name : field.within
    if (name === undefined || name in properties) continue
    properties[name] = isHere ? withoutFormMeta(known[field.param] as Schema) : fieldsSchema(fields, known, name)
    if (field.required === true) required.push(name)
  }
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) }
}

const SCHEMA_WORDS = ['type', 'enum', 'items', 'default', 'minimum', 'maximum', 'minLength', 'maxLength'] as const

/** What a form on a screen needs of a field is no part of the interface, nor are the bounds of all whole numbers. */
function withoutFormMeta(schema: Schema): Schema {
  const said = SCHEMA_WORDS.filter((word) => schema[word] !== undefined && !isBoundless(schema[word]))
  const description = [schema.description, schema.unit].filter(Boolean).join(', ')
  return { ...Object.fromEntries(said.map((word) => [word, schema[word]])), ...(description ? { description } : {}) }
}

function isBoundless(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) === Number.MAX_SAFE_INTEGER
}
