import type { DiskFormat } from '../../../model/disk.ts'
import type { Level } from '../../../model/storlink.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import { holdsWrites } from '../../volumes/image.ts'
import { domainWith } from './inUse.ts'

/** A volume that a step makes: whether it is there, whether a guest may have written to it since, and how it goes again. */
export interface MadeVolume {
  readonly path: string
  readonly level: Level
  readonly format: DiskFormat
  /** MiB; a volume that is smaller is not whole yet. Absent where it has its size as soon as it is there. */
  readonly sizeMib?: number | undefined
}

/** The VM whose guest can come to it, where there is one. */
export interface Owner {
  readonly uuid: string
  readonly name: string
}

/**
 * The part of a step that makes a volume on a PM which is the same for all. With an `owner` its volume stays, after a gap,
 * where that VM's domain has it, or something was written to it; without one nobody but the job knows of it.
 */
export function madeVolume(
  pm: string,
  volume: MadeVolume,
  owner?: Owner,
): Required<Pick<ChangingStep, 'isApplied' | 'undo'>> & Pick<ChangingStep, 'mayBeUsed'> {
  const { path, level } = volume
  return {
    isApplied: (cx) => isWhole(cx, pm, volume),
    ...(owner ? { mayBeUsed: (cx, exposed) => useOf(cx, pm, volume, owner, exposed) } : {}),
    undo: (cx) => cx.volumes(level).remove(cx.host(pm), path, cx.tag),
  }
}

async function isWhole(cx: Context, pm: string, { path, level, format, sizeMib }: MadeVolume): Promise<boolean> {
  const driver = cx.volumes(level)
  if (!(await isThere(cx, pm, { path, level }))) return false
  if (sizeMib === undefined) return true
  // One that another PM has given its name may not be switched on here yet.
  await driver.activate(cx.host(pm), { path, format }, cx.tag)
  return ((await driver.stat(cx.host(pm), path, format))?.sizeMib ?? 0) >= sizeMib
}

/** Whether there is a volume of that name, whatever is in it. */
export async function isThere(cx: Context, pm: string, volume: Pick<MadeVolume, 'path' | 'level'>): Promise<boolean> {
  return (await cx.volumes(volume.level).isWritable(cx.host(pm), volume.path)) !== undefined
}

/** What a guest may have done with a volume, as a clause; undefined where it is proved to have done nothing. */
async function useOf(
  cx: Context,
  pm: string,
  { path, level, format }: MadeVolume,
  { uuid, name }: Owner,
  exposed: boolean,
): Promise<string | undefined> {
  if (!exposed || !(await isThere(cx, pm, { path, level }))) return undefined
  const host = cx.host(pm)
  const domid = await domainWith(cx, pm, path, uuid)
  if (domid !== undefined) return `domain ${domid} of ${name} has ${path}`
  await cx.volumes(level).activate(host, { path, format }, cx.tag)
  return (await holdsWrites(host, { path, format })) ? `${path} is not empty any more` : undefined
}
