import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import { act, pmNamed, refusalOf } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'

/** Where a storlink may lie, and what of it may change once something lies on it. On each PM stands `/data` as `data`. */
let world: World
beforeEach(async () => {
  world = await openWorld()
  const place = { link: '/data', type: 'LO', level: 'FL' }
  await act(world, 'storlink.create', { name: 'data', ...place, pm: pmNamed(world) })
  await act(world, 'storlink.create', { name: 'far', ...place, pm: pmNamed(world, 'xen2') })
})
afterEach(() => world.close())

const refusal = (operation: string, raw: Readonly<Record<string, unknown>>) => refusalOf(world, operation, raw)

const NEW = { name: 'new', link: '/srv', type: 'LO', level: 'FL' }
const change = (argv: readonly [string, ...string[]]) => run(world.site.host('xen1'), { argv, effect: 'change' })

describe('a new storlink is refused by name', () => {
  test.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ['a name that is taken', { name: 'data' }, /^refused: .*storlink 1 already has the name "data"/],
    ['a name with a slash', { name: 'a/b' }, /^refused: .*a name has no "\/"/],
    ['no absolute path', { link: 'srv' }, /^refused: .*link "srv" is not an absolute path/],
    ['not there', { link: '/nowhere' }, /^refused: .*\/nowhere is not there on xen1: make the directory, or mount it/],
    ['no directory', { link: '/data/iso.file' }, /^refused: .*\/data\/iso\.file on xen1 is not a directory/],
    ['a place of devices', { link: '/dev/vg-fast' }, /^refused: .*for a volume group take level BL/],
    [
      'a directory as a group',
      { level: 'BL' },
      /^refused: .*link "\/srv" is not a volume group: those are called \/dev/,
    ],
    ['no such group', { level: 'BL', link: '/dev/vg9' }, /^refused: .*there is no volume group vg9 on xen1/],
    ['NFS with blocks', { type: 'NFS', level: 'BL' }, /^refused: .*a storlink of type NFS has level FL, not BL/],
    ['Ceph with files', { type: 'CEP' }, /^refused: .*a storlink of type CEP has level OB, not FL/],
    ['Ceph', { type: 'CEP', level: 'OB' }, /^refused: .*level OB is not available yet/],
    ['already a storlink', { link: '/data//x/../' }, /^refused: .*\/data is already storlink 1 \(data\)/],
    [
      'inside another',
      { link: '/data/iso' },
      /^refused: .*\/data\/iso lies inside storlink 1 \(data\), which is \/data/,
    ],
    ['around another', { link: '/' }, /^refused: .*storlink 1 \(data\), which is \/data, lies inside \//],
    [
      'shared, and there already elsewhere',
      { link: '/data/iso', shared: true },
      /^refused: .*lies inside storlink \d \((data|far, on xen2)\), which is \/data/,
    ],
  ])('%s', async (_, more, words) => {
    // What inspects it is reached only where nothing else is in the way.
    if (more.link === '/data/iso.file') {
      await act(world, 'storlink.delete', { storlink: 1 })
      await change(['truncate', '-s', '1', '/data/iso.file'])
    }
    expect(await refusal('storlink.create', { ...NEW, pm: pmNamed(world), ...more })).toMatch(words)
  })

  test('where a symbolic link leads to a storlink', async () => {
    await change(['ln', '-s', '/data', '/srv/alias'])
    expect(await refusal('storlink.create', { ...NEW, link: '/srv/alias', pm: pmNamed(world) })).toMatch(
      /^refused: \/srv\/alias on xen1 leads to \/data: \/data is already storlink 1 \(data\)/,
    )
  })

  test('of two that are made at once in one place, one is', async () => {
    const { engine } = world
    const names = ['one', 'two']
    const ends = await Promise.all(
      names.map((name) => refusal('storlink.create', { ...NEW, name, pm: pmNamed(world) })),
    )
    const made = engine.view.storlinks().filter((storlink) => storlink.link === '/srv')
    expect(made).toHaveLength(1)
    expect(ends.filter((end) => end !== 'it was not refused').length).toBeLessThanOrEqual(1)
  })
})

describe('a storlink on which something lies', () => {
  const TEMPLATE = '77777777-2222-4333-8444-555555555555'
  const withTemplate = () => act(world, 'template.addNew', { name: 'empty', storlink: 1, size: 64, template: TEMPLATE })

  test('is not deleted, whether a VM or a template', async () => {
    await withTemplate()
    expect(await refusal('storlink.delete', { storlink: 1 })).toBe(
      'refused: cannot delete storlink data: disks of template empty lie on it',
    )
    await act(world, 'vm.create', { name: 'web', memory: 256, storlink: 1, diskSize: 64 })
    expect(await refusal('storlink.delete', { storlink: 1 })).toEndWith(
      'disks of VM web and of template empty lie on it',
    )
  })

  test('is not deleted while only a snapshot keeps something there', async () => {
    await act(world, 'storlink.create', { ...NEW, pm: pmNamed(world) })
    const id = world.engine.view.storlinks().find((one) => one.name === NEW.name)!.id
    await act(world, 'vm.create', { name: 'web', memory: 256, storlink: 1, diskSize: 64 })
    const { uuid } = world.engine.view.vmsNamed('web')[0]!
    await act(world, 'snapshot.create', { vm: uuid, name: 'before', storlink: id })
    expect(world.engine.view.needVm(uuid).disks.map((disk) => disk.storlink)).toEqual([id])
    expect(await refusal('storlink.delete', { storlink: 1 })).toEndWith('disks of VM web lie on it')
    expect(await refusal('storlink.update', { storlink: 1, type: 'FC' })).toEndWith('disks of VM web lie on it')
  })

  test('keeps its place, and changes what does not matter to it', async () => {
    await withTemplate()
    for (const [key, value, words] of [
      ['link', '/srv', 'link would change from /data to /srv'],
      ['type', 'NFS', 'type would change from LO to NFS'],
    ] as const) {
      const said = await refusal('storlink.update', { storlink: 1, [key]: value })
      expect(said).toBe(`refused: cannot edit storlink data: ${words}, and disks of template empty lie on it`)
    }
    expect(await refusal('storlink.update', { storlink: 1, link: '/dev/vg-fast', level: 'BL' })).toMatch(/lie on it$/)
    await act(world, 'storlink.update', { storlink: 1, name: 'renamed', link: '/data/', type: 'lo' })
    expect(world.engine.view.needStorlink(1)).toMatchObject({ name: 'renamed', link: '/data', type: 'LO' })
  })
})

describe('a change is refused', () => {
  test.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ['nothing given', {}, /nothing is given to change/],
    ['a name that is taken', { name: 'far' }, /storlink 2 already has the name "far"/],
    ['NFS with blocks', { type: 'NFS', level: 'BL' }, /a storlink of type NFS has level FL, not BL/],
    ['a level that its link does not fit', { level: 'BL' }, /link "\/data" is not a volume group/],
    ['not there', { link: '/nowhere' }, /\/nowhere is not there on xen1/],
    ['shared, and there elsewhere', { shared: true }, /\/data is already storlink 2 \(far, on xen2\)/],
  ])('%s', async (_, more, words) => {
    expect(await refusal('storlink.update', { storlink: 1, ...more })).toMatch(words)
  })

  test('of one that is not there', async () => {
    expect(await refusal('storlink.update', { storlink: 77, name: 'x' })).toMatch(/^notFound: .*storlink 77/)
  })

  test('to an unshared one that another PM’s VM lies on', async () => {
    world.site.share('/srv', ['xen1', 'xen2'])
    await act(world, 'storlink.create', { ...NEW, pm: pmNamed(world), shared: true })
    const [storlink, pm] = [3, pmNamed(world, 'xen2')]
    await act(world, 'vm.create', { name: 'there', memory: 256, storlink, diskSize: 64, pm })
    expect(await refusal('storlink.update', { storlink, shared: false })).toMatch(
      /VM there on xen2 has disks on it: it has to stay shared$/,
    )
  })
})

test('what is only written down is changed while the PM is away; its place is not', async () => {
  world.site.faults.add({ pm: 'xen1', effect: { kind: 'lostBefore' }, times: 1_000 })
  await act(world, 'storlink.update', { storlink: 1, desc: 'quiet' })
  expect(world.engine.view.needStorlink(1).desc).toBe('quiet')
  expect(await refusal('storlink.update', { storlink: 1, link: '/srv' })).toMatch(/^unreachable: /)
})
