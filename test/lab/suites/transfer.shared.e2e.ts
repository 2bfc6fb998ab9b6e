// What a guest wrote on real Xen goes out as a directory and as an OVA, comes in again as other VMs, and is what their
// guests read: with the qemu-img and the tar of that host.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { waitConsole } from '../machine/console.ts'
import { guestCmdline } from '../machine/guest.ts'
import { fill, sumOf } from '../machine/guestDisk.ts'
import { labHost, labHosts, run, sh } from '../machine/ssh.ts'
import { expectRefusal, type Pengx, pengxOutside, perform } from '../pengx.ts'

const host = labHost()
const PLACE = '/data-transfer'
const OUT = '/data-transfer-out'
let pengx: Pengx
let written = ''

const boot = (name: string) => [
  ...['--type', 'pv', '--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd'],
  ...['--cmdline', guestCmdline(name)],
]

beforeAll(async () => {
  pengx = pengxOutside(labHosts().slice(0, 1))
  await sh(host, `rm -rf ${PLACE} ${OUT}; mkdir -p ${PLACE} ${OUT}`)
  await perform(pengx, 'storlink.create', 'transfer', '--link', PLACE, '--type', 'LO', '--level', 'FL')
  const size = ['--storlink', 'transfer', '--memory', '96', '--disk-size', '16']
  await perform(pengx, 'vm.create', 'goes', ...size, '--bridges', 'xenbr0', ...boot('goes'))
  await perform(pengx, 'vm.start', 'goes')
  await waitConsole(host, 'goes', /^READY name=goes disks=xvda nics=eth0$/)
  written = await fill(host, 'goes', 'xvda')
}, 400_000)
afterAll(async () => {
  for (const name of ['goes', 'comes', 'appliance']) await run(host, ['xl', 'destroy', name])
  await sh(host, `rm -rf ${PLACE} ${OUT}`)
}, 400_000)

test('goes out when it is shut down, and over nothing', async () => {
  await expectRefusal(pengx, ['vm.export', 'goes', '--to', `${OUT}/dir`], /can be exported/)
  await perform(pengx, 'vm.poweroff', 'goes')
  await perform(pengx, 'vm.export', 'goes', '--to', `${OUT}/dir`)
  await perform(pengx, 'vm.export', 'goes', '--to', `${OUT}/goes.ova`)
  await expectRefusal(pengx, ['vm.export', 'goes', '--to', `${OUT}/dir`], /nothing is written over/)
  expect((await sh(host, `LC_ALL=C ls ${OUT} ${OUT}/dir; ls -A ${OUT} | grep -c new || true`)).split('\n')).toEqual([
    ...[`${OUT}:`, 'dir', 'goes.ova', '', `${OUT}/dir:`],
    ...['goes-xvda.qcow2', 'goes.mf', 'goes.ovf', 'goes.pengx.json', '0', ''],
  ])
  expect((await sh(host, `tar -tf ${OUT}/goes.ova`)).trim().split('\n')).toEqual([
    ...['goes.ovf', 'goes.mf', 'goes.pengx.json', 'goes-xvda.vmdk'],
  ])
})

test('comes in again, and its guest reads what the other wrote', async () => {
  const image = ['--file', `${OUT}/dir/goes-xvda.qcow2`, '--name', 'comes', '--storlink', 'transfer', '--memory', '96']
  await perform(pengx, 'vm.import', ...image, ...boot('comes'))
  const ova = ['--file', `${OUT}/goes.ova`, '--name', 'appliance', '--storlink', 'transfer', '--bridges', 'xenbr0']
  await perform(pengx, 'vm.import', ...ova, ...boot('appliance'))
  for (const [name, nics] of [
    ['comes', ''],
    ['appliance', 'eth0'],
  ] as const) {
    await perform(pengx, 'vm.start', name)
    await waitConsole(host, name, new RegExp(`^READY name=${name} disks=xvda nics=${nics}$`))
    expect([name, await sumOf(host, name, 'xvda')]).toEqual([name, written])
  }
})

test('what would read another file of the host does not come in', async () => {
  await sh(host, `qemu-img create -q -f qcow2 -b /etc/shadow -F raw ${OUT}/evil.qcow2 16M`)
  const words = ['vm.import', `${OUT}/evil.qcow2`, '--storlink', 'transfer', '--memory', '96']
  await expectRefusal(pengx, words, /lies on a backing file/)
})
