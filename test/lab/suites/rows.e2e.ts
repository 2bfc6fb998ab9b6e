// Every row of the document that is about no snapshot, backup, copy or motion, asked for on real Xen as the document asks:
// its own examples in XML, v1 and v2, of `pengx --serve` in dom0. What an answer says is looked up in dom0 or on the
// guest's console.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { ROWS } from '../../../src/server/routes/routes.ts'
import { consoleMark, waitConsole } from '../machine/console.ts'
import { makeGroup, removeGroup } from '../machine/group.ts'
import { guestCmdline, guestMac, IMAGES } from '../machine/guest.ts'
import { labHost, run, sh } from '../machine/ssh.ts'
import { pengxInside, type Served, serveInside } from '../pengx.ts'
import { count, field, idOf, rowsClient } from '../rows.ts'

const host = labHost()
const STORE = '/var/lib/pengx-rows'
const IMAGE = 'bed05d84-7c44-4720-9588-57cbd8ecef8c'
const BOOT = `<type>pv</type><kernel>/lab/guest/vmlinux</kernel><ramdisk>/lab/guest/initrd</ramdisk>
  <cmdline>${guestCmdline('rows')}</cmdline>`
let api: Served

beforeAll(async () => {
  await sh(host, `rm -rf ${STORE} /data1 /data2; mkdir -p /data1 /data2`)
  await sh(host, 'ip link show xenbr1 >/dev/null 2>&1 || ip link add xenbr1 type bridge; ip link set xenbr1 up')
  await pengxInside(host, STORE)
  api = await serveInside(host, STORE)
}, 400_000)
afterAll(async () => {
  await api?.stop()
  for (const name of ['test_vm', 'test']) await run(host, ['xl', 'destroy', name])
  await sh(host, 'ip link del xenbr1; rm -rf /data1 /data2')
  await removeGroup(host, 'vgrows')
}, 400_000)

const { ask, refuses, answered } = rowsClient(() => api)

let pm = ''
test('PMs and their performance', async () => {
  // A server answers from its first moment, before it has looked at its PMs.
  while (field(await ask('GET', '/v1/pms/all/'), 'status') !== 'Up') await Bun.sleep(200)
  pm = idOf(await ask('GET', '/v1/pms/all/'), 'pm', host.name)
  const info = await sh(host, 'xl info')
  const cores = /nr_cpus\s*:\s*(\d+)/.exec(info)![1]!
  for (const path of ['/v1/pms/', `/v1/pms/${pm}/`]) {
    const text = await ask('GET', path)
    expect([field(text, 'name'), field(text, 'status'), field(text, 'cpu_core')]).toEqual([host.name, 'Up', cores])
    expect(text).toContain('<ip>10.0.2.15')
  }
  const total = Number(/total_memory\s*:\s*(\d+)/.exec(info)![1])
  for (const path of ['/v1/pmpperf/', `/v1/pmpperf/${pm}/`])
    expect(Number(field(await ask('GET', path), 'total_memory'))).toBe(total)
})

test('authorized keys: those that were there stay', async () => {
  const before = await sh(host, 'cat /root/.ssh/authorized_keys')
  for (const method of ['POST', 'PUT']) {
    expect(field(await ask(method, '/v1/pms/update-authorized-keys/'), 'result')).toBe('success')
    const after = await sh(host, 'cat /root/.ssh/authorized_keys')
    expect(after.split('\n')).toEqual(expect.arrayContaining(before.trim().split('\n')))
    expect(after).toContain((await sh(host, 'cat /root/.ssh/id_ed25519.pub')).trim().split(' ')[1]!)
  }
})

let storlink = ''
test('storlinks', async () => {
  await ask(
    'POST',
    '/v1/storlinks/create/',
    `<storlink>
  <name>store1</name>
  <link>/data1</link>
  <desc>VM store1</desc>
  <type>IO</type>
  <level>FL</level>
  <shared>True</shared>
</storlink>`,
  )
  const listed = await ask('GET', '/v1/storlinks/')
  storlink = idOf(listed, 'storlink', 'store1')
  expect(Number(field(listed, 'size'))).toBeGreaterThan(0)
  const moved = (level: string, link: string) => `<storlink>
  <name>store2</name>
  <link>${link}</link>
  <desc>VM store2</desc>
  <type>LO</type>
  <level>${level}</level>
  <shared>False</shared>
</storlink>`
  await refuses('PUT', `/v1/storlinks/${storlink}/`, moved('BL', '/data2'), /&quot;\/data2&quot; is not a volume group/)
  await makeGroup(host, 'vgrows', 64)
  await ask('PUT', `/v1/storlinks/${storlink}/`, moved('BL', '/dev/vgrows'))
  expect(Number(field(await ask('GET', '/v1/storlinks/'), 'size'))).toBe(60)
  await ask('PUT', `/v1/storlinks/${storlink}/`, moved('FL', '/data2'))
  const all = await ask('GET', '/v2/storlinks/all/')
  expect([idOf(all, 'storlink', 'store2'), field(all, 'pm_name'), field(all, 'link')]).toEqual([
    storlink,
    host.name,
    '/data2',
  ])
})

let template = ''
test('templates', async () => {
  const described = `<name>debian 8 64bit template</name>
  <os>DEBIAN</os>
  <os_arch>X64</os_arch>
  <desc>Debian 8 jessie 64bit template</desc>`
  const disk = (more: string) => `<disk><storlink>${storlink}</storlink>${more}<format>qcow2</format></disk>`
  await ask(
    'POST',
    '/v2/templates/add_new/',
    `<template>${described}${disk('<size>102400</size> <!-- unit: MB -->')}${BOOT}</template>`,
  )
  await sh(host, `qemu-img create -q -f qcow2 /data2/${IMAGE}.qcow2 32M`)
  const prebuilt = described.replace('debian 8 64bit', 'prebuilt')
  await ask('POST', '/v1/templates/add/', `<template>${prebuilt}${disk(`<uuid>${IMAGE}</uuid>`)}</template>`)

  const v1 = await ask('GET', '/v1/templates/')
  expect([count(v1, 'template'), v1.includes('lock_status')]).toEqual([2, false])
  const v2 = await ask('GET', '/v2/templates/')
  expect([count(v2, 'template'), v2.includes('<lock_status>')]).toEqual([2, true])
  template = idOf(v1, 'template', 'debian 8 64bit template')
  const added = idOf(v1, 'template', 'prebuilt template')
  expect(field(await ask('GET', `/v2/templates/${template}/`), 'size')).toBe('102400')
  const disks = await ask('GET', `/v1/templates/${added}/disks/`)
  expect([count(disks, 'disk'), field(disks, 'name'), field(disks, 'size')]).toEqual([1, IMAGE, '32'])

  await ask(
    'PUT',
    `/v1/templates/${added}/`,
    '<template><name>debian 9</name><os>DEBIAN</os><os_arch>X64</os_arch></template>',
  )
  expect(idOf(await ask('GET', '/v1/templates/'), 'template', 'debian 9')).toBe(added)
  await ask('DELETE', `/v1/template/${added}/`)
  expect(await sh(host, 'ls /data2')).not.toContain(IMAGE)
})

test('a template is booted for upkeep, and ends it', async () => {
  await ask('POST', `/v1/templates/${template}/start/`, '<template><memory>96</memory></template>')
  const upkeep = await ask('GET', `/v2/templates/${template}/`)
  expect(field(upkeep, 'recent_booted_at')).not.toBe('')
  await waitConsole(host, `vm-${template}`, /^READY name=rows disks=xvda nics=$/)
  await ask('POST', `/v1/templates/${template}/shutdown/`)
  expect(await sh(host, 'xl list')).not.toContain(template)
})

let vm = ''
const retrieve = () => ask('GET', `/v1/vms/${vm}/`)
const isListed = async (name = 'test_vm') => (await run(host, ['xl', 'domid', name])).exit === 0

test('a VM of the template boots', async () => {
  await ask(
    'POST',
    '/v1/vms/',
    `<vm>
  <name>test_vm</name>
  <template>${template}</template>
  <storlink>${storlink}</storlink>
  <cpu_core>1</cpu_core>
  <memory>96</memory>
  <maxmem>128</maxmem>
  <os_disk_size></os_disk_size>
  <extra_disk_size></extra_disk_size>
  <disk_format>qcow2</disk_format>
  <network>
    <list-item>0</list-item>
    <list-item>1</list-item>
  </network>
  <desc>VM for something</desc>
</vm>`,
  )
  vm = idOf(await ask('GET', '/v1/vms/'), 'vm', 'test_vm')
  const text = await retrieve()
  expect([field(text, 'status'), field(text, 'disk_size'), field(text, 'os')]).toEqual(['SHUTDOWN', '102400', 'DEBIAN'])
  expect([...text.matchAll(/<network>(\w+)/g)].map((match) => match[1])).toEqual(['xenbr0', 'xenbr1'])
  await ask('POST', `/v1/vms/${vm}/start/`)
  expect(field(await retrieve(), 'status')).toBe('RUNNING')
  await waitConsole(host, 'test_vm', /^READY name=rows disks=xvda nics=eth0,eth1$/)
})

test('its disks and interfaces, while it runs', async () => {
  let mark = await consoleMark(host, 'test_vm')
  const disk = `<disk><size>1024</size><!-- in MiB --><storlink>${storlink}</storlink><desc>logs</desc></disk>`
  const made = await ask('POST', `/v1/vms/${vm}/disks/`, disk)
  const [, id] = /<disk id="([^"]+)">/.exec(made)!
  await waitConsole(host, 'test_vm', /^DISKS .*xvdb:1048576$/, { mark })
  expect([field(made, 'size'), field(made, 'desc'), count(await ask('GET', `/v1/vms/${vm}/disks/`), 'disk')]).toEqual([
    '1024',
    'logs',
    2,
  ])
  mark = await consoleMark(host, 'test_vm')
  await ask('PUT', `/v1/vms/${vm}/disks/${id}/`, '<disk><size>1040</size></disk>')
  await waitConsole(host, 'test_vm', /^DISKS .*xvdb:1064960$/, { mark })
  mark = await consoleMark(host, 'test_vm')
  await ask('DELETE', `/v1/vms/${vm}/disks/${id}/`)
  await waitConsole(host, 'test_vm', /^DISKS xvda:104857600$/, { mark })
  expect(await sh(host, 'ls /data2')).not.toContain(id!)

  mark = await consoleMark(host, 'test_vm')
  await ask('POST', `/v1/vms/${vm}/interfaces/`, '<vms><interface_name>xenbr0</interface_name></vms>')
  const withAddress = '<vms><interface_name>xenbr0</interface_name><ipaddress>192.168.0.1</ipaddress></vms>'
  await ask('POST', `/v2/vms/${vm}/interfaces/`, withAddress)
  const listed = await ask('GET', `/v1/vms/${vm}/interfaces/`)
  expect([count(listed, 'interface'), listed.includes('192.168.0.1')]).toEqual([4, true])
  await waitConsole(host, 'test_vm', /^NICS eth0:\S+ eth1:\S+ eth2:\S+ eth3:\S+$/, { mark })
  expect(listed).not.toContain(guestMac(1))
})

test('its size, and the ways of power', async () => {
  await ask('POST', `/v1/vms/${vm}/resize/`, `<vm id='${vm}'><memory>112</memory></vm>`)
  expect(await sh(host, 'xl list test_vm')).toMatch(/test_vm\s+\d+\s+112\s/)
  await ask('POST', `/v1/vms/${vm}/suspend/`)
  expect(field(await retrieve(), 'status')).toBe('PAUSED')
  expect(await sh(host, 'xl list test_vm')).toMatch(/--p---/)
  await ask('POST', `/v1/vms/${vm}/resume/`)
  expect(field(await retrieve(), 'status')).toBe('RUNNING')
  const mark = await consoleMark(host, 'test_vm')
  const domid = await sh(host, 'xl domid test_vm')
  await ask('POST', `/v1/vms/${vm}/reboot/`)
  await waitConsole(host, 'test_vm', /^READY name=rows disks=xvda nics=eth0,eth1,eth2,eth3$/, { mark })
  expect(await sh(host, 'xl domid test_vm')).not.toBe(domid)
  await ask('POST', `/v1/vms/${vm}/shutdown/`)
  expect([field(await retrieve(), 'status'), await isListed()]).toEqual(['SHUTDOWN', false])
})

test('what changes while it is shut down', async () => {
  const size = '<cpu_core>2</cpu_core><memory>128</memory><maxmem>160</maxmem>'
  await ask('PUT', `/v1/vms/${vm}/update/`, `<vm id='${vm}'>${size}</vm>`)
  const interfaces = await ask('GET', `/v1/vms/${vm}/interfaces/`)
  const ids = [...interfaces.matchAll(/<interface id="(\d+)">/g)].map((match) => match[1]!)
  await ask('PUT', `/v2/vms/${vm}/interfaces/${ids[2]}/update/`, '<vms><ipaddress>192.168.0.7</ipaddress></vms>')
  await ask('DELETE', `/v1/vms/${vm}/interfaces/${ids[3]}/`)
  const left = await ask('GET', `/v1/vms/${vm}/interfaces/`)
  expect([count(left, 'interface'), left.includes('192.168.0.7')]).toEqual([3, true])
  await ask('PUT', `/v2/vms/${vm}/edit/`, `<vm id='${vm}'><name>test</name><desc>1024</desc></vm>`)
  await ask('POST', `/v1/vms/${vm}/start/`)
  await waitConsole(host, 'test', /^READY /) // a PV guest brings its processors up itself
  const domid = await sh(host, 'xl domid test')
  expect(await sh(host, 'xl list test')).toMatch(/^test\s+\d+\s+128\s+2\s/m)
  await ask('POST', `/v1/vms/${vm}/reset/`)
  expect(await sh(host, 'xl domid test')).not.toBe(domid)
  await ask('POST', `/v1/vms/${vm}/poweroff/`)
  expect([field(await retrieve(), 'status'), await isListed('test')]).toEqual(['SHUTDOWN', false])
})

test('a template of it', async () => {
  const named = `<template><name>golden</name><storlink>${storlink}</storlink><desc>of test</desc></template>`
  const made = await ask('POST', `/v1/templates/create/vms/${vm}/`, named)
  const [, id] = /<template id="([^"]+)">/.exec(made)!
  expect([field(made, 'name'), field(made, 'size')]).toEqual(['golden', '102400'])
  await ask('DELETE', `/v1/templates/${id}/`)
})

test('the CD of an HVM guest', async () => {
  await ask(
    'POST',
    '/v1/vms/',
    `<vm><name>withcd</name><storlink>${storlink}</storlink><memory>128</memory><os_disk_size>16</os_disk_size></vm>`,
  )
  const id = idOf(await ask('GET', '/v1/vms/'), 'vm', 'withcd')
  const config = () => sh(host, `cat /etc/xen/pengx/${id}.cfg`)
  await ask('PUT', `/v1/vms/${id}/cdrom/`, `<cdrom><path>${IMAGES}/tiny.iso</path></cdrom>`)
  expect(await config()).toContain(`${IMAGES}/tiny.iso`)
  await ask('DELETE', `/v1/vms/${id}/cdrom/`)
  expect(await config()).not.toContain('tiny.iso')
  await ask('DELETE', `/v1/vms/${id}/`)
})

test('a job that is cancelled, and what stands beside the document', async () => {
  const asked = await ask('POST', `/v1/vms/${vm}/start/`, undefined, { Prefer: 'respond-async' })
  const [, job] = /<job id="([^"]+)">/.exec(asked)!
  await ask('DELETE', `/v1/jobs/${job}/`)
  for (;;) {
    const state = field(await ask('GET', `/v1/jobs/${job}/`), 'state')
    if (state === 'cancelled') break
    expect(state).toBe('running')
  }
  expect(await isListed('test')).toBe(false)
  expect(await ask('GET', '/v1/jobs/')).toContain(job!)
  expect(await ask('GET', '/v1/metrics')).toContain('# TYPE')
  expect(JSON.parse(await ask('GET', '/v1/openapi.json'))).toMatchObject({ openapi: expect.any(String) })
  await ask('GET', '/v1/healthz')
})

test('all of it goes again', async () => {
  await ask('DELETE', `/v1/vms/${vm}/`)
  await ask('DELETE', `/v1/templates/${template}/`)
  expect(await sh(host, 'ls /data2')).toBe('')
  await ask('DELETE', `/v1/storlinks/${storlink}/`)
  expect(count(await ask('GET', '/v1/storlinks/'), 'storlink')).toBe(0)
})

test('no row of the document was left out', () => {
  const elsewhere = /^(Snapshot|Backup)View\.|\.(copy|smigrate|migrate)$/
  const due = ROWS.filter(
    ({ section, path }) => section !== 'added' && !elsewhere.test(section) && !/\/(snapshots|backups)\//.test(path),
  )
  const missing = due.flatMap(({ versions, method, path }) => versions.map((version) => `${version} ${method} ${path}`))
  expect(missing.filter((row) => !answered.has(row))).toEqual([])
})
