/** What a simulated QEMU does at one moment, or not at all: all of it is asked before any of it is done. */
import type { SimBlockJob } from '../machine/qemu.ts'
import { QMP_ACTIONS } from './actions.ts'
import { type QmpCommand, qmpError } from './blocks.ts'

export const transaction: QmpCommand = (call) => {
  const actions = call.args.actions as readonly { type: string; data: Record<string, unknown> }[]
  const isGrouped =
    (call.args.properties as { 'completion-mode'?: string } | undefined)?.['completion-mode'] === 'grouped'
  const jobs: SimBlockJob[] = []
  const switches: (() => void)[] = []
  const names: string[] = []
  const bitmaps: { node: string; name: string }[] = []
  for (const { type, data } of actions) {
    const action = Object.hasOwn(QMP_ACTIONS, type) ? QMP_ACTIONS[type] : undefined
    if (action === undefined) return qmpError(`Parameter 'type' does not accept value '${type}'`)
    const checked = action(call, data, { names, jobs, bitmaps })
    if ('error' in checked) return qmpError(checked.error)
    if ('job' in checked) jobs.push(checked.job)
    else {
      switches.push(checked.apply)
      if (checked.name !== undefined) names.push(checked.name)
      if (checked.bitmap !== undefined) bitmaps.push(checked.bitmap)
    }
  }
  const grouped = isGrouped ? { group: jobs.map(({ id }) => id).join(' ') } : {}
  call.domain.blockJobs = [...(call.domain.blockJobs ?? []), ...jobs.map((job) => ({ ...job, ...grouped }))]
  for (const move of switches) move()
  call.world.save()
  return { return: {} }
}
