// One pengx for two PMs that see one plain volume group on a LUN and one directory over NFS: the group is changed from one of
// them alone, and nothing is written where the directory is not mounted.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { addPm, closeController, openController } from '../../controllers.ts'
import {
  endSharing,
  extentsOf,
  makeSharedGroup,
  mountShared,
  removeSharedGroup,
  SHARED_DIRECTORY,
  segmentsOn,
  shareDirectory,
  unmountShared,
} from '../../machine/shared.ts'
import { type LabHost, labHosts, sh } from '../../machine/ssh.ts'
import { allDone, idsOf, type Request } from '../../manyJobs.ts'
import { expectRefusal, listed, perform, serveOutside } from '../../pengx.ts'

const hosts = labHosts()
const [xen1, xen2] = hosts as [LabHost, LabHost]
const GROUP = 'vgmany'
const pengx = openController(hosts)
const boot = ['--type', 'pv', '--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd', '--memory', '96']
const placed = (host: LabHost, storlink: string) => [...boot, '--storlink', storlink, '--pm', host.name]
const san = ['san', '--link', GROUP, '--type', 'FC', '--level', 'BL', '--shared']
const nas = ['nas', '--link', SHARED_DIRECTORY, '--type', 'NFS', '--level', 'FL', '--shared']

beforeAll(async () => {
  await shareDirectory(xen2, hosts)
  await makeSharedGroup(hosts, GROUP)
  for (const host of hosts) await addPm(pengx, host)
  await perform(pengx, 'storlink.create', ...san, '--pm', 'xen1')
  await perform(pengx, 'storlink.create', ...nas, '--pm', 'xen1')
}, 600_000)

afterAll(async () => {
  closeController(pengx)
  await removeSharedGroup(hosts, GROUP)
  await endSharing(xen2, hosts)
}, 400_000)

test('40 disks at once for VMs on two PMs: no extent is given out twice, and each disk has its own bytes', async () => {
  const names = Array.from({ length: 8 }, (_, index) => `many${index}`)
  for (const [index, name] of names.entries())
    await perform(pengx, 'vm.create', name, ...placed(hosts[index % 2]!, 'san'), '--disk-size', '4')
  const api = await serveOutside(pengx)
  try {
    const ids = await idsOf(api, names)
    const requests = Array.from(
      { length: 40 },
      (_, index): Request => ['POST', `/vms/${ids[index % 8]}/disks/`, { size: 4, format: 'raw', storlink: 1 }],
    )
    await allDone(api, requests)
  } finally {
    await api.stop()
  }
  const segments = await segmentsOn(xen1, GROUP)
  expect(new Set(segments.map((one) => one.lv_name)).size).toBe(48)
  expect(await segmentsOn(xen2, GROUP)).toEqual(segments)
  const taken = extentsOf(segments)
  expect(new Set(taken).size).toBe(taken.length)
  const lists = names.map(async (name, index) => {
    const rows = await listed<{ path: string; format: string }>(pengx, 'disks', name)
    return rows.filter(({ format }) => format === 'raw').map(({ path }) => ({ path, pm: hosts[index % 2]!.name }))
  })
  const disks = (await Promise.all(lists)).flat()
  expect(disks).toHaveLength(40)
  // Each is written by the PM of its VM and read by the other, past what that may have cached.
  for (const host of hosts) {
    const own = disks.filter((disk) => disk.pm === host.name)
    expect(own).toHaveLength(20)
    const write = own.map(({ path }) => `echo ${path} | dd of=${path} conv=fsync,notrunc status=none`)
    await sh(
      host,
      `set -e\n${own.map(({ path }) => `cmp -n 4194304 ${path} /dev/zero`).join('\n')}\n${write.join('\n')}`,
    )
  }
  for (const host of hosts) {
    const others = disks.filter((disk) => disk.pm !== host.name)
    const read = others.map(
      ({ path }) => `lvchange -ay ${path} && dd if=${path} iflag=direct bs=512 count=1 status=none | head -n 1`,
    )
    expect((await sh(host, `set -e\n${read.join('\n')}`)).trim().split('\n')).toEqual(others.map(({ path }) => path))
    await sh(host, `lvchange -an ${others.map(({ path }) => path).join(' ')}`)
  }
}, 1_800_000)

test('where the directory is not mounted nothing is written: each operation says so, and the PM’s own disk stays as it was', async () => {
  for (const [index, host] of hosts.entries())
    await perform(pengx, 'vm.create', `nas${index}`, ...placed(host, 'nas'), '--disk-size', '4')
  await unmountShared(xen1)
  const root = await sh(xen1, `ls -lAR ${SHARED_DIRECTORY}`)
  const away = /storlink nas .*xen1.*(marker|not mounted)/s
  await expectRefusal(pengx, ['disk.create', 'nas0', '--size', '4'], away)
  await expectRefusal(pengx, ['snapshot.create', 'nas0', '--name', 'now'], away)
  await expectRefusal(pengx, ['backup.create', 'nas0', '--storlink', 'nas'], away)
  await expectRefusal(pengx, ['template.create', 'nas0', '--name', 'base', '--storlink', 'nas'], away)
  await expectRefusal(pengx, ['vm.create', 'nas2', ...placed(xen1, 'nas'), '--disk-size', '4'], away)
  await expectRefusal(pengx, ['vm.start', 'nas0'], away)
  expect(await sh(xen1, `ls -lAR ${SHARED_DIRECTORY}`)).toBe(root)
  await perform(pengx, 'disk.create', 'nas1', '--size', '4')
  await mountShared(xen2, xen1)
  await perform(pengx, 'disk.create', 'nas0', '--size', '4')
  await perform(pengx, 'snapshot.create', 'nas0', '--name', 'now')
}, 900_000)
