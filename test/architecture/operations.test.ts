import { expect, test } from 'bun:test'
import { isIn, readSources } from '../support/sources.ts'

const sources = readSources('src/**/*.{ts,tsx}')

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

  // What subjects share is a VM's, its disks', their volumes' and the storlinks' they lie on, in that order and never backwards.
  const shared: Record<string, readonly string[]> = {
    storlink: [],
    volume: ['storlink'],
    vm: ['storlink', 'volume'],
    disk: ['vm', 'storlink', 'volume'],
  }
  const crossings = own.flatMap(({ path, imports }) => {
    const folder = folderOf(path)
    const may = [folder, ...(shared[folder] ?? ['vm', 'disk', 'storlink', 'volume'])]
    return imports
      .filter(({ target }) => isIn(target, place) && !may.includes(folderOf(target)))
      .map(({ target }) => `${path} imports ${target}`)
  })
  expect(crossings).toEqual([])
})
