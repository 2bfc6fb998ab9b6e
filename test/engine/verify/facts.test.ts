import { afterEach, beforeEach, expect, test } from 'bun:test'
import { CATALOG } from '../../../src/engine/operations/catalog.ts'
import { identifyFiles, parseIdentities, parseListed } from '../../../src/engine/tools/fileLists.ts'
import { CODES } from '../../../src/engine/verify/codes.ts'
import type { SiteFacts } from '../../../src/engine/verify/facts.ts'
import { reportOf } from '../../../src/engine/verify/verify.ts'
import type { Job } from '../../../src/model/job.ts'
import { makeStorlink, makeVm } from '../../support/sites/acts.ts'
import { aBackup } from '../../support/sites/backups.ts'
import { openWorld, type World } from '../../support/sites/world.ts'

/** Kinds of drift that no simulated machine shows, from facts. */
let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

const NOTHING = { pms: new Map(), away: [], places: [], volumes: [], journal: [], marks: [], claims: [] } as const

function told(facts: Partial<SiteFacts>, view: object = {}) {
  const own = world.engine.view
  const names = ['vms', 'getVm', 'vmsOn', 'pms', 'getPm', 'storlinks', 'templates', 'backups', 'jobs', 'jobOn'] as const
  const base = Object.fromEntries(names.map((name) => [name, own[name].bind(own)]))
  const whole = { ...NOTHING, ...facts, view: { ...base, ...view } } as unknown as SiteFacts
  return reportOf(whole, 0).findings.map(({ code, repair }) => (repair ? `${code}: ${repair.operation}` : code))
}

test('a stuck job, and backups that are bad or that nobody has read back', async () => {
  const job = {
    id: 'j',
    number: 7,
    operation: 'vm.start',
    subject: { kind: 'vm', id: 'v', name: 'web' },
    message: 'no',
  }
  expect(told({}, { jobs: () => [{ ...job, state: 'stuck' }] as unknown as Job[] })).toEqual(['JOB_STUCK'])
  const backups = [aBackup({ state: 'unverified' }), aBackup({ state: 'failed', problem: 'it is not what it was' })]
  expect(told({}, { backups: () => backups })).toEqual(['BACKUP_FAILED', 'BACKUP_UNVERIFIED: backup.verify'])
  // what a job is at work on may be otherwise in a moment
  expect(told({}, { backups: () => backups, jobOn: () => ({ state: 'running' }) })).toEqual([])
})

test('markers and claims that are not as they should be', async () => {
  const vm = await makeVm(world)
  const [storlink] = world.engine.view.storlinks()
  const mark = { storlink: storlink!.id, pm: vm.pm }
  expect(told({ marks: [{ ...mark, state: 'its own' }] })).toEqual([])
  expect(told({ marks: [{ ...mark, state: 'none' }] })).toEqual(['STORLINK_UNMARKED: storlink.mark'])
  expect(told({ marks: [{ ...mark, state: 'none', why: 'a volume is not there' }] })).toEqual(['STORLINK_UNMARKED'])
  expect(told({ marks: [{ ...mark, state: 'another', why: 'x' }] })).toEqual(['STORLINK_OTHER_DISK'])
  expect(told({ marks: [{ ...mark, state: 'away', why: 'x' }] })).toEqual(['STORLINK_AWAY'])
  const claim = { vm: vm.uuid, pm: vm.pm, path: vm.disks[0]!.path }
  for (const [state, code] of [
    ['stale', 'CLAIM_STALE: vm.release'],
    ['foreign', 'CLAIM_FOREIGN'],
    ['missing', 'CLAIM_MISSING'],
  ] as const)
    expect(told({ claims: [{ ...claim, state }] })).toEqual([code])
  expect(told({ claims: [{ ...claim, state: 'its own' }] })).toEqual([])
})

test('every code says what it means and what to do, and its repair is an operation', () => {
  for (const row of CODES) {
    expect(row.code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
    expect(row.means).toMatch(/\.$/)
    expect(row.help).toMatch(/\.$/)
    if ('repair' in row) expect([...CATALOG.keys()]).toContain(row.repair)
  }
  expect(new Set(CODES.map(({ code }) => code)).size).toBe(CODES.length)
})

test('what stat(1) and find(1) of coreutils 9.1 and findutils 4.9 say of many files', async () => {
  await makeStorlink(world)
  expect(identifyFiles(['/a', "/b'c"]).argv).toEqual([
    'stat',
    '-L',
    '--printf=%F|%d:%i|%t:%T|%s|%n\\0',
    '--',
    '/a',
    "/b'c",
  ])
  const said =
    'regular empty file|65024:2155790|0:0|0|/t/a\0directory|65024:2155773|0:0|4096|/t\0block special file|5:9|fd:3|0|/dev/vg/x|y\0'
  expect(parseIdentities(said)).toEqual([
    { path: '/t/a', kind: 'file', key: '65024:2155790', bytes: 0 },
    { path: '/t', kind: 'directory', key: '65024:2155773', bytes: 4096 },
    { path: '/dev/vg/x|y', kind: 'device', key: 'dev fd:3', bytes: 0 },
  ])
  expect(parseListed("65024:2155790|f|0|./a\x0065024:2155791|l|7|./b'c\nd\0")).toEqual([
    { path: './a', key: '65024:2155790', kind: 'file', bytes: 0 },
    { path: "./b'c\nd", key: '65024:2155791', kind: 'link', bytes: 7 },
  ])
})
