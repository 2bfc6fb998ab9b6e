import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type Server, startServer } from '../../src/server/serve.ts'
import { createSimSite } from '../../src/sim/site.ts'

/** The same interface in front of a real engine and a simulated site: a VM's life by HTTP alone. */
let engine: Engine
let server: Server
/** Where a job waits before its first step, when a test wants to be there. */
let atStep: (() => Promise<void>) | undefined
beforeAll(async () => {
  engine = await createEngine({
    store: 'memory',
    sim: createSimSite({ vmCount: 12, joined: true, clock: systemClock }),
    demo: { behind: false },
    destinations: [],
    local: false,
    readOnly: false,
    knownHostsPath: join(tmpdir(), 'pengx-no-known-hosts'),
    watch: 'once',
    recovers: true,
    intercept: async ({ phase }) => {
      if (phase === 'before') await atStep?.()
    },
  })
  const log = { info: () => undefined, error: () => undefined }
  server = await startServer(engine, { listen: '127.0.0.1:0', noAuth: true, self: 'xen2', log })
})
afterAll(async () => {
  await server.stop()
  await engine.close()
})

async function ask(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
  const sent = body === undefined ? {} : { body, headers: { 'Content-Type': 'text/xml', ...headers } }
  const response = await fetch(server.url + path, { method, headers, ...sent })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

async function statusOf(path: string): Promise<string | undefined> {
  return /<status>(\w+)<\/status>/.exec((await ask('GET', path)).text)?.[1]
}

/** The elements of an answer, each once: what it looks like without what it says; their order is the goldens' own. */
function elementsOf(text: string): string[] {
  return [...new Set([...text.matchAll(/<([a-z][\w-]*)/g)].map((match) => match[1]!))].sort()
}

function goldenElements(name: string): string[] {
  const story = readFileSync(join(import.meta.dir, `../golden/api/${name}.http`), 'utf8')
  return elementsOf(story.split('\n### ')[0]!)
}

describe('what is shown looks as the goldens do', () => {
  const anyVm = () => engine.view.vms().find((vm) => vm.nics.length > 0)!.uuid
  test.each<[string, () => string]>([
    ['get-pms', () => '/pms/'],
    ['get-pms-all', () => '/pms/all/'],
    ['get-pmpperf', () => '/pmpperf/'],
    ['get-storlinks', () => '/storlinks/'],
    ['get-storlinks-all', () => '/storlinks/all/'],
    ['get-vms', () => '/vms/'],
    ['get-vms-vm_uuid', () => `/vms/${anyVm()}/`],
    ['get-vms-vm_uuid-disks', () => `/vms/${anyVm()}/disks/`],
    ['get-vms-vm_uuid-interfaces', () => `/vms/${anyVm()}/interfaces/`],
  ])('%s', async (golden, path) => {
    const { status, text } = await ask('GET', path())
    expect(status).toBe(200)
    expect(elementsOf(text)).toEqual(goldenElements(golden))
  })
})

test('a VM is made, driven and deleted', async () => {
  const storlink = engine.view.storlinks().find((each) => !each.shared)!
  const form = (more: string) =>
    `<vm><name>웹 01</name><storlink>${storlink.id}</storlink><memory>256</memory><os_disk_size>1024</os_disk_size>${more}</vm>`
  const refused = await ask('POST', '/vms/', form('<network><list-item>77</list-item></network>'))
  expect([refused.status, refused.headers.get('pengx-job')]).toEqual([400, null])
  expect(refused.text).toContain('<message>network: xenbr77 is not on')

  const made = await ask('POST', '/vms/', form('<network><list-item>0</list-item></network>'))
  expect(made.status).toBe(201)
  const path = made.headers.get('location')!
  const { text } = await ask('GET', path)
  expect(text).toContain('<name>웹 01</name>\n  <status>SHUTDOWN</status>\n  <cpu_core>1</cpu_core>')
  expect(text).toContain(`<pm id="${storlink.pm}"></pm>`)
  expect(text).toContain('<network>xenbr0</network>')
  expect((await ask('POST', '/vms/', form(''))).text).toContain('is taken')

  const life: [string, number, string][] = [
    ['shutdown', 400, 'SHUTDOWN'],
    ['start', 200, 'RUNNING'],
    ['start', 400, 'RUNNING'],
    ['suspend', 200, 'PAUSED'],
    ['resume', 200, 'RUNNING'],
    ['reset', 200, 'RUNNING'],
    ['poweroff', 200, 'SHUTDOWN'],
  ]
  for (const [verb, status, after] of life) {
    const answer = await ask('POST', `${path}${verb}/`)
    expect([verb, answer.status, await statusOf(path)]).toEqual([verb, status, after])
    const job = answer.headers.get('pengx-job')
    if (status === 200) expect((await ask('GET', `/jobs/${job}/`)).text).toContain(`<operation>vm.${verb}</operation>`)
  }

  const edit = (fields: string) => ask('PUT', `${path}edit/`, `<vm>${fields}</vm>`)
  expect((await edit('<autostart>True</autostart><autostart_order>7</autostart_order>')).status).toBe(204)
  expect((await ask('GET', path)).text).toContain('<autostart>True</autostart>\n  <autostart_order>7</autostart_order>')
  expect((await edit('<autostart>False</autostart>')).status).toBe(204)
  expect((await ask('GET', path)).text).toContain('<autostart>False</autostart>')
  expect((await edit('<autostart>perhaps</autostart>')).text).toContain('<message>autostart: ')

  const gone = await ask('DELETE', path)
  expect([gone.status, gone.text]).toEqual([204, ''])
  expect((await ask('GET', path)).status).toBe(404)
})

test('a job that is asked for at once is followed, is cancelled while it runs, and no more when it is done', async () => {
  const vm = engine.view.vms().find((each) => each.origin !== 'found' && each.seen.state === 'running')!
  const begin = async () => {
    const begun = await ask('POST', `/vms/${vm.uuid}/shutdown/`, undefined, { Prefer: 'respond-async' })
    expect([begun.status, begun.text]).toEqual([202, expect.any(String)])
    return begun.headers.get('location')!
  }
  const stateOf = async (path: string) => {
    await engine.finished(path.split('/')[2]!)
    return /<state>(\w+)<\/state>/.exec((await ask('GET', path)).text)?.[1]
  }
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  atStep = async () => {
    reached.resolve()
    await released.promise
  }
  const held = await begin()
  await reached.promise
  atStep = undefined
  expect((await ask('DELETE', held)).status).toBe(204)
  released.resolve()
  expect(await stateOf(held)).toBe('cancelled')
  const free = await begin()
  expect(await stateOf(free)).toBe('done')
  expect((await ask('DELETE', free)).status).toBe(400)
})

test('a storlink is made on the server’s own PM, and deleted', async () => {
  const body = (link: string) =>
    `<storlink><name>api</name><link>${link}</link><desc>d</desc><type>IO</type><level>FL</level><shared>False</shared></storlink>`
  const missing = await ask('POST', '/storlinks/create/', body('/no/such/directory'))
  expect([missing.status, missing.headers.get('pengx-job')]).toEqual([400, null])
  const xen2 = engine.view.pms().find((pm) => pm.name === 'xen2')!
  const there = engine.view.storlinks().find((each) => each.pm === xen2.uuid || each.shared)!
  const taken = await ask('POST', '/storlinks/create/', body(there.link))
  expect(taken.text).toContain('is already storlink')
  expect((await ask('GET', '/pms/')).text).toContain(`<pm id="${xen2.uuid}">`)
  const made = await ask('POST', '/storlinks/create/', body('/srv'))
  expect([made.status, made.text.includes('success')]).toEqual([201, true])
  const storlink = engine.view.storlinks().find((each) => each.name === 'api')!
  expect(storlink.pm).toBe(xen2.uuid)
  expect((await ask('DELETE', `/storlinks/${storlink.id}/`)).status).toBe(204)
  expect((await ask('DELETE', `/storlinks/${storlink.id}/`)).status).toBe(404)
})

test('many callers change at once, and each gets one answer', async () => {
  const running = engine.view.vms().filter((vm) => vm.origin !== 'found' && vm.seen.state === 'running')
  const answers = await Promise.all(
    running.flatMap((vm) => [
      ask('POST', `/vms/${vm.uuid}/poweroff/`),
      ask('GET', '/vms/'),
      ask('GET', `/vms/${vm.uuid}/`),
    ]),
  )
  expect(running.length).toBeGreaterThan(1)
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  for (const vm of running) expect(await statusOf(`/vms/${vm.uuid}/`)).toBe('SHUTDOWN')
})

test('a schedule’s life: made, shown, changed and deleted', async () => {
  const { vm, storlink } = engine.view
    .vms()
    .flatMap((one) => {
      const place = engine.view.storlinks().find((each) => each.pm === one.pm)
      return one.origin !== 'found' && place ? [{ vm: one.uuid, storlink: place.id }] : []
    })
    .at(0)!
  const body = `<s><vm>${vm}</vm><storlink>${storlink}</storlink><cron>30 2 * * 0</cron><keep_daily>0</keep_daily></s>`
  const created = await ask('POST', '/schedules/', body)
  const path = created.headers.get('location')!
  expect([created.status, created.text]).toEqual([201, (await ask('GET', path)).text])
  const field = (text: string, name: string) => new RegExp(`<${name}>(.*)</${name}>`).exec(text)?.[1]
  expect(['cron', 'state', 'last', 'keep_last', 'keep_daily', 'rate'].map((name) => field(created.text, name))).toEqual(
    [...['30 2 * * 0', 'on', '', '7', '0', '50']],
  )
  const next = new Date(`${field(created.text, 'next')!.replace(' ', 'T')}Z`)
  expect([next.getDay(), next.getHours(), next.getMinutes(), next > new Date()]).toEqual([0, 2, 30, true])
  const off = await ask('PUT', path, '<s><enabled>False</enabled><keep_last>9</keep_last></s>')
  const { text } = await ask('GET', path)
  expect([
    off.status,
    ...['cron', 'state', 'next', 'keep_last', 'keep_daily'].map((name) => field(text, name)),
  ]).toEqual([...[204, '30 2 * * 0', 'off', '', '9', '0']])
  expect((await ask('DELETE', path)).status).toBe(204)
  expect((await ask('GET', path)).status).toBe(404)
  expect((await ask('GET', '/schedules/')).text).not.toContain(vm)
})
