import { describe, expect, test } from 'bun:test'
import { findCycles, scan, undocumented } from '../support/sources.ts'

describe('the scan itself', () => {
  test('finds a function without a docstring', () => {
    const said = ['/** Says. */', 'export function a() {}', '/** Says. */', 'export const b = (n: number) => n']
    const unsaid = [
      '// says nothing',
      'export async function c<T>() {}',
      'export const d: () => number = async (',
      ') => 1',
    ]
    expect(undocumented({ path: 'x.ts', text: [...said, ...unsaid].join('\n') })).toEqual(['x.ts: c', 'x.ts: d'])
  })

  test('tells what runs from what is only a type', () => {
    const text = [
      "import type { A } from '../model/a.ts'",
      "import { b, type C } from '../lib/b.ts'",
      'import {',
      '  type D,',
      "} from '../lib/d.ts'",
      "import 'ink'",
      "const e = await import('@scope/name/deep')",
    ].join('\n')
    const found = scan('src/cli/x.ts', `${text}\nconsole.log(b, e)`)
    expect(found.toSorted((a, b) => a.target.localeCompare(b.target))).toEqual([
      { target: '@scope/name', own: false, typeOnly: false },
      { target: 'ink', own: false, typeOnly: false },
      { target: 'src/lib/b.ts', own: true, typeOnly: false },
      { target: 'src/lib/d.ts', own: true, typeOnly: true },
      { target: 'src/model/a.ts', own: true, typeOnly: true },
    ])
  })

  test('finds a circle, be it of types', () => {
    const file = (path: string, target: string, typeOnly: boolean) => ({
      path,
      imports: [{ target, own: true, typeOnly }],
    })
    expect(findCycles([file('a.ts', 'b.ts', false), file('b.ts', 'a.ts', true), file('c.ts', 'a.ts', false)])).toEqual([
      'a.ts → b.ts → a.ts',
    ])
  })
})
