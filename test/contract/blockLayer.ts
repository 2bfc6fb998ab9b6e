import { describe, expect, test } from 'bun:test'
import { blockLayerJobs } from './blockLayerJobs.ts'
import { blockLayerMoments } from './blockLayerMoments.ts'
import { A, B, type BlockLayerKind, benchOf, SIZE_BYTES, snapshotOf } from './blockLayerSite.ts'
import { blockLayerMirrors } from './blocks/mirrors.ts'

/** What QEMU's block layer answers to what the engine asks of it: the same from a real one and from the simulated one. */
export function blockLayerSuite(kind: BlockLayerKind): void {
  describe(kind.name, () => {
    describe('nodes', () => nodes(kind))
    describe('snapshots', () => snapshots(kind))
    describe('sizes', () => sizes(kind))
    blockLayerJobs(kind)
    blockLayerMoments(kind)
    blockLayerMirrors(kind)
  })
}

const NODE_KEYS = [
  'backing_file_depth',
  'bps',
  'bps_rd',
  'bps_wr',
  'cache',
  'detect_zeroes',
  'drv',
  'encrypted',
  'file',
  'image',
  'iops',
  'iops_rd',
  'iops_wr',
  'node-name',
  'ro',
  'write_threshold',
]

function nodes(kind: BlockLayerKind): void {
  const bench = benchOf(kind)

  test('are listed with what they lie on, each image above the node of its file', async () => {
    const { site } = bench
    const rows = await bench.nodes()
    const told = rows.map(({ drv, file, ro, backing_file }) => `${drv} ${file} ${ro} ${backing_file ?? '-'}`)
    const image = (name: string, ro: boolean, below?: string) => [
      `qcow2 ${site.place(name)} ${ro} ${below ? site.place(below) : '-'}`,
      `file ${site.place(name)} ${ro} -`,
    ]
    const expected = [
      ...image('a', false, 'middle'),
      ...image('middle', true, 'base'),
      ...image('base', true),
      ...image('b', false),
    ]
    expect(told.sort()).toEqual(expected.sort())
    for (const row of rows) {
      const keys = row.backing_file === undefined ? NODE_KEYS : [...NODE_KEYS, 'backing_file'].sort()
      expect(Object.keys(row).sort()).toEqual(keys)
      expect(row).toMatchObject({ backing_file_depth: 0, image: { filename: row.file, format: row.drv } })
      if (row.drv === 'qcow2') expect(row.image['virtual-size']).toBe(SIZE_BYTES)
    }
    expect([await bench.nodeOf('a'), await bench.nodeOf('b')]).toEqual([A, B])
  })

  test('are added by hand, called as they are told, and go with the node of their file', async () => {
    const { site } = bench
    await bench.create('target')
    await bench.add('job-0', 'target')
    expect(await bench.nodeOf('target')).toBe('job-0')
    const names = async () => (await bench.nodes()).map((node) => node['node-name'])
    expect(await names()).toEqual(expect.arrayContaining(['job-0', 'f-job-0']))
    expect(await bench.refusal('blockdev-add', { 'node-name': 'job-0', driver: 'qcow2', file: 'f-job-0' })).toBe(
      "GenericError: Duplicate nodes with node-name='job-0'",
    )
    const missing = { driver: 'file', filename: site.place('nowhere') }
    expect(await bench.refusal('blockdev-add', { 'node-name': 'job-1', driver: 'qcow2', file: missing })).toBe(
      `GenericError: Could not open '${missing.filename}': No such file or directory`,
    )
    await bench.ask('blockdev-del', { 'node-name': 'job-0' })
    expect((await names()).filter((name) => /job/.test(name))).toEqual([])
    expect(await bench.refusal('blockdev-del', { 'node-name': 'job-0' })).toBe(
      "GenericError: Failed to find node with node-name='job-0'",
    )
  })

  test('that others read cannot be closed', async () => {
    const middle = await bench.nodeOf('middle')
    expect(await bench.refusal('blockdev-del', { 'node-name': middle })).toBe(
      `GenericError: Node '${middle}' is busy: node is used as backing hd of '${A}'`,
    )
    expect(await bench.refusal('blockdev-del', { 'node-name': A })).toBe(`GenericError: Node ${A} is in use`)
  })

  test('are opened anew with the options that they have, and no others', async () => {
    await bench.create('target')
    await bench.add('job-0', 'target')
    const reopen = (options: { readonly [key: string]: string }) => ({
      options: [{ 'node-name': 'job-0', driver: 'qcow2', file: 'f-job-0', ...options }],
    })
    await bench.ask('blockdev-reopen', reopen({}))
    expect(await bench.refusal('blockdev-reopen', reopen({ 'node-name': 'none' }))).toBe(
      "GenericError: Failed to find node with node-name='none'",
    )
    expect(await bench.refusal('blockdev-reopen', reopen({ driver: 'raw' }))).toBe(
      "GenericError: Cannot change the option 'driver'",
    )
    expect(await bench.refusal('blockdev-reopen', reopen({ file: 'none' }))).toBe(
      "GenericError: Cannot find device='' nor node-name='none'",
    )
  })

  test('a command that nobody knows is said to be none', async () => {
    expect(await bench.refusal('frobnicate')).toBe('CommandNotFound: The command frobnicate has not been found')
    expect(await bench.refusal('qmp_capabilities')).toBe(
      'CommandNotFound: Capabilities negotiation is already complete, command ignored',
    )
    const commands = (await bench.ask('query-commands')) as { name: string }[]
    expect(commands.map(({ name }) => name)).toEqual(expect.arrayContaining(['transaction', 'nbd-server-start']))
    const version = await bench.ask('query-version')
    expect(version).toMatchObject({ qemu: { major: expect.any(Number), minor: expect.any(Number) } })
  })
}

function snapshots(kind: BlockLayerKind): void {
  const bench = benchOf(kind)
  const overlays = async () => {
    await bench.create('over-a', 'a')
    await bench.create('over-b', 'b')
  }
  const tops = async () => {
    const rows = await bench.nodes()
    return rows.filter(({ drv, ro }) => drv === 'qcow2' && !ro).map(({ file }) => file)
  }

  test('all disks of a transaction go onto their overlays, and what they were on is read alone', async () => {
    const { site } = bench
    await overlays()
    const actions = [snapshotOf(site, A, 'over-a', 'xvda-1'), snapshotOf(site, B, 'over-b', 'xvdb-1')]
    expect(await bench.ask('transaction', { actions })).toEqual({})
    expect((await tops()).sort()).toEqual([site.place('over-a'), site.place('over-b')])
    expect([await bench.nodeOf('over-a'), await bench.nodeOf('a')]).toEqual(['xvda-1', A])
    expect((await bench.nodes()).find((row) => row['node-name'] === 'xvda-1')).toMatchObject({
      backing_file: site.place('a'),
    })
    // A second one goes onto that.
    await bench.create('over-over', 'over-a')
    await bench.ask('transaction', { actions: [snapshotOf(site, 'xvda-1', 'over-over', 'xvda-2')] })
    expect((await tops()).sort()).toEqual([site.place('over-b'), site.place('over-over')])
  })

  test.each([
    ['a node that is not there', 'none', 'over-b', 'xvdb-1', /Cannot find device='' nor node-name='none'$/],
    ['an overlay that is not there', B, 'nowhere', 'xvdb-1', /Could not open '.*': No such file or directory$/],
    ['a name that is taken', B, 'over-b', A, /New overlay node-name already in use$/],
    ['a name that the first has just taken', B, 'over-b', 'xvda-1', /New overlay node-name already in use$/],
  ])('%s among them leaves every disk where it was', async (_, node, overlay, name, says) => {
    const { site } = bench
    await overlays()
    const actions = [snapshotOf(site, A, 'over-a', 'xvda-1'), snapshotOf(site, node, overlay, name)]
    expect(await bench.refusal('transaction', { actions })).toMatch(says)
    expect((await tops()).sort()).toEqual([site.place('a'), site.place('b')].sort())
    await bench.ask('transaction', { actions: [actions[0]!, snapshotOf(site, B, 'over-b', 'xvdb-1')] })
    expect((await tops()).sort()).toEqual([site.place('over-a'), site.place('over-b')])
  })

  test('an action that nobody knows is refused', async () => {
    expect(await bench.refusal('transaction', { actions: [{ type: 'frobnicate', data: {} }] })).toBe(
      "GenericError: Parameter 'type' does not accept value 'frobnicate'",
    )
  })
}

function sizes(kind: BlockLayerKind): void {
  const bench = benchOf(kind, { quiet: true })
  const MIB = 1024 * 1024

  test('a disk grows by sectors, for its node and for its header, and one of that size already is done', async () => {
    for (const bytes of [SIZE_BYTES + MIB, SIZE_BYTES + MIB, SIZE_BYTES + MIB + 512]) {
      expect(await bench.ask('block_resize', { 'node-name': B, size: bytes })).toEqual({})
      const row = (await bench.nodes()).find((one) => one['node-name'] === B)
      expect(row?.image['virtual-size']).toBe(bytes)
    }
    expect(await bench.refusal('block_resize', { 'node-name': B, size: SIZE_BYTES + 2 * MIB - 1 })).toBe(
      'GenericError: The new size must be a multiple of 512',
    )
  })

  test('one that is not there, or less than nothing, is refused', async () => {
    expect(await bench.refusal('block_resize', { 'node-name': 'none', size: SIZE_BYTES })).toBe(
      "GenericError: Cannot find device='' nor node-name='none'",
    )
    expect(await bench.refusal('block_resize', { 'node-name': B, size: -1 })).toBe(
      "GenericError: Parameter 'size' expects a >0 size",
    )
  })

  test('a disk that a job writes to is left as it is', async () => {
    const job = { 'job-id': 'j-0', device: A, speed: 65_536, 'auto-finalize': false, 'auto-dismiss': false }
    await bench.ask('block-stream', job)
    expect(await bench.refusal('block_resize', { 'node-name': A, size: SIZE_BYTES + MIB })).toMatch(/ is in use$/)
  })
}
