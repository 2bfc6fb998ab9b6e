import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatApiTable } from '../../src/server/apiTable.ts'
import { ROWS } from '../../src/server/routes.ts'
import type { Row } from '../../src/server/row.ts'
import { DB, diskOf, JOB, LOST, PM_A, serveSite, WEB } from './site.ts'

/**
 * What every row is asked and answers, kept under test/golden/api, a file a row. PENGX_GOLDEN=1 writes them anew;
 * a person reads the difference.
 */
const FOLDER = join(import.meta.dir, '../golden/api')
const API_PAGE = join(import.meta.dir, '../../docs/API.md')
const REWRITE = process.env.PENGX_GOLDEN === '1'

interface Exchange {
  readonly title: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Posted first, and not shown. */
  readonly after?: string
}

const NEW_VM = `<vm>
  <name>new01</name>
  <storlink>1</storlink>
  <cpu_core>2</cpu_core>
  <memory>512</memory>
  <maxmem>1024</maxmem>
  <os_disk_size>10240</os_disk_size>
  <extra_disk_size></extra_disk_size>
  <disk_format>qcow2</disk_format>
  <network>
    <list-item>0</list-item>
    <list-item>xenbr1</list-item>
  </network>
  <desc>VM for something</desc>
</vm>`

const NEW_STORLINK = `<storlink>
  <name>store9</name>
  <link>/data9</link>
  <desc>VM store9</desc>
  <type>IO</type>
  <level>FL</level>
  <shared>True</shared>
</storlink>`

const NEW_SIZE = `<vm>
  <cpu_core>2</cpu_core>
  <memory>1024</memory>
  <maxmem>2048</maxmem>
</vm>`

const NEW_DISK = `<disk>
  <size>1024</size>
  <storlink>1</storlink>
  <desc>logs</desc>
</disk>`

const NEW_NIC = `<vms>
  <interface_name>xenbr0</interface_name>
</vms>`

const NEW_ADDRESS = `<vms>
  <ipaddress>192.168.0.1</ipaddress>
</vms>`

const ASYNC = { Prefer: 'respond-async' }
const WITH_BODY = { Prefer: 'return=representation' }
const MISSING = '0f000000-0000-4000-8000-000000000000'

/** A row of VM control on a VM that may, on one that may not, and on one that nobody can reach. */
function controls(verb: string, allowed: string, refused: string): Exchange[] {
  return [
    { title: 'done', path: `/vms/${allowed}/${verb}/` },
    { title: 'refused', path: `/vms/${refused}/${verb}/` },
    { title: 'its PM is down', path: `/vms/${LOST}/${verb}/` },
    { title: 'no such VM', path: `/vms/${MISSING}/${verb}/` },
  ]
}

/** What is asked of each row; several exchanges are one story on one site. */
const EXCHANGES: Readonly<Record<string, readonly Exchange[]>> = {
  'GET /pms/all/': [
    { title: 'all', path: '/pms/all/' },
    { title: 'as JSON', path: '/pms/all/?format=json' },
  ],
  'GET /pms/': [{ title: 'this server’s own', path: '/pms/' }],
  'GET /pms/:pm_uuid/': [
    { title: 'one', path: `/pms/${PM_A}/` },
    { title: 'none', path: '/pms/1/' },
  ],
  'GET /pmpperf/': [{ title: 'this server’s own', path: '/pmpperf/' }],
  'GET /pmpperf/:pm_uuid/': [{ title: 'one', path: `/pmperf/${PM_A}/` }],
  'POST /storlinks/create/': [
    { title: 'the document’s example', path: '/storlinks/create/', body: NEW_STORLINK },
    { title: 'no name', path: '/storlinks/create/', body: '<storlink><link>/data9</link></storlink>' },
  ],
  'DELETE /storlinks/:storlink_id/': [
    { title: 'in use', path: '/storlinks/1/' },
    { title: 'gone', path: '/storlinks/2/', headers: WITH_BODY },
    { title: 'none', path: '/storlinks/99/' },
  ],
  'GET /storlinks/': [
    { title: 'all', path: '/storlinks/' },
    { title: 'as JSON', path: '/storlinks/', headers: { Accept: 'application/json' } },
  ],
  'GET /storlinks/all/': [{ title: 'all, with names', path: '/v2/storlinks/all/' }],
  'POST /vms/': [
    { title: 'made', path: '/vms/', body: NEW_VM },
    { title: 'at once', path: '/vms/', body: NEW_VM.replace('new01', 'new02'), headers: ASYNC },
    { title: 'no such storlink', path: '/vms/', body: NEW_VM.replace('<storlink>1', '<storlink>11') },
    { title: 'name taken', path: '/vms/', body: NEW_VM.replace('new01', 'web01') },
  ],
  'DELETE /vms/:vm_uuid/': [
    { title: 'running', path: `/vms/${WEB}/` },
    { title: 'gone', path: `/vms/${DB}/` },
    { title: 'gone, with a body', path: `/vms/${DB}/`, headers: WITH_BODY },
  ],
  'GET /vms/': [
    { title: 'all', path: '/vms/' },
    { title: 'as JSON', path: '/api/v1/vms?format=json' },
  ],
  'GET /vms/:vm_uuid/': [
    { title: 'one', path: `/vms/${WEB}/` },
    { title: 'as JSON', path: `/vms/${DB}/`, headers: { Accept: 'application/json' } },
    { title: 'none', path: `/vms/${MISSING}/` },
  ],
  'POST /vms/:vm_uuid/poweroff/': controls('poweroff', WEB, DB),
  'POST /vms/:vm_uuid/reboot/': controls('reboot', WEB, DB),
  'POST /vms/:vm_uuid/reset/': controls('reset', WEB, DB),
  'POST /vms/:vm_uuid/resume/': controls('resume', WEB, DB),
  'POST /vms/:vm_uuid/shutdown/': controls('shutdown', WEB, DB),
  'POST /vms/:vm_uuid/start/': controls('start', DB, WEB),
  'POST /vms/:vm_uuid/suspend/': controls('suspend', WEB, DB),
  'POST /vms/:vm_uuid/resize/': [
    { title: 'the document’s example', path: `/vms/${WEB}/resize/`, body: NEW_SIZE },
    { title: 'more than it was started with', path: `/vms/${WEB}/resize/`, body: '<vm><memory>4096</memory></vm>' },
  ],
  'PUT /vms/:vm_uuid/update/': [
    { title: 'shut down', path: `/vms/${DB}/update/`, body: NEW_SIZE, headers: WITH_BODY },
    { title: 'nothing given', path: `/vms/${DB}/update/`, body: '<vm><cpu_core></cpu_core></vm>' },
    { title: 'no number', path: `/vms/${DB}/update/`, body: '<vm><cpu_core>two</cpu_core></vm>' },
  ],
  'PUT /vms/:vm_uuid/edit/': [
    { title: 'renamed', path: `/v2/vms/${WEB}/edit/`, body: '<vm><name>shop01</name><desc>the shop</desc></vm>' },
    { title: 'name taken', path: `/vms/${DB}/edit/`, body: '<vm><name>web01</name></vm>' },
    { title: 'its PM is down', path: `/vms/${LOST}/edit/`, body: '<vm><name>found</name></vm>' },
  ],
  'POST /vms/:vm_uuid/disks/': [
    { title: 'the document’s example', path: `/vms/${WEB}/disks/`, body: NEW_DISK },
    { title: 'as JSON', path: `/vms/${DB}/disks/?format=json`, body: '<disk><size>64</size></disk>' },
    { title: 'no size', path: `/vms/${WEB}/disks/`, body: '<disk><storlink>1</storlink></disk>' },
    { title: 'another PM’s storlink', path: `/vms/${WEB}/disks/`, body: NEW_DISK.replace('>1<', '>2<') },
  ],
  'DELETE /vms/:vm_uuid/disks/:disk_uuid/': [
    { title: 'what it runs from', path: `/vms/${WEB}/disks/${diskOf(WEB)}/` },
    { title: 'gone', path: `/vms/${DB}/disks/${diskOf(DB)}/` },
    { title: 'another VM’s', path: `/vms/${DB}/disks/${diskOf(WEB)}/` },
  ],
  'PUT /vms/:vm_uuid/disks/:disk_uuid/': [
    { title: 'grown', path: `/vms/${WEB}/disks/${diskOf(WEB)}/`, body: '<disk><size>20480</size></disk>' },
    { title: 'less', path: `/vms/${WEB}/disks/${diskOf(WEB)}/`, body: '<disk><size>512</size></disk>' },
  ],
  'POST /vms/:vm_uuid/interfaces/': [
    { title: 'the document’s example', path: `/vms/${WEB}/interfaces/`, body: NEW_NIC },
    {
      title: 'the document’s example of v2',
      path: `/v2/vms/${DB}/interfaces/`,
      body: NEW_NIC.replace('</vms>', '  <ipaddress>192.168.0.1</ipaddress>\n</vms>'),
    },
    { title: 'no such bridge', path: `/vms/${WEB}/interfaces/`, body: NEW_NIC.replace('xenbr0', 'xenbr9') },
    { title: 'no bridge', path: `/vms/${WEB}/interfaces/`, body: '<vms></vms>' },
  ],
  'DELETE /vms/:vm_uuid/interfaces/:interface_id/': [
    { title: 'running', path: `/vms/${WEB}/interface/7/` },
    { title: 'gone', path: `/vms/${WEB}/interface/7/`, after: `/vms/${WEB}/shutdown/` },
    { title: 'none', path: `/vms/${WEB}/interfaces/8/` },
  ],
  'PUT /vms/:vm_uuid/interfaces/:interface_id/update/': [
    { title: 'the document’s example', path: `/v2/vms/${WEB}/interface/7/update/`, body: NEW_ADDRESS },
    { title: 'no address', path: `/vms/${WEB}/interfaces/7/update/`, body: NEW_ADDRESS.replace('.1<', '.256<') },
  ],
  'PUT /vms/:vm_uuid/cdrom/': [
    { title: 'inserted', path: `/vms/${DB}/cdrom/`, body: '<cdrom><path>/data/iso/debian-12.iso</path></cdrom>' },
    { title: 'no path', path: `/vms/${DB}/cdrom/`, body: '<cdrom><path>debian-12.iso</path></cdrom>' },
  ],
  'DELETE /vms/:vm_uuid/cdrom/': [{ title: 'empty', path: `/vms/${DB}/cdrom/` }],
  'GET /vms/:vm_uuid/disks/': [{ title: 'all', path: `/vms/${WEB}/disks/` }],
  'GET /vms/:vm_uuid/interfaces/': [
    { title: 'one', path: `/vms/${WEB}/interface/` },
    { title: 'none', path: `/vms/${DB}/interfaces/` },
  ],
  'GET /jobs/': [{ title: 'all', path: '/jobs/' }],
  'GET /jobs/:job_id/': [
    { title: 'one', path: `/jobs/${JOB}/` },
    { title: 'as JSON', path: `/jobs/${JOB}/?format=json` },
  ],
  'DELETE /jobs/:job_id/': [
    { title: 'cancelled', path: `/jobs/${JOB}/` },
    { title: 'already', path: `/jobs/${JOB}/`, headers: WITH_BODY },
  ],
  'GET /healthz': [{ title: 'there', path: '/healthz' }],
}

/** Rows whose answers are no documents; each has a test of its own in this room. */
const ELSEWHERE = new Set(['GET /events/', 'GET /metrics', 'GET /openapi.json'])
const SHOWN_HEADERS = ['allow', 'content-type', 'location', 'pengx-job', 'preference-applied', 'retry-after']

const nameOf = (row: Row) => `${row.method} ${row.path}`
const fileOf = (row: Row) =>
  `${row.method}${row.path}`
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, '-')
    .replace(/-$/, '')

async function tell(row: Row): Promise<string> {
  const served = await serveSite()
  // A VM that can be resumed is paused, and one that can be deleted has no running twin.
  if (row.path.endsWith('/resume/')) await served.ask('POST', `/vms/${WEB}/suspend/`)
  const parts: string[] = []
  for (const { title, path, headers = {}, body, after } of EXCHANGES[nameOf(row)] ?? []) {
    if (after !== undefined) await served.ask('POST', after)
    const response = await served.ask(row.method, path, { headers, ...(body === undefined ? {} : { body }) })
    const asked = [`${row.method} ${path}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)]
    const answered = SHOWN_HEADERS.filter((name) => response.headers.has(name)).map(
      (name) => `${name}: ${response.headers.get(name)}`,
    )
    const text = await response.text()
    parts.push(
      [
        `### ${title}`,
        ...asked,
        ...(body === undefined ? [] : ['', body]),
        '',
        String(response.status),
        ...answered,
        '',
        text,
      ].join('\n'),
    )
  }
  await served.server.stop()
  return `${parts.join('\n').trimEnd()}\n`
}

function keep(path: string, text: string): void {
  if (REWRITE) {
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text)
  }
  expect(existsSync(path) ? readFileSync(path, 'utf8') : 'no golden: PENGX_GOLDEN=1 writes it').toBe(text)
}

describe('every row answers as its golden says', () => {
  for (const row of ROWS.filter((each) => each.work.kind !== 'later' && !ELSEWHERE.has(nameOf(each)))) {
    test(nameOf(row), async () => {
      expect(EXCHANGES[nameOf(row)] ?? []).not.toBeEmpty()
      keep(join(FOLDER, `${fileOf(row)}.http`), await tell(row))
    })
  }

  test('no golden is left of a row that is gone', () => {
    const known = new Set(ROWS.map((row) => `${fileOf(row)}.http`))
    expect(readdirSync(FOLDER).filter((name) => !known.has(name))).toEqual([])
  })
})

describe('what comes later says so', () => {
  let served: Awaited<ReturnType<typeof serveSite>>
  beforeAll(async () => {
    served = await serveSite()
  })
  afterAll(() => served.server.stop())

  for (const row of ROWS.filter((each) => each.work.kind === 'later')) {
    test(nameOf(row), async () => {
      for (const path of [row.path, ...(row.also ?? [])]) {
        const response = await served.ask(row.method, path.replace(/:\w+/g, WEB))
        expect(response.status).toBe(501)
        expect(await response.text()).toContain(`${row.method} ${row.path} is not there yet`)
      }
      expect(served.engine.started).toEqual([])
    })
  }
})

test('docs/API.md says what the rows say', () => {
  keep(API_PAGE, formatApiTable(ROWS))
})
