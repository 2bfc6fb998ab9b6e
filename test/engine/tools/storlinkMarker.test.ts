import { expect, test } from 'bun:test'
import { parseGroup, showGroup } from '../../../src/engine/tools/lvm.ts'
import { tagGroup } from '../../../src/engine/tools/lvmTags.ts'
import { markersAmong, markerTag, parseMarker, parseMounts } from '../../../src/engine/tools/storlinkMarker.ts'
import { refuseMounts } from '../../../src/engine/volumes/doubt.ts'

const UUID = '7a0c2f2e-1111-4222-8333-444444444444'
const OTHER = '00000000-1111-4222-8333-444444444444'

/** What `vgs --reportformat json` of lvm2 2.03.16 prints of a group, with and without tags. */
const report = (tags: string) => `  {
      "report": [
          {
              "vg": [
                  {"vg_name":"vg-mk", "vg_uuid":"VVte3p-ydxD-q31q-mdJu-h2X4-YdAd-pVT2ZL", "vg_size":"62914560", "vg_free":"62914560", "vg_extent_size":"4194304", "vg_tags":"${tags}"}
              ]
          }
      ]
  }
`

test('a group has its markers among its tags', () => {
  expect(showGroup('vg-mk').argv.join(' ')).toContain(',vg_tags,')
  expect(parseGroup(report(''))).toMatchObject({ name: 'vg-mk', tags: [] })
  const { tags } = parseGroup(report(`other,${markerTag(UUID)}`))!
  expect(tags).toEqual(['other', `pengx.storlink=${UUID}`])
  expect(markersAmong(tags)).toEqual([UUID])
  // two that marked it at once agree on the smallest
  expect(markersAmong([markerTag(UUID), markerTag(OTHER), 'pengx.storlink=', 'pengx.storlink=x'])).toEqual([
    OTHER,
    UUID,
  ])
  expect(tagGroup('vg', { drop: ['a'] }).argv).toEqual(['vgchange', '-y', '-qq', '--deltag', 'a', 'vg'])
})

test('a marker says a UUID in a line of its own, or nothing', () => {
  expect(parseMarker(`storlink ${UUID}\nwhatever else\n`)).toBe(UUID)
  expect(parseMarker(`storlink ${UUID}`)).toBe(UUID)
  for (const text of ['', 'storlink', `storlink ${UUID}x\n`, `my storlink ${UUID}\n`])
    expect(parseMarker(text)).toBeUndefined()
})

/** As they stand in a host that has /data on NFS and its own disks. */
const MOUNTS = parseMounts(`sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0
/dev/sda2 / ext4 rw,relatime,errors=remount-ro 0 0
systemd-1 /srv/auto autofs rw,relatime,fd=52,pgrp=1,timeout=0,minproto=5,maxproto=5,direct,pipe_ino=17 0 0
192.0.2.1:/vol/vms /data nfs4 rw,relatime,vers=4.2,rsize=1048576,proto=tcp,clientaddr=192.0.2.11 0 0
192.0.2.1:/auto /srv/auto nfs4 rw,relatime,vers=4.2 0 0
/dev/sdb1 /mnt/with\\040blank xfs rw,relatime 0 0
`)
const FSTAB = parseMounts(`# /etc/fstab: static file system information.
UUID=0a3407de-014b-458b-b5c1-848e92a327a3 /               ext4    errors=remount-ro 0       1
UUID=f9fe0b69-a280-415d-a03a-a32752370dee none            swap    sw              0       0

192.0.2.1:/vol/vms	/data/	nfs4	defaults,_netdev	0 0
/dev/sdc1 /backup ext4 noauto 0 0
`)

test('a directory is doubted where what fstab(5) has there is missing, or where NFS is said and none is', () => {
  const doubt = (link: string, type: 'LO' | 'NFS' = 'LO') => refuseMounts({ link, type, level: 'FL' }, MOUNTS, FSTAB)
  expect(doubt('/data', 'NFS')).toBeUndefined()
  expect(doubt('/data/images')).toBeUndefined()
  expect(doubt('/srv/auto/x', 'NFS')).toBeUndefined()
  expect(doubt('/mnt/with blank/x')).toBeUndefined()
  expect(doubt('/backup')).toBe('/backup is in /etc/fstab (/dev/sdc1) and not mounted')
  expect(doubt('/backup/deep')).toBe('/backup is in /etc/fstab (/dev/sdc1) and not mounted')
  expect(doubt('/backups')).toBeUndefined()
  expect(doubt('/srv', 'NFS')).toBe('its type is NFS, and it lies on /dev/sda2 (ext4, mounted on /)')
  expect(doubt('/mnt/with blank', 'NFS')).toMatch(/xfs, mounted on \/mnt\/with blank/)
})
