import { getOrMake } from '../lib/getOrMake.ts'
import { depthOf, lineOf, type Snapshot, snapshotBelow, snapshotsOf } from './layer.ts'
import type { Vm } from './vm.ts'

/** A place in the tree of a VM's snapshots. */
export interface Branch {
  /** Absent: it is the VM itself, as it goes on from here. */
  readonly snapshot?: Snapshot
  /** The nearest listed snapshot below it. */
  readonly parent?: string
  /** The VM goes on from it. */
  readonly isBelowVm: boolean
  /** How many layers a guest would read through from here, those that nobody lists too. */
  readonly depth: number
  /** For each step from the root, itself last: does another one of that level follow? */
  readonly rungs: readonly boolean[]
}

/** Each snapshot and then what lies on it, oldest first; the VM stands last where it goes on from. None: no tree. */
export function snapshotTree(vm: Pick<Vm, 'layer' | 'layers'>): readonly Branch[] {
  const listed = snapshotsOf(vm)
  if (listed.length === 0) return []
  const here = snapshotBelow(vm, { parent: vm.layer })?.uuid
  const above = new Map<string | undefined, Snapshot[]>()
  for (const snapshot of listed) getOrMake(above, snapshotBelow(vm, snapshot)?.uuid, () => []).push(snapshot)

  function grow(parent: string | undefined, rungs: readonly boolean[]): Branch[] {
    const own = parent === undefined ? {} : { parent }
    const ones = above.get(parent) ?? []
    const branches = ones.flatMap((snapshot, index): Branch[] => {
      const { uuid } = snapshot
      const more = [...rungs, index < ones.length - 1 || here === parent]
      const depth = lineOf(vm, uuid).length
      return [{ snapshot, ...own, isBelowVm: uuid === here, depth, rungs: more }, ...grow(uuid, more)]
    })
    if (here !== parent) return branches
    return [...branches, { ...own, isBelowVm: false, depth: depthOf(vm), rungs: [...rungs, false] }]
  }
  return grow(undefined, [])
}
