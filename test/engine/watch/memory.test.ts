import { heapStats } from 'bun:jsc'
import { expect, test } from 'bun:test'
import type { DomainSeen, PmLook } from '../../../src/engine/hypervisor/domain.ts'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import { openStore } from '../../../src/engine/store/store.ts'
import { createObserver } from '../../../src/engine/watch/observe.ts'
import { newUuid, uuidOfMachineId } from '../../../src/lib/ids.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { createTurnedClock } from '../../support/turnedClock.ts'
import { aPm } from '../store/samples.ts'

/** What watching keeps does not grow with how long it has watched. */
const MACHINE = '0123456789abcdef0123456789abcdef'

/** A PM on which a guest ends and another begins between any two looks. */
function restlessLook(look: number): PmLook {
  const domain = (domid: number, uuid: string): DomainSeen => ({
    ...{ domid, uuid, name: domid === 0 ? 'Domain-0' : `guest${domid}`, state: 'running', rawState: 'r-----' },
    ...{ memoryMib: 64, vcpuCount: 1, cpuSeconds: look, rxBytes: look, txBytes: look },
  })
  return {
    ...{
      machineId: MACHINE,
      hostname: 'xen1',
      bootId: 'b',
      uptimeSeconds: look * 2,
      xenVersion: '4.17',
      kernel: '6.1',
    },
    ...{
      cpuCount: 4,
      threadsPerCore: 1,
      socketCount: 1,
      totalMib: 4096,
      freeMib: 1024,
      load: 0,
      interfaces: [],
      bridges: [],
    },
    ...{ rxBytes: look, txBytes: look },
    domains: [domain(0, newUuid()), domain(look + 1, newUuid()), domain(look + 2, newUuid())],
  }
}

test('10,000 looks at a restless PM', async () => {
  const clock = createTurnedClock()
  const store = await openStore({ at: 'memory', clock })
  const site = createSimSite({ clock, vmCount: 0, pmCount: 1 })
  const pm = aPm({ uuid: uuidOfMachineId(MACHINE) })
  await store.inventory.putPm(pm)
  let looks = 0
  let last = restlessLook(0)
  const spec = { domainName: '', type: 'pv', disks: [], drives: [], nics: [], extraConfig: '', boot: {} } as const
  const observer = createObserver({
    store,
    clock,
    host: () => site.host(site.pmNames[0]!),
    hypervisor: {
      ...xen,
      look: async () => {
        last = restlessLook(++looks)
        return last
      },
      configFiles: async () => [],
      diskCounters: async () => [{ vdev: 'xvda', readBytes: looks, writeBytes: looks }],
      details: async (_host, domids) => {
        const size = { vcpuCount: 1, maxVcpuCount: 1, memoryMib: 64, maxmemMib: 64 }
        return domids.map((domid) => ({
          ...{ domid, uuid: last.domains.find((one) => one.domid === domid)!.uuid, kept: [], lost: [] },
          spec: { ...spec, ...size, name: `guest${domid}` },
        }))
      },
    },
  })
  const lookFor = async (count: number) => {
    for (let round = 0; round < count; round++) {
      await clock.advance(2_000)
      await observer.look(pm.uuid)
      await observer.settled()
    }
    await store.perf.save()
    Bun.gc(true)
    return heapStats().objectCount
  }
  const before = await lookFor(2_000)
  const after = await lookFor(8_000)
  // Those of the last look, and one that may only be rebooting.
  expect(store.view.vms().length).toBeLessThan(8)
  // A single object a look would be eight thousand more.
  expect(after - before).toBeLessThan(2_000)
  await store.close()
  site.close()
}, 120_000)
