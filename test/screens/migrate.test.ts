import { afterEach, expect, test } from 'bun:test'
import { expectAt, startSharedVm } from '../engine/operations/cases/migrateCases.ts'
import { openRobot, type Robot } from '../support/screenRobot.ts'
import type { ScreenEngine } from '../support/sites/screenSite.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { until } from '../support/until.ts'

/** A VM is sent to another PM from the list of VMs, on the simulated site. */
let robot: Robot
let world: World

afterEach(async () => {
  await robot.close()
  await world.close()
})

async function open(): Promise<void> {
  world = await openWorld()
  await startSharedVm(world)
  robot = await openRobot(Object.assign(Object.create(world.engine), { set: () => undefined }) as ScreenEngine)
  await robot.press('3', '/', ...'fresh', 'enter')
}

async function choose(pm: string): Promise<void> {
  await robot.press('M')
  await robot.shows('Migrate fresh')
  for (let tries = 0; tries < 5 && !robot.line('To PM').includes(pm); tries++) await robot.press('right')
  await robot.press('enter')
}

test('the question shows the whole plan and its point of no return; y sends it', async () => {
  await open()
  await choose('xen2')
  await robot.shows('let it go on on xen2')
  for (const step of ['prove that both see the same disks', 'write the configuration on xen2', 'migrate to xen2'])
    expect(robot.text()).toContain(step)
  await robot.press('y')
  await until(() => world.engine.view.jobs()[0]?.operation === 'vm.migrate')
  const { job } = await world.engine.finished(world.engine.view.jobs()[0]!.id)
  expect(job.state).toBe('done')
  expectAt(world, 'xen2', 'running')
})

test('what forbids it is said in place of the plan', async () => {
  await open()
  world.site.state.pms.find((pm) => pm.name === 'xen1')!.noShadow = true
  await choose('xen2')
  await robot.shows('is built without shadow paging')
  await robot.press('esc', 'esc')
  expectAt(world, 'xen1', 'running')
})
