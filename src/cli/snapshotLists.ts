import type { Engine } from '../engine/engine.ts'
import { formatDate } from '../lib/age.ts'
import { DEEP } from '../model/layer.ts'
import { type Branch, snapshotTree } from '../model/storage/snapshotTree.ts'
import { iso, listing } from './listing.ts'
import { resolveTarget } from './target.ts'

/** What `pengx snapshots VM` prints: each snapshot, then what lies on it, set in by a step. */
function snapshotsNamed(engine: Engine, word: string): readonly Branch[] {
  return snapshotTree(engine.view.needVm(resolveTarget(engine, 'vm', word)))
}

export const snapshots = listing<Branch>(
  snapshotsNamed,
  () => [
    { title: 'SNAPSHOT', text: ({ snapshot, rungs }) => `${'  '.repeat(rungs.length - 1)}${snapshot.name}` },
    { title: 'NOW', text: ({ isBelowVm }) => (isBelowVm ? 'the VM is here' : '') },
    { title: 'LAYERS', align: 'right', text: ({ depth }) => (depth < DEEP ? `${depth}` : `${depth} (deep)`) },
    { title: 'TYPE', text: ({ snapshot }) => snapshot.type },
    { title: 'TAKEN', text: ({ snapshot }) => formatDate(snapshot.createdAt) },
    { title: 'UUID', text: ({ snapshot }) => snapshot.uuid },
    { title: 'NOTE', text: ({ snapshot }) => snapshot.note },
  ],
  ({ snapshot: { uuid, name, note, type, createdAt, volumes }, parent, isBelowVm, depth }) => ({
    uuid,
    name,
    parent,
    current: isBelowVm,
    depth,
    type,
    note,
    createdAt: iso(createdAt),
    volumes: volumes.map(({ base: _base, owned: _owned, ...volume }) => volume),
  }),
)
