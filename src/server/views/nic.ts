import type { Nic } from '../../model/nic.ts'
import type { Vm } from '../../model/vm.ts'
import type { Shape } from './shape.ts'

interface PlacedNic {
  readonly nic: Nic
  readonly vm: string
}

export function nicsOf(vm: Vm): PlacedNic[] {
  return vm.nics.map((nic) => ({ nic, vm: vm.uuid }))
}

export const interfaceShape: Shape<PlacedNic> = {
  name: 'interface',
  id: ({ nic }) => nic.id,
  numbered: true,
  fields: [
    { kind: 'text', name: 'mac', get: ({ nic }) => nic.mac },
    { kind: 'text', name: 'name', get: ({ nic }) => nic.name },
    { kind: 'text', name: 'ip', get: ({ nic }) => nic.ip },
    { kind: 'ref', name: 'vm', get: ({ vm }) => vm },
  ],
}
