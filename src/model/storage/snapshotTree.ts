import { getOrMake } from '../../lib/getOrMake.ts'
import { lineOf, type Snapshot, snapshotBelow, snapshotsOf } from '../layer.ts'
import type { Vm } from '../vm.ts'

/** A snapshot's place in the tree of its VM's. */
export interface Branch {
  readonly snapshot: Snapshot
  /** The nearest listed snapshot below it. */
  readonly parent?: string
  /** The VM goes on from it. */
  readonly isBelowVm: boolean
  /** How many layers a guest would read through from here, those that nobody lists too. */
  readonly depth: number
  /** For each step from the root, itself last: does another one of that level follow? */
  readonly rungs: readonly boolean[]
}

/** Each snapshot and then what lies on it, oldest first. */
export function snapshotTree(vm: Pick<Vm, 'layer' | 'layers'>): readonly Branch[] {
  const here = snapshotBelow(vm, { parent: vm.layer })?.uuid
  const above = new Map<string | undefined, Snapshot[]>()
  for (const snapshot of snapshotsOf(vm)) getOrMake(above, snapshotBelow(vm, snapshot)?.uuid, () => []).push(snapshot)

  function grow(parent: string | undefined, below: readonly boolean[]): Branch[] {
    const own = parent === undefined ? {} : { parent }
    const ones = above.get(parent) ?? []
    return ones.flatMap((snapshot, index) => {
      const { uuid } = snapshot
      const rungs = [...below, index < ones.length - 1]
      const branch = { snapshot, ...own, isBelowVm: uuid === here, depth: lineOf(vm, uuid).length, rungs }
      return [branch, ...grow(uuid, rungs)]
    })
  }
  return grow(undefined, [])
}
