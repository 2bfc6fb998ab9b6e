import { beforeEach, expect, test } from 'bun:test'
import type { Host } from '../../../src/engine/host/host.ts'
import { run } from '../../../src/engine/host/run.ts'
import { showGroup } from '../../../src/engine/tools/lvm.ts'
import { isUnseen, rescanDisks } from '../../../src/engine/tools/pvscan.ts'
import { blockVolumesAt } from '../../../src/engine/volumes/block.ts'
import { putClaims, readClaims } from '../../../src/engine/volumes/claims/claim.ts'
import { identify } from '../../../src/engine/volumes/identity.ts'
import { lookForMarker } from '../../../src/engine/volumes/marker.ts'
import { createSimSite } from '../../../src/sim/site.ts'

/** A group that xen1 has made on a LUN, and that xen2, which has one of its own, does not look for by itself. */

const MIB = 1048576
const path = '/dev/san/pengx-1'

let sim: ReturnType<typeof createSimSite>
let opened: number
let xen2: Host

beforeEach(async () => {
  sim = createSimSite({ vmCount: 4, pmCount: 2, pace: 0 })
  const san = { name: 'san', uuid: 'san-uuid', sizeBytes: 4096 * MIB, extentBytes: 4 * MIB, tags: ['a'], volumes: [] }
  sim.shareGroup(san, ['xen1', 'xen2'])
  await driver.create(sim.host('xen1'), path, 'raw', 12, 'made.0')
  opened = 0
  const host = sim.host('xen2')
  xen2 = {
    ...host,
    async open(command, signal) {
      opened++
      return await host.open(command, signal)
    },
  }
})

const driver = blockVolumesAt((host, group) => ({
  host,
  group,
  changer: sim.host('xen1'),
  shared: true,
  others: [sim.host('xen1')],
}))

test('lvm2 does not find it there, until it is told to look at all disks', async () => {
  const look = async () => (await run(sim.host('xen2'), showGroup('san'))).stderr
  expect(await look()).toContain('Volume group "san" not found')
  expect(await look()).toContain('Volume group "san" not found')
  await run(sim.host('xen2'), rescanDisks)
  expect(await look()).toBe('')
})

test.each<[string, () => Promise<unknown>, unknown]>([
  ['its space', async () => (await driver.inspect(xen2, 'san')).identity, 'san-uuid'],
  ['whether a volume may be written to', () => driver.isWritable(xen2, path), true],
  [
    'its marker',
    () => lookForMarker(xen2, { link: '/dev/san', level: 'BL' }),
    { uuids: [], problem: expect.any(String), changer: null },
  ],
  ['what an inactive volume is', async () => [...(await identify(xen2, [path])).keys()], [path]],
])('a look finds it in a second round trip, and in one from then on: %s', async (_what, look, answer) => {
  const before = opened
  expect(await look()).toEqual(answer)
  const first = opened - before
  expect(await look()).toEqual(answer)
  expect(opened - before - first).toBe(first - 1)
})

test('a volume of it is activated, and claimed', async () => {
  const claim = { vm: 'v', vmName: 'v', pm: 'p', pmName: 'xen2', controller: 'c', store: 's', bootId: 'b', at: 1 }
  const [put] = await putClaims(xen2, [{ path, claim }])
  expect(put).toMatchObject({ path, isPut: true })
  expect(await readClaims(xen2, [path])).toHaveLength(1)
  await driver.activate(xen2, { path, format: 'raw' }, 'on.0')
  expect(await driver.stat(xen2, path, 'raw')).toMatchObject({ sizeMib: 12 })
})

test('what is not there at all is told after one more look', async () => {
  await expect(driver.inspect(xen2, 'none')).rejects.toThrow(/there is no volume group none on xen2/)
  expect(opened).toBe(2)
})

test('without pvscan, or with one that fails, it is as it was', async () => {
  for (const exit of [3, 5, 127]) expect(rescanDisks.okExits).toContain(exit)
})

test('lvm2 says what may come of its hints', () => {
  expect(isUnseen('  Volume group "san" not found\n  Cannot process volume group san\n')).toBe(true)
  const partial = `  WARNING: Couldn't find device with uuid aVfyMP-9hjW-zsKt-u0G8-ZcKj-p2tt-yr7GzP.
  WARNING: VG san is missing PV aVfyMP-9hjW-zsKt-u0G8-ZcKj-p2tt-yr7GzP (last written to /dev/loop2).
`
  expect(isUnseen(partial)).toBe(true)
  expect(isUnseen('  Failed to find logical volume "san/x"\n')).toBe(false)
  expect(isUnseen('  Cannot access VG san with system ID xen1 with unknown local system ID.\n')).toBe(false)
})
