import { describe, expect, test } from 'bun:test'
import type { View } from '../../src/engine/store/view.ts'
import { type Document, many, prepareDocument, writeDocument } from '../../src/server/views/document.ts'
import type { Format, Shape } from '../../src/server/views/shape.ts'

interface Thing {
  readonly id: string
  readonly name: string
}

const view = {} as View

/** A shape that counts how often one of its things was written. */
function counting(): { shape: Shape<Thing>; written(): number } {
  let count = 0
  const get = (thing: Thing) => {
    count++
    return thing.name
  }
  return {
    shape: { name: 'thing', id: ({ id }) => id, fields: [{ kind: 'text', name: 'name', get }] },
    written() {
      const before = count
      count = 0
      return before
    },
  }
}

const things = (count: number): Thing[] =>
  Array.from({ length: count }, (_, index) => ({ id: `${index}`, name: `<${index}>` }))

async function textOf(document: Document, format: Format): Promise<string> {
  await prepareDocument(document, view, format)
  return await new Response(writeDocument(document, view, format)).text()
}

describe('a list of thousands', () => {
  test('is byte for byte what one that is written at once is', async () => {
    const { shape } = counting()
    for (const count of [0, 1, 63, 64, 65, 128, 1_000]) {
      const items = things(count)
      for (const format of ['xml', 'json'] as const) {
        const kept = await textOf(many('things', shape, items, true), format)
        expect(kept).toBe(await textOf(many('things', shape, items), format))
      }
    }
  })

  test('is not written again while nothing is new, and only what is new then', async () => {
    const { shape, written } = counting()
    const before = things(1_000)
    await textOf(many('things', shape, before, true), 'xml')
    expect(written()).toBe(1_000)
    await textOf(many('things', shape, before, true), 'xml')
    expect(written()).toBe(0)

    const one = before.with(500, { id: '500', name: 'renamed' })
    const text = await textOf(many('things', shape, one, true), 'xml')
    expect(written()).toBe(1)
    expect(text).toContain('<name>renamed</name>')
    expect(text).not.toContain('&lt;500&gt;')

    const fewer = one.toSpliced(3, 1)
    const without = await textOf(many('things', shape, fewer, true), 'xml')
    expect(written()).toBe(0)
    expect(without).not.toContain('id="3"')
    expect(without).toBe(await textOf(many('things', shape, fewer), 'xml'))
  })

  test('another list of the same things, and another format, have their own bytes', async () => {
    const { shape } = counting()
    const items = things(200)
    const all = await textOf(many('things', shape, items, true), 'xml')
    const some = await textOf(many('things', shape, items.slice(0, 10), true), 'xml')
    expect(some.match(/<thing /g)).toHaveLength(10)
    expect(JSON.parse(await textOf(many('things', shape, items, true), 'json')).things).toHaveLength(200)
    expect(await textOf(many('things', shape, items, true), 'xml')).toBe(all)
  })
})
