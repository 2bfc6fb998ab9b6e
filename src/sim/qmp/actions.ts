/** What a transaction of a simulated QEMU consists of: each says what it would do, or why it cannot. */
import { liveFormat } from '../machine/openImages.ts'
import type { SimBlockJob } from '../machine/qemu.ts'
import { chainAllocated, openImage } from '../programs/qemuImg/images.ts'
import { findBlock, noDevice, type QmpCall } from './blocks.ts'
import { busyWith, durationOf } from './busy.ts'
import { imageNamed, snapshotSync } from './layers.ts'
import { addBitmap, lacksBitmap } from './moments.ts'

/** Survives JSON, which Infinity does not. */
const NEVER = 8.64e15

/** What those before it in the transaction will have done. */
interface Before {
  readonly names: readonly string[]
  readonly jobs: readonly SimBlockJob[]
  readonly bitmaps: readonly { readonly node: string; readonly name: string }[]
}

type Checked =
  | { readonly error: string }
  | { readonly job: SimBlockJob }
  | { readonly apply: () => void; readonly name?: string; readonly bitmap?: { node: string; name: string } }

type Action = (call: QmpCall, data: Record<string, unknown>, before: Before) => Checked

/** By the type of the action. */
export const QMP_ACTIONS: Record<string, Action> = {
  'blockdev-snapshot-sync': (call, data, { names }) => {
    const name = String(data['snapshot-node-name'] ?? '')
    const isTaken = (one: string) =>
      names.includes(one) ||
      imageNamed(call, one) !== undefined ||
      call.domain.addedNodes?.some((node) => node.name === one) === true
    return { ...snapshotSync(call, data, isTaken), name }
  },
  'block-dirty-bitmap-add': (call, data, { bitmaps }) => {
    const bitmap = { node: String(data.node), name: String(data.name) }
    return { ...addBitmap(call, bitmap, bitmaps), bitmap }
  },
  'blockdev-backup': backupJob,
}

function backupJob(call: QmpCall, data: Record<string, unknown>, { jobs }: Before): Checked {
  const { pm, domain, world } = call
  const id = String(data['job-id'])
  const nodeNamed = (name: unknown) => domain.addedNodes?.find((node) => node.name === name)
  const block = findBlock(call, data.device)
  const source = block ? { path: block.path, format: block.disk.format } : nodeNamed(data.device)
  if (source === undefined) return { error: noDevice(data.device) }
  const target = nodeNamed(data.target)
  if (target === undefined) return { error: noDevice(data.target) }
  const busy = busyWith(call, target.name)
  if (busy !== undefined) return { error: busy }
  const lacking = lacksBitmap(call, data)
  if (lacking !== undefined) return { error: lacking }
  if (data.device === data.target) return { error: 'Source and target cannot be the same' }
  const from = openImage(pm, source.path, block ? liveFormat(block.disk) : source.format)
  if (typeof from === 'string') return { error: from }
  const to = openImage(pm, target.path, target.format)
  if (typeof to === 'string') return { error: to }
  const { virtualSize } = from.header
  if (virtualSize !== to.header.virtualSize) return { error: 'Source and target image have different sizes' }
  if ([...(domain.blockJobs ?? []), ...jobs].some((job) => job.id === id))
    return { error: `Job ID '${id}' already in use` }
  const bytes = data.sync === 'full' ? Math.min(virtualSize, chainAllocated(pm, from)) : Math.min(virtualSize, 65_536)
  const speed = Number(data.speed ?? 0)
  const job: SimBlockJob = {
    id,
    type: 'backup',
    target: target.name,
    nodes: [target.name],
    speed,
    ...(data['auto-dismiss'] === false ? {} : { dismissed: true as const }),
    bytes,
    virtualSize,
    ...durationOf(world, bytes, speed),
  }
  return { job: data.sync === 'none' ? { ...job, endsAt: NEVER } : job }
}
