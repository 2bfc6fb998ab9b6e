import { isOver } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import type { JobFacts } from '../store/jobs/jobRows.ts'
import type { MadeBy } from './facts.ts'

/**
 * Where the facts of a job say what it makes: for each operation that makes volumes, the ways to their paths. Facts are
 * on disk before anything is made, so what a job has left behind is known to be its own, and what it only uses is not in it.
 * test/engine/verify/made.test.ts runs every operation and sees that this is all, and no more.
 */
const MADE: Readonly<Record<string, readonly string[]>> = {
  'vm.create': ['disks[].path', 'seed.path'],
  'vm.copy': ['rows[].disks[].path', 'moment.disks[].scratch.path'],
  'vm.import': ['disks[].path'],
  'disk.create': ['disk.path'],
  'vm.smigrate': ['moves[].to.path'],
  'snapshot.create': ['overlays[].path'],
  'snapshot.restore': ['overlays[].path'],
  'snapshot.start': ['overlays[].path'],
  'backup.create': ['disks[].volume.path', 'live.scratch[].path', 'manifest'],
  'backup.restore': ['restored[].path'],
  'backup.drill': ['restored[].path'],
  'template.create': ['disks[].target.path'],
  'template.addNew': ['disk.path'],
}

/** The operations whose jobs make volumes. */
export const MAKERS = Object.keys(MADE)

/** Pure. What jobs have set out to make, and what those have in hand that are not over. */
export function madeBy(jobs: readonly JobFacts[]): MadeBy[] {
  return jobs.map(({ job, facts }) => ({
    job,
    paths: (MADE[job.operation] ?? []).flatMap((way) => follow(facts, way.split('.'))),
    inHand: isOver(job.state) ? [] : pathsIn(facts),
  }))
}

/** `owned: false` is an image of somebody else's that is used where it lies. */
function follow(value: Json | undefined, [step, ...more]: readonly string[]): string[] {
  if (value === null || value === undefined) return []
  if (step === undefined) return typeof value === 'string' ? [value] : []
  if (typeof value !== 'object' || Array.isArray(value)) return []
  const fields = value as Readonly<Record<string, Json>>
  if (fields.owned === false) return []
  const next = fields[step.replace(/\[\]$/, '')]
  if (!step.endsWith('[]')) return follow(next, more)
  return Array.isArray(next) ? next.flatMap((one: Json) => follow(one, more)) : []
}

function pathsIn(value: Json): string[] {
  if (typeof value === 'string') return value.startsWith('/') ? [value] : []
  if (value === null || typeof value !== 'object') return []
  return (Array.isArray(value) ? value : Object.values(value)).flatMap(pathsIn)
}
