import { describe, expect, test } from 'bun:test'
import { parseCommandLine } from '../../src/args.ts'
import { backups, schedules } from '../../src/cli/backupLists.ts'
import { completions } from '../../src/cli/completion.ts'
import { resolveTarget } from '../../src/cli/target.ts'
import { newUuid } from '../../src/lib/ids.ts'
import type { Backup, Schedule } from '../../src/model/backup.ts'
import type { Vm } from '../../src/model/vm.ts'
import { aBackup } from '../support/sites/backups.ts'
import { createFakeEngine } from '../support/sites/fakeEngine.ts'
import { mockSite } from '../support/sites/screenSite.ts'

const HOUR_MS = 3_600_000
const NOW = Date.now()
const site = mockSite()
const [web, db] = ['web01', 'db01'].map((name) => site.vms.find((vm) => vm.name === name)!) as [Vm, Vm]
const OLD = newUuid()

function of(vm: string, vmName: string, name: string, hours: number, more: Partial<Backup> = {}): Backup {
  return aBackup({ vm, vmName, name, createdAt: NOW - hours * HOUR_MS, ...more })
}

const sunday = of(db.uuid, 'db01', 'sunday', 30)
const bad = of(db.uuid, 'db01', 'monday', 20, {
  parent: sunday.uuid,
  depth: 1,
  state: 'failed',
  problem: 'xvda is not it',
})
const above = of(db.uuid, 'db01', 'tuesday', 10, { parent: bad.uuid, depth: 2, drillProblem: 'no init' })
const last = of(OLD, 'old', 'last', 9, { checkedAt: undefined, state: 'unverified', storlink: 77 })
const renamed = of(web.uuid, 'shop', 'sunday', 40)
const all = [last, sunday, bad, above, renamed]

function scheduleOf(vm: string, vmName: string, more: Partial<Schedule> = {}): Schedule {
  const retention = { keepLast: 3, keepHourly: 0, keepDaily: 7, keepWeekly: 4, keepMonthly: 0 }
  const rest = { storlink: 1, cron: '30 2 * * *', incremental: true, rateMib: 50, retention, enabled: true }
  return { uuid: newUuid(), vm, vmName, ...rest, createdAt: NOW - 1000, ...more }
}

const engineOf = (more: Partial<Parameters<typeof createFakeEngine>[0]> = {}) =>
  createFakeEngine({ ...site, backups: all, ...more })
const engine = engineOf()
const rowsOf = (table: string) => table.trimEnd().split('\n').slice(1)
const names = (of?: string) => rowsOf(backups.table(engine, of)).map((row) => row.split(/ {2,}/).slice(0, 2))

describe('pengx backups', () => {
  test('of the site: by VM, the newest first', () => {
    expect(backups.table(engine)).toMatch(/^BACKUP +VM +KIND +SIZE +STORLINK +STATE +TAKEN +CHECKED +UUID +PROBLEM\n/)
    expect(names()).toEqual([
      ['tuesday', 'db01'],
      ['monday', 'db01'],
      ['sunday', 'db01'],
      ['last', 'old (gone)'],
      ['sunday', 'shop'],
    ])
  })

  test('each says what it is, and one that lies on a bad one is not called good', () => {
    const rows = rowsOf(backups.table(engine, 'db01'))
    expect(rows).toEqual([
      expect.stringMatching(
        new RegExp(`^tuesday .* incremental .* data +on a bad one .* ${above.uuid} +drill: no init$`),
      ),
      expect.stringMatching(new RegExp(`^monday .* incremental .* failed .* ${bad.uuid} +xvda is not it$`)),
      expect.stringMatching(new RegExp(`^sunday .* full .* verified +[-0-9]{10} [0-9:]{5} +1970.* ${sunday.uuid} +-$`)),
    ])
    expect(rowsOf(backups.table(engine, OLD))).toEqual([expect.stringMatching(/ 77 +unverified .{18} +- +/)])
  })

  test('of one VM, by its name, its UUID, or the name that it had when it was backed up', () => {
    const one = [['sunday', 'shop']]
    for (const word of ['web01', web.uuid, 'shop']) expect(names(word)).toEqual(one)
    for (const word of ['old', OLD, OLD.slice(0, 8)]) expect(names(word)).toEqual([['last', 'old (gone)']])
    expect(names('mail02')).toEqual([])
    expect(() => names('olf')).toThrow('no vm is named "olf"; did you mean old?')
  })

  test('a name that one has now is not another’s that had it, but one that is gone is asked about', () => {
    const had = of(web.uuid, 'db01', 'x', 1)
    const gone = of(newUuid(), 'db01', 'y', 1)
    expect(rowsOf(backups.table(engineOf({ backups: [had] }), 'db01'))).toEqual([])
    expect(() => backups.table(engineOf({ backups: [gone] }), 'db01')).toThrow(
      new RegExp(`"db01" names 2 vms; say which by its id:[^]*${gone.vm} {2}db01 is gone`),
    )
  })

  test('the same for scripts', () => {
    const objects = backups.objects(engine, 'db01')
    expect(objects[0]).toMatchObject({ name: 'tuesday', parent: bad.uuid, depth: 2, state: 'verified', good: false })
    expect(objects[2]).toMatchObject({
      ...{ uuid: sunday.uuid, vm: 'db01', vmUuid: db.uuid, vmGone: false, kind: 'full', storlink: 1, good: true },
      ...{ storlinkName: 'data', createdAt: new Date(sunday.createdAt).toISOString(), sizeMib: 1 },
    })
    expect(backups.objects(engine, 'old')).toEqual([expect.objectContaining({ vmGone: true, state: 'unverified' })])
  })
})

describe('pengx schedules', () => {
  const nightly = scheduleOf(db.uuid, 'db01', { takenAt: new Date(2026, 10, 23, 2, 30).getTime() })
  const edited = scheduleOf(web.uuid, 'web01', { takenAt: NOW, enabled: false, problem: 'no space left' })
  const late = scheduleOf(OLD, 'old', { cron: '*/5 * * * *', createdAt: NOW - 2 * HOUR_MS })
  const own = engineOf({ schedules: [nightly, edited, late] })

  test('what for, when, the next and the last time, and what is kept', () => {
    expect(schedules.table(own)).toMatch(/^VM +WHEN +NEXT +LAST +KEPT +STORLINK +STATE +UUID +PROBLEM\n/)
    const kept = '3 newest, 7 daily, 4 weekly +data'
    expect(rowsOf(schedules.table(own))).toEqual([
      expect.stringMatching(
        new RegExp(`^db01 +30 2 \\* \\* \\* +[-0-9]{10} 02:30 +2026-11-23 02:30 +${kept} +\\w+ +${nightly.uuid} +-$`),
      ),
      expect.stringMatching(new RegExp(`^web01 .* \\* +- +- +${kept} +off +${edited.uuid} +no space left$`)),
      expect.stringMatching(/^old \(gone\) .* overdue /),
    ])
  })

  test('one for a filter names the VMs that it matches now, and is nobody’s alone', () => {
    const { vm: _own, ...rest } = scheduleOf(db.uuid, 'name:b01')
    const some = engineOf({ schedules: [{ ...rest, filter: 'name:b01' }] })
    expect(rowsOf(schedules.table(some))[0]).toMatch(/^name:b01 +30 2/)
    const [object] = schedules.objects(some) as Record<string, unknown>[]
    expect(object).toMatchObject({ filter: 'name:b01', what: 'backup', matches: ['db01', 'web01'], vmGone: false })
    expect([object!.vm, object!.vmUuid]).toEqual([undefined, undefined])
  })

  test('the same for scripts', () => {
    const [first, second, third] = schedules.objects(own) as Record<string, unknown>[]
    expect(first).toMatchObject({
      vmUuid: db.uuid,
      cron: '30 2 * * *',
      keepDaily: 7,
      storlinkName: 'data',
      enabled: true,
    })
    expect(Date.parse(String(first!.nextAt))).toBeGreaterThan(NOW)
    expect([first!.lastAt, second!.lastAt, second!.nextAt]).toEqual([
      new Date(nightly.takenAt!).toISOString(),
      undefined,
      undefined,
    ])
    expect([second!.state, second!.problem, third!.state, third!.vmGone]).toEqual([
      'off',
      'no space left',
      'overdue',
      true,
    ])
  })
})

describe('the command line', () => {
  const listOf = (...words: string[]) => parseCommandLine(words)

  test('names a VM or none; a word like a host is a PM, as everywhere', () => {
    expect(listOf('backups').subcommand).toEqual({ kind: 'list', list: 'backups', json: false })
    expect(listOf('backups', 'old', '--json').subcommand).toEqual({
      kind: 'list',
      list: 'backups',
      json: true,
      of: 'old',
    })
    const there = listOf('backups', 'root@xen1')
    expect([there.subcommand, there.site.destinations]).toEqual([
      { kind: 'list', list: 'backups', json: false },
      ['root@xen1'],
    ])
    expect(listOf('root@xen1', 'backups', 'old', 'root@xen2').site.destinations).toEqual(['root@xen1', 'root@xen2'])
    expect(() => listOf('backups', 'old', 'new')).toThrow('backups takes no second word but hosts')
    expect(() => listOf('schedules', 'old')).toThrow('schedules takes no further word but hosts')
  })

  test('completes VMs that are gone, and each backup and schedule by the shortest name that means it alone', () => {
    const twice = [scheduleOf(db.uuid, 'db01'), scheduleOf(db.uuid, 'db01'), scheduleOf(web.uuid, 'web01')]
    const own = engineOf({ schedules: twice })
    const complete = (...words: string[]) => completions(own, words).split('\n').slice(0, -1)
    expect(complete('back')).toEqual(['backups'])
    expect(complete('sched')).toEqual(['schedules'])
    expect(complete('backups', 'o')).toEqual(['old'])
    expect(complete('backups', 'sh')).toEqual(['shop'])
    expect(complete('backups', 'db01', '')).toEqual([])
    const offered = complete('run', 'backup.restore', '')
    expect(offered.toSorted()).toEqual(['db01/sunday', 'last', 'monday', 'shop/sunday', 'tuesday'])
    for (const word of offered) expect(resolveTarget(own, 'backup', word)).toBeString()
    expect(complete('run', 'schedule.update', '')).toEqual([twice[0]!.uuid, twice[1]!.uuid, 'web01'])
    expect(complete('run', 'schedule.delete', 'web')).toEqual(['web01'])
    expect(complete('run', 'backup.drill', '--backup', 't')).toEqual(['tuesday'])
  })
})
