import { describe, expect, test } from 'bun:test'
import { parseExports, parseNodes } from '../../src/engine/tools/qmp.ts'
import { A, B, type BlockLayerKind, backupOf, benchOf, bitmapOn } from './blockLayerSite.ts'

/** What a moment is held and told by: bitmaps, and nodes that are shown to others. */
export function blockLayerMoments(kind: BlockLayerKind): void {
  describe('bitmaps', () => bitmaps(kind))
  describe('exports', () => exports(kind))
}

function bitmaps(kind: BlockLayerKind): void {
  const bench = benchOf(kind)
  const transaction = (...actions: readonly (ReturnType<typeof backupOf> | ReturnType<typeof bitmapOn>)[]) => ({
    actions: [...actions],
  })
  const seenOn = async (node: string) =>
    parseNodes(await bench.ask('query-named-block-nodes', { flat: true })).find(({ name }) => name === node)

  test('are told of with the node that they are on, and go when they are told to', async () => {
    await bench.ask('transaction', transaction(bitmapOn(A, 'm'), bitmapOn(B, 'm'), bitmapOn(B, 'n')))
    const rows = (await bench.nodes()).find((row) => row['node-name'] === B)?.['dirty-bitmaps'] ?? []
    const state = { recording: true, persistent: false, busy: false, granularity: 65536, count: expect.any(Number) }
    expect(rows).toEqual(
      expect.arrayContaining([
        { name: 'm', ...state },
        { name: 'n', ...state },
      ]),
    )
    expect((await seenOn(B))?.allBitmaps.toSorted()).toEqual(['m', 'n'])
    expect((await seenOn(A))?.bitmaps).toEqual([{ name: 'm', bytes: expect.any(Number) }])
    await bench.ask('block-dirty-bitmap-remove', { node: B, name: 'm' })
    expect((await seenOn(B))?.allBitmaps).toEqual(['n'])
    expect((await seenOn(A))?.allBitmaps).toEqual(['m'])
  })

  test('that are there already, or on what is not there, are refused with all that was asked for beside', async () => {
    await bench.ask('transaction', transaction(bitmapOn(B, 'm')))
    expect(await bench.refusal('transaction', transaction(bitmapOn(A, 'm'), bitmapOn(B, 'm')))).toBe(
      'GenericError: Bitmap already exists: m',
    )
    expect(await bench.refusal('transaction', transaction(bitmapOn(A, 'm'), bitmapOn(A, 'm')))).toBe(
      'GenericError: Bitmap already exists: m',
    )
    expect(await bench.refusal('transaction', transaction(bitmapOn(A, 'm'), bitmapOn('none', 'm')))).toBe(
      "GenericError: Cannot find device='none' nor node-name='none'",
    )
    expect((await seenOn(A))?.allBitmaps).toEqual([])
    expect(await bench.refusal('block-dirty-bitmap-remove', { node: A, name: 'm' })).toBe(
      "GenericError: Dirty bitmap 'm' not found",
    )
    expect(await bench.refusal('block-dirty-bitmap-remove', { node: 'none', name: 'm' })).toBe(
      "GenericError: Node 'none' not found",
    )
  })

  test('are copied by, keep what they know, and are not counted on while they are', async () => {
    await bench.ask('transaction', transaction(bitmapOn(B, 'm')))
    await bench.create('target')
    await bench.add('j-0', 'target')
    const since = { sync: 'bitmap', bitmap: 'm', 'bitmap-mode': 'never' }
    await bench.ask('transaction', transaction(bitmapOn(B, 'n'), backupOf('j-0', B, since)))
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.jobs()).toMatchObject([{ id: 'j-0', status: 'concluded' }])
    expect((await bench.jobs())[0]?.error).toBeUndefined()
    await bench.ask('job-dismiss', { id: 'j-0' })
    expect((await seenOn(B))?.bitmaps.map(({ name }) => name).sort()).toEqual(['m', 'n'])
  })

  test('are not told of by another node: an overlay begins without', async () => {
    const { site } = bench
    await bench.ask('transaction', transaction(bitmapOn(B, 'm')))
    await bench.create('over', 'b')
    const overlay = { 'snapshot-file': site.place('over'), 'snapshot-node-name': 'xvdb-1', format: 'qcow2' }
    const data = { 'node-name': B, ...overlay, mode: 'existing' }
    await bench.ask('transaction', { actions: [{ type: 'blockdev-snapshot-sync', data }] })
    expect((await seenOn('xvdb-1'))?.allBitmaps).toEqual([])
  })
}

function exports(kind: BlockLayerKind): void {
  const bench = benchOf(kind, { quiet: true })
  const start = () => bench.ask('nbd-server-start', server())
  const server = () => ({ addr: { type: 'unix', data: { path: bench.site.place('socket') } } })
  const way = (id: string, node: string, name: string) => ({
    type: 'nbd',
    id,
    'node-name': node,
    name,
    writable: false,
  })

  test('need a server, which there is one of', async () => {
    expect(await bench.refusal('nbd-server-stop')).toBe('GenericError: NBD server not running')
    expect(await bench.refusal('block-export-add', way('e0', A, 'xvda'))).toBe('GenericError: NBD server not running')
    expect(await bench.ask('query-block-exports')).toEqual([])
    await start()
    expect(await bench.refusal('nbd-server-start', server())).toBe('GenericError: NBD server already running')
    await bench.ask('nbd-server-stop')
    await start()
  })

  test('are shown, listed and withdrawn, and go with the server', async () => {
    await start()
    for (const [id, node, name] of [
      ['e0', A, 'xvda'],
      ['e1', B, 'xvdb'],
    ] as const)
      await bench.ask('block-export-add', way(id, node, name))
    const listed = await bench.ask('query-block-exports')
    expect(parseExports(listed).sort()).toEqual(['e0', 'e1'])
    expect(listed).toEqual(expect.arrayContaining([{ id: 'e0', 'node-name': A, type: 'nbd', 'shutting-down': false }]))
    expect(await bench.refusal('block-export-add', way('e0', B, 'other'))).toBe(
      "GenericError: Block export id 'e0' is already in use",
    )
    expect(await bench.refusal('block-export-add', way('e2', B, 'xvda'))).toBe(
      "GenericError: NBD server already has export named 'xvda'",
    )
    expect(await bench.refusal('block-export-add', way('e2', 'none', 'other'))).toBe(
      "GenericError: Cannot find device='' nor node-name='none'",
    )
    expect(await bench.refusal('block-export-del', { id: 'none', mode: 'hard' })).toBe(
      "GenericError: Export 'none' is not found",
    )
    await bench.ask('block-export-del', { id: 'e0', mode: 'hard' })
    expect(parseExports(await bench.ask('query-block-exports'))).toEqual(['e1'])
    await bench.ask('nbd-server-stop')
    expect(await bench.ask('query-block-exports')).toEqual([])
  })
}
