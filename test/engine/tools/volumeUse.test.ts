import { expect, test } from 'bun:test'
import { parseVolumeUse } from '../../../src/engine/tools/volumeUse.ts'
import { deviceKeys, fileKeys } from '../../../src/engine/volumes/identityKeys.ts'

/** As Debian 12's programs write it, with sysfs of hosts that have what this one has not. */
const ANSWER = `p 81a4 65024 2155760 0 0 /tmp/wi/top.qcow2
p 81a4 65024 2155760 0 0 ///tmp/wi/./hard.qcow2
p 61b0 6 94 fd 3 /dev/vg0/root
m 22 27 0:21 / /proc rw,relatime - proc proc rw
m 28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
m 91 28 0:52 /vms /mnt/two\\040words rw,relatime shared:9 - nfs4 192.0.2.1:/two\\040words rw,vers=4.2
q 15807 7
l /proc/15807/fd/1 /var/log/xen/qemu-dm-a.log
l /proc/15807/fd/5 /tmp/wi/top.qcow2
l /proc/15807/fd/9 /mnt/two words/base.qcow2
f 81a4 65024 2408657 0 0 /proc/15807/fd/1
f 81a4 65024 2155760 0 0 /proc/15807/fd/5
f 81a4 52 2155759 0 0 /proc/15807/fd/9
w /proc/15807/fdinfo/1:flags:\t0100001
w /proc/15807/fdinfo/5:flags:\t02100002
w /proc/15807/fdinfo/9:flags:\t02100000
x /local/domain/0/backend/vbd/9/51712/params = "/dev/vg0/root"
x /local/domain/0/backend/vbd/9/51712/mode = "w"
x /local/domain/0/backend/vbd/9/51712/physical-device = "fd:3"
x /local/domain/0/backend/qdisk/7/51712/params = "qcow2:/tmp/wi/top.qcow2"
x /local/domain/0/backend/qdisk/7/51712/mode = "w"
x /local/domain/0/backend/qdisk/7/5632/params = "aio:"
x /local/domain/0/backend/qdisk/7/5632/mode = "r"
p 61b0 6 94 fd 3 /dev/vg0/root
b dm-0/dev:253:0
b dm-1/dev:253:1
b dm-3/dev:253:3
b dm-4/dev:253:4
b sda/dev:8:0
b sdb/dev:8:16
b sdc/dev:8:32
b dm-0/dm/uuid:LVM-nEpMFQJvoPEfLNrOWHh6UmO8Yq1nXHGkZB8Ei0ZfgHdMXpJ2Nd7Dn2bYcUqhE1aB
b dm-1/dm/uuid:mpath-36001405a1b2c3d4e5f60718293a4b5c
b dm-3/dm/uuid:LVM-AEpMFQJvoPEfLNrOWHh6UmO8Yq1nXHGkZB8Ei0ZfgHdMXpJ2Nd7Dn2bYcUqhE1aB
b dm-4/dm/uuid:part2-mpath-36001405a1b2c3d4e5f60718293a4b5c
b sda/device/wwid:t10.ATA     QEMU HARDDISK                           QM00001
b sdb/device/wwid:naa.6001405a1b2c3d4e5f60718293a4b5c
b sdb/sdb2/dev:8:18
b sdb/sdb2/partition:2
b drbd5/dev:147:5
b rbd3/dev:252:48
r 3/pool:vms
r 3/pool_ns:
r 3/name:u
s ./sda ../devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda
s ./sdb ../devices/platform/host2/session1/target2:0:0/2:0:0:0/block/sdb
s ./dm-0/slaves/sda ../../../../pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda
s ./dm-1/slaves/sdb ../../../../platform/host2/session1/target2:0:0/2:0:0:0/block/sdb
s ./dm-3/slaves/dm-1 ../../dm-1
d /dev/drbd/by-res/r0/0 ../../../drbd5
end
`

const use = parseVolumeUse(ANSWER)!

test('what a path leads to, and what QEMU and the kernel have open', () => {
  const top = { isBlock: false, device: '254:0', inode: '2155760', number: '0:0' }
  expect(use.files.get('///tmp/wi/./hard.qcow2')).toEqual({ path: '///tmp/wi/./hard.qcow2', ...top })
  expect(use.files.get('/dev/vg0/root')).toMatchObject({ isBlock: true, number: '253:3' })
  expect(use.open.slice(1)).toEqual([
    { domid: 7, file: { path: '/tmp/wi/top.qcow2', ...top }, writes: true },
    { domid: 7, file: { ...top, path: '/mnt/two words/base.qcow2', device: '0:52', inode: '2155759' }, writes: false },
  ])
  expect(use.mounts.get('0:52')).toEqual({ type: 'nfs4', source: '192.0.2.1:/two words' })
  expect([...use.qemus]).toEqual([7])
  expect(use.served).toEqual([
    { kind: 'vbd', domid: 9, target: '/dev/vg0/root', writes: true, number: '253:3' },
    { kind: 'qdisk', domid: 7, target: '/tmp/wi/top.qcow2', writes: true },
    { kind: 'qdisk', domid: 7, target: '', writes: false },
  ])
})

test('an answer that breaks off proves nothing', () => {
  expect(parseVolumeUse(ANSWER.slice(0, -4))).toBeUndefined()
  expect(parseVolumeUse('')).toBeUndefined()
})

test('by what all PMs know a file: nobody else sees one on a local file system', () => {
  expect(fileKeys(use, use.files.get('/tmp/wi/top.qcow2')!)).toEqual([])
  const keys = ['nfs:192.0.2.1:/two words:2155759', 'nfs::2155759:base.qcow2']
  expect(fileKeys(use, use.open[2]!.file)).toEqual(keys)
})

test('by what all PMs know a device', () => {
  const lun = 'disk:naa.6001405a1b2c3d4e5f60718293a4b5c'
  expect(deviceKeys(use, 'dm-3')).toEqual(['lv:AEpMFQJvoPEfLNrOWHh6UmO8Yq1nXHGk/ZB8Ei0ZfgHdMXpJ2Nd7Dn2bYcUqhE1aB'])
  // with multipathd and without it: one disk, one partition
  expect([deviceKeys(use, 'dm-1'), deviceKeys(use, 'sdb')]).toEqual([[lun], [lun]])
  expect([deviceKeys(use, 'dm-4'), deviceKeys(use, 'sdb/sdb2')]).toEqual([[`${lun} part 2`], [`${lun} part 2`]])
  expect(deviceKeys(use, 'drbd5')).toEqual(['drbd:r0/0'])
  expect(deviceKeys(use, 'rbd3')).toEqual(['rbd:vms/u'])
  // on SATA of this machine: a group of its own, and the disk
  expect([deviceKeys(use, 'dm-0'), deviceKeys(use, 'sda')]).toEqual([[], []])
  expect(deviceKeys(use, 'sdc')).toEqual([])
})
