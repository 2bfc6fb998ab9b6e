// What is done without a guest that runs, on real files and real hosts: PMs are added, trusted and removed, storlinks are
// changed, marked and cleaned, and of VMs that are off what is written down is changed, chosen and released.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addPm, closeController, openController, pmsOf } from '../controllers.ts'
import { guestConfig, guestUuid } from '../machine/guest.ts'
import { labHost, sh } from '../machine/ssh.ts'
import { expectRefusal, listed, perform, vmsOf } from '../pengx.ts'

const host = labHost()
const [ONE, TWO] = ['/records-one', '/records-two']
const NAME = 'recorded'
const pengx = openController([host])
const BOOT = ['--type', 'pv', '--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd', '--memory', '96']

beforeAll(async () => {
  await sh(host, `rm -rf ${ONE} ${TWO}; mkdir -p ${ONE} ${TWO}`)
}, 100_000)

afterAll(async () => {
  closeController(pengx)
  await sh(host, `rm -rf ${ONE} ${TWO} /etc/xen/byhand.cfg /etc/xen/byhand2.cfg`)
})

test('a PM whose key is not known is trusted by its fingerprint, and no other one is', async () => {
  const known = join(pengx.home, 'known_hosts')
  const others = readFileSync(known, 'utf8')
  writeFileSync(known, '')
  const destination = `${host.user}@${host.name}`
  const unknown = await pengx.run('run', 'pm.add', destination, '--yes')
  expect({ exit: unknown.exit, said: unknown.stderr }).toEqual({
    exit: 3,
    said: expect.stringMatching(/pm.trust root@xen. --fingerprint /),
  })
  const own = (await sh(host, 'ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub')).split(' ')[1]!
  const wrong = `SHA256:${'A'.repeat(43)}`
  await expectRefusal(pengx, ['pm.trust', destination, '--fingerprint', wrong], /not SHA256:A+: it was not trusted/)
  await perform(pengx, 'pm.trust', destination, '--fingerprint', own)
  await addPm(pengx, host)
  expect((await pmsOf(pengx)).get(host.name)?.reach).toBe('up')
  expect(others).toContain(readFileSync(known, 'utf8').trim().split(' ').slice(1).join(' '))
}, 200_000)

test('the site’s keys are spread, and those that were there stay', async () => {
  const before = (await sh(host, 'cat /root/.ssh/authorized_keys')).trim().split('\n')
  await perform(pengx, 'pm.spreadKeys', '--create')
  const after = (await sh(host, 'cat /root/.ssh/authorized_keys')).trim().split('\n')
  expect(after).toEqual(expect.arrayContaining(before))
}, 200_000)

test('a storlink is changed, cleaned of what a job has left, and marked anew when its marker is lost', async () => {
  await perform(pengx, 'storlink.create', 'one', '--link', ONE, '--type', 'LO', '--level', 'FL')
  await perform(pengx, 'storlink.update', 'one', '--desc', 'the first', '--name', 'first')
  const rows = await listed<{ name: string; desc: string }>(pengx, 'storlinks')
  expect(rows).toEqual([expect.objectContaining({ name: 'first', desc: 'the first' })])
  await perform(pengx, 'vm.create', NAME, ...BOOT, '--storlink', 'first', '--disk-size', '8', '--bridges', 'xenbr0')
  const [disk] = await listed<{ path: string }>(pengx, 'disks', NAME)

  // What a job that was killed had begun with, and what nobody of this store knows.
  const [draft, strange] = [`${disk!.path}.new`, `${ONE}/somebody.qcow2`]
  await sh(host, `qemu-img create -q -f qcow2 ${draft} 8M; qemu-img create -q -f qcow2 ${strange} 8M`)
  await perform(pengx, 'storlink.clean', 'first')
  const left = (await sh(host, `ls -d ${ONE}/*`)).trim().split('\n')
  expect(left.sort()).toEqual([disk!.path, strange].sort())
  await expectRefusal(pengx, ['storlink.clean', 'first', '--paths', disk!.path], /stays/)

  await sh(host, `rm ${ONE}/.pengx-storlink`)
  await expectRefusal(pengx, ['disk.create', NAME, '--size', '4'], /marker/)
  await perform(pengx, 'storlink.mark', 'first')
  await perform(pengx, 'disk.create', NAME, '--size', '4')
  expect(await listed(pengx, 'disks', NAME)).toHaveLength(2)
}, 400_000)

test('of a VM that is off the interface is changed, in its file too', async () => {
  const [nic] = await listed<{ mac: string }>(pengx, 'nics', NAME)
  await perform(pengx, 'nic.update', NAME, '--nic', nic!.mac, '--ip', '10.0.2.177')
  expect(await listed(pengx, 'nics', NAME)).toEqual([expect.objectContaining({ mac: nic!.mac, ip: '10.0.2.177' })])
  const { uuid } = (await vmsOf(pengx)).get(NAME)!
  expect(await sh(host, `cat /etc/xen/pengx/${uuid}.cfg`)).toContain(nic!.mac)
}, 200_000)

test('an image that lies there becomes a template, which is described anew and goes', async () => {
  const uuid = crypto.randomUUID()
  const image = `${ONE}/${uuid}.qcow2`
  await sh(host, `qemu-img create -q -f qcow2 ${image} 8M`)
  const kind = ['--type', 'pv', '--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd']
  await perform(pengx, 'template.add', 'golden', '--storlink', 'first', '--uuid', uuid, ...kind)
  await perform(pengx, 'template.update', 'golden', '--name', 'gold', '--os', 'DEBIAN', '--desc', 'a small one')
  const rows = await listed<{ name: string; os: string; desc: string; uuid: string }>(pengx, 'templates')
  expect(rows).toEqual([expect.objectContaining({ name: 'gold', os: 'DEBIAN', desc: 'a small one' })])
  expect(await sh(host, `stat -c %a ${image}`)).toBe('444\n')
  await perform(pengx, 'template.delete', 'gold')
  expect(await sh(host, `ls ${ONE}`)).not.toContain(uuid)
}, 300_000)

test('claims that nobody stands behind are taken away by hand, and none of a domain that is there', async () => {
  const { uuid } = (await vmsOf(pengx)).get(NAME)!
  const [disk] = await listed<{ path: string }>(pengx, 'disks', NAME)
  await expectRefusal(pengx, ['vm.release', NAME], /nobody has a claim on a disk/)
  // As a PM has left it that was switched off under its guest.
  await perform(pengx, 'vm.start', NAME)
  await expectRefusal(pengx, ['vm.release', NAME], /its claims are right/)
  const claim = (await sh(host, `readlink ${disk!.path}.claim`)).trim()
  expect(claim).toContain(uuid)
  await perform(pengx, 'vm.poweroff', NAME)
  await sh(host, `ln -s '${claim}' ${disk!.path}.claim`)
  await perform(pengx, 'vm.release', NAME)
  expect(await sh(host, `ls ${ONE}`)).not.toContain('.claim')
}, 300_000)

test('of two files that describe a VM one is chosen, and it is given out of care', async () => {
  const disks = [`format=qcow2,vdev=xvda,access=rw,target=${TWO}/byhand.qcow2`]
  const text = guestConfig({ name: 'byhand', type: 'pv', number: 91, disks })
  await sh(host, `qemu-img create -q -f qcow2 ${TWO}/byhand.qcow2 8M; cat >/etc/xen/byhand.cfg`, { stdin: text })
  await perform(pengx, 'vm.adopt', '/etc/xen/byhand.cfg', '--pm', host.name)
  await sh(host, 'cp /etc/xen/byhand.cfg /etc/xen/byhand2.cfg; echo "# the newer one" >>/etc/xen/byhand2.cfg')
  await perform(pengx, 'vm.config', 'byhand', '--config', '/etc/xen/byhand2.cfg')
  await perform(pengx, 'vm.edit', 'byhand', '--desc', 'by hand')
  expect(await sh(host, 'cat /etc/xen/byhand2.cfg')).toContain(guestUuid(91))
  await perform(pengx, 'vm.forget', 'byhand')
  expect((await vmsOf(pengx)).has('byhand')).toBe(false)
  expect(await sh(host, `ls ${TWO}`)).toContain('byhand.qcow2')
}, 300_000)

test('a PM is removed when nothing of it is under care, and not before', async () => {
  await expectRefusal(pengx, ['pm.remove', host.name], /are under care|is under care/)
  await perform(pengx, 'vm.delete', NAME)
  await perform(pengx, 'storlink.delete', 'first')
  await perform(pengx, 'pm.remove', host.name)
  expect((await pmsOf(pengx)).size).toBe(0)
}, 300_000)
