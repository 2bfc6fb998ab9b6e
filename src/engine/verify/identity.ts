import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { runBatch } from '../host/run.ts'
import { identifyFiles, parseIdentities } from '../tools/fileLists.ts'

/** Which volume a path leads to on one PM: two paths with one key are one volume, by whatever spelling or link. */
export interface Identity {
  /** Of that PM alone: device and inode of a file, major and minor number of a device. */
  readonly key: string
  readonly kind: 'file' | 'directory' | 'device' | 'other'
  readonly bytes: number
}

/** So that a command line stays well under what a kernel takes (128 KiB a word of `sh -c`), with paths of any length. */
const BYTES_A_BATCH = 60_000

/**
 * Where paths lead to on a PM, links followed (stat(1)); a path that leads nowhere is not in it. Looks only, a few hundred
 * paths a round trip. Fails as `runBatch` does.
 */
export async function identify(host: Host, paths: Iterable<string>): Promise<ReadonlyMap<string, Identity>> {
  const found = new Map<string, Identity>()
  for (const some of parcels([...new Set(paths)])) {
    const [output] = await runBatch(host, batch([identifyFiles(some)]))
    for (const { path, ...identity } of parseIdentities(output?.stdout ?? '')) found.set(path, identity)
  }
  return found
}

function parcels(paths: readonly string[]): string[][] {
  const all: string[][] = []
  let bytes = BYTES_A_BATCH
  for (const path of paths) {
    // what a shell needs to quote it may be four times as long
    const more = Buffer.byteLength(path) + 3 + 3 * (path.split("'").length - 1)
    if (bytes + more > BYTES_A_BATCH) {
      all.push([])
      bytes = 0
    }
    all.at(-1)!.push(path)
    bytes += more
  }
  return all
}
