import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { findCycles, isIn, readSources, type Source, withoutComments } from '../support/sources.ts'

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
const DRIVERS = ['src/engine/hypervisor', 'src/engine/volumes']
const FLOORS = ['src/model', 'src/lib']

const ROOMS: Record<string, Room> = {
  'src/lib': { may: [] },
  'src/model': { may: ['src/lib'] },
  'src/engine/tools': { may: FLOORS, types: ['src/engine/host'] },
  'src/engine/host': { may: FLOORS },
  'src/engine/store': { may: FLOORS },
  'src/engine/hypervisor': { may: ['src/engine/host', 'src/engine/tools', ...FLOORS] },
  'src/engine/volumes': { may: ['src/engine/host', 'src/engine/tools', ...FLOORS] },
  'src/engine/jobs': { may: ['src/engine/store', 'src/engine/host', ...FLOORS], types: DRIVERS },
  'src/engine/verify': {
    may: ['src/engine/store', 'src/engine/host', 'src/engine/tools', ...DRIVERS, ...FLOORS],
  },
  'src/engine/operations': {
    may: [
      'src/engine/verify',
      'src/engine/jobs',
      'src/engine/store',
      'src/engine/host',
      'src/engine/tools',
      ...DRIVERS,
      ...FLOORS,
    ],
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
  'src/engine': { may: ['src/engine', ...FLOORS] },
  'src/sim': { may: ['src/engine/host', ...FLOORS] },
  'src/ui': { may: ['src/lib'] },
  'src/screens': { may: ['src/ui', ...DOOR, ...FLOORS], types: PASSES },
  'src/server': { may: [...DOOR, ...FLOORS], types: PASSES },
  'src/cli': { may: [...DOOR, 'src/args.ts', ...FLOORS], types: PASSES },
  'src/argFlags.ts': { may: FLOORS },
  'src/args.ts': { may: ['src/argFlags.ts', ...FLOORS] },
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
  'p-queue': ['src/engine/host/limited.ts'],
}

/** One door a power: who may write this. */
const POWERS: readonly { readonly pattern: RegExp; readonly doors: readonly string[] }[] = [
  { pattern: /\bBun\.(spawn|spawnSync|\$)\b|\bchild_process\b/, doors: ['src/engine/host/local.ts'] },
  { pattern: /\bBun\.serve\b/, doors: ['src/server/serve.ts'] },
]

const sources = readSources('src/**/*.{ts,tsx}')

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

  test('the simulated site is imported where a demo is asked for alone', () => {
    const into = sources.filter(
      (source) => !isIn(source.path, 'src/sim') && source.imports.some(({ target }) => isIn(target, 'src/sim')),
    )
    expect(into.map((source) => source.path)).toEqual(['src/start.ts'])
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

  test('no file imports itself round a circle, types counted', () => {
    expect(findCycles(sources)).toEqual([])
  })

  test('no folder knows another, or a file beside it, round a circle', () => {
    const parents = new Set(sources.flatMap(({ path }) => foldersOf(path)))
    const circles = [...parents].flatMap((parent) => {
      const childIn = (path: string) => path.slice(parent.length + 1).split('/')[0]!
      const inside = sources.filter(({ path }) => isIn(path, parent))
      const children = [...Map.groupBy(inside, ({ path }) => childIn(path))].map(([child, files]) => ({
        path: child,
        imports: files
          .flatMap(({ imports }) => imports)
          .filter(({ target }) => isIn(target, parent) && childIn(target) !== child)
          .map((one) => ({ ...one, target: childIn(one.target) })),
      }))
      return findCycles(children).map((circle) => `${parent}: ${circle}`)
    })
    expect(circles).toEqual([])
  })

  test('every room is there, and ARCHITECTURE.md names no file or folder that is not', () => {
    const root = resolve(import.meta.dir, '../..')
    const page = readFileSync(resolve(root, 'ARCHITECTURE.md'), 'utf8')
    const named = [...page.matchAll(/`((?:[\w.-]+\/)+[\w.-]*)`/g)].map(([, path]) => path!)
    expect(named.length).toBeGreaterThan(20)
    const isThere = (path: string) => ['', 'src', 'src/engine'].some((from) => existsSync(resolve(root, from, path)))
    expect([...Object.keys(ROOMS), ...named].filter((path) => !isThere(path))).toEqual([])
  })
})

test('a trespass is found', () => {
  const source = (path: string, target: string): Source => ({
    path,
    text: '',
    lineCount: 1,
    imports: [{ target, own: true, typeOnly: false }],
  })
  expect(trespasses(source('src/lib/a.ts', 'src/model/b.ts'))).toEqual(['src/lib/a.ts imports src/model/b.ts'])
  expect(trespasses(source('src/server/a.ts', 'src/engine/store/store.ts'))).toHaveLength(1)
  expect(trespasses(source('src/odd/a.ts', 'src/lib/b.ts'))).toEqual(['src/odd/a.ts is in no room'])
})

/** `src/engine/store` of a file there, `src/engine`, `src`. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}
