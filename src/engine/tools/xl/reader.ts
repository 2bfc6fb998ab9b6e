import { PengxError } from '../../../model/error.ts'
import { quoteString, type XlStatement, type XlValue } from './syntax.ts'

/** Reads a configuration key by key, and knows in the end which statements nobody has asked for. */
export interface ConfigReader {
  /** The value that counts, as text or number; the key is then taken. A value of another kind is left to be kept. */
  text(key: string): string | undefined
  number(key: string): number | undefined
  /** List items that `take` understands; those for which it gives undefined are kept as `key += [ … ]`. */
  list<T>(key: string, take: (item: string) => T | undefined): T[]
  kept(): readonly Pick<XlStatement, 'key' | 'text'>[]
  wrong(what: string): PengxError
}

export function createReader(statements: readonly XlStatement[], source: string): ConfigReader {
  const taken = new Set<string>()
  const added: Pick<XlStatement, 'key' | 'text'>[] = []
  const valueUnder = (key: string): XlValue | undefined => {
    let value: XlValue | undefined
    for (const statement of statements) {
      if (statement.key !== key) continue
      if (statement.op === '=' || value === undefined) value = statement.value
      else if (typeof value === 'string' && typeof statement.value === 'string') value += statement.value
      else if (typeof value !== 'string' && typeof statement.value !== 'string') value = [...value, ...statement.value]
      else throw wrong(`${key} += adds a list to a string, or the other way`, statement.line)
    }
    return value
  }
  const wrong = (what: string, line?: number) =>
    new PengxError('invalid', `${source}${line === undefined ? '' : `:${line}`}: ${what} (see xl.cfg(5))`)
  return {
    wrong,
    text(key) {
      const value = valueUnder(key)
      if (typeof value !== 'string') return undefined
      taken.add(key)
      return value
    },
    number(key) {
      const value = valueUnder(key)
      // xl passes over a number that is added to
      const isAdded = statements.findLast((statement) => statement.key === key)?.op === '+='
      const number = typeof value === 'string' && !isAdded ? parseNumber(value) : undefined
      if (number !== undefined) taken.add(key)
      return number
    },
    list(key, take) {
      const value = valueUnder(key)
      if (value === undefined || typeof value === 'string') return []
      taken.add(key)
      const items = []
      for (const item of value) {
        // xl ends a list of devices at the first item that is no string
        if (typeof item !== 'string') break
        const found = take(item)
        if (found !== undefined) items.push(found)
        else added.push({ key, text: `${key} += [ ${quoteString(item)} ]` })
      }
      return items
    },
    kept: () => [...statements.filter((statement) => !taken.has(statement.key)), ...added],
  }
}

/** As strtol with base 0 reads it: `0x10`, `010`, `10`. */
function parseNumber(text: string): number | undefined {
  if (/^-?0x[0-9a-f]+$/i.test(text)) return Number(text)
  if (/^-?0[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  return /^-?\d+$/.test(text) ? Number(text) : undefined
}
