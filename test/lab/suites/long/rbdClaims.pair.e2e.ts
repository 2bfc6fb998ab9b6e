// Two administrators, each with a pengx and a store of his own, on two hosts whose kernels show one image of a real Ceph
// cluster: what runs on one host has a claim on the image that the other finds, and that is in the way of no write.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { addPm, closeController, openController } from '../../controllers.ts'
import { booting } from '../../machine/console.ts'
import { guestConfig, guestUuid } from '../../machine/guest.ts'
import { fill, sumOf } from '../../machine/guestDisk.ts'
import { mapImage, serveCeph, unmapImage } from '../../machine/shared.ts'
import { type LabHost, labHosts, run, sh } from '../../machine/ssh.ts'
import { expectRefusal, perform } from '../../pengx.ts'

const hosts = labHosts()
const [xen1, xen2] = hosts as [LabHost, LabHost]
const IMAGE = 'vms/objects'
const a = openController(hosts)
const b = openController(hosts)
let sum = ''

const config = (name: string, number: number, target: string) =>
  guestConfig({ name, type: 'pv', number, disks: [`format=raw,vdev=xvda,access=rw,target=${target}`] })
const put = (host: LabHost, name: string, text: string) =>
  sh(host, `echo ${Buffer.from(text).toString('base64')} | base64 -d >/etc/xen/${name}.cfg`)

/** What stands on the image, as a person reads it there. */
const claim = () =>
  sh(xen2, `rados -p vms lock info rbd_header.$(rados -p vms get rbd_id.objects - | tail -c +5) pengx --format json`)

beforeAll(async () => {
  await serveCeph(xen2, hosts)
  await sh(xen2, `rbd create ${IMAGE} --size 16`)
  const devices = await Promise.all(hosts.map((host) => mapImage(host, IMAGE)))
  await put(xen1, 'objects', config('objects', 75, `/dev/rbd/${IMAGE}`))
  await put(xen2, 'twin', config('twin', 76, devices[1]!))
  await addPm(a, xen1)
  await addPm(b, xen2)
}, 600_000)

afterAll(async () => {
  await run(xen1, ['xl', 'destroy', 'objects'])
  await run(xen2, ['xl', 'destroy', 'twin'])
  for (const controller of [a, b]) closeController(controller)
  await sh(xen1, 'rm -f /etc/xen/objects.cfg')
  await sh(xen2, 'rm -f /etc/xen/twin.cfg')
  for (const host of hosts) await unmapImage(host, IMAGE)
}, 400_000)

test('what runs on xen1 says so on the image, and writes', async () => {
  await perform(a, 'vm.adopt', '/etc/xen/objects.cfg')
  await booting(xen1, 'objects', () => perform(a, 'vm.start', 'objects'))
  expect(await claim()).toContain(`vm:${guestUuid(75)}`)
  sum = await fill(xen1, 'objects', 'xvda')
}, 600_000)

test('the other administrator is refused with who holds it, and the guest goes on', async () => {
  await perform(b, 'vm.adopt', '/etc/xen/twin.cfg')
  const why = /xvda \(\/dev\/rbd\d+\) .*in use by VM objects on xen1 \(claimed .* by pengx on /
  await expectRefusal(b, ['vm.start', 'twin'], why)
  expect(await claim()).toContain(`vm:${guestUuid(75)}`)
  expect(await sumOf(xen1, 'objects', 'xvda')).toBe(sum)
  sum = await fill(xen1, 'objects', 'xvda')
}, 600_000)

test('when it is off the claim has gone, and the other starts on what it wrote', async () => {
  await perform(a, 'vm.shutdown', 'objects')
  expect(await claim()).toContain('"lockers":[]')
  await booting(xen2, 'twin', () => perform(b, 'vm.start', 'twin'))
  expect(await sumOf(xen2, 'twin', 'xvda')).toBe(sum)
  expect(await claim()).toContain(`vm:${guestUuid(76)}`)
  await expectRefusal(a, ['vm.start', 'objects'], /in use by VM twin on xen2/)
  await perform(b, 'vm.poweroff', 'twin')
  expect(await claim()).toContain('"lockers":[]')
}, 600_000)
