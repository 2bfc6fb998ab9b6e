import { afterEach, describe, expect, test } from 'bun:test'
import type { Pm } from '../../src/model/pm.ts'
import { openRobot, type Robot, type RobotOptions } from '../support/screenRobot.ts'
import { createScreenEngine, jobOf, mockSite, type ScreenEngine, uuidOf, vmOf } from '../support/sites/screenSite.ts'

/** Stories of a person who looks for things. */
let robot: Robot
let engine: ScreenEngine

async function open(options: RobotOptions = {}, start: ScreenEngine = createScreenEngine()): Promise<void> {
  engine = start
  robot = await openRobot(engine, options)
}

afterEach(() => robot.close())

/** The name on the row that has the cursor. */
const cursor = () => robot.line('▸').split('▸')[1]!.replace('✓', '').trim().split(/\s+/)[0]
const rename = (from: string, to: string) =>
  engine.set({ vms: engine.site.vms.map((vm) => (vm.name === from ? { ...vm, name: to } : vm)) }, [
    { kind: 'vm', id: engine.site.vms.find((vm) => vm.name === from)!.uuid },
  ])

describe('lists', () => {
  test('arrows and vim keys move and only move', async () => {
    await open()
    await robot.press('3', 'j', 'j')
    expect(cursor()).toBe('mail02')
    await robot.press('up', 'k', 'G')
    expect(cursor()).toBe('webtest')
    await robot.press('g')
    expect(cursor()).toBe('db01')
    await robot.press('ctrl-d', 'h', 'l', 'left', 'right', 'pageup')
    expect(engine.started).toEqual([])
  })

  test('a burst typed ahead is a key a character', async () => {
    await open()
    await robot.burst('3jjj')
    expect(cursor()).toBe('web-한국')
  })

  test('the row moves and the choice stays', async () => {
    await open()
    await robot.press('3', 'j')
    expect(cursor()).toBe('db02')
    rename('db02', 'zz02')
    await robot.shows('zz02')
    expect(cursor()).toBe('zz02')
    const rowOf = (name: string) => robot.lines().findIndex((line) => line.startsWith('│') && line.includes(name))
    expect(rowOf('zz02')).toBeGreaterThan(rowOf('webtest'))
  })

  test('a vanished row leaves the cursor on its neighbour', async () => {
    await open()
    await robot.press('3', 'j', 'j', 'j', 'j')
    expect(cursor()).toBe('web01')
    const gone = engine.site.vms.find((vm) => vm.name === 'web01')!
    engine.set({ vms: engine.site.vms.filter((vm) => vm !== gone) }, [{ kind: 'vm', id: gone.uuid }])
    await robot.shows('VMs  9')
    expect(cursor()).toBe('web02')
  })

  test('< > O sort, and the order is kept when one comes back', async () => {
    await open()
    await robot.press('3', '>', '>', '>')
    expect(robot.line('sort')).toContain('sort CPU% ↓')
    await robot.press('O', '1', '3')
    expect(robot.line('sort')).toContain('sort CPU% ↑')
    await robot.press('<', '<', '<')
    expect(robot.line('sort')).toContain('sort NAME')
  })

  test('the filter works while it is typed, and esc clears it', async () => {
    await open()
    await robot.press('3', '/', 's', 't', 'a', 't', 'u', 's', ':', 'p')
    expect(robot.line('/status:p')).toContain('1 of 10')
    await robot.press('enter')
    expect(cursor()).toBe('web04')
    await robot.press('esc')
    expect(robot.line('VMs ')).not.toContain(' of ')
    await robot.press('/', 'n', 'o', 'p', 'e')
    await robot.shows('none of 10 matches /nope')
    await robot.press('esc')
    await robot.shows('VMs  10')
  })

  test('marks survive a filter, and the last line says what they would do', async () => {
    await open()
    await robot.press('3', 'space', '/', 'm', 'a', 'i', 'l', 'enter', 'space')
    expect(robot.line('marked:')).toContain('2 marked:')
    expect(robot.line('marked:')).toContain('d shut down 2')
    await robot.press('esc')
    expect(robot.text()).not.toContain('marked')
  })

  test('v ranges and * marks all', async () => {
    await open()
    await robot.press('3', 'v', 'j', 'j')
    expect(robot.line('sort')).toContain('3 marked')
    await robot.press('v', '*')
    expect(robot.line('sort')).toContain('10 marked')
    await robot.press('*')
    expect(robot.text()).not.toContain('marked')
  })

  test('w shows more columns, W chooses them', async () => {
    await open({ columns: 200 })
    await robot.press('3')
    expect(robot.text()).not.toContain('VCPU')
    await robot.press('w')
    await robot.shows('VCPU')
    await robot.press('W', 'j', 'j', 'space', 'esc')
    const header = robot.lines().find((line) => line.includes('NAME') && line.startsWith('│'))!
    expect(header).not.toContain(' PM ')
    expect(header).toContain('VCPU')
  })

  test('a wide list takes the room of the pane beside it', async () => {
    await open()
    await robot.press('3')
    expect(robot.text()).toContain('╭─ db01 ─')
    await robot.press('tab', 'w')
    expect(robot.text()).not.toContain('╭─ db01 ─')
    await robot.shows('ORIGIN')
    await robot.press('j')
    expect(cursor()).toBe('db02')
  })

  test('what starts with its PM says so, in its pane and among many', async () => {
    await open({ columns: 240 })
    const start = (more: object) => {
      const db01 = engine.site.vms.find((vm) => vm.name === 'db01')!
      const autostart = { order: 5, paths: ['/etc/xen/auto/05-db01.cfg'], ...more }
      const vms = engine.site.vms.map((vm) => (vm === db01 ? { ...vm, seen: { ...vm.seen, autostart } } : vm))
      engine.set({ vms }, [{ kind: 'vm', id: db01.uuid }])
    }
    await robot.press('3')
    expect(robot.text()).not.toContain('with its PM')
    start({})
    await robot.shows('starts  with its PM, order 5')
    expect(robot.text()).not.toContain('xendomains')
    start({ disabled: true })
    await robot.shows('▲ its PM does not start it')
    await robot.press('w')
    await robot.shows('AUTO')
    const row = robot.lines().find((line) => line.includes('db01'))!
    expect(row).toMatch(/ 5 /)
    await robot.press('enter', 'left')
    await robot.shows('started with its PM by /etc/xen/auto/05-db01.cfg')
  })

  test('f stops the picture and nothing else', async () => {
    await open()
    await robot.press('3', 'f')
    await robot.shows('‖ frozen')
    rename('db02', 'zz02')
    await robot.press('j', 'k')
    expect(robot.text()).toContain('db02')
    await robot.press('f')
    await robot.shows('zz02')
  })

  test('r looks at once', async () => {
    await open()
    await robot.press('r')
    await robot.shows('looked')
    expect(engine.looks).toEqual([undefined])
  })

  test('y copies the id and says where it went', async () => {
    await open()
    await robot.press('3', 'y')
    await robot.shows('uuid copied to the clipboard (OSC 52)')
    expect(robot.written()).toContain(`]52;c;${Buffer.from(uuidOf(2, 1)).toString('base64')}`)
    await robot.press('Y', '2')
    await robot.shows('name copied')
    expect(robot.written()).toContain(Buffer.from('db01').toString('base64'))
  })

  test('places, the way in and the way back', async () => {
    await open()
    await robot.press('3', 'enter')
    await robot.shows('VMs › db01')
    await robot.press('tab')
    await robot.shows('/data/db01.qcow2')
    await robot.press('tab', 'tab', 'tab', 'tab', 'tab')
    await robot.shows(`/etc/xen/pengx/${uuidOf(2, 1)}.cfg`)
    await robot.press('esc')
    await robot.shows('VMs  10')
  })

  test('o shows the VMs of a PM', async () => {
    await open()
    await robot.press('j', 'o')
    expect(robot.line('/pm:xen2')).toContain('3 of 10')
  })

  test('a found VM is shown as what it is', async () => {
    await open()
    await robot.press('3', 'G')
    expect(robot.line('▸')).toContain('found')
    await robot.shows('A adopts')
  })

  test('trouble stays in "needs attention" until it was seen', async () => {
    await open()
    await robot.shows('Needs attention (7)')
    await robot.press('tab', 'a')
    await robot.shows('Needs attention (6)')
    await robot.press('j', 'j', 'j', 'j', 'j', 'a')
    await robot.shows('Needs attention (5)')
    expect(engine.view.getJob(uuidOf(4, 118))?.acknowledged).toBe(true)
    await robot.press('enter')
    expect(robot.text()).not.toContain('Needs attention')
  })

  test('a VM whose domain is broken says so in its list and in "needs attention", with what helps', async () => {
    const site = mockSite()
    const vms = site.vms.map((vm) =>
      vm.name === 'web04' ? { ...vm, seen: { ...vm.seen, state: 'broken' as const } } : vm,
    )
    await open({}, createScreenEngine({ ...site, vms }))
    await robot.shows('Needs attention (8)')
    expect(robot.line('half built')).toMatch(/✗ web04 +half built or half torn down: power it off/)
    await robot.press('3')
    await robot.shows('VMs')
    expect(robot.line('web04')).toContain('✗ broken')
  })

  test('two machines with one machine-id are both named in "needs attention", and one that was named twice is', async () => {
    const site = mockSite()
    const [first, second] = site.pms as [Pm, Pm]
    const problem = `its machine-id is that of ${first.name} too`
    const pms = site.pms.map((pm) => {
      if (pm === first) return { ...pm, seen: { ...pm.seen, alsoAt: ['ssh:10.9.9.9'] } }
      if (pm !== second) return pm
      return { ...pm, seen: { ...pm.seen, reach: 'down' as const, twinOf: first.uuid, problem } }
    })
    await open({}, createScreenEngine({ ...site, pms }))
    await robot.shows('Needs attention')
    expect(robot.line(`✗ ${second.name}`)).toContain(`its machine-id is that of ${first.name}`)
    expect(robot.line(`${second.name} (${second.destination})`)).toMatch(/▲ xen1 +xen2 .*has its machine-id too/)
    expect(robot.line('10.9.9.9')).toContain('named twice: ssh:10.9.9.9 is the same machine')
  })

  test('a second file that describes a VM is named in "needs attention", unless it was said to be another’s', async () => {
    const site = mockSite()
    const vm = site.vms.find((one) => one.origin !== 'found')!
    const configs = ['/etc/xen/old.cfg', '/etc/xen/said.cfg'].map((path) => ({
      path,
      name: vm.domainName,
      vm: vm.uuid,
    }))
    const pms = site.pms.map((pm) => (pm.uuid === vm.pm ? { ...pm, seen: { ...pm.seen, configs } } : pm))
    const vms = site.vms.map((one) => (one === vm ? { ...one, otherConfigs: ['/etc/xen/said.cfg'] } : one))
    await open({}, createScreenEngine({ ...site, pms, vms }))
    await robot.shows('Needs attention')
    expect(robot.line('/etc/xen/old.cfg')).toMatch(new RegExp(`▲ ${vm.name} .*describes it too`))
    expect(robot.text()).not.toContain('said.cfg')
  })

  test('a VM that writes to a frozen base says so before all else, with what to do', async () => {
    const site = mockSite()
    const path = '/data/old.qcow2'
    const wrongVolumes = [{ vdev: 'xvda', path, kind: 'frozen' as const, since: 0 }]
    const vms = site.vms.map((vm) => (vm.name === 'web04' ? { ...vm, seen: { ...vm.seen, wrongVolumes } } : vm))
    await open({}, createScreenEngine({ ...site, vms }))
    await robot.shows('Needs attention (8)')
    const text = robot.text().slice(robot.text().indexOf('Needs attention'))
    expect(robot.line('frozen base')).toMatch(/! web04 +power it off now: xvda writes to the frozen base/)
    expect(text.indexOf('! web04')).toBeLessThan(text.indexOf('✗'))
    await robot.press('3')
    await robot.shows('VMs')
    expect(robot.line('web04')).toContain('! disk')
  })

  test('perf goes from PM to PM and says its numbers', async () => {
    await open()
    await robot.press('2')
    await robot.shows('PMs › xen1 › Perf')
    await robot.press('.')
    await robot.shows('PMs › xen2 › Perf')
    await robot.press('e')
    expect(robot.text()).not.toContain('Received')
    await robot.press('t', '+', '[')
    expect(robot.line('Perf  ')).toContain('15 min, peak   until')
  })
})

describe('many', () => {
  test('ten thousand VMs: the cursor, the filter and the palette find the last', async () => {
    const vms = Array.from({ length: 10_000 }, (_, index) => vmOf(index + 1, `vm${index}`, 1, 'shutdown'))
    await open({}, createScreenEngine({ ...mockSite(), vms, jobs: [jobOf(1, 'vm.start', vms[0]!)] }))
    await robot.press('3', 'G')
    expect(cursor()).toBe('vm9999')
    await robot.press(':', 'v', 'm', '7', '7', '7', '7', 'enter')
    await robot.shows('VMs › vm7777')
  })
})
