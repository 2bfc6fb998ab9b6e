import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { PengxError } from '../../src/model/error.ts'
import { pickVersion, splitPrefix, wantedPreferences, wantedVersion } from '../../src/server/negotiate.ts'
import { ROWS } from '../../src/server/routes/routes.ts'
import { readUntil } from '../support/readUntil.ts'
import { type Served, serveSite, WEB } from './site.ts'

/** What stands beside the document, and how a version is chosen. */
let served: Served
beforeAll(async () => {
  served = await serveSite()
})
afterAll(() => served.server.stop())

describe('/metrics', () => {
  test('counts the site and the requests, by row and never by id', async () => {
    await served.ask('GET', `/vms/${WEB}/`)
    await served.ask('GET', `/no/such/path/${WEB}/`)
    const response = await served.ask('GET', '/metrics')
    const text = await response.text()
    expect(response.headers.get('content-type')).toStartWith('text/plain; version=0.0.4')
    for (const line of [
      'pengx_vms{status="RUNNING"} 1',
      'pengx_vms{status="UNKNOWN"} 1',
      'pengx_vms{status="CRASHED"} 0',
      'pengx_pm_up{pm="dom0-a"} 1',
      'pengx_pm_up{pm="dom0-b"} 0',
      'pengx_storlink_free_bytes{storlink="1",name="store1"} 53687091200',
      'pengx_jobs{state="running"} 1',
      'pengx_http_requests_total{method="GET",path="/vms/:vm_uuid/",status="200"} 1',
      'pengx_http_requests_total{method="GET",path="none",status="404"} 1',
    ]) {
      expect(text).toContain(line)
    }
    expect(text).not.toContain(WEB)
  })

  test('has the volumes that a VM writes to and must not, for as long as it does', async () => {
    const own = await serveSite()
    expect(await (await own.ask('GET', '/metrics')).text()).not.toContain('pengx_vm_wrong_volumes{')
    const wrongVolumes = [{ vdev: 'xvda', path: '/old', kind: 'frozen' as const, since: 0 }]
    const vms = own.engine.site.vms.map((vm) => (vm.uuid === WEB ? { ...vm, seen: { ...vm.seen, wrongVolumes } } : vm))
    own.engine.set({ vms })
    const name = vms.find((vm) => vm.uuid === WEB)!.name
    expect(await (await own.ask('GET', '/metrics')).text()).toContain(
      `pengx_vm_wrong_volumes{vm="${name}",uuid="${WEB}",kind="frozen"} 1`,
    )
    await own.server.stop()
  })

  test('forgets what is gone, and servers do not count for each other', async () => {
    const own = await serveSite()
    own.engine.set({ pms: own.engine.site.pms.slice(0, 1) })
    const text = await (await own.ask('GET', '/metrics')).text()
    expect(text).toContain('pengx_pm_up{pm="dom0-a"} 1')
    expect(text).not.toContain('dom0-b')
    expect(text).not.toContain('pengx_http_requests_total{')
    await own.server.stop()
  })
})

test('where the store cannot be written, /healthz and /metrics say so, and all else is answered as before', async () => {
  const own = await serveSite()
  const vms = await (await own.ask('GET', '/vms/')).text()
  expect(await (await own.ask('GET', '/metrics')).text()).toContain('\npengx_store_writable 1\n')
  const since = Date.UTC(2026, 10, 23, 14, 3, 22)
  own.engine.set({ storeTrouble: { code: 'noSpace', why: 'the disk is full', since } })
  const health = await own.ask('GET', '/healthz')
  expect([health.status, await health.text()]).toEqual([
    503,
    'store: cannot be written since 2026-11-23T14:03:22.000Z: the disk is full\n',
  ])
  expect(await (await own.ask('GET', '/metrics')).text()).toContain('\npengx_store_writable 0\n')
  expect(await (await own.ask('GET', '/vms/')).text()).toBe(vms)
  own.engine.onStart('vm.reboot', new PengxError('noSpace', 'cannot write store /x: the disk is full'))
  const refused = await own.ask('POST', `/vms/${WEB}/reboot/`)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10'])
  own.engine.set({ storeTrouble: undefined })
  expect(await (await own.ask('GET', '/healthz')).text()).toBe('ok\n')
  expect((await own.ask('POST', `/vms/${WEB}/reboot/`)).status).toBe(400)
  await own.server.stop()
})

test('a job that waits for the store is answered with what it waits for, and where it is', async () => {
  const own = await serveSite()
  const words = 'job 2 (vm.reboot web) waits for the store, which cannot be written: the disk is full'
  own.engine.finished = async () => {
    throw new PengxError('noSpace', words)
  }
  const answer = await own.ask('POST', `/vms/${WEB}/reboot/`)
  expect(answer.status).toBe(503)
  expect(await answer.text()).toContain(words)
  expect(answer.headers.get('pengx-job')).toBe(own.engine.view.jobs()[0]!.id)
  await own.server.stop()
})

describe('/openapi.json', () => {
  interface Api {
    openapi: string
    paths: Record<string, Record<string, { requestBody?: unknown; responses: Record<string, unknown>; security?: [] }>>
  }
  const read = async () => (await (await served.ask('GET', '/openapi.json')).json()) as Api

  test('has every row that answers, and no other', async () => {
    const { openapi, paths } = await read()
    expect(openapi).toBe('3.0.3')
    const described = Object.entries(paths).flatMap(([path, verbs]) =>
      Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    )
    const answering = ROWS.map((row) => `${row.method} ${row.path}`)
    expect(described.sort()).toEqual(answering.sort())
    expect(paths['/healthz']!.get!.security).toEqual([])
    expect(paths['/vms/']!.get!.security).toBeUndefined()
  })

  test('describes bodies in the document’s names, from the operation’s schema', async () => {
    const { paths } = await read()
    expect(paths['/vms/']!.post!.requestBody).toMatchObject({
      content: {
        'application/xml': {
          schema: {
            xml: { name: 'vm' },
            required: ['name', 'memory'],
            properties: {
              cpu_core: { type: 'integer', minimum: 1, default: 1 },
              disk_format: { type: 'string', enum: ['qcow2', 'raw'], default: 'qcow2' },
              network: { type: 'array', items: { type: 'string' } },
              storlink: { type: 'integer' },
            },
          },
        },
      },
    })
  })

  test('describes what stands in an element of its own as that', async () => {
    const { paths } = await read()
    const { content } = paths['/templates/add_new/']!.post!.requestBody as {
      content: Record<string, { schema: object }>
    }
    expect(content['application/json']!.schema).toEqual({
      type: 'object',
      xml: { name: 'template' },
      properties: expect.objectContaining({
        os_arch: { type: 'string', enum: ['X86', 'X64'], default: 'X64', description: 'OS architecture' },
        disk: {
          type: 'object',
          properties: {
            storlink: { type: 'integer', description: 'Storlink' },
            size: { type: 'integer', minimum: 1, description: 'Size, MiB' },
            format: { type: 'string', enum: ['qcow2', 'raw'], default: 'qcow2', description: 'Format' },
          },
          required: ['storlink', 'size'],
        },
      }),
      required: ['name', 'disk'],
    })
  })

  test('says nothing of what only a form on a screen needs', async () => {
    const text = await (await served.ask('GET', '/openapi.json')).text()
    for (const word of ['advanced', 'unfoldedBy', 'secret', 'from']) expect(text).not.toContain(`"${word}":`)
  })

  test('what is shown is what is described', async () => {
    const { paths } = await read()
    const schema = JSON.stringify(paths['/vms/{vm_uuid}/']!.get!.responses['200'])
    const { vm } = (await (await served.ask('GET', `/vms/${WEB}/?format=json`)).json()) as { vm: object }
    for (const name of Object.keys(vm)) expect(schema).toContain(`"${name}":`)
  })
})

describe('which of two shapes of a row', () => {
  test('a prefix wins over the header', () => {
    expect(splitPrefix('/api/v2/vms/')).toEqual({ prefix: 'v2', rest: '/vms/' })
    expect(splitPrefix('/v1/vms/')).toEqual({ prefix: 'v1', rest: '/vms/' })
    expect(splitPrefix('/v1')).toEqual({ rest: '/v1' })
    expect(splitPrefix('/v10/vms/')).toEqual({ rest: '/v10/vms/' })
    expect(splitPrefix('/api/vms/')).toEqual({ rest: '/api/vms/' })
    expect(wantedVersion('v1', 'application/xml; version=v2')).toBe('v1')
    expect(wantedVersion(undefined, 'text/html, application/xml; q=0.9; version=v2')).toBe('v2')
    expect(wantedVersion(undefined, 'application/xml; version=v9')).toBeUndefined()
    expect(wantedVersion(undefined, null)).toBeUndefined()
  })

  test('v1 unless asked; where there is one, it is that one', () => {
    expect(pickVersion(['v1', 'v2'], undefined)).toBe('v1')
    expect(pickVersion(['v1', 'v2'], 'v2')).toBe('v2')
    expect(pickVersion(['v2'], undefined)).toBe('v2')
    expect(pickVersion(['v2'], 'v1')).toBe('v2')
    expect(pickVersion(['v1'], 'v2')).toBe('v1')
  })
})

test('what Prefer asks for', () => {
  expect(wantedPreferences(null)).toEqual({ async: false, representation: false })
  expect(wantedPreferences('respond-async, wait=10')).toEqual({ async: true, representation: false })
  expect(wantedPreferences('Return = Representation; foo')).toEqual({ async: false, representation: true })
  expect(wantedPreferences('return=minimal')).toEqual({ async: false, representation: false })
})

test('events tell when a VM has come to write to what it must not, and when that is over', async () => {
  const own = await serveSite()
  const reader = (await own.ask('GET', '/events/')).body!.getReader() as ReadableStreamDefaultReader<Uint8Array>
  await readUntil(reader, 'hello')
  const { vms } = own.engine.site
  const wrongVolumes = [{ vdev: 'xvda', path: '/old', kind: 'frozen' as const, since: 0 }]
  const wrong = vms.map((vm) => (vm.uuid === WEB ? { ...vm, seen: { ...vm.seen, wrongVolumes } } : vm))
  const changes = [{ kind: 'vm' as const, id: WEB }]
  own.engine.set({ vms: wrong }, changes)
  const volumes = '[{"vdev":"xvda","path":"/old","kind":"frozen","since":0}]'
  expect(await readUntil(reader, 'wrong-volumes')).toContain(`data: {"id":"${WEB}","volumes":${volumes}}`)
  own.engine.set({ vms: wrong }, changes)
  expect(await readUntil(reader, 'vm')).not.toContain('wrong-volumes')
  own.engine.set({ vms }, changes)
  expect(await readUntil(reader, 'wrong-volumes')).toContain(`data: {"id":"${WEB}","volumes":[]}`)
  await reader.cancel()
  await own.server.stop()
})
