import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import type { Host } from '../../src/engine/host/host.ts'
import { run } from '../../src/engine/host/run.ts'
import { withMonitor } from '../../src/engine/hypervisor/monitor.ts'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import type { Qmp } from '../../src/engine/tools/qmp.ts'
import type { Disk } from '../../src/model/disk.ts'
import { PengxError } from '../../src/model/error.ts'
import type { Nic } from '../../src/model/nic.ts'
import { LAB_UUIDS, openSimLab, type SimLab } from '../support/sites/simLab.ts'

/** Devices of a running guest where something goes wrong: what is said, and what is left. */
const TAG = 'test.0'
const disk: Disk = {
  uuid: '',
  vdev: 'xvdc',
  format: 'qcow2',
  path: '/lab/img/pv1-c.qcow2',
  readOnly: false,
  owned: true,
  desc: '',
  createdAt: 0,
}
const nic: Nic = { id: 0, name: 'eth1', mac: '00:16:3e:00:00:77', bridge: 'xenbr0', ip: '' }

let lab: SimLab
let domid: number

beforeEach(async () => {
  lab?.site.close()
  lab = await openSimLab(['pv1'])
  domid = (await xen.domains(lab.host)).find((domain) => domain.name === 'pv1')!.domid
})
afterAll(() => lab.site.close())

const find = async (vdev = 'xvdc') => (await xen.devices(lab.host, domid)).disks.find((one) => one.vdev === vdev)
const detach = () => xen.detachDisk(lab.host, domid, disk, TAG, { clock: lab.clock, timeoutMs: 5_000 })
const domain = () => ({ domid, uuid: LAB_UUIDS.pv1 })

describe('a disk', () => {
  test('comes, is there already, grows, goes, and is gone already', async () => {
    await xen.attachDisk(lab.host, domid, disk, TAG)
    await xen.attachDisk(lab.host, domid, disk, TAG)
    expect(await find()).toMatchObject({ path: disk.path, backendType: 'qdisk', cdrom: false, backend: 4 })
    await xen.resizeDisk(lab.host, domain(), disk, 96, TAG)
    await xen.resizeDisk(lab.host, domain(), disk, 96, TAG)
    await expect(xen.resizeDisk(lab.host, domain(), disk, 80, TAG)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('it has 96 MiB already, and none shrinks'),
    })
    await detach()
    await detach()
    expect(await find()).toBeUndefined()
  })

  test('under a name that another has is a conflict, and that one stays', async () => {
    const other = { ...disk, path: '/lab/img/pvh1-c.qcow2' }
    await xen.attachDisk(lab.host, domid, other, TAG)
    await expect(xen.attachDisk(lab.host, domid, disk, TAG)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('its xvdc is /lab/img/pvh1-c.qcow2'),
    })
    expect(await find()).toMatchObject({ path: other.path })
  })

  test('that is only read does not come through QEMU, and nobody says so', async () => {
    await xen.attachDisk(lab.host, domid, { ...disk, readOnly: true }, TAG)
    expect(await find()).toMatchObject({ backendType: 'qdisk', frontend: 0, backend: 0 })
    await detach()
    await lab.sh('qemu-img create -q -f raw /lab/img/seed.iso 1M')
    const seed = { ...disk, format: 'raw', path: '/lab/img/seed.iso', readOnly: true } as const
    await xen.attachDisk(lab.host, domid, seed, TAG)
    expect(await find()).toMatchObject({ backendType: 'phy', frontend: 4, backend: 4 })
  })

  test('that fails half way is taken away again', async () => {
    // dom0's side waits for its hotplug script
    await lab.sh(`xenstore-write /local/domain/0/backend/qdisk/${domid}/51744/state 2`)
    lab.site.faults.add({ match: 'xl block-attach', effect: { kind: 'failAfter', stderr: 'libxl: error: no\n' } })
    await expect(xen.attachDisk(lab.host, domid, disk, TAG)).rejects.toMatchObject({ code: 'commandFailed' })
    expect(await find()).toBeUndefined()
  })

  test('that the guest has is attached, whatever xl said', async () => {
    lab.site.faults.add({ match: 'xl block-attach', effect: { kind: 'failAfter', stderr: 'libxl: error: no\n' } })
    await xen.attachDisk(lab.host, domid, disk, TAG)
    expect(await find()).toMatchObject({ path: disk.path, backend: 4 })
  })

  test('that the guest does not let go of is named with both sides', async () => {
    await xen.attachDisk(lab.host, domid, disk, TAG)
    lab.site.faults.add({ match: 'xl block-detach', effect: { kind: 'lie' } })
    await expect(detach()).rejects.toMatchObject({
      code: 'commandFailed',
      message: expect.stringMatching(
        /xvdc from domain \d+ on xen1: the guest does not let go of it; unmount it there \(the guest’s side is connected, dom0’s connected\)/,
      ),
    })
  })

  test('that dom0 does not let go of is named so', async () => {
    await xen.attachDisk(lab.host, domid, disk, TAG)
    const { devid } = (await find())!
    await lab.sh(`xenstore-write /local/domain/${domid}/device/vbd/${devid}/state 6`)
    await lab.sh(`xenstore-write /local/domain/0/backend/qdisk/${domid}/${devid}/state 5`)
    lab.site.faults.add({ match: 'xl block-detach', effect: { kind: 'lie' } })
    await expect(detach()).rejects.toMatchObject({
      message: expect.stringMatching(/dom0 does not let go of it \(qdisk\).*guest’s side is closed, dom0’s closing/),
    })
  })

  test('that was asked to go and has not can be kept after all', async () => {
    await xen.attachDisk(lab.host, domid, disk, TAG)
    const backend = `/local/domain/0/backend/qdisk/${domid}/${(await find())!.devid}`
    await lab.sh(`xenstore-write ${backend}/state 5 ${backend}/online 0`)
    await xen.attachDisk(lab.host, domid, disk, TAG)
    expect((await lab.sh(`xenstore-read ${backend}/state ${backend}/online`)).stdout).toBe('4\n1\n')
  })

  test('that does not go through QEMU, or is not what is written down, is not grown', async () => {
    await expect(xen.resizeDisk(lab.host, domain(), { ...disk, vdev: 'xvdq' }, 96, TAG)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('it does not go through QEMU'),
    })
    await expect(xen.resizeDisk(lab.host, domain(), { ...disk, vdev: 'xvda' }, 96, TAG)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('it is written to /lab/img/pv1-a.qcow2, not to /lab/img/pv1-c.qcow2'),
    })
  })

  test('that its QEMU still has open is not let go of, though the guest has it no more', async () => {
    await xen.attachDisk(lab.host, domid, disk, TAG)
    const asQemu = <T>(work: (qmp: Qmp) => Promise<T>) => withMonitor(lab.host, domid, 'libxenstat', 'change', work)
    const file = { driver: 'file', filename: disk.path }
    await asQemu((qmp) => qmp.execute('blockdev-add', { 'node-name': 'kept', driver: 'qcow2', file }))
    await expect(detach()).rejects.toMatchObject({
      code: 'commandFailed',
      message: expect.stringMatching(/xvdc is detached .* and its QEMU still has \/lab\/img\/pv1-c.qcow2 open$/),
    })
    expect(await find()).toBeUndefined()
    expect(await xen.hasOpen(lab.host, domid, disk.path)).toBe(true)
    await asQemu((qmp) => qmp.execute('blockdev-del', { 'node-name': 'kept' }))
    await detach()
    expect(await xen.hasOpen(lab.host, domid, disk.path)).toBe(false)
  })

  test('whose QEMU does not answer may be open there: it is asked again, and then not taken for closed', async () => {
    await xen.attachDisk(lab.host, domid, disk, TAG)
    let silent = 2
    const connect: Host['connect'] = (path, effect, signal) =>
      silent-- > 0
        ? Promise.reject(new PengxError('busy', 'another program may hold it'))
        : lab.host.connect(path, effect, signal)
    const patience = { clock: lab.clock, timeoutMs: 5_000 }
    await xen.detachDisk({ ...lab.host, connect }, domid, disk, TAG, patience)
    expect(silent).toBe(-1)
    silent = Number.POSITIVE_INFINITY
    await expect(xen.detachDisk({ ...lab.host, connect }, domid, disk, TAG, patience)).rejects.toMatchObject({
      code: 'commandFailed',
      message: expect.stringMatching(/let go of \/lab\/img\/pv1-c.qcow2 cannot be told: another program may hold it/),
    })
  })

  test('is grown under the lock of libxl, and without it where there is no flock', async () => {
    const lock = `/var/lib/xen/userdata-l.${domid}.${LAB_UUIDS.pv1}.qmp-socket-lock`
    const xvda = { vdev: 'xvda', path: '/lab/img/pv1-a.qcow2' }
    lab.site.faults.add({ match: 'flock', effect: { kind: 'failBefore', exit: 1 } })
    await expect(xen.resizeDisk(lab.host, domain(), xvda, 96, TAG)).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining('xl is talking with the QEMU'),
    })
    const held = lab.site.faults.add({ match: `flock -w 10 ${lock} cat`, effect: { kind: 'failBefore', exit: 127 } })
    await xen.resizeDisk(lab.host, domain(), xvda, 96, TAG)
    expect(held.struck).toBe(1)
    const { stdout } = await run(lab.host, { argv: ['qemu-img', 'info', '-U', xvda.path], effect: 'read' })
    expect(stdout).toContain('96 MiB')
  })
})

describe('an interface', () => {
  const macs = async () => (await xen.devices(lab.host, domid)).nics.map((one) => one.mac)

  test('comes, is there already, and goes', async () => {
    const before = await macs()
    await xen.attachNic(lab.host, domid, nic, TAG)
    await xen.attachNic(lab.host, domid, nic, TAG)
    expect(await macs()).toEqual([...before, nic.mac])
    await xen.detachNic(lab.host, domid, nic.mac, TAG)
    await xen.detachNic(lab.host, domid, nic.mac, TAG)
    expect(await macs()).toEqual(before)
  })

  test('on a bridge that is not there leaves no half of itself', async () => {
    const before = await macs()
    await expect(xen.attachNic(lab.host, domid, { ...nic, bridge: 'nobr0' }, TAG)).rejects.toMatchObject({
      code: 'notFound',
      message: expect.stringMatching(/on nobr0 to domain \d+ on xen1: there is no bridge nobr0$/),
    })
    expect(await macs()).toEqual(before)
  })

  test('of which a half stays is said to', async () => {
    lab.site.faults.add({ match: 'xl network-detach', effect: { kind: 'failBefore', stderr: 'libxl: error: no\n' } })
    await expect(xen.attachNic(lab.host, domid, { ...nic, bridge: 'nobr0' }, TAG)).rejects.toMatchObject({
      message: expect.stringMatching(/there is no bridge nobr0; and what is left of it could not be taken away/),
    })
  })
})

test('a domain that is gone has no devices', async () => {
  expect(await xen.devices(lab.host, 4711)).toEqual({ disks: [], nics: [] })
  await xen.detachDisk(lab.host, 4711, disk, TAG, { clock: lab.clock, timeoutMs: 5_000 })
  await xen.detachNic(lab.host, 4711, nic.mac, TAG)
})

test('what a domain cannot be given is said in words', async () => {
  await expect(xen.setMemory(lab.host, domid, 400, TAG)).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining('more memory than the domain was started to have at most'),
  })
  await expect(xen.setVcpus(lab.host, domid, 5, TAG)).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringContaining('at most 2 VCPUs, and 5 are asked for'),
  })
  await expect(xen.rename(lab.host, domid, 'Domain-0', TAG)).rejects.toMatchObject({ code: 'conflict' })
  await expect(
    xen.updateConfig(lab.host, domid, { path: '/none.cfg', uuid: LAB_UUIDS.pvh1 }, TAG),
  ).rejects.toMatchObject({ code: 'notFound' })
  await expect(xen.insertCd(lab.host, domid, { vdev: 'hdc', path: '/x.iso' }, TAG)).rejects.toMatchObject({
    message: expect.stringContaining('was started without a CD drive'),
  })
})
