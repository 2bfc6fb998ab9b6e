import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import { pmNamed } from '../support/sites/acts.ts'
import { until } from '../support/until.ts'
import { type SimServer, serveSim, storlinkXml } from './simServer.ts'

/** Templates and storlinks by HTTP alone, on a real engine: what the document promises of each row comes true. */
let sim: SimServer
let storlink: string
beforeAll(async () => {
  sim = await serveSim()
  await sim.ask('POST', '/storlinks/create/', storlinkXml('store1', '/srv'))
  storlink = /<storlink id="(\d+)"/.exec((await sim.ask('GET', '/storlinks/')).text)![1]!
})
afterAll(() => sim[Symbol.asyncDispose]())

const one = (text: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]
const files = () =>
  Object.keys(sim.world.site.filesOn('xen1')).filter((path) => /^\/srv\/(?!\.pengx-storlink$)/.test(path))
const described = '<name>debian 8 64bit template</name><os>debian</os><os_arch>x64</os_arch><desc>Debian 8</desc>'

async function made(path: string, body: string): Promise<string> {
  const { status, text, headers } = await sim.ask('POST', path, body)
  expect([status, text.includes('<result>failure')]).toEqual([201, false])
  return headers.get('location')!
}

async function gone(path: string): Promise<void> {
  expect((await sim.ask('DELETE', path)).status).toBe(204)
  expect((await sim.ask('GET', path.replace('/template/', '/templates/'))).status).toBe(404)
}

test('an image that lies on a storlink becomes a template, and goes with it', async () => {
  const uuid = 'bed05d84-7c44-4720-9588-57cbd8ecef8c'
  const disk = `<disk><storlink>${storlink}</storlink><uuid>${uuid.toUpperCase()}</uuid><format>qcow2</format></disk>`
  const none = await sim.ask('POST', '/templates/add/', `<template>${described}${disk}</template>`)
  expect([none.status, none.text]).toEqual([
    400,
    expect.stringContaining(`disk.uuid: there is no image /srv/${uuid}.qcow2 on xen1`),
  ])
  const argv = ['qemu-img', 'create', '-q', '-f', 'qcow2', `/srv/${uuid}.qcow2`, '512M'] as const
  await run(sim.world.site.host('xen1'), { argv, effect: 'change' })
  const path = await made('/templates/add/', `<template>${described}${disk}</template>`)
  const { text } = await sim.ask('GET', path)
  expect(
    ['name', 'size', 'os', 'os_arch', 'desc', 'lock_status', 'pm', 'state'].map((name) => one(text, name)),
  ).toEqual([
    ...['debian 8 64bit template', '512', 'DEBIAN', 'X64', 'Debian 8', 'True', pmNamed(sim.world), 'SHUTDOWN'],
  ])
  expect((await sim.ask('GET', `${path}disks/`)).text).toContain(`<disk id="${uuid}">`)
  await gone(path.replace('/templates/', '/template/'))
  expect(files()).toEqual([])
})

describe('of an empty template', () => {
  let path: string
  beforeAll(async () => {
    const disk = `<disk><storlink>${storlink}</storlink><size>1024</size><format>qcow2</format></disk>`
    path = await made('/v2/templates/add_new/', `<template>${described}${disk}</template>`)
  })
  afterAll(() => gone(path))

  test('a VM is made: its own storlink, a larger disk, an extra one, and the template stays as long as it is there', async () => {
    const uuid = path.split('/')[2]
    const vm = await made(
      '/vms/',
      `<vm><name>test_vm</name><template>${uuid?.toUpperCase()}</template><memory>512</memory><os_disk_size>2048</os_disk_size><extra_disk_size>64</extra_disk_size></vm>`,
    )
    const { text } = await sim.ask('GET', vm)
    expect([one(text, 'disk_size'), one(text, 'os'), one(text, 'os_type')]).toEqual(['2112', 'DEBIAN', 'X64'])
    const disks = (await sim.ask('GET', `${vm}disks/?format=json`)).text
    const sizes = (JSON.parse(disks) as { disks: { size: number; storlink: number }[] }).disks
    expect(sizes.map(({ size, storlink: id }) => [size, String(id)])).toEqual([
      [2048, storlink],
      [64, storlink],
    ])
    const refused = await sim.ask('DELETE', path)
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('VM test_vm was made from it')])
    expect((await sim.ask('DELETE', `/storlinks/${storlink}/`)).text).toContain('disks of VM test_vm and of template')
    expect((await sim.ask('DELETE', vm)).status).toBe(204)
  })

  test('it is booted for upkeep and ended, and its rows say so meanwhile', async () => {
    const says = async () => {
      const { text } = await sim.ask('GET', path)
      return [one(text, 'lock_status'), one(text, 'state'), one(text, 'vnc_password')]
    }
    const started = await sim.ask(
      'POST',
      `${path}start/`,
      '<t><memory>256</memory><vnc_password>verysafe</vnc_password></t>',
    )
    expect(started.status).toBe(200)
    expect(await says()).toEqual(['False', 'RUNNING', 'verysafe'])
    await until(async () => {
      await sim.world.engine.look()
      return /^59\d\d$/.test(one((await sim.ask('GET', path)).text, 'vnc_port') ?? '')
    })
    expect(one((await sim.ask('GET', '/v2/templates/')).text, 'recent_booted_at')).toMatch(/^\d{4}-\d\d-\d\d \d\d:/)
    expect((await sim.ask('DELETE', path)).text).toContain('it is booted for upkeep')
    expect((await sim.ask('POST', `${path}shutdown/`, '<t><timeout>60</timeout></t>')).status).toBe(200)
    expect(await says()).toEqual(['True', 'SHUTDOWN', ''])
  })

  test('what is not given of it stays', async () => {
    expect((await sim.ask('PUT', path, '<template><name>renamed</name><os></os></template>')).status).toBe(204)
    const { text } = await sim.ask('GET', path)
    expect([one(text, 'name'), one(text, 'os'), one(text, 'desc')]).toEqual(['renamed', 'DEBIAN', 'Debian 8'])
  })

  test('a VM’s disks become another, on the VM’s own storlink where none is named', async () => {
    const vm = await made(
      '/vms/',
      `<vm><name>src</name><storlink>${storlink}</storlink><memory>64</memory><os_disk_size>32</os_disk_size></vm>`,
    )
    const { status, text, headers } = await sim.ask(
      'POST',
      `/templates/create${vm}`,
      '<template><name>of a VM</name></template>',
    )
    expect([status, one(text, 'name'), one(text, 'size')]).toEqual([201, 'of a VM', '32'])
    expect(text).toContain(`<template id="${headers.get('location')!.split('/')[2]}">`)
    await gone(headers.get('location')!)
    expect((await sim.ask('DELETE', vm)).status).toBe(204)
  })
})

test('a storlink moves to a volume group while nothing lies on it', async () => {
  const path = `/storlinks/${storlink}/`
  expect((await sim.ask('PUT', path, '<storlink><link>/dev/vg-fast</link><level>BL</level></storlink>')).status).toBe(
    204,
  )
  const { text } = await sim.ask('GET', '/v2/storlinks/all/')
  expect(['pm_name', 'name', 'link', 'level', 'size', 'shared'].map((name) => one(text, name))).toEqual([
    ...['xen1', 'store1', '/dev/vg-fast', 'BL', '524288', 'False'],
  ])
  expect((await sim.ask('PUT', path, '<storlink><link>/srv</link><level>FL</level></storlink>')).status).toBe(204)
})

test('the keys of all PMs are spread, whichever verb is used', async () => {
  for (const method of ['POST', 'PUT']) {
    const { status, text } = await sim.ask(method, '/pms/update-authorized-keys/', '<pms><create>True</create></pms>')
    expect([status, text.includes('<result>success')]).toEqual([201, true])
  }
  for (const pm of ['xen1', 'xen2'])
    expect(Object.keys(sim.world.site.filesOn(pm))).toContain('/root/.ssh/authorized_keys')
})
