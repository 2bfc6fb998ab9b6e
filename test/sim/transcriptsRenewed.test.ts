import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { KEPT } from '../lab/transcripts/kept.ts'
import { fileOf } from '../lab/transcripts/record.ts'
import { TAKES } from '../lab/transcripts/renew.ts'
import { transcripts } from '../support/transcript.ts'

/** What `npm run lab -- transcripts` makes is what there is, but for those that it says it cannot make. */

const FILES = readdirSync(join(import.meta.dir, '../transcripts'))
  .filter((file) => file.endsWith('.txt'))
  .map((file) => file.replace(/\.txt$/, ''))

/** The take that a file is of, whatever version stands in its name. */
const takeOf = (file: string) => {
  const version = /^[a-z]+-(\d+\.\d+)/.exec(file)?.[1] ?? ''
  return TAKES.find((take) => fileOf(take, version) === file)
}

test('each transcript is made by the lab, or says why not', () => {
  expect(FILES.filter((file) => !takeOf(file) && !Object.hasOwn(KEPT, file))).toEqual([])
  expect(Object.keys(KEPT).filter((file) => takeOf(file) || !FILES.includes(file))).toEqual([])
})

test('each is of the commands that make it, in their order', () => {
  for (const file of FILES.filter(takeOf)) {
    const made = takeOf(file)!.steps.flatMap((step) => {
      if (typeof step === 'string') return [step]
      return 'line' in step ? [step.line] : []
    })
    const told = transcripts(file).map(({ command }) => command)
    // numbers are chance, and one that was recorded by hand was timed
    const plain = (line: string) => line.replace(/\b(?:\d+|DOMID)\b/g, 'N').replace('; time ', '; ')
    expect([file, ...told.map(plain)]).toEqual([file, ...made.map(plain)])
  }
})

test('no two takes go to one file', () => {
  const names = TAKES.map((take) => fileOf(take, 'V'))
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
})
