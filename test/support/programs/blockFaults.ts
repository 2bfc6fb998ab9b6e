import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Json } from '../../../src/model/json.ts'

/** What goes wrong on the way to an image's file (QEMU's `blkdebug`), at which of the writes that come there. */
export interface BlockFault {
  readonly errno: 'EIO' | 'ENOSPC'
  /** Tables count as the rest; so many go well before. */
  readonly afterWrites: number
  /** Only that one write; else all that follow. */
  readonly once?: true
}

export const ERRNO = { EIO: 5, ENOSPC: 28 } as const

/** Writes down a fault of the image in a form that blkdebug reads, beside it; gives where. */
function writeFault(dir: string, path: string, { errno, afterWrites, once }: BlockFault): string {
  const config = join(dir, `${basename(path)}.blkdebug`)
  const counted = Array.from(
    { length: afterWrites },
    (_, index) => `[set-state]\nstate = "${index + 1}"\nevent = "pwritev"\nnew_state = "${index + 2}"\n`,
  )
  const state = `state = "${afterWrites + 1}"\nevent = "pwritev"\niotype = "write"\nerrno = "${ERRNO[errno]}"\n`
  writeFileSync(config, `${counted.join('\n')}\n[inject-error]\n${state}once = "${once ? 'on' : 'off'}"\n`)
  return config
}

/** The faults of images by their paths, and how QEMU is told to open them and tells of them. */
export interface Faults {
  set(path: string, fault: BlockFault | undefined): void
  /** What opens such an image opens it through what goes wrong. */
  into<T extends Json>(told: T): T
  /** Who asks is told of the image alone. */
  hide(line: string): string
}

export function createFaults(dir: string): Faults {
  const configs = new Map<string, string>()
  /** What is open goes on being called by what it was opened with. */
  const known = new Set<string>()
  const into = <T extends Json>(told: T): T => {
    if (told === null || typeof told !== 'object') return told
    if (Array.isArray(told)) return told.map(into) as Json as T
    const object = told as { readonly [key: string]: Json }
    const config = configs.get(String(object.filename))
    if (config !== undefined && object.driver === 'file') {
      const { 'node-name': name, ...image } = object
      return { ...(name ? { 'node-name': name } : {}), driver: 'blkdebug', config, image } as Json as T
    }
    return Object.fromEntries(
      Object.entries(object).map(([key, value]) => {
        const overlay = key === 'snapshot-file' ? configs.get(String(value)) : undefined
        return [key, overlay === undefined ? into(value) : `blkdebug:${overlay}:${String(value)}`]
      }),
    ) as Json as T
  }
  return {
    set(path, fault) {
      if (fault === undefined) return void configs.delete(path)
      const config = writeFault(dir, path, fault)
      configs.set(path, config)
      known.add(config)
    },
    into,
    hide: (line) => [...known].reduce((text, config) => text.replaceAll(`blkdebug:${config}:`, ''), line),
  }
}
