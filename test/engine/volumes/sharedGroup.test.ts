import { beforeEach, describe, expect, test } from 'bun:test'
import type { Host } from '../../../src/engine/host/host.ts'
import { changesMetadata } from '../../../src/engine/tools/lvm.ts'
import { blockVolumesAt } from '../../../src/engine/volumes/block.ts'
import { putClaims } from '../../../src/engine/volumes/claims/claim.ts'
import type { GroupPlace, GroupPlaces } from '../../../src/engine/volumes/groupPlace.ts'
import { findNode } from '../../../src/sim/machine/files.ts'
import type { VolumeGroup } from '../../../src/sim/machine/state.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { ask } from '../../contract/volumeSite.ts'

/** One volume group on a SAN that two PMs see. xen1 changes it, where no lock manager does. */

const MIB = 1048576
const TAG = 'shared.0'
const path = '/dev/san/pengx-1'

let sim: ReturnType<typeof createSimSite>
let hosts: Record<string, Host>
/** What was run that changes something, by the PM that ran it. */
let ran: [pm: string, line: string][]
let group: () => VolumeGroup

function watched(name: string): Host {
  const host = sim.host(name)
  return {
    ...host,
    async open(command, signal) {
      for (const part of command.parts ?? [command]) if (part.effect === 'change') ran.push([name, part.argv.join(' ')])
      return await host.open(command, signal)
    },
  }
}

beforeEach(() => {
  sim = createSimSite({ vmCount: 4, pmCount: 2, pace: 0 })
  const san = { name: 'san', uuid: 'san-uuid', sizeBytes: 4096 * MIB, extentBytes: 4 * MIB, volumes: [] }
  sim.shareGroup(san, ['xen1', 'xen2'])
  hosts = { xen1: watched('xen1'), xen2: watched('xen2') }
  ran = []
  group = () => sim.pm('xen1').groups.find((one) => one.name === 'san')!
})

const at: GroupPlaces = (host, name): GroupPlace => ({
  host,
  group: name,
  changer: hosts.xen1!,
  shared: true,
  others: Object.values(hosts).filter((other) => other !== host),
})
const driver = blockVolumesAt(at)
const one = (name = 'pengx-1') => group().volumes.find((volume) => volume.name === name)
const metadataRan = () =>
  ran.filter(([, line]) => changesMetadata({ argv: line.split(' ') as [string], effect: 'change' }))
const sizeOn = (pm: string) => {
  const node = findNode(sim.pm(pm), path)
  return node?.kind === 'block' ? node.size / MIB : undefined
}

describe('a plain group', () => {
  test('is changed by one PM, and its volumes are written by another', async () => {
    await driver.create(hosts.xen2!, path, 'raw', 12, TAG)
    expect(new Set(metadataRan().map(([pm]) => pm))).toEqual(new Set(['xen1']))
    expect(one()).toMatchObject({ activeOn: ['xen2'], sizeBytes: 12 * MIB })
    expect(sizeOn('xen1')).toBeUndefined()
    // All of it is zeroed on the PM that uses it.
    expect(ran).toContainEqual(['xen2', `blkdiscard -z -p 1GiB -o 0 -l ${12 * MIB} ${path}.new`])
    await driver.create(hosts.xen2!, `${path}0`, 'qcow2', 12, TAG)
    expect(await driver.stat(hosts.xen2!, `${path}0`, 'qcow2')).toMatchObject({ format: 'qcow2', sizeMib: 12 })
  })

  test('loses what two PMs change at once, which is why one changes it', async () => {
    const own = blockVolumesAt((host, name) => ({ ...at(host, name), changer: host }))
    const paths = Array.from({ length: 12 }, (_, index) => `/dev/san/pengx-x${index}`)
    const make = async (some: typeof driver) =>
      await Promise.allSettled(
        paths.map((it, index) => some.create(hosts[index % 2 === 0 ? 'xen1' : 'xen2']!, it, 'qcow2', 8, TAG)),
      )
    await make(own)
    expect(paths.filter((it) => one(it.slice(9)) !== undefined).length).toBeLessThan(12)
    group().volumes.length = 0
    const made = await make(driver)
    expect(made.map(({ status }) => status)).toEqual(paths.map(() => 'fulfilled'))
    expect(paths.filter((it) => one(it.slice(9)) !== undefined)).toEqual(paths)
  })

  test('what grows is seen by each PM that has it active', async () => {
    await driver.create(hosts.xen2!, path, 'raw', 12, TAG)
    await driver.activate(hosts.xen1!, { path, format: 'raw' }, TAG)
    await driver.resize(hosts.xen2!, path, 'raw', 40, TAG)
    expect([sizeOn('xen1'), sizeOn('xen2')]).toEqual([40, 40])
    expect(one()?.tags).toEqual(['pengx.raw'])
    await driver.resize(hosts.xen1!, path, 'raw', 60, TAG)
    expect([sizeOn('xen1'), sizeOn('xen2')]).toEqual([60, 60])
  })

  test('a PM that was away when it grew sees it when it is switched on', async () => {
    await driver.create(hosts.xen1!, path, 'raw', 12, TAG)
    await driver.activate(hosts.xen2!, { path, format: 'raw' }, TAG)
    const alone = blockVolumesAt((host, name) => ({ ...at(host, name), others: [] }))
    await alone.resize(hosts.xen1!, path, 'raw', 40, TAG)
    expect([sizeOn('xen1'), sizeOn('xen2')]).toEqual([40, 12])
    await driver.activate(hosts.xen2!, { path, format: 'raw' }, TAG)
    expect(sizeOn('xen2')).toBe(40)
  })

  test('what is set aside or removed leaves no device behind anywhere', async () => {
    await driver.create(hosts.xen2!, path, 'raw', 12, TAG)
    await driver.activate(hosts.xen1!, { path, format: 'raw' }, TAG)
    await driver.setAside(hosts.xen2!, path, TAG)
    expect([sizeOn('xen1'), sizeOn('xen2')]).toEqual([undefined, undefined])
    expect(one('pengx-1.aside')?.activeOn).toEqual([])
    await driver.bringBack(hosts.xen2!, path, TAG)
    expect(one()?.activeOn).toEqual(['xen2'])
    await driver.activate(hosts.xen1!, { path, format: 'raw' }, TAG)
    await driver.remove(hosts.xen2!, path, TAG)
    expect([one(), sizeOn('xen1'), sizeOn('xen2')]).toEqual([undefined, undefined, undefined])
    expect(new Set(metadataRan().map(([pm]) => pm))).toEqual(new Set(['xen1']))
  })

  test('what is open on another PM is not taken away', async () => {
    await driver.create(hosts.xen2!, path, 'raw', 12, TAG)
    await driver.activate(hosts.xen1!, { path, format: 'raw' }, TAG)
    for (const [user, worker] of [
      ['xen2', 'xen1'],
      ['xen1', 'xen2'],
    ] as const) {
      const disk = sim.pm(user).domains[0]!.config.disks[0]!
      const own = disk.path
      disk.path = path
      const open = { code: 'conflict', message: expect.stringContaining(`san/pengx-1 is open on ${user}`) }
      await expect(driver.setAside(hosts[worker]!, path, TAG)).rejects.toMatchObject(open)
      await expect(driver.remove(hosts[worker]!, path, TAG)).rejects.toMatchObject(open)
      disk.path = own
    }
    expect(one()?.activeOn).toEqual(['xen2', 'xen1'])
  })

  test('a changer that is away is named with the way out, and nothing is changed', async () => {
    const away = blockVolumesAt((host, name) => ({ ...at(host, name), refusal: 'xen1 is away: storlink.update' }))
    const refused = { code: 'refused', message: 'xen1 is away: storlink.update' }
    await expect(away.create(hosts.xen2!, path, 'raw', 12, TAG)).rejects.toMatchObject(refused)
    sim.faults.unreachable('xen1', 1e9)
    await expect(driver.create(hosts.xen2!, path, 'raw', 12, TAG)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/xen1 alone changes volume group san; storlink.update with pm=/),
    })
    expect(group().volumes).toEqual([])
  })

  test('is given out thick, whatever pool it has, and a thin volume is used where its pool is', async () => {
    const pool = {
      name: 'pool',
      uuid: 'p',
      sizeBytes: 512 * MIB,
      segType: 'thin-pool',
      active: false,
      tags: [],
    } as const
    const thin = { ...pool, name: 'pengx-t', segType: 'thin', pool: 'pool', sizeBytes: 64 * MIB } as const
    group().volumes.push({ ...pool, tags: [], activeOn: ['xen1'] }, { ...thin, tags: [] })
    await driver.create(hosts.xen2!, path, 'qcow2', 12, TAG)
    expect(one()?.segType).toBe('linear')
    const image = { path: '/dev/san/pengx-t', format: 'raw' } as const
    await expect(driver.activate(hosts.xen2!, image, TAG)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(
        /pool san\/pool is active on xen1, and one that is active on two PMs is destroyed/,
      ),
    })
    await driver.activate(hosts.xen1!, image, TAG)
    expect(one('pengx-t')?.activeOn).toEqual(['xen1'])
    await expect(driver.remove(hosts.xen2!, image.path, TAG)).rejects.toMatchObject({ code: 'refused' })
  })

  test('of several that claim a volume at once, one does, and the group is changed by one PM', async () => {
    await driver.create(hosts.xen1!, path, 'raw', 12, TAG)
    ran = []
    const puts = ['xen1', 'xen2', 'xen1', 'xen2'].map(async (pm, index) => {
      const claim = { vm: `vm${index}`, pm, bootId: 'b', controller: 'c', store: 's', at: 0 }
      const [put] = await putClaims(hosts[pm]!, [{ path, claim }], { groups: at })
      return put!.isPut
    })
    expect((await Promise.all(puts)).filter((isPut) => isPut)).toHaveLength(1)
    expect(one()?.tags.filter((tag) => tag.startsWith('pengx.claim='))).toHaveLength(1)
    expect(new Set(metadataRan().map(([pm]) => pm))).toEqual(new Set(['xen1']))
  })
})

describe('a group with a lock manager', () => {
  beforeEach(() => {
    for (const name of ['xen1', 'xen2']) sim.pm(name).lvmlockd = 'running'
    group().lockType = 'sanlock'
  })

  test('is changed by the PM at work, and a writer has its volumes alone', async () => {
    await driver.create(hosts.xen2!, path, 'raw', 12, TAG)
    expect(new Set(metadataRan().map(([pm]) => pm))).toEqual(new Set(['xen2']))
    await ask(hosts.xen2!, 'lvchange', '-an', 'san/pengx-1')
    ran = []
    const image = { path, format: 'raw' } as const
    await driver.activate(hosts.xen1!, image, TAG)
    await expect(driver.activate(hosts.xen2!, image, TAG)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('another host holds the lock, not xen2: LV locked by other host: san/pengx-1'),
    })
    await driver.activate(hosts.xen1!, image, TAG, 'several')
    await driver.activate(hosts.xen2!, image, TAG, 'several')
    expect(ran.map(([pm, line]) => `${pm} ${line}`)).toEqual([
      'xen1 lvchange -aey san/pengx-1',
      'xen2 lvchange -aey san/pengx-1',
      'xen1 lvchange -asy san/pengx-1',
      'xen2 lvchange -asy san/pengx-1',
    ])
    await driver.release(hosts.xen1!, path, TAG)
    expect(one()?.activeOn).toEqual(['xen2'])
    ran = []
    await driver.setWritable(hosts.xen2!, path, false, TAG)
    await driver.setWritable(hosts.xen2!, path, true, TAG)
    expect(ran.map(([, line]) => line)).toEqual([
      'lvchange -pr san/pengx-1',
      'lvchange -asy san/pengx-1',
      'lvchange -prw san/pengx-1',
      'lvchange -aey san/pengx-1',
    ])
  })

  test('says what to start where the locks are not to be had', async () => {
    sim.pm('xen2').lvmlockd = 'stopped'
    await expect(driver.create(hosts.xen2!, path, 'raw', 12, TAG)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/due to failed lock.*lvmlockd and its lock manager.*vgchange --lock-start san/),
    })
    sim.pm('xen2').lvmlockd = undefined
    await expect(driver.inspect(hosts.xen2!, '/dev/san')).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/lock type sanlock and no lvmlockd: set use_lvmlockd = 1/),
    })
  })
})

test('a group that is not this host’s, or not whole, is refused with the reason', async () => {
  const refused = async (change: Partial<VolumeGroup>, words: RegExp) => {
    Object.assign(group(), { systemId: undefined, exported: undefined, partial: undefined }, change)
    const refusal = { code: 'refused', message: expect.stringMatching(words) }
    await expect(driver.inspect(hosts.xen1!, '/dev/san')).rejects.toMatchObject(refusal)
    await expect(driver.create(hosts.xen1!, path, 'raw', 12, TAG)).rejects.toMatchObject(refusal)
  }
  await refused({ systemId: 'other' }, /san on xen1 belongs to the host with the system ID other: vgchange --systemid/)
  await refused({ exported: true }, /san on xen1 is exported: vgimport san/)
  await refused({ partial: true }, /san on xen1 is partial, a physical volume of it is missing/)
})
