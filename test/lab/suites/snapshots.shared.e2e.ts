// Layers under a guest that runs: each snapshot reads as at its moment, whatever is done above, below and to the guest.
import { beforeAll, expect, test } from 'bun:test'
import { booting } from '../machine/console.ts'
import { guestCmdline } from '../machine/guest.ts'
import { fill, imageSum, sumOf } from '../machine/guestDisk.ts'
import { labHost, labHosts, sh } from '../machine/ssh.ts'
import { listed, type Pengx, pengxOutside, perform } from '../pengx.ts'

const host = labHost()
const GUEST = 'layered'
let pengx: Pengx

interface DiskRow {
  readonly vdev: string
  readonly path: string
}

/** What the guest writes to now, in the order of its disks. */
const pathsNow = async (): Promise<string[]> =>
  (await listed<DiskRow>(pengx, 'disks', GUEST)).sort((a, b) => (a.vdev < b.vdev ? -1 : 1)).map(({ path }) => path)
const filled = async () => [await fill(host, GUEST, 'xvda'), await fill(host, GUEST, 'xvdb')]
/** As the guest reads them. */
const sumsNow = async () => [await sumOf(host, GUEST, 'xvda'), await sumOf(host, GUEST, 'xvdb')]
/** As dom0 reads the images. */
const sumsIn = async ([a, b]: readonly string[]) => [await imageSum(host, a!), await imageSum(host, b!)]

/** What each snapshot holds, by its name: the volumes, and the sums that the guest read at its moment. */
const moments = new Map<string, { readonly paths: string[]; readonly sums: string[] }>()

async function snap(name: string): Promise<void> {
  const sums = await filled()
  const paths = await pathsNow()
  await perform(pengx, 'snapshot.create', GUEST, '--name', name)
  moments.set(name, { paths, sums })
  // The guest goes on, on volumes that hold nothing yet.
  expect(await sumsNow()).toEqual(sums)
}

async function proveMoments(): Promise<void> {
  for (const [name, { paths, sums }] of moments) {
    const now = await sumsIn(paths)
    expect({ name, now }).toEqual({ name, now: sums })
  }
}

beforeAll(async () => {
  await sh(host, 'mkdir -p /layers /kept-layers')
  pengx = pengxOutside(labHosts().slice(0, 1))
  await perform(pengx, 'storlink.create', 'layers', '--link', '/layers', '--type', 'LO', '--level', 'FL')
  const boot = ['--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd', '--cmdline']
  const size = ['--memory', '96', '--disk-size', '16', '--extra-disk-size', '8', '--type', 'pv']
  await perform(pengx, 'vm.create', GUEST, '--storlink', 'layers', ...size, ...boot, guestCmdline(GUEST))
  await booting(host, GUEST, () => perform(pengx, 'vm.start', GUEST))
}, 600_000)

let latest: string[] = []

test('snapshots of a running guest hold its two disks at one moment each, and it goes on', async () => {
  await snap('first')
  await snap('second')
  await snap('third')
  latest = await filled()
  await proveMoments()
}, 900_000)

test('it comes back on the right layer: its own reboot, a destroy by hand and a start', async () => {
  await booting(host, GUEST, () => perform(pengx, 'vm.reboot', GUEST))
  expect(await sumsNow()).toEqual(latest)
  await sh(host, `xl destroy ${GUEST}`)
  await booting(host, GUEST, () => perform(pengx, 'vm.start', GUEST))
  expect(await sumsNow()).toEqual(latest)
  await proveMoments()
}, 900_000)

test('merged away under the running guest: one in the middle, the base, the one it lies on', async () => {
  for (const name of ['second', 'first']) {
    await perform(pengx, 'snapshot.delete', GUEST, '--snapshot', name)
    const gone = moments.get(name)!.paths
    moments.delete(name)
    expect((await sh(host, 'ls /layers')).split('\n').some((file) => gone.includes(`/layers/${file}`))).toBe(false)
    await proveMoments()
    // On the disk itself first: the guest has flushed nothing since.
    expect(await sumsIn(await pathsNow())).toEqual(latest)
    expect(await sumsNow()).toEqual(latest)
  }
}, 900_000)

test('a merge is not lost with its QEMU', async () => {
  await snap('fourth')
  latest = moments.get('fourth')!.sums
  moments.delete('fourth')
  await perform(pengx, 'snapshot.delete', GUEST, '--snapshot', 'fourth')
  await sh(host, `pkill -9 -f -- "-xen-domid $(xl domid ${GUEST}) "`)
  await perform(pengx, 'vm.poweroff', GUEST)
  await booting(host, GUEST, () => perform(pengx, 'vm.start', GUEST))
  expect(await sumsNow()).toEqual(latest)
  await proveMoments()
}, 900_000)

test('restored, the guest has what it had then, and what it held is kept', async () => {
  const held = await pathsNow()
  await perform(pengx, 'vm.poweroff', GUEST)
  await booting(host, GUEST, () => perform(pengx, 'snapshot.start', GUEST, '--snapshot', 'third'))
  const { sums } = moments.get('third')!
  expect(await sumsNow()).toEqual(sums)
  moments.set('before restore of third', { paths: held, sums: latest })
  latest = await filled()
  await proveMoments()
}, 900_000)

/** The guest has its latest, on one volume a disk, and nothing else is left. */
async function proveOneVolume(): Promise<void> {
  expect(await sumsNow()).toEqual(latest)
  // beside each the claim of its VM, which runs
  const paths = await pathsNow()
  const files = paths.flatMap((path) => [path, `${path}.claim`])
  expect((await sh(host, 'ls -d /layers/*')).trim().split('\n').sort()).toEqual(files.sort())
  expect(await sh(host, `qemu-img info -U ${paths[0]}`)).not.toContain('backing file')
  // What was removed has given its room back: its QEMU has let go of it.
  const open = await sh(host, `ls -l /proc/$(pgrep -f 'qemu-syste[m].* -name ${GUEST} ')/fd`)
  expect(new Set(open.match(/\/layers\/\S+/g)).size).toBe(2)
  expect(open).not.toContain('(deleted)')
}

test('the last are merged, and one volume a disk is left', async () => {
  for (const name of ['third', 'before restore of third'])
    await perform(pengx, 'snapshot.delete', GUEST, '--snapshot', name)
  moments.clear()
  await proveOneVolume()
}, 900_000)

test('a layer that two lie on outlives its snapshot, and goes with the next one, both in one merge', async () => {
  await snap('one')
  await snap('two')
  const held = await pathsNow()
  const sums = await filled()
  await perform(pengx, 'vm.poweroff', GUEST)
  await booting(host, GUEST, () => perform(pengx, 'snapshot.start', GUEST, '--snapshot', 'one'))
  moments.set('before restore of one', { paths: held, sums })
  await perform(pengx, 'snapshot.delete', GUEST, '--snapshot', 'one')
  const shared = moments.get('one')!
  moments.delete('one')
  expect(await sumsIn(shared.paths)).toEqual(shared.sums)
  await proveMoments()
  await perform(pengx, 'vm.poweroff', GUEST)
  await booting(host, GUEST, () => perform(pengx, 'snapshot.start', GUEST, '--snapshot', 'two', '--no-keep'))
  expect(await sumsNow()).toEqual(moments.get('two')!.sums)
  latest = await filled()
  await perform(pengx, 'snapshot.delete', GUEST, '--snapshot', 'before restore of one')
  moments.delete('before restore of one')
  await proveMoments()
  await perform(pengx, 'snapshot.delete', GUEST, '--snapshot', 'two')
  moments.clear()
  await proveOneVolume()
}, 900_000)

test('what it holds is backed up, compared with its disks, and read again', async () => {
  await perform(pengx, 'storlink.create', 'kept', '--link', '/kept-layers', '--type', 'LO', '--level', 'FL')
  const made = await perform(pengx, 'backup.create', GUEST, '--storlink', 'kept', '--rate', '8')
  const { uuid } = made.result as { uuid: string }
  await perform(pengx, 'backup.verify', uuid)
  await proveOneVolume()
  await perform(pengx, 'backup.delete', uuid)
  await perform(pengx, 'storlink.delete', 'kept')
  expect((await sh(host, 'ls /kept-layers')).trim()).toBe('')
}, 900_000)

test('the VM is deleted, and nothing of it is left', async () => {
  await perform(pengx, 'vm.poweroff', GUEST)
  await perform(pengx, 'vm.delete', GUEST)
  await perform(pengx, 'storlink.delete', 'layers')
  expect((await sh(host, 'ls /layers')).trim()).toBe('')
}, 900_000)
