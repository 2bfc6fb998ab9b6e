import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { CATALOG } from '../../src/engine/operations/catalog.ts'
import { screens } from '../../src/screens/catalog.ts'
import { EVERYWHERE } from '../../src/screens/shell/keys.ts'
import { formatKeys } from './keysPage.ts'

describe('keys', () => {
  test('docs/KEYS.md is what the keys are', async () => {
    const path = join(import.meta.dir, '../../docs/KEYS.md')
    if (process.env.PENGX_GOLDEN) await Bun.write(path, formatKeys())
    expect(await Bun.file(path).text()).toBe(formatKeys())
  })

  test('no screen gives a key that moves or works everywhere another meaning', () => {
    const taken = [...'hjklgGv*:/?xyYfr<>OwWq', 'space', 'ctrl-d', 'ctrl-u', 'esc', 'tab']
    for (const screen of screens) {
      expect(screen.keys.map(({ key }) => key).filter((key) => taken.includes(key))).toEqual([])
    }
  })

  test('what works everywhere is there once', () => {
    const keys = EVERYWHERE.map(({ key }) => key)
    expect(new Set(keys).size).toBe(keys.length)
  })

  test('small letters never destroy', () => {
    const destroying: string[] = []
    for (const screen of screens) {
      for (const { key, operation } of screen.keys) {
        const danger = operation === undefined ? 'safe' : CATALOG.get(operation)?.danger
        expect(danger, `${screen.name} ${key}: ${operation} is not in the catalog`).toBeDefined()
        if (danger === 'destroys') destroying.push(key)
      }
    }
    expect(destroying.length).toBeGreaterThan(0)
    expect(destroying.filter((key) => !/^[A-Z]$/.test(key))).toEqual([])
  })
})
