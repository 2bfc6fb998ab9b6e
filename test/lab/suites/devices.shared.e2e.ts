// Disks, interfaces, memory, processors, name and CD of guests on real Xen, changed while they run: the guest sees what
// xl shows, its own data stays what it was, and all of it is there again after `xl destroy` and a start.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHosts } from '../../../src/engine/host/hosts.ts'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import { askGuest, consoleMark, waitConsole } from '../machine/console.ts'
import { makeGroup, removeGroup } from '../machine/group.ts'
import { CONFIGS, guestCmdline, guestUuid, IMAGES } from '../machine/guest.ts'
import { fill, imageSum, sumOf } from '../machine/guestDisk.ts'
import { labHost, labHosts, run, sh } from '../machine/ssh.ts'
import { expectRefusal, listed, type Pengx, pengxOutside, perform, vmsOf } from '../pengx.ts'

const host = labHost()
const DATA = '/data-devices'
const GROUP = 'vgdevices'
let pengx: Pengx

beforeAll(async () => {
  await sh(host, `rm -rf ${DATA}; mkdir -p ${DATA}`)
  await makeGroup(host, GROUP, 300)
  pengx = pengxOutside(labHosts().slice(0, 1))
  await perform(pengx, 'storlink.create', 'files', '--link', DATA, '--type', 'LO', '--level', 'FL')
  await perform(pengx, 'storlink.create', 'group', '--link', GROUP, '--type', 'LO', '--level', 'BL')
}, 400_000)

afterAll(async () => {
  for (const name of ['dev', 'renamed', 'pv2', 'hvm1']) await run(host, ['xl', 'destroy', name])
  await removeGroup(host, GROUP)
  await sh(host, `rm -r ${DATA}`)
}, 400_000)

interface DiskRow {
  readonly vdev: string
  readonly path: string
  readonly format: string
}

/** Names of the volumes that lie in the directory and in the group, less the claims on them. */
async function volumes(): Promise<string[]> {
  const text = await sh(host, `ls ${DATA}; lvs --noheadings -o lv_name ${GROUP}`)
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((name) => name !== '' && !name.endsWith('.claim'))
}

async function xlRow(name: string): Promise<{ memory: number; vcpus: number }> {
  const [, , memory, vcpus] = (await sh(host, `xl list ${name} | tail -n 1`)).trim().split(/\s+/)
  return { memory: Number(memory), vcpus: Number(vcpus) }
}

const refuses = (words: string[], why: RegExp) => expectRefusal(pengx, words, why)

describe('a guest that pengx made', () => {
  const sums: Record<string, string> = {}
  const fillDisk = async (guest: string, disk: string) => {
    sums[disk] = await fill(host, guest, disk)
  }

  /** The same bytes as were written, as the guest reads them and as dom0 reads the image. */
  const stillThere = async (guest: string) => {
    for (const [disk, sum] of Object.entries(sums)) expect([disk, await sumOf(host, guest, disk)]).toEqual([disk, sum])
  }
  const stillThereForDom0 = async (guest: string) => {
    const disks = await listed<DiskRow>(pengx, 'disks', guest)
    const seen: Record<string, string> = {}
    for (const { vdev, path, format } of disks) seen[vdev] = await imageSum(host, path, format)
    expect(seen).toEqual(sums)
  }

  test('starts, and writes what nobody can guess', async () => {
    await perform(
      pengx,
      ...['vm.create', 'dev', '--storlink', 'files', '--type', 'pv', '--disk-size', '16', '--bridges', 'xenbr0'],
      ...['--memory', '128', '--maxmem', '176', '--vcpus', '1', '--max-vcpus', '2'],
      ...['--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd'],
      ...['--cmdline', guestCmdline('dev')],
    )
    await perform(pengx, 'vm.start', 'dev')
    await waitConsole(host, 'dev', /^READY name=dev disks=xvda nics=eth0$/)
    await fillDisk('dev', 'xvda')
  })

  test('is given disks of a directory and of a volume group, which grow', async () => {
    let mark = await consoleMark(host, 'dev')
    const made = await perform(pengx, 'disk.create', 'dev', '--storlink', 'files', '--size', '24')
    expect(made.result).toMatchObject({ vdev: 'xvdb' })
    await perform(pengx, 'disk.create', 'dev', '--storlink', 'group', '--size', '24')
    await perform(pengx, 'disk.create', 'dev', '--storlink', 'group', '--size', '8', '--format', 'raw')
    await waitConsole(host, 'dev', /^DISKS xvda:16384 xvdb:24576 xvdc:24576 xvdd:8192$/, { mark })
    for (const disk of ['xvdb', 'xvdc', 'xvdd']) await fillDisk('dev', disk)
    mark = await consoleMark(host, 'dev')
    for (const [disk, size] of Object.entries({ xvda: 20, xvdb: 40, xvdc: 40, xvdd: 16 }))
      await perform(pengx, 'disk.grow', 'dev', '--disk', disk, '--size', String(size))
    await waitConsole(host, 'dev', /^DISKS xvda:20480 xvdb:40960 xvdc:40960 xvdd:16384$/, { mark })
    // the new end can be written and read; of a raw logical volume it holds nothing of what was there before
    for (const disk of ['xvdb', 'xvdc'])
      await askGuest(host, 'dev', `dd if=/dev/urandom of=/dev/${disk} bs=64k seek=600 count=8 conv=fsync 2>/dev/null`)
    expect(await askGuest(host, 'dev', 'dd if=/dev/xvdd bs=64k skip=128 2>/dev/null | tr -d "\\000" | wc -c')).toBe('0')
    await stillThere('dev')
    await stillThereForDom0('dev')
    await refuses(['disk.grow', 'dev', '--disk', 'xvdb', '--size', '30'], /xvdb has 40 MiB, 30 is not more/)
  })

  test('is given an interface', async () => {
    const mark = await consoleMark(host, 'dev')
    const made = await perform(pengx, 'nic.create', 'dev', '--bridge', '0', '--ip', '10.0.2.150')
    const { mac } = made.result as { mac: string }
    await waitConsole(host, 'dev', new RegExp(`^NICS eth0:\\S+ eth1:${mac}$`), { mark })
    expect(await sh(host, 'xl network-list dev')).toContain(mac)
    await refuses(['nic.delete', 'dev', '--nic', 'eth1'], /taking eth1 away of a running VM ruins its network/)
    await refuses(['nic.create', 'dev', '--bridge', 'nobr9'], /bridge nobr9 is not on xen[12], which has xenbr0/)
    await refuses(['nic.create', 'dev', '--bridge', '0', '--mac', mac], /is that of its own already/)
    await stillThere('dev')
  })

  test('keeps no half of an interface whose bridge is not there', async () => {
    const hosts = createHosts({ knownHostsPath: host.knownHosts, sshConfigPath: host.sshConfig })
    const dom0 = hosts.get(host.name, `ssh:${host.name}`)
    const domid = Number(await sh(host, 'xl domid dev'))
    const nic = { id: 0, name: 'eth2', mac: '00:16:3e:4c:99:99', bridge: 'nobr9', ip: '' }
    const before = await sh(host, 'xl network-list dev')
    await expect(xen.attachNic(dom0, domid, nic, 'e2e.0')).rejects.toMatchObject({
      code: 'notFound',
      message: expect.stringContaining('there is no bridge nobr9'),
    })
    expect(await sh(host, 'xl network-list dev')).toBe(before)
    expect((await run(host, ['xenstore-ls', '-f', `/libxl/${domid}/device/vif`])).stdout).not.toContain(nic.mac)
    await hosts.closeAll()
  })

  test('is given memory and processors, within what it was started with', async () => {
    await perform(pengx, 'vm.resize', 'dev', '--memory', '168', '--vcpus', '2')
    // Linux is told of its second processor, and leaves it to its own user space (udev) to bring it up
    expect(await askGuest(host, 'dev', 'echo 1 >/sys/devices/system/cpu/cpu1/online; nproc')).toBe('2')
    expect(await xlRow('dev')).toEqual({ memory: 168, vcpus: 2 })
    await refuses(['vm.resize', 'dev', '--memory', '400'], /started with at most 176 MiB/)
    await refuses(['vm.resize', 'dev', '--vcpus', '3'], /started with at most 2 VCPUs/)
    await refuses(['vm.resize', 'dev', '--maxmem', '400'], /changes only while it is shut down/)
    await stillThere('dev')
  })

  test('is renamed, and goes on', async () => {
    await perform(pengx, 'vm.edit', 'dev', '--name', 'renamed', '--desc', 'once dev')
    expect(await sh(host, 'xl list')).toMatch(/^renamed\s/m)
    expect((await vmsOf(pengx)).get('renamed')?.state).toBe('running')
  })

  test('comes back with all of it, after xl destroyed it', async () => {
    await sh(host, 'xl destroy renamed')
    await perform(pengx, 'vm.start', 'renamed')
    await waitConsole(host, 'renamed', /^READY name=dev disks=xvda,xvdb,xvdc,xvdd nics=eth0,eth1$/)
    await waitConsole(host, 'renamed', /^DISKS xvda:20480 xvdb:40960 xvdc:40960 xvdd:16384$/)
    expect(await xlRow('renamed')).toEqual({ memory: 168, vcpus: 2 })
    await stillThere('renamed')
  })

  test('reboots by itself with what it was given while it ran', async () => {
    let mark = await consoleMark(host, 'renamed')
    await perform(pengx, 'disk.create', 'renamed', '--storlink', 'files', '--size', '8', '--format', 'raw')
    await waitConsole(host, 'renamed', /^DISKS .* xvde:8192$/, { mark })
    await fillDisk('renamed', 'xvde')
    mark = await consoleMark(host, 'renamed')
    await askGuest(host, 'renamed', '{ sleep 1; /sbin/reboot; } >/dev/null 2>&1 &')
    await waitConsole(host, 'renamed', /^READY name=dev disks=xvda,xvdb,xvdc,xvdd,xvde nics=eth0,eth1$/, { mark })
    await stillThere('renamed')
  })

  test('gives disks back, but not the one it runs from', async () => {
    const before = await volumes()
    const mark = await consoleMark(host, 'renamed')
    const disks = await listed<DiskRow>(pengx, 'disks', 'renamed')
    for (const vdev of ['xvdb', 'xvdd']) {
      await perform(pengx, 'disk.delete', 'renamed', '--disk', vdev)
      delete sums[vdev]
    }
    await waitConsole(host, 'renamed', /^DISKS xvda:20480 xvdc:40960 xvde:8192$/, { mark })
    const domid = (await sh(host, 'xl domid renamed')).trim()
    const ends = await sh(host, `xenstore-list /local/domain/0/backend/qdisk/${domid}; xl block-list renamed`)
    for (const devid of [51728, 51760]) expect(ends).not.toContain(String(devid))
    const gone = disks.filter(({ vdev }) => !(vdev in sums)).map(({ path }) => path.split('/').at(-1)!)
    expect(await volumes()).toEqual(before.filter((name) => !gone.includes(name)))
    await refuses(['disk.delete', 'renamed', '--disk', 'xvda'], /xvda is what it runs from/)
    await stillThere('renamed')
  })

  test('is changed while it is shut down', async () => {
    await perform(pengx, 'vm.shutdown', 'renamed')
    await stillThereForDom0('renamed')
    await perform(pengx, 'nic.delete', 'renamed', '--nic', 'eth1')
    for (const disk of ['xvdc', 'xvde']) await perform(pengx, 'disk.grow', 'renamed', '--disk', disk, '--size', '48')
    await perform(pengx, 'vm.resize', 'renamed', '--memory', '112', '--vcpus', '1')
    await perform(pengx, 'vm.start', 'renamed')
    await waitConsole(host, 'renamed', /^READY name=dev disks=xvda,xvdc,xvde nics=eth0$/)
    await waitConsole(host, 'renamed', /^DISKS xvda:20480 xvdc:49152 xvde:49152$/)
    expect(await xlRow('renamed')).toEqual({ memory: 112, vcpus: 1 })
    await stillThere('renamed')
    await perform(pengx, 'vm.poweroff', 'renamed')
    await perform(pengx, 'vm.delete', 'renamed')
    expect(await volumes()).toEqual([])
  })
})

test('an adopted guest’s own file is edited in its place and kept as it was, and what it was given comes back', async () => {
  const booted = await consoleMark(host, 'pv2')
  await sh(host, `xl create ${CONFIGS}/pv2.cfg`)
  await waitConsole(host, 'pv2', /^READY name=pv2/, { mark: booted })
  const sum = await fill(host, 'pv2', 'xvda')
  const file = await sh(host, `cp ${CONFIGS}/pv2.cfg /etc/xen/pv2.cfg; sha256sum /etc/xen/pv2.cfg`)
  await perform(pengx, 'vm.adopt', 'pv2')
  let mark = await consoleMark(host, 'pv2')
  await perform(pengx, 'disk.create', 'pv2', '--storlink', 'files', '--size', '8')
  await waitConsole(host, 'pv2', /^DISKS xvda:\d+ xvdb:\d+ xvdc:8192$/, { mark })
  expect(await sh(host, 'sha256sum /etc/xen/pv2.cfg')).not.toBe(file)
  expect(await sh(host, 'sha256sum </etc/xen/.pv2.cfg.before-pengx')).toStartWith(file.split(' ')[0]!)
  await sh(host, 'xl destroy pv2')
  mark = await consoleMark(host, 'pv2')
  await perform(pengx, 'vm.start', 'pv2')
  await waitConsole(host, 'pv2', /^READY name=pv2 disks=xvda,xvdb,xvdc/, { mark })
  expect(await sumOf(host, 'pv2', 'xvda')).toBe(sum)
  await perform(pengx, 'vm.poweroff', 'pv2')
})

test('the CD of an HVM guest is ejected and inserted while it runs', async () => {
  const drive = async () => {
    const domid = (await sh(host, 'xl domid hvm1')).trim()
    const text = await sh(host, `xenstore-ls -f /local/domain/0/backend/qdisk/${domid}; xl list -l hvm1`)
    return { loaded: text.includes(`${IMAGES}/tiny.iso`), other: text.includes(`${IMAGES}/other.iso`) }
  }
  await sh(
    host,
    `cp ${IMAGES}/tiny.iso ${IMAGES}/other.iso; cp ${CONFIGS}/hvm1.cfg /etc/xen; xl create ${CONFIGS}/hvm1.cfg`,
  )
  await perform(pengx, 'vm.adopt', guestUuid(4))
  expect(await drive()).toEqual({ loaded: true, other: false })
  await perform(pengx, 'iso.eject', 'hvm1')
  expect(await drive()).toEqual({ loaded: false, other: false })
  await perform(pengx, 'iso.insert', 'hvm1', '--path', `${IMAGES}/other.iso`)
  expect(await drive()).toEqual({ loaded: false, other: true })
  await sh(host, 'xl destroy hvm1')
  await perform(pengx, 'vm.start', 'hvm1')
  expect(await drive()).toEqual({ loaded: false, other: true })
  await perform(pengx, 'vm.poweroff', 'hvm1')
})
