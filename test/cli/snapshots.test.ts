import { describe, expect, test } from 'bun:test'
import { completions } from '../../src/cli/completion.ts'
import { snapshots } from '../../src/cli/snapshotLists.ts'
import { DEEP, type Layer } from '../../src/model/layer.ts'
import { snapshotTree } from '../../src/model/storage/snapshotTree.ts'
import { createFakeEngine } from '../support/sites/fakeEngine.ts'
import { mockSite } from '../support/sites/screenSite.ts'
import { BEFORE, INSTALLED, laySnapshots, OTHER_WAY } from '../support/sites/snapshotSite.ts'

const engine = createFakeEngine(mockSite())
const idOf = (name: string) => engine.view.vmsNamed(name)[0]!.uuid
laySnapshots(engine, idOf('db01'), idOf('web01'))

function aLine(count: number): Layer[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ uuid: `l${index + 1}`, number: index + 1, note: '', type: 'LIVE', createdAt: index, volumes: [] },
    ...(index === 0 ? {} : { parent: `l${index}` }),
    ...(index % 2 === 0 ? { name: `s${index + 1}` } : {}),
  }))
}

describe('pengx snapshots VM', () => {
  test('each snapshot, then what lies on it, and where the VM is', () => {
    const [head, ...rows] = snapshots.table(engine, 'db01').trimEnd().split('\n')
    expect(head).toMatch(/^SNAPSHOT +NOW +LAYERS +TYPE +TAKEN +UUID +NOTE$/)
    expect(rows).toEqual([
      expect.stringMatching(new RegExp(`^installed +- +1 +OFFLINE +[-0-9]{10} [0-9:]{5} +${INSTALLED} +as it came$`)),
      expect.stringMatching(new RegExp(`^ {2}before <&> +the VM is here +3 +LIVE .* ${BEFORE} +a < b$`)),
      expect.stringMatching(new RegExp(`^ {2}other way +- +2 +OFFLINE .* ${OTHER_WAY} +-$`)),
    ])
    expect(snapshots.table(engine, 'mail02').trimEnd().split('\n')).toHaveLength(1)
  })

  test('the same for scripts', () => {
    const objects = snapshots.objects(engine, 'db01') as Record<string, unknown>[]
    expect(objects.map(({ name, parent, current, depth }) => ({ name, parent, current, depth }))).toEqual([
      { name: 'installed', parent: undefined, current: false, depth: 1 },
      { name: 'before <&>', parent: INSTALLED, current: true, depth: 3 },
      { name: 'other way', parent: INSTALLED, current: false, depth: 2 },
    ])
    expect(objects[0]).toMatchObject({ uuid: INSTALLED, type: 'OFFLINE', note: 'as it came' })
    expect(objects[0]!.createdAt).toMatch(/^\d{4}-\d\d-\d\dT/)
    expect(Object.keys((objects[0]!.volumes as object[])[0]!)).toEqual(
      expect.arrayContaining(['uuid', 'disk', 'vdev', 'format', 'path', 'storlink']),
    )
  })

  test('no VM of that name', () => {
    expect(() => snapshots.table(engine, 'db0')).toThrow('no vm is named "db0"')
  })

  test('what lies deep says so', () => {
    const vms = engine.site.vms.map((vm) =>
      vm.name === 'mail02' ? { ...vm, layer: `l${DEEP + 1}`, layers: aLine(DEEP + 1) } : vm,
    )
    const deep = createFakeEngine({ ...mockSite(), vms })
    const rows = snapshots.table(deep, 'mail02').trimEnd().split('\n')
    expect(rows.at(-1)).toContain(`${DEEP + 1} (deep)`)
    expect(rows.at(-2)).not.toContain('deep')
  })
})

describe('the tree', () => {
  test('what is unlisted counts as a layer only', () => {
    const tree = snapshotTree(engine.view.needVm(idOf('db01')))
    expect(tree.map(({ snapshot, rungs, depth }) => [snapshot.name, rungs, depth])).toEqual([
      ['installed', [false], 1],
      ['before <&>', [false, true], 3],
      ['other way', [false, false], 2],
    ])
  })

  test('what lies on no listed snapshot is a root', () => {
    const [first, second] = aLine(2)
    const layers = [first!, { ...second!, parent: undefined, name: 'b' }]
    expect(snapshotTree({ layers }).map(({ snapshot, rungs }) => [snapshot.name, rungs])).toEqual([
      ['s1', [true]],
      ['b', [false]],
    ])
    expect(snapshotTree({})).toEqual([])
  })
})

test('completion offers them by their names', () => {
  const complete = (...words: string[]) => completions(engine, words).split('\n').slice(0, -1)
  expect(complete('snap')).toEqual(['snapshots'])
  expect(complete('snapshots', 'db')).toEqual(['db01', 'db02'])
  expect(complete('run', 'snapshot.restore', 'db01', '--snapshot', '')).toEqual([
    'installed',
    'before <&>',
    'other way',
  ])
  expect(complete('run', 'snapshot.delete', 'mail02', '--snapshot', '')).toEqual([])
})
