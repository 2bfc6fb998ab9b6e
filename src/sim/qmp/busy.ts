/** What a simulated QEMU is at work with: jobs, the nodes that they hold, and how long they take. */
import type { SimWorld } from '../machine/program.ts'
import type { SimBlockJob } from '../machine/qemu.ts'
import type { QmpCall } from './blocks.ts'

const MS_PER_GIB = 400

/** The job that holds a node, and is not over. */
export function jobOn({ domain }: Pick<QmpCall, 'domain'>, node: string): SimBlockJob | undefined {
  return domain.blockJobs?.find((job) => !job.concluded && job.nodes.includes(node))
}

/** Why a node cannot be taken hold of by another. */
export function busyWith(call: Pick<QmpCall, 'domain'>, node: string): string | undefined {
  const job = jobOn(call, node)
  return job && `Node '${node}' is busy: block device is in use by block job: ${job.type}`
}

/** From now on, at a rate in bytes a second where that is slower; at no pace nothing takes time. */
export function durationOf({ clock, pace }: SimWorld, bytes: number, speed: number) {
  const own = (bytes / 1073741824) * MS_PER_GIB
  const limited = speed > 0 ? (bytes / speed) * 1000 : 0
  const startedAt = clock.now()
  return { startedAt, endsAt: startedAt + Math.max(own, limited) * pace }
}

export function stateOf(job: SimBlockJob): 'concluded' | 'pending' | 'ready' | 'running' {
  if (job.concluded) return 'concluded'
  if (job.held === 'now') return 'pending'
  return job.ready ? 'ready' : 'running'
}
