import { describe, expect, test } from 'bun:test'
import { parseConfig } from '../../../src/engine/tools/xl/config.ts'
import { editConfig } from '../../../src/engine/tools/xl/edit.ts'
import { parseStatements } from '../../../src/engine/tools/xl/syntax.ts'
import { bytesOfText } from '../../../src/lib/bytes.ts'
import type { VmSpec } from '../../../src/model/vm.ts'
import { keysOf, REFUSED, readCorpus, UNEDITABLE, UNREAD } from '../../corpus/corpus.ts'
import { EDITS } from '../../corpus/edits.ts'
import { recordedReading } from '../../corpus/reading.ts'

const files = readCorpus().filter(({ name }) => !(name in REFUSED) && !(name in UNREAD))

describe('a change of one thing in a configuration of the corpus is all that changes', () => {
  for (const [kind, { keys, change }] of Object.entries(EDITS)) {
    let count = 0
    for (const file of files) {
      const { name, text, bytes } = file
      const before = parseConfig(text, name).spec
      const after = change(before, new Set(keysOf(file)))
      if (after === undefined) continue
      test(`${kind}: ${name}`, () => {
        if (UNEDITABLE[name]?.[0].split(' ').includes(kind)) {
          expect(() => editConfig(text, before, after, name)).toThrow(name)
          return
        }
        const edited = editConfig(text, before, after, name)
        expect(said(parseConfig(edited, name).spec)).toEqual(said(after))
        expect(without(edited, keys)).toBeOneOf(untouched(text, keys))
        if (kind === 'memory') expect(changedLines(text, edited)).toBe(1)
        if (kind === 'attach') {
          const back = editConfig(edited, parseConfig(edited, name).spec, before, name)
          expect(back).toBe(text)
          expect(Buffer.from(bytesOfText(back)).equals(bytes)).toBe(true)
        }
      })
      count++
    }
    test(`${kind}: is tried in many`, () => expect(count).toBeGreaterThan(kind === 'eject' ? 10 : 60))
  }
})

test('what the lab compares notices a change that has not come, and one too many', () => {
  for (const [kind, { change, wrong }] of Object.entries(EDITS)) {
    for (const file of files) {
      const after = change(parseConfig(file.text, file.name).spec, new Set(keysOf(file)))
      if (after === undefined) continue
      const reading = recordedReading(file.name)
      const other = { ...reading, on_watchdog: 'another', disks: [{ vdev: 'xvdzz' }] }
      expect([kind, file.name, wrong(reading, reading, after)]).not.toEqual([kind, file.name, []])
      expect([kind, ...wrong(reading, other, after)]).toContain('on_watchdog')
    }
  }
})

/** Without a drive's own words. */
function said(spec: VmSpec) {
  return { ...spec, drives: spec.drives.map(({ text: _, ...drive }) => drive) }
}

/** Without the statements of some keys: their comments stay. */
function without(text: string, keys: readonly string[]): string {
  const cut = parseStatements(text).filter(({ key }) => keys.includes(key))
  return cut.reduceRight((rest, { at, end }) => rest.slice(0, at) + rest.slice(end), text)
}

/** As it is after a change: the same, or, for each of the keys that it lacks, with a line more at its end. */
function untouched(text: string, keys: readonly string[]): string[] {
  const given = new Set(parseStatements(text).map(({ key }) => key))
  const lacking = keys.filter((key) => !given.has(key)).length
  return [...Array(lacking + 1).keys()].map((count) => without(text, keys) + '\n'.repeat(count))
}

/** How many lines come in the place of others, or how many of them go, whichever are more. */
function changedLines(before: string, after: string): number {
  const [then, now] = [before.replace(/\n$/, '').split('\n'), after.replace(/\n$/, '').split('\n')]
  const shorter = Math.min(then.length, now.length)
  let start = 0
  while (start < shorter && then[start] === now[start]) start++
  let end = 0
  while (end < shorter - start && then.at(-1 - end) === now.at(-1 - end)) end++
  return Math.max(then.length, now.length) - start - end
}
