import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** What goes wrong on the way to an image's file (QEMU's `blkdebug`), at which of the writes that come there. */
export interface BlockFault {
  readonly errno: 'EIO' | 'ENOSPC'
  /** Tables count as the rest; so many go well before. */
  readonly afterWrites: number
  /** Only that one write; else all that follow. */
  readonly once?: true
}

const ERRNO = { EIO: 5, ENOSPC: 28 } as const

/** Writes down a fault of the image in a form that blkdebug reads, beside it; gives where. */
export function writeFault(dir: string, path: string, { errno, afterWrites, once }: BlockFault): string {
  const config = join(dir, `${basename(path)}.blkdebug`)
  const counted = Array.from(
    { length: afterWrites },
    (_, index) => `[set-state]\nstate = "${index + 1}"\nevent = "pwritev"\nnew_state = "${index + 2}"\n`,
  )
  const state = `state = "${afterWrites + 1}"\nevent = "pwritev"\niotype = "write"\nerrno = "${ERRNO[errno]}"\n`
  writeFileSync(config, `${counted.join('\n')}\n[inject-error]\n${state}once = "${once ? 'on' : 'off'}"\n`)
  return config
}
