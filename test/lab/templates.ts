// Templates on real Xen, in a directory and in a volume group: filled by a guest, copied and lain on, made of a guest that
// goes on writing. What a guest reads of one is compared by digest with what dom0 reads of its image.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { momentOf, numberedWrites, SLOTS, SLOTS_AT } from './guestWrites.ts'
import { askGuest, consoleMark, waitConsole } from './machine/console.ts'
import { makeGroup, removeGroup } from './machine/group.ts'
import { guestCmdline } from './machine/guest.ts'
import { fill, imageBytes, imageSum, sumOf } from './machine/guestDisk.ts'
import { labHost, labHosts, run, sh } from './machine/ssh.ts'
import { expectRefusal, listed, type Pengx, pengxOutside, perform } from './pengx.ts'

const host = labHost()
const BOOT = [
  ...['--type', 'pv', '--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd'],
  ...['--cmdline', guestCmdline('base')],
]
const KEY = `ssh-ed25519 ${'A'.repeat(68)} me@desk`
let pengx: Pengx

interface DiskRow {
  readonly vdev: string
  readonly path: string
}
interface TemplateRow {
  readonly name: string
  readonly disks: readonly { readonly path: string }[]
}

const diskPaths = async (vm: string) => (await listed<DiskRow>(pengx, 'disks', vm)).map(({ path }) => path)
const templatePaths = async (name: string) =>
  (await listed<TemplateRow>(pengx, 'templates')).find((row) => row.name === name)!.disks.map(({ path }) => path)

const refuses = (words: string[], why: RegExp) => expectRefusal(pengx, words, why)

interface Place {
  readonly link: string
  readonly level: 'FL' | 'BL'
  make(): Promise<void>
  clear(): Promise<void>
  /** Names of all that lies there. */
  volumes(): Promise<string>
  isLocked(path: string): Promise<boolean>
  remove(path: string): Promise<void>
}

export const directory: Place = {
  link: '/data-templates',
  level: 'FL',
  make: async () => void (await sh(host, 'rm -rf /data-templates; mkdir -p /data-templates')),
  clear: async () => void (await sh(host, 'rm -rf /data-templates')),
  volumes: () => sh(host, 'ls /data-templates'),
  isLocked: async (path) => (await sh(host, `stat -c %a ${path}`)).trim() === '444',
  remove: async (path) => void (await sh(host, `rm ${path}`)),
}

const GROUP = 'vgtemplates'
export const group: Place = {
  link: `/dev/${GROUP}`,
  level: 'BL',
  make: () => makeGroup(host, GROUP, 400),
  clear: () => removeGroup(host, GROUP),
  volumes: () => sh(host, `lvs --noheadings -o lv_name ${GROUP}`),
  isLocked: async (path) => (await sh(host, `lvs --noheadings -o lv_permissions ${path}`)).trim() === 'read-only',
  remove: async (path) => void (await sh(host, `lvremove -y -q ${path}`)),
}

export function templateSuite(name: string, place: Place): void {
  describe(name, () => {
    /** What the guest wrote into the template, and into the VM that lies on it. */
    let base = ''
    let own = ''
    let image = ''

    beforeAll(async () => {
      pengx = pengxOutside(labHosts().slice(0, 1))
      await place.make()
      await perform(pengx, 'storlink.create', place.level, '--link', place.link, '--type', 'LO', '--level', place.level)
    }, 400_000)
    afterAll(async () => {
      for (const name of ['lies', 'copy', 'again']) await run(host, ['xl', 'destroy', name])
      await place.clear()
    }, 400_000)

    test('is filled by a guest, and locked before and after', async () => {
      const made = await perform(pengx, 'template.addNew', 'base', '--storlink', place.level, '--size', '16', ...BOOT)
      const { uuid } = made.result as { uuid: string }
      image = (await templatePaths('base'))[0]!
      expect(await place.isLocked(image)).toBe(true)
      await perform(pengx, 'template.start', 'base', '--memory', '96')
      expect(await place.isLocked(image)).toBe(false)
      const guest = `vm-${uuid}`
      await waitConsole(host, guest, /^READY name=base disks=xvda nics=$/)
      base = await fill(host, guest, 'xvda')
      await refuses(
        ['vm.create', 'early', '--template', 'base', '--memory', '96'],
        /base is booted for upkeep .*: what it is to be is not settled/,
      )
      await perform(pengx, 'template.shutdown', 'base')
      expect(await place.isLocked(image)).toBe(true)
      expect(await imageSum(host, image)).toBe(base)
      expect(await sh(host, 'xl list; ls /etc/xen/pengx')).not.toContain(uuid)
    })

    test('gives VMs that boot: one lies on it, with a seed that its guest reads, one is a copy', async () => {
      const from = ['--template', 'base', '--memory', '96']
      await perform(
        pengx,
        ...['vm.create', 'lies', ...from, '--overlay', '--bridges', 'xenbr0'],
        ...['--seed-user', 'admin', '--seed-key', KEY, '--seed-hostname', 'lies.example'],
        ...['--seed-address', '10.0.2.77/24,10.0.2.2'],
      )
      await perform(pengx, 'vm.create', 'copy', ...from, '--disk-size', '24')
      await Promise.all([perform(pengx, 'vm.start', 'lies'), perform(pengx, 'vm.start', 'copy')])
      await waitConsole(host, 'lies', /^READY name=base disks=xvda,xvdz nics=eth0$/)
      await waitConsole(host, 'copy', /^READY name=base disks=xvda nics=$/)
      await waitConsole(host, 'copy', /^DISKS xvda:24576$/)
      for (const guest of ['lies', 'copy']) expect([guest, await sumOf(host, guest, 'xvda')]).toEqual([guest, base])

      const seed = await askGuest(
        host,
        'lies',
        'mount -t iso9660 -o ro /dev/xvdz /mnt && head -n 100 /mnt/*-data /mnt/*-config',
      )
      expect(seed).toContain('#cloud-config')
      for (const word of ['"admin"', KEY, '"lies.example"', '"10.0.2.77/24"', '"10.0.2.2"'])
        expect(seed).toContain(word)
      const label = await askGuest(host, 'lies', 'dd if=/dev/xvdz bs=1 skip=32808 count=6 2>/dev/null; echo')
      expect(label).toBe('cidata')
      expect(await askGuest(host, 'lies', '(echo x >/dev/xvdz) 2>/dev/null && echo written || echo refused')).toBe(
        'refused',
      )
    })

    test('stays what it is while those write that lie on it, which come back with theirs', async () => {
      own = await fill(host, 'lies', 'xvda')
      expect(own).not.toBe(base)
      expect(await imageSum(host, image)).toBe(base)
      await refuses(['template.start', 'base'], /disks of VM lies lie on it/)
      await refuses(['template.delete', 'base'], /2 VMs .* were made from it/)
      const mark = await consoleMark(host, 'lies')
      await sh(host, 'xl destroy lies')
      await perform(pengx, 'vm.start', 'lies')
      await waitConsole(host, 'lies', /^READY name=base disks=xvda,xvdz nics=eth0$/, { mark })
      expect(await sumOf(host, 'lies', 'xvda')).toBe(own)
      expect(await imageSum(host, image)).toBe(base)
      await perform(pengx, 'vm.poweroff', 'copy')
      await perform(pengx, 'vm.delete', 'copy')
    })

    test('is made of a VM that runs: both its disks as they were at one moment', async () => {
      const mark = await consoleMark(host, 'lies')
      await perform(pengx, 'disk.create', 'lies', '--size', '16')
      await waitConsole(host, 'lies', /^DISKS .*xvdb:16384/, { mark })
      await askGuest(host, 'lies', numberedWrites(['xvda', 'xvdb']))
      const before = await written()
      await perform(pengx, 'template.create', 'lies', '--name', 'moment', '--storlink', place.level, '--speed', '2')
      const after = await written()
      await askGuest(host, 'lies', 'kill "$(cat /tmp/writer)"')
      const [first, second] = await templatePaths('moment')
      const stretches = [
        await imageBytes(host, first!, SLOTS_AT, SLOTS),
        await imageBytes(host, second!, SLOTS_AT, SLOTS),
      ]
      const [a, b] = [momentOf(stretches[0]!), momentOf(stretches[1]!)]
      // each holds exactly what had been written until then, of the second perhaps one less
      expect(a).toBeGreaterThanOrEqual(before)
      expect(a).toBeLessThan(after)
      expect([a, a - 1]).toContain(b)
      expect(await imageSum(host, first!)).toBe(own)
    })

    test('made so gives a VM that boots with both disks', async () => {
      await perform(pengx, 'vm.create', 'again', '--template', 'moment', '--overlay', '--memory', '96')
      await perform(pengx, 'vm.start', 'again')
      await waitConsole(host, 'again', /^READY name=base disks=xvda,xvdb nics=$/)
      expect(await sumOf(host, 'again', 'xvda')).toBe(own)
      await perform(pengx, 'vm.poweroff', 'again')
    })

    test('is neither deleted nor booted under the overlay of a VM that was forgotten', async () => {
      const paths = await diskPaths('again')
      await perform(pengx, 'vm.forget', 'again')
      for (const operation of ['template.delete', 'template.start'])
        await refuses([operation, 'moment'], new RegExp(`${paths[0]} on .* lies on .*, and would be ruined`))
      for (const path of paths) await place.remove(path)
      await perform(pengx, 'template.delete', 'moment')
      await perform(pengx, 'vm.poweroff', 'lies')
      await perform(pengx, 'vm.delete', 'lies')
      expect(await imageSum(host, image)).toBe(base)
      await perform(pengx, 'template.delete', 'base')
      expect(await place.volumes()).toBe('')
    })

    async function written(): Promise<number> {
      return Number(await askGuest(host, 'lies', 'cat /tmp/written'))
    }
  })
}
