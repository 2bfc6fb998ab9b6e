import type { Disk } from '../../model/disk.ts'
import type { Host, Output } from '../host/host.ts'
import { runMany } from '../host/run.ts'
import type { Program } from '../tools/program.ts'
import { imageInfo, parseImageInfo } from '../tools/qemuImg.ts'

/**
 * Disks with their virtual sizes in MiB, looked up together where they are not known (`qemu-img info`); what cannot
 * be read stays unknown. Looks only, and never fails.
 */
export async function withSizes(host: Host, disks: readonly Disk[], signal?: AbortSignal): Promise<Disk[]> {
  const unknown = disks.filter((disk) => disk.sizeMib === undefined)
  if (unknown.length === 0) return [...disks]
  const parts = unknown.map((disk) => ({ ...imageInfo(disk.path), okExits: [0, 1] }))
  const outputs = await runMany(host, parts, {}, signal).catch(() => [])
  const sizes = new Map(unknown.map((disk, index) => [disk.uuid, sizeOf(outputs[index]?.stdout)]))
  return disks.map((disk) => {
    const sizeMib = disk.sizeMib ?? sizes.get(disk.uuid)
    return sizeMib === undefined ? disk : { ...disk, sizeMib }
  })
}

/** Pure. What is asked of a disk whose size nobody knows, and what its answer says: MiB, or nothing. */
export function sizeQuestion(path: string): {
  readonly parts: readonly Program[]
  read(outputs: readonly Output[]): number | undefined
} {
  return { parts: [{ ...imageInfo(path), okExits: [0, 1] }], read: ([output]) => sizeOf(output?.stdout) }
}

function sizeOf(stdout: string | undefined): number | undefined {
  try {
    return stdout ? parseImageInfo(stdout).sizeMib : undefined
  } catch {
    return undefined
  }
}
