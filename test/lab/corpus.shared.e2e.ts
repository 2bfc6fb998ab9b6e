// The corpus of configurations on the real xl: what it reads in each is what is recorded.
import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { keysOf, REFUSED, readCorpus } from '../corpus/corpus.ts'
import { READINGS, recordedReading, withoutChance } from '../corpus/reading.ts'
import { labHost } from './machine/ssh.ts'
import { askXl } from './readings.ts'

const corpus = readCorpus()

test('what xl reads in each is what is recorded, and it refuses what is said to be refused', async () => {
  const answers = await askXl(labHost(), new Map(corpus.map(({ name, text }) => [name, text])))
  expect(answers.size).toBe(corpus.length)
  const refused = corpus.filter(({ name }) => answers.get(name)!.reading === undefined)
  expect(refused.map(({ name }) => name)).toEqual(Object.keys(REFUSED).sort())
  for (const file of corpus) {
    const { reading } = answers.get(file.name)!
    if (reading === undefined) continue
    const found = withoutChance(reading, keysOf(file).includes('uuid'))
    if (process.env.PENGX_GOLDEN === 'write') {
      mkdirSync(READINGS, { recursive: true })
      writeFileSync(`${READINGS}/${file.name}.json`, `${JSON.stringify(found)}\n`)
    }
    expect([file.name, found]).toEqual([file.name, recordedReading(file.name)])
  }
})
