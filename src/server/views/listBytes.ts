import type { View } from '../../engine/store/view.ts'
import { turns } from '../../lib/turns.ts'
import { elementJson, elementXml, type Format, type Shape } from './shape.ts'

/**
 * A long list as bytes. Of thousands of rows mostly a few are new since it was written last, so what each gave is kept for
 * as long as the row is there, and so are blocks of rows that nothing in has changed.
 */
interface Kept {
  /** What one row gives. */
  readonly elements: WeakMap<object, string>
  /** By their first row. */
  readonly blocks: WeakMap<object, { readonly items: readonly unknown[]; readonly bytes: Uint8Array }>
}

const BLOCK_LENGTH = 16
const BLOCKS_A_TURN = 32

const INDENT = '  '

const keptOf: Record<Format, WeakMap<Shape<never>, Kept>> = { xml: new WeakMap(), json: new WeakMap() }

export function separator(format: Format): string {
  return format === 'xml' ? '\n' : ','
}

/** Writes what of a list is not kept yet, and leaves others their turn between two blocks. */
export async function writeAhead(
  shape: Shape<never>,
  items: readonly unknown[],
  view: View,
  format: Format,
): Promise<void> {
  let fresh = 0
  for (let start = 0; start < items.length; start += BLOCK_LENGTH) {
    if (keptBlock(start, shape, items, format)) continue
    if (++fresh % BLOCKS_A_TURN === 0) await turns.take('awaited')
    blockAt(start, shape, items, view, format)
  }
}

/** The elements of a list of which nothing but the items decides what is written, separated, in blocks. */
export function listBytes(shape: Shape<never>, items: readonly unknown[], view: View, format: Format): Uint8Array[] {
  const parts: Uint8Array[] = []
  const between = new TextEncoder().encode(separator(format))
  for (let start = 0; start < items.length; start += BLOCK_LENGTH) {
    if (start > 0) parts.push(between)
    parts.push(blockAt(start, shape, items, view, format))
  }
  return parts
}

function blockAt(
  start: number,
  shape: Shape<never>,
  items: readonly unknown[],
  view: View,
  format: Format,
): Uint8Array {
  const there = keptBlock(start, shape, items, format)
  if (there) return there
  const { blocks, elements } = keptFor(shape, format)
  const own = items.slice(start, start + BLOCK_LENGTH)
  const written = own.map((item) => {
    const known = elements.get(item as object)
    if (known !== undefined) return known
    const element = elementText(shape as Shape<unknown>, item, view, format)
    elements.set(item as object, element)
    return element
  })
  const bytes = new TextEncoder().encode(written.join(separator(format)))
  blocks.set(own[0] as object, { items: own, bytes })
  return bytes
}

/** What was written of exactly these rows. */
function keptBlock(
  start: number,
  shape: Shape<never>,
  items: readonly unknown[],
  format: Format,
): Uint8Array | undefined {
  const there = keptFor(shape, format).blocks.get(items[start] as object)
  const length = Math.min(BLOCK_LENGTH, items.length - start)
  const isSame = there?.items.length === length && there.items.every((item, index) => item === items[start + index])
  return isSame ? there.bytes : undefined
}

/** One element of a list. */
export function elementText(shape: Shape<unknown>, item: unknown, view: View, format: Format): string {
  return format === 'xml' ? elementXml(shape, item, view, INDENT) : JSON.stringify(elementJson(shape, item, view))
}

function keptFor(shape: Shape<never>, format: Format): Kept {
  const there = keptOf[format].get(shape)
  if (there) return there
  const made: Kept = { elements: new WeakMap(), blocks: new WeakMap() }
  keptOf[format].set(shape, made)
  return made
}
