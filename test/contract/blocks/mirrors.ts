import { describe, expect, test } from 'bun:test'
import type { Json } from '../../../src/model/json.ts'
import { A, B, type BlockLayerKind, benchOf, SIZE_BYTES } from '../blockLayerSite.ts'

/** Disks that are copied into other volumes, with what is written meanwhile, and go over to them when they are told to. */
export function blockLayerMirrors(kind: BlockLayerKind): void {
  describe('mirrors', () => mirrors(kind))
  describe('mirrors into a place that is full', () => fullMirrors(kind))
}

type Args = { readonly [key: string]: Json }

const mirrorOf = (id: string, device: string, target: string, more: Args = {}): Args => ({
  'job-id': id,
  device,
  target,
  sync: 'full',
  'copy-mode': 'background',
  'auto-finalize': false,
  'auto-dismiss': false,
  ...more,
})
const verb = (id: string, state: string, what: string) =>
  `GenericError: Job '${id}' in state '${state}' cannot accept command verb '${what}'`

function mirrors(kind: BlockLayerKind): void {
  const bench = benchOf(kind)
  const target = async (name: string) => {
    await bench.create(name)
    await bench.add(`n-${name}`, name)
    return `n-${name}`
  }
  const places = (...images: string[]) => images.map((image) => bench.site.place(image))
  const written = async () =>
    (await bench.nodes()).filter(({ drv, ro }) => drv === 'qcow2' && !ro).map(({ file }) => file)

  test('are ready when all is there, wait twice to be told, and then the disks are on their targets', async () => {
    const [a, b] = [await target('to-a'), await target('to-b')]
    expect(await bench.ask('blockdev-mirror', mirrorOf('j-0', A, a))).toEqual({})
    expect(await bench.ask('blockdev-mirror', mirrorOf('j-1', B, b))).toEqual({})
    for (const id of ['j-0', 'j-1']) await bench.untilJob(id, 'ready')
    expect((await bench.jobs()).map(({ id, type, error }) => [id, type, error]).sort()).toEqual([
      ['j-0', 'mirror', undefined],
      ['j-1', 'mirror', undefined],
    ])
    for (const what of ['finalize', 'dismiss'])
      expect(await bench.refusal(`job-${what}`, { id: 'j-0' })).toBe(verb('j-0', 'ready', what))
    const [listed] = (await bench.ask('query-block-jobs')) as unknown as { [key: string]: unknown }[]
    expect(listed).toMatchObject({ type: 'mirror', status: 'ready', ready: true, 'io-status': 'ok' })
    expect((await written()).sort()).toEqual(places('a', 'b', 'to-a', 'to-b').sort())
    // What is written down then is in both.
    await bench.ask('blockdev-reopen', { options: [{ 'node-name': a, driver: 'qcow2', file: `f-${a}` }] })
    for (const id of ['j-0', 'j-1']) await bench.untilJob(id, 'ready')
    for (const id of ['j-0', 'j-1']) expect(await bench.ask('job-complete', { id })).toEqual({})
    for (const id of ['j-0', 'j-1']) await bench.untilJob(id, 'pending')
    expect(await bench.refusal('job-complete', { id: 'j-0' })).toBe(verb('j-0', 'pending', 'complete'))
    for (const id of ['j-0', 'j-1']) expect(await bench.ask('job-finalize', { id })).toEqual({})
    for (const id of ['j-0', 'j-1']) await bench.untilJob(id, 'concluded')
    // It may be asked for its nodes then, unlike after a stream.
    for (const node of [a, b])
      expect(await bench.refusal('blockdev-del', { 'node-name': node })).toBe(`GenericError: Node ${node} is in use`)
    for (const id of ['j-0', 'j-1']) await bench.ask('job-dismiss', { id })
    expect(await bench.jobs()).toEqual([])
    for (const node of [A, B]) await bench.ask('blockdev-del', { 'node-name': node })
    expect((await bench.nodes()).map(({ file, drv }) => `${drv} ${file}`).sort()).toEqual(
      ['file', 'qcow2'].flatMap((drv) => places('to-a', 'to-b').map((path) => `${drv} ${path}`)),
    )
    expect(await bench.nodeOf('to-a')).toBe(a)
    expect((await bench.nodes()).map((node) => node['node-name'])).toContain(`f-${a}`)
  })

  test('what cannot be begun is refused, and begins no job', async () => {
    const a = await target('to-a')
    const refused = (device: string, to: string) => bench.refusal('blockdev-mirror', mirrorOf('j-0', device, to))
    expect(await refused('none', a)).toBe("GenericError: Cannot find device='none' nor node-name='none'")
    expect(await refused(A, 'none')).toBe("GenericError: Cannot find device='none' nor node-name='none'")
    expect(await bench.jobs()).toEqual([])
    await bench.ask('blockdev-del', { 'node-name': a })
  })

  test('one at work keeps its name, its disk and its target; given up, the disk has never been elsewhere', async () => {
    const [a, b] = [await target('to-a'), await target('to-b')]
    await bench.ask('blockdev-mirror', mirrorOf('j-0', A, a, { speed: 65_536 }))
    await bench.untilJob('j-0', 'running')
    expect(await bench.refusal('blockdev-mirror', mirrorOf('j-0', B, b))).toBe(
      "GenericError: Job ID 'j-0' already in use",
    )
    const busy = (node: string) => `GenericError: Node '${node}' is busy: block device is in use by block job: mirror`
    expect(await bench.refusal('blockdev-mirror', mirrorOf('j-1', A, b))).toBe('GenericError: Need a root block node')
    expect(await bench.refusal('blockdev-mirror', mirrorOf('j-1', B, a))).toBe(busy(a))
    expect(await bench.refusal('blockdev-del', { 'node-name': a })).toBe(`GenericError: Node ${a} is in use`)
    expect(await bench.refusal('job-complete', { id: 'j-0' })).toBe(verb('j-0', 'running', 'complete'))
    expect(await bench.refusal('job-complete', { id: 'none' })).toBe('GenericError: Job not found')
    await bench.ask('block-job-cancel', { device: 'j-0', force: true })
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.jobs()).toMatchObject([{ id: 'j-0', error: 'Operation canceled' }])
    await bench.ask('job-dismiss', { id: 'j-0' })
    for (const node of [a, b]) await bench.ask('blockdev-del', { 'node-name': node })
    expect((await written()).sort()).toEqual(places('a', 'b').sort())
  })

  test.each(['ready', 'pending'])('one that is %s can be given up too', async (state) => {
    const b = await target('to-b')
    await bench.ask('blockdev-mirror', mirrorOf('j-0', B, b))
    await bench.untilJob('j-0', 'ready')
    if (state === 'pending') await bench.ask('job-complete', { id: 'j-0' })
    await bench.untilJob('j-0', state)
    await bench.ask('block-job-cancel', { device: 'j-0', force: true })
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.jobs()).toMatchObject([{ id: 'j-0', error: 'Operation canceled' }])
    await bench.ask('job-dismiss', { id: 'j-0' })
    await bench.ask('blockdev-del', { 'node-name': b })
    expect((await written()).sort()).toEqual(places('a', 'b').sort())
    expect((await bench.nodes()).find((row) => row['node-name'] === B)?.image['virtual-size']).toBe(SIZE_BYTES)
  })
}

function fullMirrors(kind: BlockLayerKind): void {
  const bench = benchOf(kind)

  test('end with what they lack, and the disk is where it was', async () => {
    await bench.create('target')
    bench.site.fill('target')
    await bench.add('n-target', 'target')
    await bench.ask('blockdev-mirror', mirrorOf('j-0', B, 'n-target'))
    await bench.untilJob('j-0', 'concluded')
    expect(await bench.jobs()).toMatchObject([{ id: 'j-0', error: 'No space left on device' }])
    await bench.ask('job-dismiss', { id: 'j-0' })
    await bench.ask('blockdev-del', { 'node-name': 'n-target' })
    expect(await bench.nodeOf('b')).toBe(B)
  })
}
