import { expect } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Compares with `test/golden/PATH`; PENGX_GOLDEN=write writes it instead, and a person reads the difference. */
export function expectGolden(path: string, text: string): void {
  const file = join(import.meta.dir, '../golden', path)
  if (process.env.PENGX_GOLDEN === 'write') {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  if (!existsSync(file)) throw new Error(`${file} is not there: PENGX_GOLDEN=write makes it`)
  expect(text).toBe(readFileSync(file, 'utf8'))
}
