import fc from 'fast-check'
import { formatConfig } from '../../src/engine/tools/xl/config.ts'
import { withDrive, withImage, withoutDisk } from '../../src/model/drive.ts'
import type { VmSpec } from '../../src/model/vm.ts'
import { anySpec, disk, UUID } from './sites/specs.ts'

/** Changes of a VM's configuration, and texts in which they are to be made. */

export type Change = (spec: VmSpec) => VmSpec

const NIC = { id: 0, name: 'eth9', mac: '00:16:3e:99:99:99', bridge: 'xenbr9', ip: '' }

/** Each with the keys whose statements it may touch. */
export const CHANGES: readonly { readonly name: string; readonly keys: readonly string[]; readonly change: Change }[] =
  [
    {
      name: 'memory',
      keys: ['memory', 'maxmem'],
      change: (vm) => ({ ...vm, memoryMib: 777, maxmemMib: Math.max(777, vm.maxmemMib) }),
    },
    { name: 'maximum', keys: ['maxmem'], change: (vm) => ({ ...vm, maxmemMib: vm.maxmemMib + 1 }) },
    {
      name: 'vcpus',
      keys: ['vcpus', 'maxvcpus'],
      change: (vm) => ({ ...vm, vcpuCount: 3, maxVcpuCount: Math.max(3, vm.maxVcpuCount) }),
    },
    { name: 'name', keys: ['name'], change: (vm) => ({ ...vm, domainName: 'quite-another' }) },
    { name: 'kernel', keys: ['kernel'], change: (vm) => ({ ...vm, boot: { ...vm.boot, kernel: '/boot/other "k"' } }) },
    {
      name: 'attach',
      keys: ['disk'],
      change: (vm) => ({ ...vm, disks: [...vm.disks, disk('xvdq', '/new, disk', { backend: 'qdisk' })] }),
    },
    { name: 'detach', keys: ['disk'], change: (vm) => withoutDisk(vm, (one) => one.vdev === vm.disks.at(0)?.vdev) },
    {
      name: 'overlay',
      keys: ['disk'],
      change: (vm) => ({
        ...vm,
        disks: vm.disks.map((one) => ({ ...one, path: '/layers/x.qcow2', format: 'qcow2', backend: 'qdisk' }) as const),
      }),
    },
    {
      name: 'insert',
      keys: ['disk'],
      change: (vm) => (vm.drives[0] ? withImage(vm, vm.drives[0].vdev, '/a, b.iso') : withDrive(vm, 'hdb', '/b.iso')),
    },
    { name: 'eject', keys: ['disk'], change: (vm) => withImage(vm, vm.drives[0]?.vdev ?? '', '') },
    { name: 'nic', keys: ['vif'], change: (vm) => ({ ...vm, nics: [...vm.nics, NIC] }) },
    { name: 'no nic', keys: ['vif'], change: (vm) => ({ ...vm, nics: vm.nics.slice(1) }) },
    {
      name: 'bridge',
      keys: ['vif'],
      change: (vm) => ({ ...vm, nics: vm.nics.map((nic) => ({ ...nic, bridge: 'ovs0.110' })) }),
    },
  ]

export const anyChange = fc.constantFrom(...CHANGES)

/** What a person might have made of the text that pengx writes. */
export const rewritten = fc
  .record({
    spec: anySpec,
    comment: fc.constantFrom('', '# caf\udce9, "quoted" = 1\n'),
    joined: fc.boolean(),
    end: fc.boolean(),
  })
  .map(({ spec, comment, joined, end }) => {
    const own = { ...spec, name: spec.domainName }
    const lines = formatConfig(UUID, own).split('\n').slice(1)
    const text = comment + (joined ? lines.join('\n').replace('\nvcpus', ' ;\tvcpus') : lines.join('\n'))
    return end ? text : text.replace(/\n$/, '')
  })
  // xl takes no comment in a last line without an end
  .filter((text) => text.endsWith('\n') || !/#[^\n]*$/.test(text))
