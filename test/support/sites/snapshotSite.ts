import { type Layer, layersOf, type SnapshotType } from '../../../src/model/layer.ts'
import type { Vm } from '../../../src/model/vm.ts'
import type { FakeEngine } from './fakeEngine.ts'

/**
 * Snapshots of two VMs. The stopped one's are a tree: `installed`, on it a layer whose name is gone, on that
 * `before <&>`, where the VM is; and `other way` on `installed` too.
 */
export const INSTALLED = '0a500000-0000-4000-8000-000000000001'
export const UNNAMED = '0a500000-0000-4000-8000-000000000002'
export const BEFORE = '0a500000-0000-4000-8000-000000000003'
export const OTHER_WAY = '0a500000-0000-4000-8000-000000000004'
export const OF_RUNNING = '0a500000-0000-4000-8000-000000000005'

const DAY_MS = 86_400_000

function layer(vm: Vm, uuid: string, number: number, more: Partial<Layer>): Layer {
  const volumes = vm.disks.map(({ uuid: disk, vdev, format, sizeMib, storlink, owned }) => {
    const volume = uuid.replace('0a5', '0d5')
    return { uuid: volume, disk, vdev, format, sizeMib, storlink, owned, path: `/data/${volume}.qcow2` }
  })
  const createdAt = vm.createdAt + number * DAY_MS
  return { uuid, number, note: '', type: 'OFFLINE', createdAt, volumes, ...more }
}

/** Gives both VMs their snapshots, and jobs that take or delete one the effect of the real ones. */
export function laySnapshots(engine: FakeEngine, stopped: string, running: string): void {
  const had = { uuid: '0d510000-0000-4000-8000-000000000001', disk: '0d520000-0000-4000-8000-000000000001' }
  put(engine, stopped, (vm) => {
    const first = layer(vm, INSTALLED, 1, { name: 'installed', note: 'as it came' })
    const extra = { ...first.volumes[0]!, ...had, vdev: 'xvdb', format: 'raw', sizeMib: 512, path: '/data3/l' } as const
    return {
      ...vm,
      layer: BEFORE,
      layers: [
        { ...first, volumes: [...first.volumes, extra] },
        layer(vm, UNNAMED, 2, { parent: INSTALLED }),
        layer(vm, BEFORE, 3, { parent: UNNAMED, name: 'before <&>', type: 'LIVE', note: 'a < b' }),
        layer(vm, OTHER_WAY, 4, { parent: INSTALLED, name: 'other way' }),
      ],
    }
  })
  put(engine, running, (vm) => ({
    ...vm,
    layer: OF_RUNNING,
    layers: [layer(vm, OF_RUNNING, 1, { name: 'first', type: 'LIVE' })],
  }))
  engine.onRun('snapshot.create', async (params, job) => {
    const { vm: owner, name, desc: note } = params as { vm: string; name: string; desc: string }
    const ran = engine.view.needVm(owner).seen.state === 'running'
    const type: SnapshotType = ran ? 'LIVE' : 'OFFLINE'
    const uuid = `0a500000-0000-4000-8000-0000000000f${job.number}`
    put(engine, owner, (vm) => {
      const parent = vm.layer === undefined ? {} : { parent: vm.layer }
      const taken = layer(vm, uuid, 9, { ...parent, name, note, type, createdAt: job.createdAt })
      return { ...vm, layer: uuid, layers: [...layersOf(vm), taken] }
    })
    return { result: { uuid, name } }
  })
  engine.onRun('snapshot.delete', async (params) => {
    const { vm: owner, snapshot } = params as { vm: string; snapshot: string }
    put(engine, owner, (vm) => ({ ...vm, layers: layersOf(vm).filter((one) => one.uuid !== snapshot) }))
    return {}
  })
}

function put(engine: FakeEngine, uuid: string, change: (vm: Vm) => Vm): void {
  const vms = engine.site.vms.map((vm) => (vm.uuid === uuid ? change(vm) : vm))
  engine.set({ vms }, [{ kind: 'vm', id: uuid }])
}
