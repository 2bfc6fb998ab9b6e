// VMs that somebody else made, by hand, on real Xen: what starts them with their PM follows them, an interface that no
// bridge serves works, one without a file loses nothing, and a stranger on a disk is told.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { booting } from '../machine/console.ts'
import { makeGroup, removeGroup } from '../machine/group.ts'
import { guestConfig, guestMac, IMAGES } from '../machine/guest.ts'
import { fill, imageSum, sumOf } from '../machine/guestDisk.ts'
import { labHost, labHosts, run, sh } from '../machine/ssh.ts'
import { expectRefusal, listed, type Pengx, pengxOutside, perform, vmsOf } from '../pengx.ts'

const host = labHost()
const DATA = '/data-handmade'
const GROUP = 'vghandmade'
const AUTO = '/etc/xen/auto'
/** As some of its owners keep them: in a directory of their own, reached by a link. */
const FILE = `${DATA}/etc/shop`
const LINK = '/etc/xen/vm/shop'
const IMAGE = `${IMAGES}/shop-a.raw`
const DEVICE = `/dev/${GROUP}/shop-b`
/** Debian's own vif-route wants ifconfig; who routes without it has a script like this. */
const SCRIPT = '/etc/xen/scripts/vif-shop'
const ROUTE = `#!/bin/bash
. "$(dirname "$0")/vif-common.sh"
case $command in
  add | online)
    ip link set "$dev" up
    for one in $ip; do ip route replace "$one" dev "$dev"; done
    success
    ;;
esac
`
let pengx: Pengx

const shop = guestConfig({
  name: 'shop',
  type: 'pv',
  number: 51,
  disks: [`file:${IMAGE},xvda,w`, `phy:${DEVICE},xvdb,w`],
})
  .replace(/^uuid = .*\n/m, '')
  .replace(/^vif = .*$/m, `vif = [ 'mac=${guestMac(51)},script=vif-shop,ip=10.9.9.9' ] # no bridge: routed`)

const put = async (path: string, text: string) =>
  await sh(host, `echo ${Buffer.from(text).toString('base64')} | base64 -d >${path}`)
const drift = async (name: string) =>
  (await listed<{ name: string; drift: string[] }>(pengx, 'vms')).find((vm) => vm.name === name)?.drift

beforeAll(async () => {
  await sh(host, `rm -rf ${DATA}; mkdir -p ${DATA}/etc /etc/xen/vm ${AUTO}; truncate -s 16M ${IMAGE}`)
  await makeGroup(host, GROUP, 60)
  await sh(host, `lvcreate -q -y -L 16M -n shop-b ${GROUP}; ln -s ${FILE} ${LINK}; ln -s ${LINK} ${AUTO}/30-shop`)
  await put(FILE, shop)
  await put(SCRIPT, ROUTE)
  await sh(host, `chmod 755 ${SCRIPT}`)
  pengx = pengxOutside(labHosts().slice(0, 1))
}, 400_000)

afterAll(async () => {
  for (const name of ['shop', 'market', 'stranger', 'nofile']) await run(host, ['xl', 'destroy', name])
  await sh(
    host,
    `rm -rf ${DATA} ${LINK} ${IMAGE} ${AUTO}/*shop* ${AUTO}/*market* /root/stranger.cfg /root/nofile.cfg ${SCRIPT}`,
  )
  await removeGroup(host, GROUP)
}, 400_000)

const sums: Record<string, string> = {}

test('a routed interface, a raw image and a device of its owner’s: it is adopted by its file and starts', async () => {
  await perform(pengx, 'vm.adopt', FILE)
  await booting(host, 'shop', () => perform(pengx, 'vm.start', 'shop'))
  const domid = (await sh(host, 'xl domid shop')).trim()
  expect(await sh(host, `xenstore-read /local/domain/0/backend/vif/${domid}/0/script`)).toEndWith('vif-shop\n')
  expect(await sh(host, 'ip route show 10.9.9.9')).toContain(`vif${domid}.0`)
  expect(await drift('shop')).toEqual([])
  for (const disk of ['xvda', 'xvdb']) sums[disk] = await fill(host, 'shop', disk)
}, 600_000)

test('renamed, what starts it with its PM is called after it, and its PM starts it by its new name', async () => {
  await perform(pengx, 'vm.poweroff', 'shop')
  await perform(pengx, 'vm.edit', 'shop', '--autostart', 'yes', '--order', '20')
  expect(await sh(host, `cd ${AUTO}; for link in *shop*; do echo "$link $(readlink -f "$link")"; done`)).toBe(
    `20-shop.cfg ${FILE}\n`,
  )
  await perform(pengx, 'vm.edit', 'shop', '--name', 'market')
  expect(
    await sh(host, `cd ${AUTO}; for link in *shop* *market*; do readlink -f "$link"; done 2>/dev/null; ls`),
  ).toContain('20-market.cfg')
  expect(
    await sh(host, `diff ${DATA}/etc/.shop.before-pengx ${FILE} | grep '^[<>]'; test -L ${LINK} && echo link`),
  ).toBe('< name = "shop"\n> name = "market"\nlink\n')
  await booting(host, 'market', () => sh(host, '/etc/init.d/xendomains start'), 'shop')
  expect((await vmsOf(pengx)).get('market')).toMatchObject({ state: 'running', origin: 'adopted' })
  expect(await drift('market')).toEqual([])
  for (const disk of ['xvda', 'xvdb']) expect([disk, await sumOf(host, 'market', disk)]).toEqual([disk, sums[disk]!])
}, 900_000)

test('a stranger on its disk is told in one look, and it does not start', async () => {
  await perform(pengx, 'vm.poweroff', 'market')
  const device = await imageSum(host, DEVICE, 'raw')
  await put(
    '/root/stranger.cfg',
    guestConfig({ name: 'stranger', type: 'pv', number: 52, disks: [`phy:${DEVICE},xvda,w`] }),
  )
  await booting(host, 'stranger', () => sh(host, 'xl create /root/stranger.cfg'))
  const said = await pengx.run('vms', '--json')
  const rows: { name: string; wrongVolumes?: { path: string }[] }[] = JSON.parse(said.stdout)
  expect(rows.find((row) => row.name === 'stranger')).toMatchObject({ wrongVolumes: [{ path: DEVICE }] })
  await expectRefusal(pengx, ['vm.start', 'market'], /stranger/)
  await sh(host, 'xl destroy stranger')
  expect(await imageSum(host, DEVICE, 'raw')).toBe(device)
  await booting(host, 'market', () => perform(pengx, 'vm.start', 'market'), 'shop')
}, 900_000)

test('deleted, nothing starts it with its PM, and what is its owner’s is there', async () => {
  await perform(pengx, 'vm.poweroff', 'market')
  await perform(pengx, 'vm.delete', 'market')
  expect(await sh(host, `ls ${AUTO} | grep -c 'shop\\|market' || true`)).toBe('0\n')
  expect(await sh(host, `ls ${FILE} ${IMAGE}; readlink ${LINK}`)).toBe(`${FILE}\n${IMAGE}\n${FILE}\n`)
  expect(await imageSum(host, IMAGE, 'raw')).toBe(sums.xvda!)
  expect(await imageSum(host, DEVICE, 'raw')).toBe(sums.xvdb!)
}, 600_000)

test('one without a file is adopted when that is accepted, and starts again as it was', async () => {
  const text = guestConfig({ name: 'nofile', type: 'pv', number: 53, disks: [`file:${IMAGE},xvda,w`] })
  await put('/root/nofile.cfg', `${text}cpuid = "host,x2apic=0"\ncpu_weight = 512\n`)
  await booting(host, 'nofile', () => sh(host, 'xl create /root/nofile.cfg && rm /root/nofile.cfg'))
  await expectRefusal(
    pengx,
    ['vm.adopt', 'nofile'],
    /no configuration file of it was found; kept.*: cpu_weight; kept.*: cpuid; name its file/,
  )
  await perform(pengx, 'vm.adopt', 'nofile', '--accept-loss')
  expect(await drift('nofile')).toEqual([])
  await booting(host, 'nofile', () => perform(pengx, 'vm.reset', 'nofile'))
  await perform(pengx, 'vm.poweroff', 'nofile')
  await booting(host, 'nofile', () => perform(pengx, 'vm.start', 'nofile'))
  expect(await sumOf(host, 'nofile', 'xvda')).toBe(sums.xvda!)
  expect(await sh(host, 'xl sched-credit2 -d nofile 2>/dev/null || xl sched-credit -d nofile')).toMatch(/\b512\b/)
  await perform(pengx, 'vm.poweroff', 'nofile')
  await perform(pengx, 'vm.delete', 'nofile')
}, 900_000)
