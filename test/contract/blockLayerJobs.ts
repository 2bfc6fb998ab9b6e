import { describe, expect, test } from 'bun:test'
import { A, B, type BlockLayerKind, backupOf, benchOf, bitmapOn, SIZE_BYTES } from './blockLayerSite.ts'

/** What QEMU does for long: streams and backups, their states, and how they end. */
export function blockLayerJobs(kind: BlockLayerKind): void {
  describe('streams', () => streams(kind))
  describe('streams into a place that is full', () => fullStreams(kind))
  describe('backups', () => backups(kind))
}

const HELD = { 'auto-finalize': false, 'auto-dismiss': false }
const SLOW = { ...HELD, speed: 65_536 }
const verb = (id: string, state: string, what: string) =>
  `GenericError: Job '${id}' in state '${state}' cannot accept command verb '${what}'`

function streams(kind: BlockLayerKind): void {
  const bench = benchOf(kind)
  const places = (...images: string[]) => images.map((image) => bench.site.place(image))
  const openImages = async () => (await bench.nodes()).filter(({ drv }) => drv === 'qcow2').map(({ file }) => file)

  test.each([
    ['the whole chain', undefined],
    ['what stands above a base', 'base'],
  ])('%s is there, waits to be told, and only then the header changes', async (_, base) => {
    const below = base === undefined ? {} : { 'base-node': await bench.nodeOf(base) }
    expect(await bench.ask('block-stream', { 'job-id': 'j-0', device: A, ...below, ...HELD })).toEqual({})
    await bench.untilJob('j-0', 'pending')
    expect(await bench.jobs()).toEqual([
      { id: 'j-0', type: 'stream', status: 'pending', current: SIZE_BYTES, total: SIZE_BYTES },
    ])
    expect(await bench.chainOf('a')).toEqual(places('a', 'middle', 'base'))
    expect(await bench.refusal('job-dismiss', { id: 'j-0' })).toBe(verb('j-0', 'pending', 'dismiss'))
    expect(await bench.ask('job-finalize', { id: 'j-0' })).toEqual({})
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.chainOf('a')).toEqual(base ? places('a', 'base') : places('a'))
    for (const what of ['finalize', 'cancel'])
      expect(await bench.refusal(`job-${what}`, { id: 'j-0' })).toBe(verb('j-0', 'concluded', what))
    expect(await bench.refusal('block-job-cancel', { device: 'j-0', force: true })).toBe(
      verb('j-0', 'concluded', 'cancel'),
    )
    // Before, QEMU 7.2 cannot be asked for its nodes.
    expect(await bench.ask('job-dismiss', { id: 'j-0' })).toEqual({})
    expect(await bench.jobs()).toEqual([])
    expect((await openImages()).sort()).toEqual((base ? places('a', 'base', 'b') : places('a', 'b')).sort())
  })

  test('into an image within a chain', async () => {
    const middle = await bench.nodeOf('middle')
    await bench.ask('block-stream', { 'job-id': 'j-0', device: middle, ...HELD })
    await bench.untilJob('j-0', 'pending')
    await bench.ask('job-finalize', { id: 'j-0' })
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.chainOf('a')).toEqual(places('a', 'middle'))
    await bench.ask('job-dismiss', { id: 'j-0' })
    expect((await openImages()).sort()).toEqual(places('a', 'b', 'middle').sort())
  })

  test('one that has nothing to copy is done as well', async () => {
    const middle = await bench.nodeOf('middle')
    await bench.ask('block-stream', { 'job-id': 'j-0', device: A, 'base-node': middle, ...HELD })
    await bench.untilJob('j-0', 'pending')
    await bench.ask('job-finalize', { id: 'j-0' })
    await bench.untilJob('j-0', 'concluded')
    await bench.ask('job-dismiss', { id: 'j-0' })
    expect(await bench.chainOf('a')).toEqual(places('a', 'middle', 'base'))
  })

  test('what cannot be begun is refused, and begins no job', async () => {
    const refused = (args: { readonly [key: string]: string }) =>
      bench.refusal('block-stream', { 'job-id': 'j-0', device: A, ...args })
    expect(await refused({ device: 'none' })).toBe("GenericError: Cannot find device='none' nor node-name='none'")
    expect(await refused({ 'base-node': 'none' })).toBe("GenericError: Cannot find device='' nor node-name='none'")
    for (const node of [B, A])
      expect(await refused({ 'base-node': node })).toBe(`GenericError: Node '${node}' is not a backing image of '${A}'`)
    expect(await bench.jobs()).toEqual([])
  })

  test('one at work keeps its name, its disk and what it reads, and is told to end', async () => {
    const middle = await bench.nodeOf('middle')
    await bench.ask('block-stream', { 'job-id': 'j-0', device: A, ...SLOW })
    await bench.untilJob('j-0', 'running')
    expect(await bench.refusal('block-stream', { 'job-id': 'j-0', device: B })).toBe(
      "GenericError: Job ID 'j-0' already in use",
    )
    const busy = (node: string) => `GenericError: Node '${node}' is busy: block device is in use by block job: stream`
    expect(await bench.refusal('block-stream', { 'job-id': 'j-1', device: A })).toBe(busy(A))
    expect(await bench.refusal('blockdev-del', { 'node-name': middle })).toBe(busy(middle))
    expect(await bench.refusal('blockdev-del', { 'node-name': A })).toBe(busy(A))
    for (const what of ['finalize', 'dismiss'])
      expect(await bench.refusal(`job-${what}`, { id: 'j-0' })).toBe(verb('j-0', 'running', what))
    const listed = (await bench.ask('query-block-jobs')) as unknown as { [key: string]: unknown }[]
    expect(listed).toMatchObject([
      { device: 'j-0', type: 'stream', status: 'running', len: SIZE_BYTES, speed: 65_536, 'io-status': 'ok', ...HELD2 },
    ])
    expect(await bench.ask('block-job-set-speed', { device: 'j-0', speed: 131_072 })).toEqual({})
    expect(await bench.ask('query-block-jobs')).toMatchObject([{ device: 'j-0', speed: 131_072 }])
    expect(await bench.ask('block-job-cancel', { device: 'j-0', force: true })).toEqual({})
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.refusal('block-job-set-speed', { device: 'j-0', speed: 1 })).toBe(
      verb('j-0', 'concluded', 'set-speed'),
    )
    expect(await bench.jobs()).toMatchObject([{ id: 'j-0', error: 'Operation canceled' }])
    expect(await bench.chainOf('a')).toEqual(places('a', 'middle', 'base'))
    await bench.ask('job-dismiss', { id: 'j-0' })
    // And is begun again.
    await bench.ask('block-stream', { 'job-id': 'j-0', device: A, ...HELD })
    await bench.untilJob('j-0', 'pending')
  })

  test('one that waits to be told can be given up, and nothing has changed', async () => {
    await bench.ask('block-stream', { 'job-id': 'j-0', device: A, ...HELD })
    await bench.untilJob('j-0', 'pending')
    await bench.ask('job-cancel', { id: 'j-0' })
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.jobs()).toMatchObject([{ id: 'j-0', error: 'Operation canceled' }])
    expect(await bench.chainOf('a')).toEqual(places('a', 'middle', 'base'))
    await bench.ask('job-dismiss', { id: 'j-0' })
  })

  test('one that nobody knows is said to be none', async () => {
    for (const what of ['finalize', 'dismiss', 'cancel'])
      expect(await bench.refusal(`job-${what}`, { id: 'none' })).toBe('GenericError: Job not found')
    for (const [what, more] of [
      ['cancel', { force: true }],
      ['set-speed', { speed: 1 }],
    ] as const)
      expect(await bench.refusal(`block-job-${what}`, { device: 'none', ...more })).toBe(
        "DeviceNotActive: Block job 'none' not found",
      )
  })

  test('one that nobody holds ends by itself and is forgotten', async () => {
    await bench.ask('block-stream', { 'job-id': 'j-0', device: A })
    await bench.site.pause()
    while ((await bench.jobs()).length > 0) await bench.site.pause()
    expect(await bench.chainOf('a')).toEqual(places('a'))
  })
}

const HELD2 = { 'auto-finalize': false, 'auto-dismiss': false, paused: false, ready: false }

function fullStreams(kind: BlockLayerKind): void {
  const bench = benchOf(kind, { full: 'a' })

  test('end with what they lack, and the chain is as it was', async () => {
    await bench.ask('block-stream', { 'job-id': 'j-0', device: A, ...HELD })
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.jobs()).toMatchObject([{ id: 'j-0', error: 'No space left on device' }])
    expect(await bench.chainOf('a')).toEqual(['a', 'middle', 'base'].map((image) => bench.site.place(image)))
    await bench.ask('job-dismiss', { id: 'j-0' })
  })
}

function backups(kind: BlockLayerKind): void {
  const bench = benchOf(kind)
  const begin = (...actions: ReturnType<typeof backupOf | typeof bitmapOn>[]) => bench.ask('transaction', { actions })
  const refused = (...actions: ReturnType<typeof backupOf | typeof bitmapOn>[]) =>
    bench.refusal('transaction', { actions })
  const target = async (id: string, sizeMib = 64) => {
    await bench.create(`target-${id}`, undefined, sizeMib)
    await bench.add(id, `target-${id}`)
  }
  const bitmapsOf = async (node: string) =>
    ((await bench.nodes()).find((row) => row['node-name'] === node)?.['dirty-bitmaps'] ?? []).flatMap(
      ({ name }) => name ?? [],
    )

  test('of two disks end together, and their targets are let go of', async () => {
    await target('j-0')
    await target('j-1')
    const actions = [backupOf('j-0', A), backupOf('j-1', B)]
    const grouped = { actions, properties: { 'completion-mode': 'grouped' } }
    expect(await bench.ask('transaction', grouped)).toEqual({})
    for (const id of ['j-0', 'j-1']) await bench.untilJob(id, 'concluded')
    const jobs = await bench.jobs()
    expect(jobs.map(({ id, error, current, total }) => [id, error, current === total])).toEqual(
      expect.arrayContaining([
        ['j-0', undefined, true],
        ['j-1', undefined, true],
      ]),
    )
    for (const id of ['j-0', 'j-1']) {
      await bench.ask('job-dismiss', { id })
      await bench.ask('blockdev-reopen', { options: [{ 'node-name': id, driver: 'qcow2', file: `f-${id}` }] })
      await bench.ask('blockdev-del', { 'node-name': id })
    }
    expect(await bench.jobs()).toEqual([])
  })

  test('what cannot be begun begins nothing, a bitmap neither', async () => {
    await target('j-0')
    await target('j-1', 65)
    const lacks = (name: string) => `GenericError: Cannot find device='${name}' nor node-name='${name}'`
    expect(await refused(bitmapOn(B, 'm'), backupOf('j-0', 'none'))).toBe(lacks('none'))
    expect(await refused(bitmapOn(B, 'm'), backupOf('j-9', B))).toBe(lacks('j-9'))
    expect(await refused(bitmapOn(B, 'm'), backupOf('j-0', A), backupOf('j-1', B))).toBe(
      'GenericError: Source and target image have different sizes',
    )
    expect(await refused(bitmapOn(B, 'm'), backupOf('j-0', 'j-0'))).toBe(
      'GenericError: Source and target cannot be the same',
    )
    const since = { sync: 'bitmap', bitmap: 'none', 'bitmap-mode': 'never' }
    expect(await refused(bitmapOn(B, 'm'), backupOf('j-0', B, since))).toBe(
      "GenericError: Bitmap 'none' could not be found",
    )
    expect(await bench.jobs()).toEqual([])
    expect(await bitmapsOf(B)).toEqual([])
    await bench.ask('blockdev-del', { 'node-name': 'j-0' })
  })

  test('one that only keeps what is overwritten goes on until it is told to end', async () => {
    await target('j-0')
    await begin(bitmapOn(B, 'm'), backupOf('j-0', B, { sync: 'none' }))
    await bench.site.pause()
    expect(await bench.jobs()).toMatchObject([{ id: 'j-0', status: 'running' }])
    const busy = "GenericError: Node 'j-0' is busy: block device is in use by block job: backup"
    expect(await bench.refusal('blockdev-del', { 'node-name': 'j-0' })).toBe(busy)
    expect(await refused(backupOf('j-1', B, { target: 'j-0' }))).toBe(busy)
    expect(await bench.refusal('block_resize', { 'node-name': 'j-0', size: SIZE_BYTES })).toMatch(/ is in use$/)
    await bench.create('other')
    await bench.add('other', 'other')
    expect(await refused(backupOf('j-0', A, { target: 'other' }))).toBe("GenericError: Job ID 'j-0' already in use")
    await bench.ask('block-job-cancel', { device: 'j-0', force: true })
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.jobs()).toMatchObject([{ error: 'Operation canceled' }])
    await bench.ask('job-dismiss', { id: 'j-0' })
    await bench.ask('blockdev-del', { 'node-name': 'j-0' })
    expect(await bitmapsOf(B)).toEqual(['m'])
  })

  test.each([true, false])(
    'a target that is full ends it so, and the others of a group (%p) with it',
    async (isGroup) => {
      await target('j-0')
      await bench.create('target-j-1')
      bench.site.fill('target-j-1')
      await bench.add('j-1', 'target-j-1')
      const actions = [backupOf('j-0', A, { speed: 65_536 }), backupOf('j-1', B)]
      await bench.ask('transaction', {
        actions,
        properties: { 'completion-mode': isGroup ? 'grouped' : 'individual' },
      })
      await bench.untilJob('j-1', 'concluded')
      if (isGroup) await bench.untilJob('j-0', 'concluded')
      const jobs = await bench.jobs()
      expect(jobs.find(({ id }) => id === 'j-1')).toMatchObject({ error: 'No space left on device' })
      expect(jobs.find(({ id }) => id === 'j-0')).toMatchObject(
        isGroup ? { status: 'concluded', error: 'Operation canceled' } : { status: 'running' },
      )
      if (!isGroup) {
        await bench.ask('block-job-cancel', { device: 'j-0', force: true })
        await bench.untilJob('j-0', 'concluded')
      }
      for (const id of ['j-0', 'j-1']) {
        await bench.ask('job-dismiss', { id })
        await bench.ask('blockdev-del', { 'node-name': id })
      }
    },
  )
}
