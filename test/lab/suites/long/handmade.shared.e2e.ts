// VMs that somebody else made, by hand, on real Xen: what starts them with their PM follows them, an interface that no
// bridge serves works, one without a file loses nothing, and a stranger on a disk is told.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { appendFileSync } from 'node:fs'
import { readUntil } from '../../../support/readUntil.ts'
import { booting } from '../../machine/console.ts'
import { makeGroup, removeGroup } from '../../machine/group.ts'
import { guestConfig, guestMac, IMAGES } from '../../machine/guest.ts'
import { fill, imageSum, sumOf } from '../../machine/guestDisk.ts'
import { labHost, labHosts, run, sh } from '../../machine/ssh.ts'
import { expectRefusal, listed, pengxOutside, perform, serveOutside, vmsOf } from '../../pengx.ts'

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
let pengx: ReturnType<typeof pengxOutside>

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
  for (const name of ['shop', 'market', 'stranger', 'nofile', 'discs']) await run(host, ['xl', 'destroy', name])
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

test('a stranger on its disk is told, to those who listen too, and it does not start', async () => {
  await perform(pengx, 'vm.poweroff', 'market')
  const device = await imageSum(host, DEVICE, 'raw')
  await put(
    '/root/stranger.cfg',
    guestConfig({ name: 'stranger', type: 'pv', number: 52, disks: [`phy:${DEVICE},xvda,w`] }),
  )
  const served = await serveOutside(pengx)
  try {
    const events = await fetch(`${served.origin}/events/`)
    const reader = events.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>
    await booting(host, 'stranger', () => sh(host, 'xl create /root/stranger.cfg'))
    expect(await readUntil(reader, 'wrong-volumes')).toContain(`"path":"${DEVICE}"`)
    const metrics = await (await fetch(`${served.origin}/metrics`)).text()
    expect(metrics).toMatch(/^pengx_vm_wrong_volumes\{vm="stranger",uuid="[0-9a-f-]+",kind="others"\} 1$/m)
    await reader.cancel()
  } finally {
    await served.stop()
  }
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
  const far = `${DATA}/far/nofile.xm`
  await sh(host, `mkdir ${DATA}/far`)
  await put(far, `${text}cpuid = "host,x2apic=0"\ncpu_weight = 512\n`)
  await booting(host, 'nofile', () => sh(host, `xl create ${far}`))
  await expectRefusal(
    pengx,
    ['vm.adopt', 'nofile'],
    /no configuration file of it was found; kept.*: cpu_weight; kept.*: cpuid; name its file/,
  )
  // where the settings say that files lie, there is one
  appendFileSync(`${pengx.home}/config/pengx/config.toml`, `[vm]\nconfigurations = "/nowhere/*:${DATA}/f?r/*.xm"\n`)
  await perform(pengx, 'vm.adopt', 'nofile')
  expect((await vmsOf(pengx)).get('nofile')).toMatchObject({ configPath: far })
  await perform(pengx, 'vm.forget', 'nofile')
  await sh(host, `rm ${far}`)
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

test('CD drives keep their names and places; what would end the guest’s QEMU is refused', async () => {
  const [file, one, other] = ['/etc/xen/vm/discs', `${IMAGES}/tiny.iso`, `${DATA}/other.iso`]
  const disks = [',hdd:cdrom,r', `file:${IMAGE},xvda,w`, `file:${one},hdc:cdrom,r`]
  const extra = ['vnc = 1', 'vnclisten = ""']
  await put(file, guestConfig({ name: 'discs', type: 'hvm', number: 54, disks, extra }))
  const before = await sh(host, `cp ${one} ${other}; sha256sum <${file}`)
  await perform(pengx, 'vm.adopt', file)
  await booting(host, 'discs', () => perform(pengx, 'vm.start', 'discs'))
  const loaded = async () => {
    const [{ config }] = JSON.parse(await sh(host, 'xl list -l discs'))
    return config.disks.map(({ vdev, pdev_path: path = '' }: { vdev: string; pdev_path?: string }) => `${vdev} ${path}`)
  }
  expect(await loaded()).toEqual(['hdd ', `xvda ${IMAGE}`, `hdc ${one}`])
  const refuses = (words: string[], why: RegExp) =>
    expectRefusal(pengx, [words[0]!, 'discs', ...words.slice(1), '--drive', 'hdd'], why)
  // `xl cd-insert` by itself ends this QEMU
  await refuses(['iso.insert', '--path', other], /drive hdd of discs: it was empty when the guest was started/)
  await expectRefusal(pengx, ['iso.eject', 'discs', '--drive', 'hdb'], /it has no CD drive hdb, but hdd, hdc/)
  expect((await vmsOf(pengx)).get('discs')).toMatchObject({ state: 'running' })
  await perform(pengx, 'iso.eject', 'discs', '--drive', 'hdc')
  await perform(pengx, 'iso.insert', 'discs', '--path', other, '--drive', 'hdc')
  expect((await loaded()).sort()).toEqual([`hdc ${other}`, 'hdd ', `xvda ${IMAGE}`])
  await perform(pengx, 'iso.insert', 'discs', '--path', one, '--drive', 'hdc')
  expect(await sh(host, `sha256sum <${file}`)).toBe(before)
  await perform(pengx, 'vm.poweroff', 'discs')
  await perform(pengx, 'iso.insert', 'discs', '--path', other)
  await booting(host, 'discs', () => perform(pengx, 'vm.start', 'discs'))
  expect(await loaded()).toEqual([`hdd ${other}`, `xvda ${IMAGE}`, `hdc ${one}`])
  await perform(pengx, 'iso.eject', 'discs', '--drive', 'hdd')
  expect(await sh(host, `sha256sum <${file}`)).toBe(before)
  await perform(pengx, 'vm.poweroff', 'discs')
  await perform(pengx, 'vm.forget', 'discs')
  await sh(host, `rm -f ${file} /etc/xen/vm/.discs.*`)
}, 900_000)
