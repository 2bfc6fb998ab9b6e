import { afterEach, describe, expect, test } from 'bun:test'
import { plainText } from '../../src/ui/plain.ts'
import { openRobot, type Robot } from '../support/screenRobot.ts'
import { layBackups } from '../support/sites/backupSite.ts'
import { createScreenEngine, jobOf, mockSite, NOW, pmOf, type ScreenEngine } from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** Stories of a person who hears the screen. */
let robot: Robot
let engine: ScreenEngine

async function open(site = mockSite()): Promise<void> {
  engine = createScreenEngine(site)
  robot = await openRobot(engine, { screenReader: true })
}

const calm = () => ({ ...mockSite(), jobs: [], pms: [pmOf(1), pmOf(2), pmOf(3), pmOf(4)] })
/** The line where one is: the last. */
const here = () => robot.lines().at(-1)!
const said = () => robot.lines().slice(0, -1)

afterEach(() => robot.close())

describe('for those who hear it', () => {
  test('words alone: no alternate screen, no frames, no glyphs, no pictures', async () => {
    await open()
    await robot.press('3', 'enter', 'esc', '2', '7', '5', '4', '8', '3', 'x', 'esc', 'N')
    await robot.shows('Create VM')
    expect(robot.text()).not.toMatch(/[╭╮╰╯│─█░▁▇●○‖▶✗▲⣿▸‹›◆]/)
    expect(robot.raw() + robot.written()).not.toContain('\x1b[?1049h')
  })

  test('a place says itself once, and the row is the last line', async () => {
    await open(calm())
    expect(said()[0]).toContain('site seoul')
    await robot.press('3')
    expect(said().at(-1)).toBe('VMs, 10, sorted by name ascending.')
    expect(here()).toStartWith('Row 1 of 10: db01, running, on xen1, CPU ')
    expect(here()).toContain('percent, memory 32 of 32 GiB, disk 40 GiB')
    await robot.press('j')
    expect(said().at(-1)).toBe('VMs, 10, sorted by name ascending.')
    expect(here()).toStartWith('Row 2 of 10: db02, shut down, on xen2, memory')
    await robot.press('/', ...'web|db')
    expect(here()).toStartWith('Filter: web|db. Row ')
    await robot.press('enter', 'space')
    expect(said().at(-1)).toBe('VMs, 9 of 10, filter web or db, sorted by name ascending, 1 marked.')
  })

  test('what changes by itself says nothing, and a job that is over says so once', async () => {
    await open(calm())
    await robot.press('3')
    const before = robot.text()
    engine.set({ vms: engine.site.vms.map((vm) => ({ ...vm, memoryMib: 1 })) }, [{ kind: 'perf', id: 'x' }])
    engine.set({ jobs: [jobOf(7, 'vm.start', engine.site.vms[0]!, { finishedAt: NOW, by: 'http' })] }, [
      { kind: 'job', id: jobOf(7, 'vm.start', engine.site.vms[0]!).id },
    ])
    await robot.shows('job 7 vm.start of db01 done')
    expect(robot.text().split('job 7').length).toBe(2)
    expect(here()).toBe(before.split('\n').at(-1)!)
  })

  test('a menu is gone through line by line, with what is unavailable and why', async () => {
    await open(calm())
    await robot.press('3', 'x')
    await robot.shows('Actions on db01')
    expect(here()).toBe('s start db01: unavailable, it is running')
    await robot.press('j')
    expect(here()).toStartWith('d shut down db01: ')
    await robot.press('esc', ':', ...'templ')
    expect(here()).toStartWith('templ. 4 Templates: a place')
  })

  test('a question says its plan, also when that comes later', async () => {
    await open(calm())
    engine.plan({
      frees: ['40 GiB on 1 data'],
      steps: [{ name: 'forget it', shows: [], pivot: true, undoable: false }],
    })
    await robot.press('3', 'j', 'D')
    await robot.shows('Delete db02 for good?')
    await robot.shows('frees 40 GiB on 1 data')
    await robot.shows('1 forget it from here on it cannot be undone')
    expect(here()).toContain('Type db02 to allow it:')
    await robot.press(...'db02', 'enter')
    await until(() => engine.started.length === 1)
  })

  test('a form asks field by field, and says what is wrong', async () => {
    await open(calm())
    await robot.press('5', 'n')
    await robot.shows('Create storlink')
    expect(here()).toStartWith('Name required')
    await robot.press(...'fast')
    expect(here()).toBe('Name required fast')
    await robot.press('enter')
    await robot.shows('is missing')
    expect(here()).toStartWith('Link required')
  })

  test('a refusal is said', async () => {
    await open(calm())
    await robot.press('3', 's')
    await robot.shows('start db01: it is running')
  })

  test('a VM says what it is, and its tabs', async () => {
    await open(calm())
    await robot.press('3', 'enter')
    await robot.shows('Tab overview, of overview, disks, interfaces, snapshots, backups, jobs, config.')
    await robot.shows('xvda 40 GiB qcow2 1 data')
    await robot.press('tab')
    expect(here()).toStartWith('Row 1 of 1: xvda, size 40 GiB, format qcow2')
    await robot.press('tab', 'tab', 'tab')
    await robot.shows('cannot be restored: there is no backup')
    layBackups(engine, engine.site.vms[0]!.uuid)
    await robot.press('shift-tab', 'tab')
    await robot.shows('can be restored as it was 28d ago')
    expect(here()).toStartWith('Row 1 of 3: tuesday, date 2026-10-27 14:03, age 27d, kind full, broken')
  })
})

test('a line as words', () => {
  expect(plainText('│ ▸ [x] xenbr0  ↵ → –  ████ 75% │')).toBe('chosen xenbr0 enter right none 75%')
  expect(plainText('╰───── 100┤⣿⣿ 12:00')).toBe('')
  expect(plainText('‹ a\x1b[31mb ›')).toBe('ab')
})
