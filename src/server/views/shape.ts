import type { View } from '../../engine/store/view.ts'
import { escapeXml } from '../../lib/xml.ts'

/**
 * What an element holds, in the document's order: one table gives the XML, its JSON mirror and the schema in
 * `/openapi.json`. XML is written as text directly: a list of 10,000 VMs is one pass over their fields.
 */
export interface Shape<T> {
  readonly name: string
  /** The element's `id`: an attribute in XML, a field in JSON. */
  readonly id?: (item: T) => string | number
  /** Its ids are numbers; elsewhere they are UUIDs. */
  readonly numbered?: true
  readonly fields: readonly ShapeField<T>[]
}

export type Format = 'xml' | 'json'

interface Named {
  readonly name: string
  /** What a person needs to know of it, where the name does not say so. */
  readonly help?: string
}

export type ShapeField<T> =
  | (Named & { readonly kind: 'text'; get(item: T, view: View): string | undefined })
  | (Named & { readonly kind: 'number'; get(item: T, view: View): number | undefined })
  | (Named & { readonly kind: 'flag'; get(item: T, view: View): boolean | undefined })
  /** Milliseconds since 1970. */
  | (Named & { readonly kind: 'time'; get(item: T, view: View): number | undefined })
  /** `<pm id="…"></pm>`, which is `"pm": "…"` in JSON. */
  | (Named & { readonly kind: 'ref'; get(item: T, view: View): string })
  | (Named & { readonly kind: 'list'; readonly of: Shape<never>; items(item: T, view: View): readonly unknown[] })

/** A field that holds elements of another shape. */
export function list<T, E>(name: string, of: Shape<E>, items: (item: T, view: View) => readonly E[]): ShapeField<T> {
  return { kind: 'list', name, of: of as unknown as Shape<never>, items }
}

/** `2026-11-23 18:50:00`, UTC. */
function formatTime(ms: number): string {
  return formatIsoTime(ms).slice(0, -1).replace('T', ' ')
}

/** `2026-11-23T18:50:00Z`. */
function formatIsoTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** One element as XML, indented by `indent`. */
export function elementXml<T>(shape: Shape<T>, item: T, view: View, indent = ''): string {
  const id = shape.id === undefined ? '' : ` id="${escapeXml(String(shape.id(item)))}"`
  let xml = `${indent}<${shape.name}${id}>\n`
  for (const field of shape.fields) xml += `${indent}  ${fieldXml(field, item, view, indent)}\n`
  return `${xml}${indent}</${shape.name}>`
}

function fieldXml<T>(field: ShapeField<T>, item: T, view: View, indent: string): string {
  const { name } = field
  if (field.kind === 'ref') return `<${name} id="${escapeXml(field.get(item, view))}"></${name}>`
  if (field.kind !== 'list') return `<${name}>${fieldText(field, item, view)}</${name}>`
  const items = field.items(item, view)
  if (items.length === 0) return `<${name}></${name}>`
  const inner = items.map((each) => elementXml(field.of as Shape<unknown>, each, view, `${indent}    `))
  return `<${name}>\n${inner.join('\n')}\n${indent}  </${name}>`
}

type Leaf<T> = Exclude<ShapeField<T>, { kind: 'list' | 'ref' }>

function fieldText<T>(field: Leaf<T>, item: T, view: View): string {
  const value = field.get(item, view)
  if (value === undefined) return ''
  if (typeof value === 'string') return escapeXml(value)
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (!Number.isFinite(value)) return ''
  return field.kind === 'time' ? formatTime(value) : String(Math.round(value))
}

/** The same element as plain data for JSON. */
export function elementJson<T>(shape: Shape<T>, item: T, view: View): Record<string, unknown> {
  const json: Record<string, unknown> = {}
  if (shape.id !== undefined) json.id = shape.id(item)
  for (const field of shape.fields) json[field.name] = fieldJson(field, item, view)
  return json
}

function fieldJson<T>(field: ShapeField<T>, item: T, view: View): unknown {
  if (field.kind === 'list') {
    return field.items(item, view).map((each) => elementJson(field.of as Shape<unknown>, each, view))
  }
  const value = field.get(item, view)
  if (value === undefined) return null
  if (typeof value !== 'number') return value
  if (!Number.isFinite(value)) return null
  return field.kind === 'time' ? formatIsoTime(value) : Math.round(value)
}
