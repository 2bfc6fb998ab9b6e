import { expect, test } from 'bun:test'
import { act } from '../support/sites/acts.ts'
import { until } from '../support/until.ts'
import { serveSim } from './simServer.ts'

/** Many at once are a queue with places, and nobody is turned away for having waited. */
const TEMPLATE = '77777777-2222-4333-8444-555555555555'

async function withTemplate() {
  const sim = await serveSim()
  const pm = sim.world.engine.view.pms().find(({ name }) => name === 'xen1')!.uuid
  await act(sim.world, 'storlink.create', { name: 'data', link: '/data', type: 'LO', level: 'FL', pm })
  await act(sim.world, 'template.addNew', { name: 'golden', storlink: 1, size: 512, template: TEMPLATE })
  return sim
}

const vmXml = (name: string, more = '') =>
  `<vm><name>${name}</name><template>${TEMPLATE}</template><memory>64</memory><network><list-item>0</list-item></network>${more}</vm>`

test('twenty VMs of one template, all asked for at once, are all made, and no address twice', async () => {
  await using sim = await withTemplate()
  const names = Array.from({ length: 20 }, (_, index) => `clone${index + 1}`)
  const overlay = (index: number) => (index % 2 === 0 ? '<overlay>True</overlay>' : '')
  const answers = await Promise.all(names.map((name, index) => sim.ask('POST', '/vms/', vmXml(name, overlay(index)))))
  expect(answers.map(({ status, text }) => (status === 201 ? 201 : text))).toEqual(names.map(() => 201))
  const { view } = sim.world.engine
  const made = view.vms().filter((vm) => vm.template === TEMPLATE)
  expect(made.map((vm) => vm.name).sort()).toEqual([...names].sort())
  const macs = view.vms().flatMap((vm) => vm.nics.map((nic) => nic.mac))
  expect(new Set(macs).size).toBe(macs.length)
  const started = await Promise.all(made.map((vm) => sim.ask('POST', `/vms/${vm.uuid}/start/`)))
  expect(started.map(({ status }) => status)).toEqual(names.map(() => 200))
})

test('who waits sees the place in line, and is served when its turn comes', async () => {
  await using sim = await withTemplate()
  const { faults } = sim.world.site
  faults.add({ match: 'qemu-img convert', times: 1, effect: { kind: 'hang' } })
  const first = await sim.ask('POST', '/vms/', vmXml('first'), { Prefer: 'respond-async' })
  const path = first.headers.get('location')!
  await until(async () => (await sim.ask('GET', path)).text.includes('make disk'))
  const renamed = '<template><name>renamed</name></template>'
  const waiting = await sim.ask('PUT', `/templates/${TEMPLATE}/`, renamed, { Prefer: 'respond-async' })
  expect([waiting.status, waiting.text.includes('<state>queued</state>')]).toEqual([202, true])
  const place = waiting.headers.get('location')!
  await until(async () => (await sim.ask('GET', place)).text.includes('<step>number 1 in line</step>'))
  expect(JSON.parse((await sim.ask('GET', `${place}?format=json`)).text)).toMatchObject({
    job: { state: 'queued', step: 'number 1 in line', progress: 0 },
  })
  expect((await sim.ask('DELETE', path)).status).toBe(204)
  await until(async () => (await sim.ask('GET', place)).text.includes('<state>done</state>'))
  expect((await sim.ask('GET', `/templates/${TEMPLATE}/`)).text).toContain('<name>renamed</name>')
})

test('a reset does not wait behind copies, and a copy that waits for its turn says behind what', async () => {
  await using sim = await withTemplate()
  const { engine, site } = sim.world
  await act(sim.world, 'vm.start', { vm: await made('running') })
  site.faults.add({ match: 'qemu-img convert', times: 2, effect: { kind: 'hang' } })
  const [one, two] = [await ask('one'), await ask('two')]
  for (const path of [one, two]) await until(async () => (await stepOf(path)).includes('make disk'))
  const third = await ask('three')
  await until(async () => (await stepOf(third)).includes('waits for its turn behind 2 copies on xen1'))
  const reset = engine.view.vms().find(({ name }) => name === 'running')!
  await act(sim.world, 'vm.reset', { vm: reset.uuid })
  expect(site.domain('running')).toMatchObject({ phase: 'up', paused: false })
  expect(await stepOf(third)).toContain('waits for its turn')
  expect((await sim.ask('DELETE', one)).status).toBe(204)
  await until(async () => (await sim.ask('GET', third)).text.includes('<state>done</state>'))
  expect((await sim.ask('DELETE', two)).status).toBe(204)
  await until(async () => (await sim.ask('GET', two)).text.includes('<state>cancelled</state>'))

  async function made(name: string): Promise<string> {
    expect((await sim.ask('POST', '/vms/', vmXml(name))).status).toBe(201)
    return engine.view.vms().find((vm) => vm.name === name)!.uuid
  }
  async function ask(name: string): Promise<string> {
    return (await sim.ask('POST', '/vms/', vmXml(name), { Prefer: 'respond-async' })).headers.get('location')!
  }
  async function stepOf(path: string): Promise<string> {
    return /<step>(.*)<\/step>/.exec((await sim.ask('GET', path)).text)?.[1] ?? ''
  }
})
