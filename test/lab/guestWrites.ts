// A guest that writes numbered blocks to several disks in turn, each on its disk before the next is begun, and how a
// copy is told to hold exactly what was written until one moment.
import { expect } from 'bun:test'

/** Blocks of 4 KiB, the first of them at 8 MiB. */
export const SLOTS = 64
export const SLOTS_AT = 2048
const BLOCK = 4096

/**
 * A command for the guest's shell that goes on after it has answered: number N goes into slot N mod 64 of each disk.
 * /tmp/written has the last number that is on all of them, /tmp/writer the process.
 */
export function numberedWrites(disks: readonly string[]): string {
  const write = `printf "%-4095s\\n" "SEQ $n" | dd of=/dev/$d bs=${BLOCK} seek=$((${SLOTS_AT} + n % ${SLOTS})) conv=notrunc,fsync 2>/dev/null`
  const loop = `n=0; while :; do n=$((n + 1)); for d in ${disks.join(' ')}; do ${write} || exit; done; echo $n >/tmp/written.new; mv /tmp/written.new /tmp/written; done`
  return `(${loop}) >/dev/null 2>&1 & echo $! >/tmp/writer; until [ -s /tmp/written ] && [ "$(cat /tmp/written)" -gt ${SLOTS} ]; do sleep 0.2; done`
}

/**
 * The last number in the slots, which hold just what they did when it had been written: not a byte older or newer; 0 where
 * nothing was yet.
 */
export function momentOf(slots: Buffer): number {
  const last = Math.max(0, ...[...slots.toString('latin1').matchAll(/SEQ (\d+)/g)].map((match) => Number(match[1])))
  const expected = Buffer.alloc(SLOTS * BLOCK)
  for (let number = Math.max(1, last - SLOTS + 1); number <= last; number++)
    expected.write(`${`SEQ ${number}`.padEnd(BLOCK - 1)}\n`, (number % SLOTS) * BLOCK, 'latin1')
  expect(sumOf(slots)).toBe(sumOf(expected))
  return last
}

const sumOf = (bytes: Buffer): string => new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
