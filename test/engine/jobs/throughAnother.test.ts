import { afterEach, beforeEach, expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import { act, NEW_VM, pmNamed } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { joinPms } from '../operations/cases/migrateCases.ts'

/** What lies on a shared storlink is worked on through another PM while its own is away: jobs lock that one. */
const BACKUP = '99999999-2222-4333-8444-555555555555'
const ANEW = '99999999-4444-4333-8444-555555555555'
const TEMPLATE = '77777777-2222-4333-8444-555555555555'
const IMAGE = 'bed05d84-7c44-4720-9588-57cbd8ecef8c'
const AWAY_MS = 100 * 3600_000

let world: World
let storlink = 0
beforeEach(async () => {
  world = await openWorld()
  storlink = await joinPms(world)
})
afterEach(() => world.close())

async function leave(): Promise<void> {
  world.site.faults.unreachable('xen1', AWAY_MS)
  await world.engine.look().catch(() => undefined)
  expect(world.engine.view.needPm(pmNamed(world)).seen.reach).toBe('down')
}

test('backups', async () => {
  await act(world, 'vm.create', { ...NEW_VM, storlink, pm: pmNamed(world) })
  await act(world, 'backup.create', { vm: NEW_VM.uuid, name: 'monday', storlink, backup: BACKUP })
  await leave()
  for (const [operation, raw] of [
    ['backup.verify', {}],
    ['backup.drill', { seconds: 1 }],
    ['backup.restore', { as: 'new', name: 'again', uuid: ANEW }],
    ['backup.delete', {}],
  ] as const)
    await act(world, operation, { backup: BACKUP, ...raw })
  expect(world.engine.view.needVm(ANEW).pm).toBe(pmNamed(world, 'xen2'))
  const left = Object.keys(world.site.filesOn('xen2')).filter((path) => /^\/shared\/[^.]/.test(path))
  expect(left).toHaveLength(4)
}, 60_000)

test('templates and new VMs', async () => {
  const argv = ['qemu-img', 'create', '-q', '-f', 'qcow2', `/shared/${IMAGE}.qcow2`, '512M'] as const
  await run(world.site.host('xen1'), { argv, effect: 'change' })
  await leave()
  const added = { name: 'debian12', storlink, uuid: IMAGE, format: 'qcow2', template: TEMPLATE }
  await act(world, 'template.add', added)
  // the one that is away may have it open: who says so knows that it has not
  const force = true
  await act(world, 'template.start', { template: TEMPLATE, force })
  expect(world.engine.view.needVm(TEMPLATE).pm).toBe(pmNamed(world, 'xen2'))
  await act(world, 'template.shutdown', { template: TEMPLATE })
  await act(world, 'vm.create', { name: 'copy01', memory: 256, template: TEMPLATE, uuid: ANEW, storlink })
  expect(world.engine.view.needVm(ANEW).pm).toBe(pmNamed(world, 'xen2'))
  await act(world, 'vm.delete', { vm: ANEW, force })
  await act(world, 'template.delete', { template: TEMPLATE, force })
  expect(Object.keys(world.site.filesOn('xen2')).filter((path) => /^\/shared\/[^.]/.test(path))).toEqual([])
}, 60_000)
