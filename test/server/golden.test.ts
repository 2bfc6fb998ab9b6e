import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROWS } from '../../src/server/routes/routes.ts'
import type { Row } from '../../src/server/routes/row.ts'
import { layBackups } from '../support/sites/backupSite.ts'
import { AT, laySchedules } from '../support/sites/scheduleSite.ts'
import { laySnapshots } from '../support/sites/snapshotSite.ts'
import { formatApiTable } from './apiTable.ts'
import { BACKUP_EXCHANGES } from './exchanges/backups.ts'
import type { Exchanges } from './exchanges/exchange.ts'
import { SCHEDULE_EXCHANGES } from './exchanges/schedules.ts'
import { SITE_EXCHANGES } from './exchanges/site.ts'
import { SNAPSHOT_EXCHANGES } from './exchanges/snapshots.ts'
import { TEMPLATE_EXCHANGES } from './exchanges/templates.ts'
import { VM_EXCHANGES } from './exchanges/vms.ts'
import { createSite, DB, joinSite, serveSite, WEB } from './site.ts'

/**
 * What every row is asked and answers, kept under test/golden/api, a file a row. PENGX_GOLDEN=write writes them anew;
 * a person reads the difference.
 */
const FOLDER = join(import.meta.dir, '../golden/api')
const API_PAGE = join(import.meta.dir, '../../docs/API.md')
const REWRITE = process.env.PENGX_GOLDEN === 'write'

const EXCHANGES: Exchanges = {
  ...SITE_EXCHANGES,
  ...TEMPLATE_EXCHANGES,
  ...VM_EXCHANGES,
  ...SNAPSHOT_EXCHANGES,
  ...BACKUP_EXCHANGES,
  ...SCHEDULE_EXCHANGES,
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
  const served = await serveSite(createSite(), { now: () => AT })
  // A VM that can be resumed is paused, and one that can be deleted has no running twin.
  if (row.path.endsWith('/resume/')) await served.ask('POST', `/vms/${WEB}/suspend/`)
  if (row.path.endsWith('/migrate/')) joinSite(served.engine)
  if (row.path.includes('/snapshots/')) laySnapshots(served.engine, DB, WEB)
  if (row.path.includes('/backups/')) layBackups(served.engine, DB)
  if (row.path.startsWith('/schedules/')) laySchedules(served.engine, DB, WEB)
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
  expect(existsSync(path) ? readFileSync(path, 'utf8') : 'no golden: PENGX_GOLDEN=write writes it').toBe(text)
}

describe('every row answers as its golden says', () => {
  for (const row of ROWS.filter((each) => !ELSEWHERE.has(nameOf(each)))) {
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

test('docs/API.md says what the rows say', () => {
  keep(API_PAGE, formatApiTable(ROWS))
})
