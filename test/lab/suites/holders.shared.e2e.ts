// Who has a volume, on real Xen: guests started by hand have images, links, chains and logical volumes under names that
// pengx would not give them, through QEMU and through the kernel, and what pengx would do with those is refused.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHosts } from '../../../src/engine/host/hosts.ts'
import { isSameVolume, readHeld } from '../../../src/engine/volumes/identity.ts'
import { makeGroup, removeGroup } from '../machine/group.ts'
import { guestConfig } from '../machine/guest.ts'
import { labHost, labHosts, run, sh } from '../machine/ssh.ts'
import { expectRefusal, listed, type Pengx, pengxOutside, perform } from '../pengx.ts'

const host = labHost()
const DATA = '/data-holders'
const GROUP = 'vgholders'
let pengx: Pengx
let path = ''

beforeAll(async () => {
  await sh(host, `rm -rf ${DATA} ${DATA}-link; mkdir -p ${DATA}; ln -s ${DATA} ${DATA}-link`)
  await makeGroup(host, GROUP, 100)
  await sh(host, `lvcreate -qq -y -n raw -L 16m ${GROUP}; ln -s /dev/${GROUP}/raw ${DATA}/device`)
  pengx = pengxOutside(labHosts().slice(0, 1))
  await perform(pengx, 'storlink.create', 'files', '--link', DATA, '--type', 'LO', '--level', 'FL')
  const sizes = ['--disk-size', '16', '--extra-disk-size', '16', '--memory', '96', '--bridges', 'xenbr0']
  const boot = ['--type', 'pv', '--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd']
  await perform(pengx, 'vm.create', 'own', '--storlink', 'files', ...sizes, ...boot)
  path = (await listed<{ path: string }>(pengx, 'disks', 'own'))[0]!.path
}, 400_000)

afterAll(async () => {
  await run(host, ['xl', 'destroy', 'other'])
  await removeGroup(host, GROUP)
  await sh(host, `rm -r ${DATA} ${DATA}-link`)
}, 400_000)

/** By hand, as far as its disk is concerned. */
async function start(disk: string): Promise<void> {
  const config = guestConfig({ name: 'other', type: 'pv', number: 71, disks: [disk] })
  await sh(host, `cat >${DATA}/other.cfg`, { stdin: config })
  // libxl waits ten seconds for a QEMU, which an emulated host that has much to do may miss
  for (let attempt = 1; ; attempt++) {
    const { exit, stderr } = await run(host, ['xl', 'create', `${DATA}/other.cfg`])
    if (exit === 0) return
    if (attempt === 3) throw new Error(stderr)
  }
}

const stop = () => sh(host, 'xl destroy other')

async function held(asked: string) {
  const hosts = createHosts({ knownHostsPath: host.knownHosts, sshConfigPath: host.sshConfig })
  try {
    const domid = Number(await sh(host, 'xl domid other'))
    const { identities, holders } = await readHeld(hosts.get(host.name, `ssh:${host.name}`), [asked])
    const identity = identities.get(asked)!
    return holders.filter((one) => one.domid === domid && one.identity && isSameVolume(one.identity, identity, true))
  } finally {
    await hosts.closeAll()
  }
}

test('a disk through QEMU, through a link and with slashes too many', async () => {
  await start(`format=qcow2,vdev=xvda,access=rw,backendtype=qdisk,target=/${DATA}-link/./${path.split('/').at(-1)}`)
  expect(await held(path)).toContainEqual(expect.objectContaining({ writes: true }))
  const why = /is in use by other \(domain \d+ on xen[12]|is also open for domain/
  await expectRefusal(pengx, ['vm.start', 'own'], why)
  await expectRefusal(pengx, ['vm.delete', 'own'], why)
  await expectRefusal(pengx, ['disk.grow', 'own', '--disk', 'xvda', '--size', '32'], why)
  await stop()
}, 300_000)

test('an image that lies on it', async () => {
  await sh(host, `mkdir -p ${DATA}/clones; qemu-img create -q -f qcow2 -b ${path} -F qcow2 ${DATA}/clones/c.qcow2`)
  await start(`format=qcow2,vdev=xvda,access=rw,backendtype=qdisk,target=${DATA}/clones/c.qcow2`)
  expect(await held(path)).toContainEqual(expect.objectContaining({ writes: false }))
  await expectRefusal(pengx, ['vm.delete', 'own'], /is in use by other/)
  await expectRefusal(pengx, ['vm.start', 'own'], /is in use by other/)
  await stop()
}, 300_000)

test('a logical volume that the kernel serves, and a file through a loop device', async () => {
  await start(`format=raw,vdev=xvda,access=rw,backendtype=phy,target=${DATA}/device`)
  const name = `/dev/mapper/${GROUP}-raw`
  expect(await held(name)).toContainEqual(expect.objectContaining({ writes: true }))
  await stop()
  await sh(host, `truncate -s 16M ${DATA}/plain.img; ln ${DATA}/plain.img ${DATA}/hard.img`)
  await start(`format=raw,vdev=xvda,access=rw,backendtype=phy,target=${DATA}/plain.img`)
  expect(await held(`${DATA}/hard.img`)).toContainEqual(expect.objectContaining({ writes: true }))
  await stop()
}, 300_000)

test('a logical volume that sleeps is the same one when it is awake', async () => {
  const hosts = createHosts({ knownHostsPath: host.knownHosts, sshConfigPath: host.sshConfig })
  const dom0 = hosts.get(host.name, `ssh:${host.name}`)
  const name = `/dev/${GROUP}/raw`
  await sh(host, `lvchange -an ${GROUP}/raw`)
  const asleep = (await readHeld(dom0, [name])).identities.get(name)!
  await sh(host, `lvchange -ay ${GROUP}/raw`)
  const awake = (await readHeld(dom0, [name])).identities.get(name)!
  expect(asleep.site).toEqual([expect.stringMatching(/^lv:\w{32}\/\w{32}$/)])
  // on a group of a local loop device nobody else sees it
  expect([asleep.site, []]).toContainEqual(awake.site)
  await hosts.closeAll()
}, 300_000)
