import type { View } from '../../engine/store/view.ts'
import { elementJson, elementXml, type Shape } from './shape.ts'

/** What an answer holds: one element, or a list of them under a root. */
export type Document =
  | { readonly kind: 'one'; readonly shape: Shape<never>; readonly item: unknown }
  | {
      readonly kind: 'list'
      readonly root: string
      readonly shape: Shape<never>
      readonly items: readonly unknown[]
      /** Nothing but the items decides what is written, and a list that changes is another array. */
      readonly pure: boolean
    }

export type Format = 'xml' | 'json'

export function one<T>(shape: Shape<T>, item: T): Document {
  return { kind: 'one', shape: shape as unknown as Shape<never>, item }
}

export function many<T>(root: string, shape: Shape<T>, items: readonly T[], pure = false): Document {
  return { kind: 'list', root, shape: shape as unknown as Shape<never>, items, pure }
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** Written bodies of pure lists, for as long as the list is the view's. */
const written = new WeakMap<readonly unknown[], Map<string, Uint8Array>>()

export function writeDocument(document: Document, view: View, format: Format): Uint8Array {
  if (document.kind === 'one' || !document.pure) return encode(document, view, format)
  const key = `${document.root} ${document.shape.name} ${format}`
  const kept = written.get(document.items) ?? new Map<string, Uint8Array>()
  written.set(document.items, kept)
  const there = kept.get(key)
  if (there) return there
  const bytes = encode(document, view, format)
  kept.set(key, bytes)
  return bytes
}

function encode(document: Document, view: View, format: Format): Uint8Array {
  return new TextEncoder().encode(format === 'xml' ? documentXml(document, view) : documentJson(document, view))
}

function documentXml(document: Document, view: View): string {
  const shape = document.shape as Shape<unknown>
  if (document.kind === 'one') return `${DECLARATION}${elementXml(shape, document.item, view)}\n`
  if (document.items.length === 0) return `${DECLARATION}<${document.root}></${document.root}>\n`
  const parts = document.items.map((item) => elementXml(shape, item, view, '  '))
  return `${DECLARATION}<${document.root}>\n${parts.join('\n')}\n</${document.root}>\n`
}

function documentJson(document: Document, view: View): string {
  const shape = document.shape as Shape<unknown>
  const inner =
    document.kind === 'one'
      ? { [shape.name]: elementJson(shape, document.item, view) }
      : { [document.root]: document.items.map((item) => elementJson(shape, item, view)) }
  return `${JSON.stringify(inner)}\n`
}
