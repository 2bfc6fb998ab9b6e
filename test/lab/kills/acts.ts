// What pengx is killed at: an operation that fits what the VM is and has.

/** A generator that a seed repeats, so that a failure can be run again. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32
    return state / 2 ** 32
  }
}

export interface Standing {
  readonly name: string
  /** UUIDs of its snapshots. */
  readonly snapshots: readonly string[]
  /** Disks beside the two that the guest writes to without an end. */
  readonly extraDisks: readonly string[]
}

export interface Act {
  readonly operation: string
  readonly words: readonly string[]
  /** The guest is off before. */
  readonly isOff: boolean
  readonly snapshot?: string
}

const MOST_SNAPSHOTS = 3
const MOST_EXTRA_DISKS = 2

/** The next one; each that fits is as likely as any other. */
export function pickAct({ name, snapshots, extraDisks }: Standing, random: () => number): Act {
  const acts: Act[] = [
    { operation: 'vm.start', words: ['vm.start', name], isOff: true },
    { operation: 'vm.reboot', words: ['vm.reboot', name], isOff: false },
  ]
  const snapshot = snapshots[Math.floor(random() * snapshots.length)]
  const extraDisk = extraDisks[Math.floor(random() * extraDisks.length)]
  const of = (operation: string, ...words: string[]): Act => ({
    operation,
    words: [operation, name, ...words],
    isOff: false,
  })
  if (snapshots.length < MOST_SNAPSHOTS) acts.push(of('snapshot.create'))
  if (extraDisks.length < MOST_EXTRA_DISKS) acts.push(of('disk.create', '--size', '2'))
  if (extraDisk !== undefined) acts.push(of('disk.delete', '--disk', extraDisk))
  if (snapshot !== undefined) {
    acts.push({ ...of('snapshot.delete', '--snapshot', snapshot), snapshot })
    acts.push({ ...of('snapshot.restore', '--snapshot', snapshot), isOff: true, snapshot })
  }
  return acts[Math.floor(random() * acts.length)]!
}
