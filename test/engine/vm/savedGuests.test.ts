// xendomains saves guests when their PM shuts down and restores them when it boots: libxl builds them again from what it keeps.
import { expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import { act, NEW_VM, startVm } from '../../support/sites/acts.ts'
import { openWorld } from '../../support/sites/world.ts'

test('a guest that is saved after a live snapshot, and restored, goes on where it was', async () => {
  const world = await openWorld()
  const host = world.site.host('xen1')
  const xl = async (...argv: string[]) => await run(host, { argv: ['xl', ...argv], effect: 'change' })
  const { uuid: vm } = await startVm(world)
  for (const name of ['one', 'two']) await act(world, 'snapshot.create', { vm, name })
  const { disks } = world.engine.view.needVm(vm)
  await xl('save', NEW_VM.name, '/var/lib/xen/save/fresh')
  await xl('restore', '/var/lib/xen/save/fresh')
  await world.engine.look()
  await world.engine.look()
  const { seen } = world.engine.view.needVm(vm)
  expect(seen).toMatchObject({ state: 'running', drift: [] })
  expect(seen.wrongVolumes).toBeUndefined()
  const images = await xen.writtenImages(host, seen.domid!)
  expect([...images.values()]).toEqual(disks.map(({ path }) => path))
  await world.close()
})
