import { describe, expect, test } from 'bun:test'
import { dirname, resolve } from 'node:path'
import { isIn, readSources, undocumented, withoutComments } from '../support/sources.ts'

/** What holds for every file and folder, whatever room it is in. */
const FORBIDDEN_NAMES = ['utils', 'util', 'helpers', 'helper', 'common', 'manager', 'service', 'misc', 'index']
const MOST_LINES = 300

/** Rooms whose functions are called from others: each says what it does to the outside, in which units, and what it fails with. */
const SPOKEN = 'src/engine/{hypervisor,volumes,jobs,host,store}/**/*.ts'

const sources = readSources('src/**/*.{ts,tsx}')
const everything = readSources('{src,test,bench}/**/*.{ts,tsx}')

describe('every file', () => {
  test(`has at most ${MOST_LINES} lines`, () => {
    const long = everything.filter(({ path, lineCount }) => lineCount > MOST_LINES && !path.includes('/golden/'))
    expect(long.map(({ path, lineCount }) => `${path}: ${lineCount}`)).toEqual([])
  })

  test('is named after its subject', () => {
    const named = everything.flatMap(({ path }) =>
      path
        .split('/')
        .map((part) => part.split('.')[0]!)
        .filter((part) => FORBIDDEN_NAMES.includes(part.toLowerCase()))
        .map(() => path),
    )
    expect(named).toEqual([])
  })

  test('exports by name and hands nothing on', () => {
    const wrong = everything.flatMap(({ path, text }) => {
      const code = withoutComments(text)
      const isDefault = /^export default\b/m.test(code)
      const isBarrel = /^export\s+(?:type\s+)?(?:\*|\{[^}]*\})\s*(?:as\s+\w+\s*)?from\b/m.test(code)
      return [
        ...(isDefault ? [`${path} has a default export`] : []),
        ...(isBarrel ? [`${path} hands on an import`] : []),
      ]
    })
    expect(wrong).toEqual([])
  })

  test('declares no class and no enum', () => {
    const wrong = sources.filter(({ path, text }) => {
      const code = withoutComments(text)
      return (
        /^\s*(?:export\s+)?(?:const\s+)?enum\s/m.test(code) ||
        (/^\s*(?:export\s+)?(?:abstract\s+)?class\s/m.test(code) && path !== 'src/model/error.ts')
      )
    })
    expect(wrong.map(({ path }) => path)).toEqual([])
  })
})

describe('every folder', () => {
  /** What tests read and compare with: data, as large as it is. */
  const DATA = ['test/golden', 'test/transcripts', 'test/corpus/xl']
  const MOST_FILES = 25

  test(`has at most ${MOST_FILES} files`, () => {
    const files = [...new Bun.Glob('{src,test,bench}/**/*').scanSync({ cwd: resolve(import.meta.dir, '../..') })]
    const full = [...Map.groupBy(files, dirname)]
      .filter(([folder, { length }]) => length > MOST_FILES && !DATA.some((place) => isIn(folder, place)))
      .map(([folder, { length }]) => `${folder}: ${length}`)
    expect(full).toEqual([])
  })
})

describe('what crosses a room', () => {
  test('says what it does', () => {
    const spoken = readSources(SPOKEN)
    expect(spoken.length).toBeGreaterThan(50)
    expect(spoken.flatMap(undocumented)).toEqual([])
  })
})
