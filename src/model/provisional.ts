import { uuidOfText } from '../lib/ids.ts'
import { emptyPmSeen, type Pm } from './pm.ts'

/**
 * A machine that was named but has never answered has no identity yet: it gets one that follows from its destination,
 * so that it can be shown as unreachable, and its own (the machine-id) as soon as it answers.
 */
export function provisionalPm(destination: string, now: number): Pm {
  return {
    uuid: uuidOfText(destination),
    name: destination.replace(/^(ssh|sim):/, ''),
    destination,
    cpuCount: 0,
    memoryMib: 0,
    readOnly: false,
    createdAt: now,
    seen: emptyPmSeen(now),
  }
}

export function isProvisional(pm: Pm): boolean {
  return pm.uuid === uuidOfText(pm.destination)
}
