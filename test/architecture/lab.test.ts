import { expect, test } from 'bun:test'
import { CATALOG } from '../../src/engine/operations/catalog.ts'
import { isIn, readSources } from '../support/sources.ts'

const sources = readSources('test/lab/**/*.ts')
const byPath = new Map(sources.map((source) => [source.path, source]))

/** A suite with all that it is made of. */
function reached(path: string): Set<string> {
  const found = new Set([path])
  for (const one of found)
    for (const { target } of byPath.get(one)?.imports ?? []) if (isIn(target, 'test/lab')) found.add(target)
  return found
}

/** What suites have done, by the one way that fails where it does not end well: `perform(PENGX, 'OPERATION', …)`. */
function performed(suites: readonly string[]): Set<string> {
  const texts = [...new Set(suites.flatMap((suite) => [...reached(suite)]))].map((path) => byPath.get(path)?.text ?? '')
  const call = /\bperform\(\s*[\w.]+,\s*(?:\.\.\.\[)?'([a-z]+\.[A-Za-z]+)'/g
  return new Set(texts.flatMap((text) => [...text.matchAll(call)].map((match) => match[1]!)))
}

test('every operation is done on a real Xen host whenever the lab runs', () => {
  const always = [...byPath.keys()].filter((path) => /^test\/lab\/suites\/[^/]+\.e2e\.ts$/.test(path))
  expect(always.length).toBeGreaterThan(8)
  const done = performed(always)
  expect([...CATALOG.keys()].filter((name) => !done.has(name))).toEqual([])
  expect([...done].filter((name) => !CATALOG.has(name))).toEqual([])
})
