import { afterEach, beforeEach, expect, test } from 'bun:test'
import { CATALOG } from '../../../src/engine/operations/catalog.ts'
import { parseListed } from '../../../src/engine/tools/fileLists.ts'
import { CODES } from '../../../src/engine/verify/codes.ts'
import type { SiteFacts } from '../../../src/engine/verify/facts.ts'
import { reportOf } from '../../../src/engine/verify/verify.ts'
import type { Job } from '../../../src/model/job.ts'
import { makeVm } from '../../support/sites/acts.ts'
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

test('what find(1) of findutils 4.9 says of a directory', () => {
  expect(parseListed("f|0|./a\x00l|7|./b'c\nd\0")).toEqual([
    { path: './a', kind: 'file', bytes: 0 },
    { path: "./b'c\nd", kind: 'link', bytes: 7 },
  ])
})
