// The corpus of configurations on the real xl: what it reads in each is what is recorded, and what pengx changes in one
// is all that changes for xl.
import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseConfig } from '../../../../src/engine/tools/xl/config.ts'
import { editConfig } from '../../../../src/engine/tools/xl/edit.ts'
import { keysOf, REFUSED, readCorpus, UNEDITABLE, UNREAD } from '../../../corpus/corpus.ts'
import { EDITS } from '../../../corpus/edits.ts'
import { READINGS, type Reading, recordedReading, withoutChance } from '../../../corpus/reading.ts'
import { labHost, sh } from '../../machine/ssh.ts'
import { askXl } from '../../readings.ts'

const corpus = readCorpus()
type CorpusFile = (typeof corpus)[number]

/** As it is recorded; a word of NUMA nodes means the processors that this host has of those that the recorded one had. */
async function recordedHere({ name, text }: CorpusFile): Promise<Reading> {
  const recorded = recordedReading(name)
  if (!/^cpus_soft *= *"node:/m.test(text)) return recorded
  const count = Number(await sh(labHost(), 'xl info nr_cpus'))
  const build = recorded.b_info as Reading
  const soft = (build.vcpu_soft_affinity as number[][]).map((cpus) => cpus.filter((cpu) => cpu < count))
  return { ...recorded, b_info: { ...build, vcpu_soft_affinity: soft } }
}

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
    expect([file.name, found]).toEqual([file.name, await recordedHere(file)])
  }
})

// That the text changes in that alone, and that a detached disk leaves the file as it was, is tested without the lab, of
// the same changes: `test/engine/tools/xlCorpusEdits.test.ts`.
for (const [kind, { change, wrong }] of Object.entries(EDITS)) {
  test(`${kind}: for the real xl that alone changes`, async () => {
    const changes = corpus.flatMap((file) => {
      const { name, text } = file
      if (name in REFUSED || name in UNREAD || UNEDITABLE[name]?.[0].split(' ').includes(kind)) return []
      const before = parseConfig(text, name).spec
      const after = change(before, new Set(keysOf(file)))
      return after === undefined ? [] : [{ file, after, edited: editConfig(text, before, after, name) }]
    })
    const answers = await askXl(labHost(), new Map(changes.map(({ file, edited }) => [file.name, edited])))
    expect(answers.size).toBe(changes.length)
    const all: string[] = []
    for (const { file, after, edited } of changes) {
      const { reading, said } = answers.get(file.name)!
      if (reading === undefined) all.push(`${file.name}: xl refuses it: ${said}`)
      else {
        const now = withoutChance(reading, keysOf(file).includes('uuid'))
        const amiss = wrong(await recordedHere(file), now, after)
        all.push(...amiss.map((what) => `${file.name}: ${what}\n${edited}`))
      }
    }
    expect(all).toEqual([])
  })
}
