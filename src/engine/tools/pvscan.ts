import { ANY_EXIT, type Program, reads } from './program.ts'

/**
 * lvm2's hints (`/run/lvm/hints`): on which disks of a machine it has found physical volumes. Its programs look at no others
 * until something on that machine itself tells them to, so a group that another machine has made, or has given another
 * disk, is not seen.
 */

/**
 * Looks at all disks anew, and makes the hints what is found (pvscan(8)). Nothing is activated by it. What it answers does
 * not matter: an lvm2 without hints has none that are wrong.
 */
export const rescanDisks: Program = { ...reads('pvscan', '--cache'), okExits: ANY_EXIT }

/** Pure. Whether what lvm2 says on stderr may come of its hints alone: a group, or a disk of one, is not found. */
export function isUnseen(stderr: string): boolean {
  return /Volume group "[^"]*" not found|Couldn't find device with uuid/.test(stderr)
}
