import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { describeParams, type Field } from '../../src/engine/jobs/params.ts'
import { CATALOG } from '../../src/engine/operations/catalog.ts'
import { snapshotsOf } from '../../src/model/layer.ts'
import { ROWS } from '../../src/server/routes/routes.ts'
import type { Row } from '../../src/server/routes/row.ts'
import type { FormField } from '../../src/server/views/form.ts'
import { act, makeVm, pmNamed } from '../support/sites/acts.ts'
import { MISSING } from './exchanges/exchange.ts'
import { type SimServer, serveSim } from './simServer.ts'
import { serveSite, WEB } from './site.ts'

/**
 * Whatever a request names and is not there is told by its name, with what there is: 400 where it stands in the body,
 * 404 in the path. Every row and every field that names something, as the operations' own parameters say.
 */
let sim: SimServer
/** What there is, by what a path calls it. */
let ids: Readonly<Record<string, string>>
const TEMPLATE = '77777777-2222-4333-8444-555555555555'

beforeAll(async () => {
  sim = await serveSim()
  const { world } = sim
  const { view } = world.engine
  const { uuid: vm } = await makeVm(world)
  await act(world, 'template.addNew', { name: 'golden', storlink: 1, size: 64, template: TEMPLATE })
  await act(world, 'backup.create', { vm, name: 'first', storlink: 1 })
  await act(world, 'snapshot.create', { vm, name: 'installed' })
  await act(world, 'schedule.create', { vm, storlink: 1, cron: '30 2 * * *' })
  const row = view.needVm(vm)
  ids = {
    pm_uuid: pmNamed(world),
    vm_uuid: vm,
    backed_vm_uuid: vm,
    gvm_uuid: TEMPLATE,
    storlink_id: '1',
    disk_uuid: row.disks[0]!.uuid,
    interface_id: String(row.nics[0]!.id),
    snapshot_uuid: snapshotsOf(row)[0]!.uuid,
    backup_uuid: view.backups()[0]!.uuid,
    schedule_uuid: view.schedules()[0]!.uuid,
    job_id: view.jobs()[0]!.id,
  }
})
afterAll(() => sim[Symbol.asyncDispose]())

/** What is given in place of a known one, and how that is told. */
const UNKNOWN: Partial<Record<NonNullable<Field['from']>, readonly [given: string, told: RegExp]>> = {
  pm: [MISSING, new RegExp(`^\\S+: there is no PM ${MISSING}; there are \\S{36} \\(xen\\d\\), `)],
  vm: [MISSING, new RegExp(`^\\S+: there is no VM ${MISSING}; there are \\S{36} \\(`)],
  template: [MISSING, new RegExp(`^\\S+: there is no template ${MISSING}; there is ${TEMPLATE} \\(golden\\)`)],
  storlink: ['99', /^\S+: there is no storlink 99; there is 1 \(data\)/],
  disk: ['xvdq', /: disk: \S+ has no disk xvdq; it has xvda/],
  bridge: ['xenbr99', /: .*xenbr99 is not on xen1, which has xenbr0, xenbr1: make it there, or give unseen_bridge/],
}

/** Files of a PM, which it is asked for. */
const ON_A_HOST = new Set<Field['from']>(['iso'])

const pathOf = (pattern: string, others: Readonly<Record<string, string>> = {}) =>
  pattern.replace(/:(\w+)/g, (_, name: string) => others[name] ?? ids[name] ?? `no ${name}`)

async function ask(method: string, path: string, type?: string, body?: string) {
  const typed: Record<string, string> = type === undefined ? {} : { 'Content-Type': type }
  const { status, text, headers } = await sim.ask(method, path, body, { ...typed, Accept: 'application/json' })
  return { status, job: headers.get('pengx-job'), ...(JSON.parse(text) as { root?: { message: string } }) }
}

interface Named {
  readonly row: Row
  readonly fields: readonly (readonly [FormField, Field])[]
  readonly field: FormField
  readonly from: NonNullable<Field['from']>
}

const BODIES: readonly Named[] = ROWS.flatMap((row) => {
  if (row.action.kind !== 'run' || !row.action.takes) return []
  const params = describeParams(CATALOG.get(row.action.operation)!.params)
  const fields = row.action.takes.fields.map(
    (field) => [field, params.find(({ name }) => name === field.param)!] as const,
  )
  return fields.flatMap(([field, { from }]) => (from === undefined ? [] : [{ row, fields, field, from }]))
})

const nameOf = ({ within, name }: FormField) => (within === undefined ? name : `${within}.${name}`)

/** Enough of a body for a row, with one field as given. */
function bodyOf({ fields, field }: Named, given: string): object {
  const body: Record<string, unknown> = {}
  for (const [one, { kind, from, choices }] of fields) {
    if (one !== field && !one.required) continue
    const known = { storlink: '1', pm: ids.pm_uuid, template: TEMPLATE, vm: ids.vm_uuid, bridge: 'xenbr0' }[
      String(from)
    ]
    const text = one === field ? given : (known ?? choices?.[0] ?? (kind === 'number' ? '64' : 'x'))
    const value = one.list ? [text] : text
    if (one.within === undefined) body[one.name] = value
    else body[one.within] = { ...(body[one.within] as object | undefined), [one.name]: value }
  }
  return body
}

function xmlOf(value: unknown): string {
  if (Array.isArray(value)) return value.map((item) => `<list-item>${item}</list-item>`).join('')
  if (typeof value !== 'object') return String(value)
  return Object.entries(value as object)
    .map(([name, inner]) => `<${name}>${xmlOf(inner)}</${name}>`)
    .join('')
}

describe('in a body', () => {
  test.each(BODIES.map((one) => [`${one.row.method} ${one.row.path} ${one.field.name}`, one] as const))(
    '%s',
    async (_, one) => {
      const { row, field, from } = one
      if (ON_A_HOST.has(from)) return expect(field.names).toBeUndefined()
      const [given, told] = UNKNOWN[from] ?? ['', /^no such thing is asked for here yet$/]
      const body = bodyOf(one, given)
      const path = pathOf(row.path)
      for (const [prefix, type, text] of [
        ['/v1', 'application/xml', `<x>${xmlOf(body)}</x>`],
        ['/v2', 'application/xml', `<x>${xmlOf(body)}</x>`],
        ['', 'application/json', JSON.stringify({ x: body })],
      ] as const) {
        const before = sim.world.engine.view.jobs().length
        const { status, job, root } = await ask(row.method, prefix + path, type, text)
        expect(root?.message).toMatch(told)
        expect(root?.message).toContain(from === 'bridge' ? 'xenbr99' : `${nameOf(field)}: `)
        expect([status, job, sim.world.engine.view.jobs().length]).toEqual([400, null, before])
      }
    },
  )

  test('of many a few are told, and where they all are; where there is none, what makes one', async () => {
    const own = await serveSite()
    const say = async () => {
      const body = '<disk><size>8</size><storlink>99</storlink></disk>'
      return await (await own.ask('POST', `/vms/${WEB}/disks/`, { body })).text()
    }
    const [first] = own.engine.site.storlinks
    own.engine.set({ storlinks: Array.from({ length: 7 }, (_, id) => ({ ...first!, id: id + 1, name: `s${id + 1}` })) })
    expect(await say()).toContain('there are 1 (s1), 2 (s2), 3 (s3), 4 (s4) and 3 more: GET /storlinks/ lists them')
    own.engine.set({ storlinks: [first!] })
    expect(await say()).toContain('there is no storlink 99; there is 1 (store1)')
    own.engine.set({ storlinks: [] })
    expect(await say()).toContain('there is no storlink 99, and no other: POST /storlinks/create/ makes one')
    await own.server.stop()
  })
})

const PATHS = ROWS.flatMap(({ method, path, also = [] }) => {
  const named = [path, ...also].flatMap((pattern) =>
    [...pattern.matchAll(/:(\w+)/g)].map(([, name]) => [pattern, name!] as const),
  )
  return named.map(([pattern, name]) => [`${method} ${pattern} ${name}`, method, pattern, name] as const)
})

describe('in a path', () => {
  test.each(PATHS)('%s', async (_, method, pattern, name) => {
    for (const unknown of ['nothing', /^\d+$/.test(ids[name] ?? '') ? '99' : MISSING]) {
      const { status, job, root } = await ask(method, pathOf(pattern, { [name]: unknown }))
      const sentence = new RegExp(`^there is no [a-zA-Z]+ ${unknown}; GET (/\\S+/) lists those that there are$`)
      expect([root?.message, status, job]).toEqual([expect.stringMatching(sentence), 404, null])
      const listed = await ask('GET', sentence.exec(root!.message)![1]!)
      expect([listed.status, ids]).toEqual([200, expect.objectContaining({ [name]: expect.any(String) })])
    }
  })
})
