import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type Server, startServer } from '../../src/server/serve.ts'
import { createSimSite } from '../../src/sim/site.ts'

/** The simulated site has what the interface is about: a PM of its own, places for storlinks, and VMs that can migrate. */
let engine: Engine
let server: Server
beforeAll(async () => {
  engine = await createEngine({
    store: 'memory',
    sim: createSimSite({ joined: true, clock: systemClock }),
    demo: { behind: false },
    destinations: [],
    local: false,
    readOnly: false,
    // Of the real site, as a settings file names it.
    self: 'dom0.example.org',
    knownHostsPath: '/nonexistent/known_hosts',
    watch: 'once',
    recovers: true,
  })
  const log = { info: () => undefined, error: () => undefined }
  server = await startServer(engine, { listen: '127.0.0.1:0', noAuth: true, log })
})
afterAll(async () => {
  await server.stop()
  await engine.close()
})

async function ask(method: string, path: string, body?: string) {
  const headers: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/xml' }
  const response = await fetch(server.url + path, { method, headers, ...(body === undefined ? {} : { body }) })
  return { status: response.status, text: await response.text() }
}

const pmNamed = (name: string) => engine.view.pms().find((pm) => pm.name === name)!.uuid

test('the first PM is its own', async () => {
  for (const path of ['/pms/', '/pmpperf/']) {
    const { status, text } = await ask('GET', path)
    expect([path, status]).toEqual([path, 200])
    expect(text).toContain(pmNamed('xen1'))
  }
})

test('the document’s example of a new storlink, as it stands there', async () => {
  const example = `<storlink>
  <name>store1</name>
  <link>/data1</link>
  <desc>VM store1</desc>
  <type>IO</type>
  <level>FL</level>
  <shared>True</shared>
</storlink>`
  expect((await ask('POST', '/storlinks/create/', example)).status).toBe(201)
  const made = engine.view.storlinks().find(({ name }) => name === 'store1')!
  expect(made).toMatchObject({ link: '/data1', type: 'LO', level: 'FL', shared: true, desc: 'VM store1' })
  // It is there, and disks can lie on it.
  const form = `<vm><name>far</name><storlink>${made.id}</storlink><memory>256</memory><os_disk_size>64</os_disk_size></vm>`
  expect((await ask('POST', '/vms/', form)).status).toBe(201)
  expect((await ask('DELETE', `/vms/${engine.view.vmsNamed('far')[0]!.uuid}/`)).status).toBe(204)
  expect((await ask('DELETE', `/storlinks/${made.id}/`)).status).toBe(204)
})

describe('the storlink that all PMs share', () => {
  const shared = () => engine.view.storlinks().filter((storlink) => storlink.shared)
  const running = () =>
    engine.view.vms().filter(({ disks, seen }) => {
      return seen.state === 'running' && disks.length > 0 && disks.every(({ storlink }) => storlink === shared()[0]!.id)
    })
  const others = (pm: string) => engine.view.pms().filter(({ uuid }) => uuid !== pm)

  test('has running VMs of each of them, and each may go to each other', () => {
    expect(shared()).toMatchObject([{ name: 'shared', link: '/shared', type: 'NFS' }])
    expect(new Set(running().map(({ pm }) => pm)).size).toBe(engine.view.pms().length)
    const refusals = running().flatMap(({ uuid, pm }) =>
      others(pm).map((target) => engine.refuse('vm.migrate', { vm: uuid, pm: target.uuid })),
    )
    expect(refusals.filter((reason) => reason !== undefined)).toEqual([])
    const apart = engine.view.vms().find(({ disks }) => disks.some(({ path }) => path.startsWith('/data/images/')))!
    expect(engine.refuse('vm.migrate', { vm: apart.uuid, pm: others(apart.pm)[0]!.uuid })).toContain('only')
  })

  test('a VM migrates there and back', async () => {
    const { uuid, pm: home } = running()[0]!
    for (const pm of [others(home)[0]!.uuid, home]) {
      const { id } = await engine.start('vm.migrate', { vm: uuid, pm }, 'terminal')
      const { job } = await engine.finished(id)
      expect([job.state, job.message]).toEqual(['done', ''])
      expect(engine.view.needVm(uuid)).toMatchObject({ pm, seen: { state: 'running' } })
    }
  })

  test('and by the interface', async () => {
    const { uuid, pm: home } = engine.view.vmsNamed('web01')[0]!
    const target = others(home)[0]!.uuid
    const { status, text } = await ask('POST', `/vms/${uuid}/migrate/`, `<vm><pm_id>${target}</pm_id></vm>`)
    expect([status, text.includes('success')]).toEqual([200, true])
    const after = (await ask('GET', `/vms/${uuid}/`)).text
    expect(after).toContain('<status>RUNNING</status>')
    expect(after).toContain(`<pm id="${target}">`)
  })
})

describe('its backups', () => {
  test('read back as they are written down, and one brings a VM back that is gone', async () => {
    const backups = engine.view.backups()
    expect(backups.map(({ kind }) => kind)).toContain('incremental')
    for (const { uuid } of backups) {
      const { id } = await engine.start('backup.verify', engine.decode('backup.verify', { backup: uuid }), 'http')
      expect((await engine.finished(id)).job).toMatchObject({ state: 'done' })
    }
    const gone = backups.filter(({ vm }) => engine.view.getVm(vm) === undefined)
    expect(gone).toHaveLength(1)
    const noticesOf = async (backup: string) => (await engine.preview('backup.delete', { backup })).notices
    expect(await noticesOf(gone[0]!.uuid)).toEqual([`it is the last good backup of ${gone[0]!.vmName}`])
    expect(await noticesOf(backups[0]!.uuid)).toEqual([])
    const params = engine.decode('backup.restore', { backup: gone[0]!.uuid })
    const { id } = await engine.start('backup.restore', params, 'http')
    expect((await engine.finished(id)).job).toMatchObject({ state: 'done' })
    expect(engine.view.getVm(gone[0]!.vm)).toMatchObject({ name: gone[0]!.vmName })
  })

  test('are made by a schedule, and another one is paused', () => {
    expect(engine.view.schedules().map(({ enabled }) => enabled)).toEqual(expect.arrayContaining([true, false]))
  })
})
