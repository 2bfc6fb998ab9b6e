import { expect, test } from 'bun:test'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import type { Context } from '../../../src/engine/jobs/operation.ts'
import { domainWith } from '../../../src/engine/operations/storlink/inUse.ts'
import { needDriver } from '../../../src/engine/volumes/drivers.ts'
import { act, startVm } from '../../support/sites/acts.ts'
import { openWorld } from '../../support/sites/world.ts'

/** Whose volume something is, before it is taken away: what cannot be read is not taken for unused. */
test('an image that lies below a running disk is in use, and where that cannot be told nobody says that it is not', async () => {
  const world = await openWorld()
  try {
    const { uuid, disks } = await startVm(world)
    await act(world, 'snapshot.create', { vm: uuid, name: 'first' })
    const host = world.site.host('xen1')
    const cx = {
      view: world.engine.view,
      hypervisor: xen,
      host: () => host,
      look: () => xen.domains(host),
      volumes: needDriver,
    } as unknown as Context
    const { pm } = world.engine.view.needVm(uuid)
    const { domid } = world.site.domain('fresh')!
    expect(await domainWith(cx, pm, disks[0]!.path, uuid)).toBe(domid)
    expect(await domainWith(cx, pm, '/data/another.qcow2', uuid)).toBeUndefined()
    world.site.faults.add({ match: 'qemu-img info', times: 9, effect: { kind: 'failBefore', exit: 1, stderr: 'no' } })
    await expect(domainWith(cx, pm, disks[0]!.path, uuid)).rejects.toMatchObject({ code: 'commandFailed' })
  } finally {
    await world.close()
  }
})
