// Two administrators, each with a pengx and a store of his own, on two hosts that see one directory over NFS and one plain
// volume group on a LUN: what runs on one host is not started, attached, grown, frozen or deleted from the other.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { addPm, closeController, openController, pmsOf, waitUp } from '../controllers.ts'
import { booting } from '../machine/console.ts'
import { guestConfig, guestUuid } from '../machine/guest.ts'
import { fill, imageSum } from '../machine/guestDisk.ts'
import { bootIdOf, powerOff, powerOn, setCable } from '../machine/power.ts'
import {
  endSharing,
  makeSharedGroup,
  mountShared,
  removeSharedGroup,
  SHARED_DIRECTORY,
  shareDirectory,
} from '../machine/shared.ts'
import { labHosts, run, sh } from '../machine/ssh.ts'
import { expectRefusal, listed, perform, vmsOf } from '../pengx.ts'

const hosts = labHosts()
const [xen1, xen2] = hosts as [(typeof hosts)[0], (typeof hosts)[0]]
const GROUP = 'vgone'
const IMAGE = `${SHARED_DIRECTORY}/web.qcow2`
const DEVICE = `/dev/${GROUP}/web`
const WHO = /web.*xen1|xen1.*web/s
/** On xen1, where it runs. */
const a = openController(hosts)
/** On xen2, where its file lies too. */
const b = openController(hosts)

/** `spelled`: the same image by another name; `single` has the image alone. */
const config = (name: string, number: number, spelled = IMAGE) =>
  guestConfig({
    name,
    type: 'pv',
    number,
    disks: [
      `format=qcow2,vdev=xvda,access=rw,target=${spelled}`,
      ...(name === 'single' ? [] : [`format=raw,vdev=xvdb,access=rw,backendtype=qdisk,target=${DEVICE}`]),
    ],
  })
const put = (host: (typeof hosts)[0], path: string, text: string) =>
  sh(host, `echo ${Buffer.from(text).toString('base64')} | base64 -d >${path}`)

const sums: Record<string, string> = {}

beforeAll(async () => {
  await shareDirectory(xen2, hosts)
  await makeSharedGroup(hosts, GROUP)
  await sh(xen1, `lvcreate -y -q -L 16m -n web ${GROUP}; qemu-img create -q -f qcow2 ${IMAGE} 16M; chmod 666 ${IMAGE}`)
  await sh(xen2, `lvchange -ay ${GROUP}/web`)
  await put(xen1, '/etc/xen/web.cfg', config('web', 71))
  await put(xen2, '/etc/xen/web.cfg', config('web', 71))
  await put(xen2, '/etc/xen/single.cfg', config('single', 73))
  await put(xen2, '/etc/xen/twin.cfg', config('twin', 72, `${SHARED_DIRECTORY}//./web.qcow2`))
  await addPm(a, xen1)
  await addPm(b, xen2)
}, 600_000)

afterAll(async () => {
  await setCable(xen1, 'out', true)
  for (const host of hosts) for (const name of ['web', 'twin']) await run(host, ['xl', 'destroy', name])
  for (const host of hosts) await sh(host, 'rm -f /etc/xen/web.cfg /etc/xen/single.cfg /etc/xen/twin.cfg')
  for (const controller of [a, b]) closeController(controller)
  await removeSharedGroup(hosts, GROUP)
  await endSharing(xen2, hosts)
}, 400_000)

test('both call the directory and the group the same', async () => {
  for (const controller of [a, b]) {
    const nas = ['--link', SHARED_DIRECTORY, '--type', 'NFS', '--level', 'FL', '--shared']
    await perform(controller, 'storlink.create', 'nas', ...nas)
  }
  await perform(a, 'storlink.create', 'san', '--link', GROUP, '--type', 'FC', '--level', 'BL', '--shared')
  const [ofA, ofB] = await Promise.all([a, b].map((one) => listed<{ name: string; uuid: string }>(one, 'storlinks')))
  const uuidOf = (rows: typeof ofA) => rows?.find((row) => row.name === 'nas')?.uuid
  expect(uuidOf(ofA)).toMatch(/^[0-9a-f-]{36}$/)
  expect(uuidOf(ofB)).toBe(uuidOf(ofA)!)
}, 300_000)

test('what runs on xen1 says so on the storage', async () => {
  await perform(a, 'vm.adopt', '/etc/xen/web.cfg')
  await booting(xen1, 'web', () => perform(a, 'vm.start', 'web'))
  for (const disk of ['xvda', 'xvdb']) sums[disk] = await fill(xen1, 'web', disk)
  expect(await sh(xen2, `readlink ${IMAGE}.claim`)).toContain(guestUuid(71))
  expect(await sh(xen2, `lvs --noheadings -o lv_tags ${GROUP}/web`)).toContain(guestUuid(71))
}, 600_000)

test('the other administrator, who knows nothing of xen1, is refused each time with who holds it', async () => {
  await perform(b, 'vm.adopt', '/etc/xen/single.cfg')
  await expectRefusal(b, ['vm.delete', 'single', '--disks', 'all'], WHO)
  await perform(b, 'vm.forget', 'single')
  await perform(b, 'vm.adopt', '/etc/xen/web.cfg')
  expect((await vmsOf(b)).get('web')?.state).toBe('shutdown')
  await expectRefusal(b, ['vm.start', 'web'], WHO)
  await expectRefusal(b, ['disk.grow', 'web', '--disk', 'xvda', '--size', '32'], WHO)
  await expectRefusal(b, ['snapshot.create', 'web', '--name', 'now'], WHO)
  const taking = [
    '--image',
    IMAGE,
    '--no-copy-image',
    '--storlink',
    'nas',
    '--type',
    'pv',
    '--kernel',
    '/lab/guest/vmlinux',
    ...['--memory', '96'],
  ]
  await expectRefusal(b, ['vm.create', 'thief', ...taking], WHO)
  await perform(b, 'vm.adopt', '/etc/xen/twin.cfg')
  await expectRefusal(b, ['vm.start', 'twin'], WHO)
  expect(await sh(xen2, `xl list | tail -n +3`)).toBe('')
  expect((await vmsOf(a)).get('web')?.state).toBe('running')
}, 600_000)

test('who does not see xen1 does not start it there, unless told to, and is told what to make sure of', async () => {
  await addPm(b, xen1)
  await expectRefusal(b, ['vm.start', 'twin'], WHO)
  await setCable(xen1, 'out', false)
  expect((await pmsOf(b)).get('xen1')?.reach).toBe('down')
  await expectRefusal(b, ['vm.start', 'twin'], /xen1.*powered off.*--force/s)
  await setCable(xen1, 'out', true)
  await waitUp(b, xen1)
}, 600_000)

test('xen1 loses its power: when it is back the claim is stale, and taken over', async () => {
  const before = await bootIdOf(xen1)
  await powerOff(xen1)
  expect((await pmsOf(b)).get('xen1')?.reach).toBe('down')
  await expectRefusal(b, ['vm.start', 'twin'], /xen1.*--force/s)
  await powerOn(xen1)
  expect(await bootIdOf(xen1)).not.toBe(before)
  await waitUp(b, xen1)
  await booting(xen2, 'twin', () => perform(b, 'vm.start', 'twin'))
  expect(await sh(xen2, `readlink ${IMAGE}.claim`)).toContain(guestUuid(72))
  expect(await imageSum(xen2, IMAGE)).toBe(sums.xvda!)
  await mountShared(xen2, xen1)
  await expectRefusal(a, ['vm.start', 'web'], /twin.*xen2|xen2.*twin/s)
  await perform(b, 'vm.poweroff', 'twin')
  expect(await run(xen2, ['readlink', `${IMAGE}.claim`])).toMatchObject({ exit: 1 })
  await booting(xen1, 'web', () => perform(a, 'vm.start', 'web'))
  expect(await imageSum(xen1, DEVICE, 'raw')).toBe(sums.xvdb!)
}, 1_500_000)
