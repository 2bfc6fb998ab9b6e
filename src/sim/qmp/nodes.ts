import { hashText } from '../machine/noise.ts'

/** QEMU names a node that nobody has named by a number. */
export function anonymous(path: string): string {
  return `#block${String(hashText(path) % 100_000).padStart(3, '0')}`
}
