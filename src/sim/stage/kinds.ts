/** Which guests the demo has, and what has become of them. */
import type { GuestType } from '../machine/state.ts'

/** What a VM of the demo is like: its kind by name. */
export interface Kind {
  name: string
  type: GuestType
  vcpus: number
  memoryMib: number
  diskGib: number
  data?: true
}

export const KINDS: Kind[] = [
  { name: 'web', type: 'pvh', vcpus: 2, memoryMib: 2048, diskGib: 20 },
  { name: 'db', type: 'pvh', vcpus: 4, memoryMib: 8192, diskGib: 40, data: true },
  { name: 'mail', type: 'pv', vcpus: 2, memoryMib: 4096, diskGib: 60, data: true },
  { name: 'build', type: 'pvh', vcpus: 8, memoryMib: 8192, diskGib: 80 },
  { name: 'app', type: 'pvh', vcpus: 2, memoryMib: 4096, diskGib: 20 },
  { name: 'cache', type: 'pv', vcpus: 1, memoryMib: 2048, diskGib: 10 },
  { name: 'queue', type: 'pv', vcpus: 1, memoryMib: 1024, diskGib: 10 },
  { name: 'mon', type: 'pv', vcpus: 1, memoryMib: 1024, diskGib: 30 },
  { name: 'test-win', type: 'hvm', vcpus: 2, memoryMib: 4096, diskGib: 60 },
]

/** Names that a list should be seen with. */
export const SPECIAL: Record<number, Kind> = {
  5: { name: '한국어-vm', type: 'pvh', vcpus: 2, memoryMib: 2048, diskGib: 20 },
  11: { name: 'test-win', type: 'hvm', vcpus: 4, memoryMib: 8192, diskGib: 80 },
  17: { name: 'stubborn01', type: 'pv', vcpus: 1, memoryMib: 512, diskGib: 5 },
  23: {
    name: 'a-name-that-is-longer-than-any-column-would-like-it-to-be',
    type: 'pv',
    vcpus: 1,
    memoryMib: 512,
    diskGib: 5,
  },
}

export type Fate = 'running' | 'paused' | 'stopped' | 'shutdown' | 'crashed'

export function fateOf(index: number): Fate {
  if (index % 7 === 4) return 'stopped'
  if (index % 40 === 9) return 'paused'
  if (index % 40 === 22) return 'crashed'
  if (index % 80 === 30) return 'shutdown'
  return 'running'
}
