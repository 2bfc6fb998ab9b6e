import type { View } from '../../engine/store/view.ts'
import { elementText, listBytes, separator, writeAhead } from './listBytes.ts'
import { elementJson, elementXml, type Format, type Shape } from './shape.ts'

/** What an answer holds: one element, or a list of them under a root. */
export type Document =
  | { readonly kind: 'one'; readonly shape: Shape<never>; readonly item: unknown }
  | {
      readonly kind: 'list'
      readonly root: string
      readonly shape: Shape<never>
      readonly items: readonly unknown[]
      /** Nothing but the items decides what is written, and what changes is another item in another array. */
      readonly pure: boolean
    }

export function one<T>(shape: Shape<T>, item: T): Document {
  return { kind: 'one', shape: shape as unknown as Shape<never>, item }
}

export function many<T>(root: string, shape: Shape<T>, items: readonly T[], pure = false): Document {
  return { kind: 'list', root, shape: shape as unknown as Shape<never>, items, pure }
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** Written bodies of pure lists, for as long as the list is the view's. */
const written = new WeakMap<readonly unknown[], Map<string, Blob>>()

/** What a long list takes to be written is done here, in slices; `writeDocument` puts it together then. */
export async function prepareDocument(document: Document, view: View, format: Format): Promise<void> {
  if (document.kind === 'list' && document.pure && !keptBody(document, format))
    await writeAhead(document.shape, document.items, view, format)
}

export function writeDocument(document: Document, view: View, format: Format): Blob | string {
  if (document.kind === 'one' || !document.pure) return documentText(document, view, format)
  const there = keptBody(document, format)
  if (there) return there
  const { head, tail } = frameOf(document, format)
  const body = new Blob([head, ...listBytes(document.shape, document.items, view, format), tail] as BlobPart[])
  const bodies = written.get(document.items) ?? new Map<string, Blob>()
  written.set(document.items, bodies.set(keyOf(document, format), body))
  return body
}

type List = Extract<Document, { kind: 'list' }>

function keptBody(document: List, format: Format): Blob | undefined {
  return written.get(document.items)?.get(keyOf(document, format))
}

function keyOf({ root, shape }: List, format: Format): string {
  return `${root} ${shape.name} ${format}`
}

/** What stands around a list's elements. */
function frameOf({ root, items }: List, format: Format): { readonly head: string; readonly tail: string } {
  if (format === 'json') return { head: `{${JSON.stringify(root)}:[`, tail: ']}\n' }
  if (items.length === 0) return { head: `${DECLARATION}<${root}>`, tail: `</${root}>\n` }
  return { head: `${DECLARATION}<${root}>\n`, tail: `\n</${root}>\n` }
}

function documentText(document: Document, view: View, format: Format): string {
  const shape = document.shape as Shape<unknown>
  if (document.kind === 'list') {
    const { head, tail } = frameOf(document, format)
    const elements = document.items.map((item) => elementText(shape, item, view, format))
    return `${head}${elements.join(separator(format))}${tail}`
  }
  if (format === 'xml') return `${DECLARATION}${elementXml(shape, document.item, view)}\n`
  return `${JSON.stringify({ [shape.name]: elementJson(shape, document.item, view) })}\n`
}
