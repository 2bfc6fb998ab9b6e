import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pmNamed } from '../support/sites/acts.ts'
import { type SimServer, serveSim, storlinkXml } from './simServer.ts'

/** A VNC password is told to who asks for its VM or template, and stands nowhere else: no list, job, log, event or command. */
const PASSWORD = 'hUsh7734'
const root = mkdtempSync(join(tmpdir(), 'pengx-secrets-'))
const place = { db: join(root, 'pengx.db'), state: join(root, 'site.json') }
let sim: SimServer
const heard: string[] = []
beforeAll(async () => {
  sim = await serveSim({}, place)
  sim.world.engine.onCommand((record) => void heard.push(JSON.stringify(record)))
})
afterAll(async () => {
  await sim[Symbol.asyncDispose]()
  rmSync(root, { recursive: true, force: true })
})

/** All that the store has kept, but for the one column that is meant for it. */
function stored(): string {
  const file = new Database(place.db, { readonly: true })
  const tables = file.query("select name from sqlite_master where type = 'table'").all() as { name: string }[]
  const rows = tables.flatMap(({ name }) => file.query(`select * from ${name}`).all() as Record<string, unknown>[])
  file.close()
  return JSON.stringify(rows.map(({ vncPassword: _meant, ...row }) => row))
}

test('a password goes through jobs that end well and badly, and is found only where it is asked for', async () => {
  const { ask, world } = sim
  const events = await fetch(`${sim.server.url}/events/`)
  await ask('POST', '/storlinks/create/', storlinkXml('data', '/data', `<pm>${pmNamed(world)}</pm>`))
  const vmXml = (name: string) =>
    `<vm><name>${name}</name><storlink>1</storlink><memory>64</memory><os_disk_size>64</os_disk_size><vnc_password>${PASSWORD}</vnc_password></vm>`
  const answers: string[] = []
  const tell = async (...asked: Parameters<typeof ask>) => {
    const answer = await ask(...asked)
    answers.push(answer.text, JSON.stringify([...answer.headers]))
    return answer
  }
  const made = await tell('POST', '/vms/', vmXml('web'))
  expect(made.status).toBe(201)
  const vm = made.headers.get('location')!
  expect((await tell('POST', '/vms/', vmXml('web'))).status).toBe(400)
  world.site.faults.add({ match: 'qemu-img create', effect: { kind: 'failBefore', exit: 1, stderr: 'no\n' } })
  expect((await tell('POST', '/vms/', vmXml('db'))).status).toBe(400)
  // xl says what it was told when it does not like it
  const stderr = `libxl: error: bad vncpasswd "${PASSWORD}"\n`
  world.site.faults.add({ match: 'xl create', effect: { kind: 'failBefore', exit: 1, stderr } })
  expect((await tell('POST', `${vm}start/`)).status).toBe(400)
  world.site.faults.clear()
  expect((await tell('POST', `${vm}start/`)).status).toBe(200)
  await tell('POST', '/templates/add_new/', '<t><name>t</name><disk><storlink>1</storlink><size>8</size></disk></t>')
  const template = `/templates/${world.engine.view.templates()[0]!.uuid}/`
  const upkeep = `<t><vnc_password>${PASSWORD}</vnc_password></t>`
  expect((await tell('POST', `${template}start/`, upkeep)).status).toBe(200)
  await tell('POST', `${template}start/`, '<t><vnc_password>longer than eight</vnc_password></t>')
  for (const path of ['/vms/', '/vms/?format=json', '/v2/templates/', '/jobs/', '/jobs/?format=json', '/metrics'])
    await tell('GET', path)
  for (const { id } of world.engine.view.jobs()) answers.push(JSON.stringify(await world.engine.jobDetail(id)))

  for (const path of [vm, template])
    expect((await ask('GET', path)).text).toContain(`<vnc_password>${PASSWORD}</vnc_password>`)
  await world.engine.look()
  await sim.server.stop()
  const places = { answers, heard, log: sim.logged, stored: stored(), events: await events.text() }
  for (const [name, what] of Object.entries(places))
    expect([name, JSON.stringify(what).includes(PASSWORD)]).toEqual([name, false])
  expect([answers.length > 20, heard.length > 20, places.events.includes('event: job')]).toEqual([true, true, true])
})

test('it outlives whatever is done with the VM', async () => {
  const { engine } = sim.world
  const { uuid } = engine.view.vmsNamed('web')[0]!
  const vncOf = () => engine.view.needVm(uuid).vnc
  for (const operation of ['vm.reset', 'vm.suspend', 'vm.resume', 'vm.poweroff', 'vm.start', 'vm.reboot']) {
    const job = await engine.start(operation, engine.decode(operation, { vm: uuid }), 'http')
    expect((await engine.finished(job.id)).job.state).toBe('done')
    expect([operation, vncOf()]).toEqual([operation, { listen: '127.0.0.1', password: PASSWORD }])
  }
})
