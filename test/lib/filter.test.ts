import { describe, expect, test } from 'bun:test'
import { type Filterable, parseFilter } from '../../src/lib/filter.ts'

const row = (text: string, values: Record<string, string> = {}): Filterable => ({
  text: text.toLowerCase(),
  value: (key) => values[key],
})

const rows = {
  web01: row('web01 xen1 running 00:16:3e:00:00:01', { status: 'running', pm: 'xen1' }),
  web02: row('web02 xen2 shut down', { status: 'shut down', pm: 'xen2' }),
  db01: row('db01 xen1 running', { status: 'running', pm: 'xen1' }),
  한국: row('web-한국 xen4 unknown', { status: 'unknown', pm: 'xen4' }),
}

function found(text: string): string[] {
  const filter = parseFilter(text, ['status', 'pm'])
  return Object.entries(rows).flatMap(([name, one]) => (filter.test(one) ? [name] : []))
}

describe('filters', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['', ['web01', 'web02', 'db01', '한국']],
    ['web', ['web01', 'web02', '한국']],
    ['WEB', ['web01', 'web02', '한국']],
    ['web xen1', ['web01']],
    ['web01|db', ['web01', 'db01']],
    ['!web', ['db01']],
    ['web !xen1', ['web02', '한국']],
    ['status:running', ['web01', 'db01']],
    ['status:running pm:xen1 !db', ['web01']],
    ['!status:running', ['web02', '한국']],
    ['pm:xen2|xen4', ['web02', '한국']],
    ['/^(web|db)01/', ['web01', 'db01']],
    ['!/01/', ['web02', '한국']],
    ['한국', ['한국']],
    ['00:16:3e:00:00:01', ['web01']],
    ['status:', ['web01', 'web02', 'db01', '한국']],
    ['!', ['web01', 'web02', 'db01', '한국']],
    ['|', ['web01', 'web02', 'db01', '한국']],
    ['nothing', []],
  ]
  for (const [text, wanted] of cases) {
    test(`"${text}"`, () => {
      expect(found(text)).toEqual([...wanted])
    })
  }

  test('an expression that is none says so and hides nothing', () => {
    expect(parseFilter('/we[b/', []).problem).toBe('/we[b/ is not a regular expression')
    expect(found('/we[b/')).toHaveLength(4)
  })

  test('blanks in an expression are part of it', () => {
    expect(found('/xen2 shut/')).toEqual(['web02'])
  })
})
