import { volumesOf } from '../../model/layer.ts'
import type { View } from '../store/view.ts'
import type { AnyOperation, Lock } from './operation.ts'

/**
 * What a job locks: what its operation says, and the PMs that have to stay beside them. A volume group that several PMs see
 * is changed by its storlink's PM, wherever a job is at work (docs/decisions/0019).
 */
export function locksOf(operation: AnyOperation, params: Parameters<AnyOperation['locks']>[0], view: View): Lock[] {
  const own = operation.locks(params, view)
  const keys = new Set(own.map((lock) => lock.key))
  const changers = own
    .flatMap((lock) => storlinksOf(lock, view))
    .flatMap((id) => {
      const storlink = view.getStorlink(id)
      return storlink?.level === 'BL' && storlink.shared ? [`pm:${storlink.pm}`] : []
    })
  const more = [...new Set(changers)].filter((key) => !keys.has(key))
  return [...own, ...more.map((key): Lock => ({ key, mode: 'shared' }))]
}

/** The storlinks on which what is locked lies. */
function storlinksOf({ key, mode }: Lock, view: View): number[] {
  const [kind, id = ''] = key.split(':')
  if (kind === 'storlink') return [Number(id)]
  if (mode === 'shared') return []
  const vm = kind === 'vm' ? view.getVm(id) : undefined
  const template = kind === 'template' ? view.templates().find((one) => one.uuid === id) : undefined
  return [...(vm ? volumesOf(vm) : []), ...(template?.disks ?? [])].flatMap(({ storlink }) => storlink ?? [])
}
