import { expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import type { SimSite } from '../../../src/sim/site.ts'
import { act, makeStorlink, makeVm } from '../../support/sites/acts.ts'
import type { World } from '../../support/sites/world.ts'
import { afterGap, destroyByHand, type Gap, startByHand } from './gap.ts'

/** The upkeep of a template, and copies of a VM, that were cut off. */
const TEMPLATE = '77777777-2222-4333-8444-555555555555'
const IMAGE = 'bed05d84-7c44-4720-9588-57cbd8ecef8c'
const IMAGE_PATH = `/data/${IMAGE}.qcow2`

const start = {
  operation: 'template.start',
  async prepare(world: World) {
    const storlink = await makeStorlink(world)
    const argv = ['qemu-img', 'create', '-q', '-f', 'qcow2', IMAGE_PATH, '512M'] as const
    await run(world.site.host('xen1'), { argv, effect: 'change' })
    await act(world, 'template.add', { name: 'debian12', storlink, uuid: IMAGE, format: 'qcow2', template: TEMPLATE })
    return { template: TEMPLATE }
  },
} satisfies Partial<Gap>

const isProtected = (world: World) => /mode 444/.test(world.site.filesOn('xen1')[IMAGE_PATH] ?? '')
const domainsOf = (site: SimSite) => site.domainsOn('xen1').filter((one) => one.uuid === TEMPLATE)

test('an upkeep whose guest runs is written down; one whose guest has gone since is built again', async () => {
  for (const meanwhile of [undefined, (site: SimSite) => destroyByHand(site, 'xen1', TEMPLATE)]) {
    await afterGap({ ...start, step: 'create the domain', phase: 'after', meanwhile }, (world, job) => {
      expect(job).toMatchObject({ state: 'done' })
      expect(domainsOf(world.site)).toHaveLength(1)
      expect(world.engine.view.needTemplate(TEMPLATE).bootedAt).toBeGreaterThan(0)
      expect(isProtected(world)).toBe(false)
    })
  }
}, 60_000)

test('an upkeep that was started again is not forgotten, and its disks stay as it needs them', async () => {
  const prepare = async (world: World) => {
    await act(world, 'template.start', await start.prepare(world))
    return { template: TEMPLATE }
  }
  const meanwhile = (site: SimSite) => startByHand(site, 'xen1', TEMPLATE)
  const gap: Gap = { operation: 'template.shutdown', prepare, step: 'lock its disks', phase: 'before', meanwhile }
  await afterGap(gap, (world, job) => {
    expect(job).toMatchObject({ state: 'undone', code: 'refused' })
    expect(domainsOf(world.site)).toHaveLength(1)
    expect(world.engine.view.needVm(TEMPLATE).template).toBe(TEMPLATE)
    expect(isProtected(world)).toBe(false)
  })
  await afterGap({ ...gap, meanwhile: undefined }, (world, job) => {
    expect(job).toMatchObject({ state: 'done' })
    expect(world.engine.view.getVm(TEMPLATE)).toBeUndefined()
    expect(isProtected(world)).toBe(true)
  })
}, 60_000)

test('a template is never put together from copies of two moments', async () => {
  const prepare = async (world: World) => {
    const vm = await makeVm(world)
    return { vm: vm.uuid, name: 'golden', storlink: world.engine.view.storlinks()[0]!.id, template: TEMPLATE }
  }
  for (const [step, phase, state] of [
    ['copy xvda', 'after', 'cancelled'],
    ['copy xvdb', 'before', 'cancelled'],
    ['protect its disks', 'before', 'done'],
  ] as const) {
    await afterGap({ operation: 'template.create', prepare, step, phase }, (world, job) => {
      expect([step, job.state]).toEqual([step, state])
      const images = Object.keys(world.site.filesOn('xen1')).filter((path) => /^\/data\/[0-9a-f-]{36}\./.test(path))
      expect(images).toHaveLength(state === 'done' ? 4 : 2)
      expect(world.engine.view.templates()).toHaveLength(state === 'done' ? 1 : 0)
    })
  }
}, 60_000)
