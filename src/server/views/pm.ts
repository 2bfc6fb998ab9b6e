import type { Pm, PmInterface, PmReach } from '../../model/pm.ts'
import { list, type Shape } from './shape.ts'

/** A PM is `Up` when its last look was answered; one that nobody has looked at yet is not known to be. */
export function pmStatus(reach: PmReach): string {
  return reach === 'up' ? 'Up' : 'Down'
}

const interfaceShape: Shape<PmInterface> = {
  name: 'interface',
  fields: [
    { kind: 'text', name: 'name', get: (nic) => nic.name },
    { kind: 'text', name: 'mac', get: (nic) => nic.mac },
    { kind: 'text', name: 'ip', get: (nic) => nic.ip },
  ],
}

export const pmShape: Shape<Pm> = {
  name: 'pm',
  id: (pm) => pm.uuid,
  fields: [
    { kind: 'text', name: 'name', get: (pm) => pm.name },
    { kind: 'text', name: 'status', help: 'Up or Down', get: (pm) => pmStatus(pm.seen.reach) },
    { kind: 'number', name: 'cpu_core', get: (pm) => pm.cpuCount },
    { kind: 'number', name: 'memory', help: 'MiB', get: (pm) => pm.memoryMib },
    list('interfaces', interfaceShape, (pm: Pm) => pm.seen.interfaces ?? []),
  ],
}
