import { newUuid } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import { batch } from '../../host/batch.ts'
import { runBatch } from '../../host/run.ts'
import type { Context } from '../../jobs/operation.ts'
import { measureImage, parseMeasure } from '../../tools/qemuImg.ts'
import type { Image } from '../../volumes/volumeDriver.ts'

/** Where what a running guest overwrites, or what is copied of it, is kept for as long as a moment of it is needed. */
export type ScratchVolume = {
  readonly path: string
  readonly level: Level
  /** The most that can be written there. */
  readonly bytes: number
}

interface ScratchRequest {
  readonly source: Image & Json
  readonly storlink: number
  /** What of the disk will be kept, in bytes, where it is not all that it holds. */
  readonly dirtyBytes?: number | undefined
}

const MIB = 1024 * 1024
/** What is written between this look and the moment. */
const SLACK_BYTES = 512 * MIB

/**
 * Picks where the scratch volumes of a VM's disks will lie, in their order, and looks whether their storlinks have room for
 * all that can come there; makes nothing. `doing` is what for. Throws `noSpace`, `commandFailed`.
 */
export async function gatherScratch(
  vm: Pick<Vm, 'pm'>,
  requests: readonly ScratchRequest[],
  doing: string,
  cx: Context,
): Promise<ScratchVolume[]> {
  const host = cx.host(vm.pm)
  const measured = await runBatch(host, batch(requests.map(({ source }) => measureImage('qcow2', source))))
  const needed = new Map<number, number>()
  const scratch = requests.map(({ source, storlink: id, dirtyBytes }, index): ScratchVolume => {
    const storlink = cx.view.needStorlink(id)
    const answer = measured[index]
    if (answer?.exit !== 0)
      throw new PengxError('commandFailed', `cannot measure ${source.path} on ${host.name}: ${answer?.stderr.trim()}`)
    const whole = parseMeasure(answer.stdout).requiredBytes
    const bytes = dirtyBytes === undefined ? whole : Math.min(whole, Math.ceil(dirtyBytes * 1.25) + SLACK_BYTES)
    needed.set(id, (needed.get(id) ?? 0) + bytes)
    const path = cx.volumes(storlink.level).locate({ storlink, uuid: newUuid(), format: 'qcow2' })
    return { path, level: storlink.level, bytes }
  })
  for (const [id, bytes] of needed) {
    const storlink = cx.view.needStorlink(id)
    const { freeMib } = await cx.volumes(storlink.level).inspect(host, storlink.link)
    const least = Math.ceil(bytes / MIB)
    if (freeMib >= least) continue
    const where = `${storlink.name} (${storlink.link} on ${host.name})`
    throw new PengxError(
      'noSpace',
      `${doing}: what it may overwrite meanwhile needs ${least} MiB on ${where}, and ${freeMib} are free; name another place (scratch), or shut it down`,
    )
  }
  return scratch
}
