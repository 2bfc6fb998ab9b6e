import { describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { parseConfig } from '../../../src/engine/tools/xl/config.ts'
import { itemsOf, keysOf, READ_NEVERTHELESS, REFUSED, readCorpus, SAID_OTHERWISE, UNREAD } from '../../corpus/corpus.ts'
import { DISK_FORMS, type Forms, NIC_FORMS, TEXT_FORMS } from '../../corpus/forms.ts'
import { KEYS_OF_THE_PAGE, KEYS_OF_THE_PARSER } from '../../corpus/keys.ts'
import { comparable, READINGS, recordedReading, specOf } from '../../corpus/reading.ts'

const corpus = readCorpus()
const taken = corpus.filter(({ name }) => !(name in REFUSED))

describe('the corpus of configurations', () => {
  test('has one for every key that xl reads', () => {
    const given = new Set(taken.flatMap(keysOf))
    expect([...KEYS_OF_THE_PAGE, ...KEYS_OF_THE_PARSER].filter((key) => !given.has(key))).toEqual([])
  })

  test('has at least 120 that xl takes, each of which says what it stands for', () => {
    expect(taken.length).toBeGreaterThanOrEqual(120)
    expect(corpus.filter(({ text }) => !/^\ufeff?# \S.*\r?\n/.test(text)).map(({ name }) => name)).toEqual([])
  })

  test('has every form of a disk, of a NIC and of the text', () => {
    const missing = (forms: Forms, texts: readonly string[]) =>
      Object.keys(forms).filter((form) => !texts.some((text) => forms[form]!.test(text)))
    const disks = corpus.flatMap((file) => itemsOf(file, 'disk'))
    const nics = corpus.flatMap((file) => itemsOf(file, 'vif'))
    const texts = corpus.map(({ bytes }) => Buffer.from(bytes).toString('latin1'))
    expect(missing(DISK_FORMS, disks)).toEqual([])
    expect(missing(NIC_FORMS, nics)).toEqual([])
    expect(missing(TEXT_FORMS, texts)).toEqual([])
  })

  test('has a recorded reading of each that xl takes, and of no other', () => {
    const recorded = readdirSync(READINGS).map((file) => file.replace(/\.json$/, ''))
    expect(recorded.sort()).toEqual(taken.map(({ name }) => name))
  })

  test('names in its lists nothing that it does not have', () => {
    const names = new Set(corpus.map(({ name }) => name))
    const listed = [REFUSED, UNREAD, SAID_OTHERWISE].flatMap(Object.keys)
    expect([...listed, ...READ_NEVERTHELESS].filter((name) => !names.has(name))).toEqual([])
  })
})

describe('what xl read is what pengx reads', () => {
  for (const { name, text } of taken) {
    test(name, () => {
      if (name in UNREAD) {
        expect(() => parseConfig(text, name)).toThrow()
        return
      }
      const [read, recorded] = [parseConfig(text, name).spec, specOf(recordedReading(name))].map(comparable)
      const parts = Object.keys({ ...read, ...recorded })
      const other = parts.filter((part) => !Bun.deepEquals(read![part], recorded![part]))
      const said = SAID_OTHERWISE[name]?.[0]
      if (said === undefined) expect(read).toEqual(recorded)
      else expect(other).toEqual([said])
    })
  }
})

test('what xl refuses is refused, but for what is read nevertheless', () => {
  for (const { name, text } of corpus.filter((file) => file.name in REFUSED)) {
    if (READ_NEVERTHELESS.has(name)) expect(parseConfig(text, name).spec.type).toBeOneOf(['pv', 'pvh', 'hvm'])
    else expect(() => parseConfig(text, name)).toThrow(name)
  }
})
