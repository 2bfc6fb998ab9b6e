// The volume suite on a real host, through pengx's own SSH: on a directory, on a volume group, and in a thin pool. The
// group's device is full of what somebody else had written there.
import { randomUUID } from 'node:crypto'
import type { Host } from '../../src/engine/host/host.ts'
import { createHosts } from '../../src/engine/host/hosts.ts'
import { blockVolumes } from '../../src/engine/volumes/block.ts'
import { fileVolumes } from '../../src/engine/volumes/file.ts'
import type { Level, Storlink } from '../../src/model/storlink.ts'
import { volumeSuite } from '../contract/volumeDriver.ts'
import { labHost, sh } from './machine/ssh.ts'

const lab = labHost()
/** Each suite its own: two are at work at once. */
const scratchOf = (name: string): string => `/var/tmp/volumes-${name}`

function openHost(): Host {
  const hosts = createHosts({ knownHostsPath: lab.knownHosts, sshConfigPath: lab.sshConfig })
  const host = hosts.get(lab.name, `ssh:${lab.name}`)
  return { ...host, close: () => hosts.closeAll() }
}

function storlinkAt(link: string, level: Level): Storlink {
  const rest = { desc: '', sizeMib: 0, freeMib: 0, createdAt: 0, shared: false }
  return { id: 1, pm: lab.name, name: level, link, type: 'LO', level, ...rest }
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')

export function filesSuite(): void {
  volumeSuite({
    name: 'files on a real host',
    driver: fileVolumes,
    bytes: true,
    thick: false,
    async open() {
      const [disk, link, scratch] = ['/var/tmp/place.img', '/mnt/place', scratchOf('files')]
      await sh(lab, `truncate -s 300M ${disk}; mkfs.ext4 -q -m 0 ${disk}; mkdir -p ${link} ${scratch}; touch /plain`)
      await sh(lab, `mount -o loop ${disk} ${link} && rmdir ${link}/lost+found`)
      const host = openHost()
      return {
        host,
        storlink: storlinkAt(link, 'FL'),
        scratch,
        grainMib: 1,
        wrong: [
          ['/mnt/nowhere', /is not there/],
          ['/plain', /is not a directory/],
        ],
        list: async () => lines(await sh(lab, `ls ${link}`)),
        async fill(freeMib) {
          const free = Number(await sh(lab, `df --output=avail -B1 ${link} | tail -n 1`))
          await sh(lab, `fallocate -l ${free - freeMib * 1048576} ${link}/filler`)
          return async () => void (await sh(lab, `rm ${link}/filler`))
        },
        async putBeside(path) {
          await sh(lab, `touch ${path}x`)
          return () => sh(lab, `rm ${path}x`)
        },
        async close() {
          await host.close()
          await sh(lab, `umount ${link}; rm -r ${disk} ${scratch} /plain`)
        },
      }
    },
  })
}

/** A group on a loop device that is full of other people's bytes; with a pool, all of it but its metadata is that. */
export function groupSuite(name: string, group: string, pool: boolean): void {
  volumeSuite({
    name,
    driver: blockVolumes,
    bytes: true,
    thick: !pool,
    async open() {
      const [disk, scratch] = [`/var/tmp/${group}.img`, scratchOf(group)]
      await sh(
        lab,
        `set -e; mkdir -p ${scratch}; tr '\\0' '\\356' </dev/zero | head -c 300M >${disk}
        loop=$(losetup -f --show ${disk}); vgcreate -q ${group} $loop`,
      )
      if (pool)
        await sh(
          lab,
          `modprobe dm-thin-pool; lvcreate -y -q --type thin-pool -L 256m -n pool ${group}; lvchange -q --errorwhenfull y ${group}/pool`,
        )
      const host = openHost()
      const freeMib = async () => {
        if (!pool) return Number(await sh(lab, `vgs --noheadings --nosuffix --units m -o vg_free ${group}`))
        const report = await sh(lab, `lvs --noheadings --nosuffix --units m -o lv_size,data_percent ${group}/pool`)
        const [size = 0, percent = 0] = report.trim().split(/\s+/).map(Number)
        return size * (1 - percent / 100)
      }
      return {
        host,
        storlink: storlinkAt(`/dev/${group}`, 'BL'),
        scratch,
        grainMib: 4,
        wrong: [
          ['/dev/nosuch', /there is no volume group nosuch/],
          ['nosuch', /there is no volume group nosuch/],
        ],
        list: async () => lines(await sh(lab, `lvs --noheadings -o lv_name ${group}`)).map((line) => line.trim()),
        async fill(leftMib) {
          const filler = `filler-${randomUUID()}`
          const size = Math.floor((await freeMib()) - leftMib)
          if (!pool) await sh(lab, `lvcreate -y -q -L ${size}m -n ${filler} ${group}`)
          else {
            await sh(lab, `lvcreate -y -q -V ${size}m --thinpool pool -n ${filler} ${group}`)
            await sh(lab, `dd if=/dev/zero of=/dev/${group}/${filler} bs=1M count=${size} conv=fsync status=none`)
          }
          return async () => void (await sh(lab, `lvremove -y -q ${group}/${filler}`))
        },
        async putBeside(path) {
          await sh(lab, `lvcreate -y -q -L 4m -n ${path.split('/').at(-1)}x ${group}`)
          return () => sh(lab, `lvremove -y -q ${path}x`)
        },
        putToSleep: async (path) => void (await sh(lab, `lvchange -an ${path}`)),
        async close() {
          await host.close()
          await sh(
            lab,
            `vgremove -y -q ${group}; losetup -d $(losetup -n -O NAME -j ${disk}); rm -r ${disk} ${scratch}`,
          )
        },
      }
    },
  })
}
