import { PengxError } from '../../../model/error.ts'
import type { Level } from '../../../model/storlink.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import { domainWith } from './inUse.ts'
import { isThere } from './madeVolume.ts'

/** A volume that goes in two steps: out of the way, from where it can still come back, and then for good. */
export interface AsideVolume {
  readonly path: string
  readonly level: Level
}

/** The part of a step that sets a volume aside which is the same for all; `vm`: whose domain must not have it, by UUID. */
export function setAside(
  pm: string,
  volume: AsideVolume,
  vm?: string,
): Required<Pick<ChangingStep, 'do' | 'isApplied' | 'undo'>> {
  const { path, level } = volume
  return {
    async do(cx) {
      if (vm !== undefined) await needLetGo(cx, pm, path, vm)
      await cx.volumes(level).setAside(cx.host(pm), path, cx.tag)
      return null
    },
    isApplied: async (cx) => !(await isThere(cx, pm, volume)),
    undo: (cx) => cx.volumes(level).bringBack(cx.host(pm), path, cx.tag),
  }
}

/** The part of a step that removes what was set aside, behind the pivot. */
export function removeAside(
  pm: string,
  { path, level }: AsideVolume,
): Required<Pick<ChangingStep, 'do' | 'isApplied'>> {
  return {
    async do(cx) {
      await cx.volumes(level).removeAside(cx.host(pm), path, cx.tag)
      return null
    },
    isApplied: async (cx) => !(await cx.volumes(level).isAside(cx.host(pm), path)) || 'again',
  }
}

/** Throws `conflict` where the VM's domain has the volume: a guest would go on with what is on its way out. */
export async function needLetGo(cx: Context, pm: string, path: string, vm: string): Promise<void> {
  const domid = await domainWith(cx, pm, path, vm)
  if (domid !== undefined) throw new PengxError('conflict', `domain ${domid} has ${path}: it stays`)
}
