import { describe, expect, test } from 'bun:test'
import { dirname } from 'node:path'
import { findCycles, readSources, type Source, scan, undocumented } from './support/sources.ts'

/**
 * The rooms of the house and their doors. A room may import from its own and from those in its row; what it may know
 * only by type stands behind `types`. A change of this table is a change of the design and belongs into
 * ARCHITECTURE.md too.
 */
interface Room {
  readonly may: readonly string[]
  readonly types?: readonly string[]
}

/** What stands in front of the engine: its one door, and what passes through it. */
const DOOR = ['src/engine/engine.ts', 'src/engine/jobs/params.ts']
const PASSES = ['src/engine/jobs/operation.ts', 'src/engine/store/view.ts', 'src/engine/host/host.ts']
const DRIVERS = ['src/engine/hypervisor', 'src/engine/storage', 'src/engine/volumes']
const FLOORS = ['src/model', 'src/lib']

const ROOMS: Record<string, Room> = {
  'src/lib': { may: [] },
  'src/model': { may: ['src/lib'] },
  'src/engine/tools': { may: FLOORS, types: ['src/engine/host'] },
  'src/engine/host': { may: FLOORS },
  'src/engine/store': { may: FLOORS },
  'src/engine/hypervisor': { may: ['src/engine/host', 'src/engine/tools', ...FLOORS] },
  'src/engine/storage': { may: ['src/engine/host', 'src/engine/tools', ...FLOORS] },
  'src/engine/volumes': { may: ['src/engine/host', 'src/engine/tools', ...FLOORS] },
  'src/engine/jobs': { may: ['src/engine/store', 'src/engine/host', ...FLOORS], types: DRIVERS },
  'src/engine/operations': {
    may: ['src/engine/jobs', 'src/engine/store', 'src/engine/host', 'src/engine/tools', ...DRIVERS, ...FLOORS],
  },
  'src/engine/watch': {
    may: [
      'src/engine/host',
      'src/engine/tools',
      'src/engine/hypervisor',
      'src/engine/volumes',
      'src/engine/store',
      ...FLOORS,
    ],
  },
  'src/engine': { may: ['src/engine', 'src/sim', ...FLOORS] },
  'src/sim': { may: ['src/engine/host', ...FLOORS] },
  'src/ui': { may: ['src/lib'] },
  'src/screens': { may: ['src/ui', ...DOOR, ...FLOORS], types: PASSES },
  'src/server': { may: [...DOOR, ...FLOORS], types: PASSES },
  'src/cli': { may: [...DOOR, 'src/args.ts', ...FLOORS], types: PASSES },
  'src/args.ts': { may: FLOORS },
  'src/settings.ts': { may: FLOORS },
  'src/ending.ts': { may: FLOORS },
  'src/config.ts': { may: ['src/args.ts', 'src/settings.ts', ...FLOORS], types: ['src/engine/engine.ts'] },
  'src/start.ts': { may: ['src'] },
  'src/main.tsx': { may: ['src', 'package.json'] },
}

/** One door a dependency: who may import it. */
const PACKAGES: Record<string, readonly string[]> = {
  ssh2: ['src/engine/host/ssh'],
  'bun:sqlite': ['src/engine/store'],
  kysely: ['src/engine/store'],
  zustand: ['src/screens/app/state.ts'],
  saxes: ['src/lib/xml.ts'],
  ink: ['src/ui', 'src/screens', 'src/main.tsx'],
  react: ['src/ui', 'src/screens', 'src/main.tsx'],
  pino: ['src/lib/log.ts'],
  'prom-client': ['src/server'],
  'ssh-config': ['src/engine/host'],
  'p-queue': ['src/engine/host/limited.ts'],
}

/** One door a power: who may write this. */
const POWERS: readonly { readonly pattern: RegExp; readonly doors: readonly string[] }[] = [
  { pattern: /\bBun\.(spawn|spawnSync|\$)\b|\bchild_process\b/, doors: ['src/engine/host/local.ts'] },
  { pattern: /\bBun\.serve\b/, doors: ['src/server/serve.ts'] },
]

const FORBIDDEN_NAMES = ['utils', 'util', 'helpers', 'helper', 'common', 'manager', 'service', 'misc', 'index']
const MOST_LINES = 300

/** Rooms whose functions are called from others: each says what it does to the outside, in which units, and what it fails with. */
const SPOKEN = 'src/engine/{hypervisor,volumes,jobs,host,store}/**/*.ts'

const sources = readSources('src/**/*.{ts,tsx}')
const everything = readSources('{src,test,bench}/**/*.{ts,tsx}')

const isIn = (path: string, place: string) => path === place || path.startsWith(`${place}/`)

function roomOf(path: string): string | undefined {
  return Object.keys(ROOMS)
    .filter((room) => isIn(path, room))
    .sort((a, b) => b.length - a.length)[0]
}

/** The imports of a file that its room's row does not allow. */
function trespasses(source: Source): string[] {
  const room = roomOf(source.path)
  if (room === undefined) return [`${source.path} is in no room`]
  const { may, types = [] } = ROOMS[room]!
  return source.imports
    .filter(({ target, own, typeOnly }) => {
      if (!own || roomOf(target) === room) return false
      const allowed = typeOnly ? [...may, ...types] : may
      return !allowed.some((place) => isIn(target, place))
    })
    .map(({ target, typeOnly }) => `${source.path} imports ${typeOnly ? 'types of ' : ''}${target}`)
}

describe('the house', () => {
  test('every import goes in an allowed direction', () => {
    expect(sources.length).toBeGreaterThan(20)
    expect(sources.flatMap(trespasses)).toEqual([])
  })

  test('the simulated site is imported by the composition alone', () => {
    const into = sources.filter(
      (source) => !isIn(source.path, 'src/sim') && source.imports.some(({ target }) => isIn(target, 'src/sim')),
    )
    expect(into.map((source) => source.path)).toEqual(['src/engine/engine.ts'])
  })

  test('drivers do not know each other', () => {
    const between = sources.flatMap((source) => {
      const own = DRIVERS.find((driver) => isIn(source.path, driver))
      if (own === undefined) return []
      return source.imports
        .filter(({ target }) => DRIVERS.some((driver) => driver !== own && isIn(target, driver)))
        .map(({ target }) => `${source.path} imports ${target}`)
    })
    expect(between).toEqual([])
  })

  test('an operation knows another only through the catalog', () => {
    const place = 'src/engine/operations'
    const folderOf = (path: string) => path.slice(place.length + 1).split('/')[0]!
    const own = sources.filter((source) => isIn(source.path, place) && source.path !== `${place}/catalog.ts`)
    const { imports } = sources.find((source) => source.path === `${place}/catalog.ts`)!
    const defining = imports.map(({ target }) => target).filter((target) => isIn(target, place))
    expect(defining.length).toBeGreaterThan(20)

    // A file that defines operations is the catalog's alone, be it for a type.
    const known = sources
      .filter(({ path }) => path !== `${place}/catalog.ts`)
      .flatMap(({ path, imports }) => imports.map(({ target }) => ({ path, target })))
      .filter(({ target }) => defining.includes(target))
    expect(known).toEqual([])

    // What subjects share is a VM's, its disks' and the storlinks' they lie on, in that order and never backwards.
    const shared: Record<string, readonly string[]> = { storlink: [], vm: [], disk: ['vm', 'storlink'] }
    const crossings = own.flatMap(({ path, imports }) => {
      const folder = folderOf(path)
      const may = [folder, ...(shared[folder] ?? ['vm', 'disk', 'storlink'])]
      return imports
        .filter(({ target }) => isIn(target, place) && !may.includes(folderOf(target)))
        .map(({ target }) => `${path} imports ${target}`)
    })
    expect(crossings).toEqual([])

    const counted = own.map((file) => ({ ...file, imports: file.imports.map((one) => ({ ...one, typeOnly: false })) }))
    expect(findCycles(counted)).toEqual([])
  })

  test.each(Object.entries(PACKAGES))('%s has one door', (name, doors) => {
    const users = sources.filter((source) =>
      source.imports.some(({ target, typeOnly }) => target === name && !typeOnly),
    )
    const outside = users
      .map(({ path }) => path)
      .filter((path) => !doors.some((door) => isIn(path, door) || path.startsWith(door)))
    expect(outside).toEqual([])
  })

  test.each(POWERS.map(({ pattern, doors }) => [String(pattern), pattern, doors] as const))(
    '%s has one door',
    (_, pattern, doors) => {
      const users = sources.filter((source) => pattern.test(withoutComments(source.text))).map(({ path }) => path)
      expect(users.filter((path) => !doors.includes(path))).toEqual([])
    },
  )

  test('no file imports itself round a circle', () => {
    expect(findCycles(sources)).toEqual([])
  })
})

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

describe('what crosses a room', () => {
  test('says what it does', () => {
    const spoken = readSources(SPOKEN)
    expect(spoken.length).toBeGreaterThan(50)
    expect(spoken.flatMap(undocumented)).toEqual([])
  })
})

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

  test('finds a trespass and a circle', () => {
    const source = (path: string, target: string): Source => ({
      path,
      text: '',
      lineCount: 1,
      imports: [{ target, own: true, typeOnly: false }],
    })
    expect(trespasses(source('src/lib/a.ts', 'src/model/b.ts'))).toEqual(['src/lib/a.ts imports src/model/b.ts'])
    expect(trespasses(source('src/server/a.ts', 'src/engine/store/store.ts'))).toHaveLength(1)
    expect(trespasses(source('src/odd/a.ts', 'src/lib/b.ts'))).toEqual(['src/odd/a.ts is in no room'])
    expect(findCycles([source('a.ts', 'b.ts'), source('b.ts', 'a.ts'), source('c.ts', 'a.ts')])).toEqual([
      'a.ts → b.ts → a.ts',
    ])
  })
})

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}

describe('every folder', () => {
  /** What tests compare with: data, as large as it is. */
  const DATA = ['test/golden', 'test/transcripts']
  const MOST_FILES = 25

  test(`has at most ${MOST_FILES} files`, () => {
    const files = [...new Bun.Glob('{src,test,bench}/**/*').scanSync({ cwd: `${import.meta.dir}/..` })]
    const full = [...Map.groupBy(files, dirname)]
      .filter(([folder, { length }]) => length > MOST_FILES && !DATA.some((place) => isIn(folder, place)))
      .map(([folder, { length }]) => `${folder}: ${length}`)
    expect(full).toEqual([])
  })
})
