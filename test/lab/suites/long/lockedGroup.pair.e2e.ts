// One pengx for two PMs that see one volume group whose locks lvmlockd takes, through a real sanlock: each PM changes the group
// itself, a VM's volumes are switched on for its PM alone, and a second administrator is refused by both LVM and the claims.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { addPm, closeController, openController } from '../../controllers.ts'
import { booting } from '../../machine/console.ts'
import { guestCmdline } from '../../machine/guest.ts'
import { fill, sumOf } from '../../machine/guestDisk.ts'
import { extentsOf, makeLockedGroup, removeLockedGroup, segmentsOn } from '../../machine/shared.ts'
import { type LabHost, labHosts, run, sh } from '../../machine/ssh.ts'
import { allDone, idsOf, type Request } from '../../manyJobs.ts'
import { expectRefusal, listed, perform, serveOutside } from '../../pengx.ts'

const hosts = labHosts()
const [xen1, xen2] = hosts as [LabHost, LabHost]
const GROUP = 'vglocks'
const NAMES = ['lock0', 'lock1', 'lock2']
const pengx = openController(hosts)
const boot = ['--type', 'pv', '--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd', '--memory', '96']

beforeAll(async () => {
  await makeLockedGroup(hosts, GROUP)
  for (const host of hosts) await addPm(pengx, host)
}, 600_000)

afterAll(async () => {
  for (const host of hosts) for (const name of NAMES) await run(host, ['xl', 'destroy', name])
  closeController(pengx)
  await removeLockedGroup(hosts, GROUP)
}, 400_000)

const disksOf = async (name: string) =>
  (await listed<{ vdev: string; path: string }>(pengx, 'disks', name)).map(({ path }) => path)

test('each PM makes volumes itself, at once: no extent is given out twice, and the group names no PM', async () => {
  const san = ['--link', GROUP, '--type', 'FC', '--level', 'BL', '--shared', '--pm', 'xen1']
  await perform(pengx, 'storlink.create', 'san', ...san)
  for (const [index, name] of NAMES.entries()) {
    const placed = ['--storlink', 'san', '--pm', hosts[index % 2]!.name, '--disk-size', '8']
    await perform(pengx, 'vm.create', name, ...boot, '--cmdline', guestCmdline(name), ...placed)
  }
  const api = await serveOutside(pengx)
  try {
    const ids = await idsOf(api, NAMES)
    const requests = Array.from(
      { length: 6 },
      (_, index): Request => ['POST', `/vms/${ids[index % 3]}/disks/`, { size: 4, format: 'raw', storlink: 1 }],
    )
    await allDone(api, requests)
  } finally {
    await api.stop()
  }
  const segments = await segmentsOn(xen1, GROUP)
  expect(segments.filter((one) => one.lv_name.startsWith('pengx-'))).toHaveLength(9)
  expect(await segmentsOn(xen2, GROUP)).toEqual(segments)
  const taken = extentsOf(segments)
  expect(new Set(taken).size).toBe(taken.length)
  expect(await sh(xen1, `vgs --noheadings -o vg_tags ${GROUP}`)).not.toContain('pengx.changer')
}, 900_000)

test('a VM has its volumes for itself: LVM switches them on nowhere else', async () => {
  await booting(xen1, 'lock0', () => perform(pengx, 'vm.start', 'lock0'))
  const sum = await fill(xen1, 'lock0', 'xvda')
  for (const path of await disksOf('lock0')) {
    const said = await run(xen2, ['lvchange', '-ay', path.slice('/dev/'.length)])
    expect({ exit: said.exit, stderr: said.stderr }).toEqual({
      exit: 5,
      stderr: expect.stringMatching(/already locked|LV locked by other host/i),
    })
  }
  expect(await sumOf(xen1, 'lock0', 'xvda')).toBe(sum)
}, 600_000)

test('it is changed while it runs: a live snapshot, a disk that grows, both gone again', async () => {
  const sum = await fill(xen1, 'lock0', 'xvda')
  await perform(pengx, 'snapshot.create', 'lock0', '--name', 'now')
  expect(await sumOf(xen1, 'lock0', 'xvda')).toBe(sum)
  const later = await fill(xen1, 'lock0', 'xvda')
  await perform(pengx, 'snapshot.delete', 'lock0', '--snapshot', 'now')
  await perform(pengx, 'disk.grow', 'lock0', '--disk', 'xvda', '--size', '12')
  expect(await sumOf(xen1, 'lock0', 'xvda')).toBe(later)
  await perform(pengx, 'vm.poweroff', 'lock0')
  await booting(xen1, 'lock0', () => perform(pengx, 'vm.start', 'lock0'))
  expect(await sumOf(xen1, 'lock0', 'xvda')).toBe(later)
}, 900_000)

test('shut down it moves to the other PM, and has them for itself there', async () => {
  const sum = await sumOf(xen1, 'lock0', 'xvda')
  await perform(pengx, 'vm.poweroff', 'lock0')
  await perform(pengx, 'vm.migrate', 'lock0', '--pm', 'xen2')
  await booting(xen2, 'lock0', () => perform(pengx, 'vm.start', 'lock0'))
  expect(await sumOf(xen2, 'lock0', 'xvda')).toBe(sum)
  const [path = ''] = await disksOf('lock0')
  expect((await run(xen1, ['lvchange', '-ay', path.slice('/dev/'.length)])).exit).toBe(5)
}, 900_000)

test('without lvmlockd on its PM nothing is made, and what would help is said', async () => {
  await sh(xen1, `vgchange -q -an ${GROUP}; vgchange -q --lock-stop ${GROUP}`)
  await expectRefusal(pengx, ['disk.create', 'lock2', '--storlink', 'san', '--size', '4'], /lock-start vglocks/)
  await sh(xen1, `vgchange -q --lock-start ${GROUP}`)
  await perform(pengx, 'disk.create', 'lock2', '--storlink', 'san', '--size', '4')
}, 600_000)
