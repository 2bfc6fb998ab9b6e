import { readFileSync, rmSync } from 'node:fs'
import { openNbdClient } from './nbdClient.ts'

/**
 * Who writes to disks without pause, as a guest does, and knows of each block what lies there: every write has a number, one
 * for all its disks together, and fills its block with it. It writes one block after the other, so that an image of
 * one moment holds what it has written up to some number, all of it and nothing more, and all its disks tell the same one.
 */
export interface NumberedGuest {
  write(count: number): Promise<void>
  flush(): Promise<void>
  /** Goes on writing, with a flush now and then, until it is told to stop. */
  goOn(): { stop(): Promise<void> }
  /** The number of its last write, whatever became of it. */
  now(): number
  /** The numbers of the writes that it was told have failed, and of what. */
  failures(): readonly { readonly number: number; readonly errno: number }[]
  known(): { writes: Write[]; flushed: number }
  /** The server is gone. */
  isOver(): boolean
  drop(): void
  /**
   * The moment that images show, one for each disk: the number up to which they hold everything, between two numbers.
   * Throws where they show none.
   */
  momentOf(images: readonly GuestImage[], from: number, to: number): number
  /** What is amiss after the power was cut: blocks that hold neither what was flushed nor what was written since. */
  lostOf(images: readonly GuestImage[]): string[]
}

export interface GuestImage {
  readonly path: string
  readonly format: 'qcow2' | 'raw'
}

export const DISK_MIB = 8
const DISK_BYTES = DISK_MIB * 1024 * 1024
const BLOCK_BYTES = 4096
/** It keeps to these, which lie apart, so that it soon comes to each again. */
const SLOTS = 256
const STRIDE_BYTES = DISK_BYTES / SLOTS
const FLUSH_EVERY = 50

interface Write {
  readonly disk: number
  readonly slot: number
  /** `unknown`: nobody has told, as of one that failed or that the server took with it. */
  outcome: 'done' | 'unknown'
}

/** `before`: one that wrote to the same disks and is gone. What it knows is gone on from. */
export async function openNumberedGuest(
  exports: readonly { readonly socket: string; readonly name: string }[],
  before?: NumberedGuest,
): Promise<NumberedGuest> {
  const clients = await Promise.all(exports.map(({ socket, name }) => openNbdClient(socket, name)))
  const { writes, flushed: upTo } = before?.known() ?? { writes: [], flushed: 0 }
  const failures: { number: number; errno: number }[] = []
  /** What was written up to there was flushed. */
  let flushed = upTo
  let over = false

  async function writeOne(): Promise<void> {
    const number = writes.length + 1
    const disk = number % clients.length
    const slot = (Math.imul(number, 0x9e3779b1) >>> 0) % SLOTS
    const write: Write = { disk, slot, outcome: 'unknown' }
    writes.push(write)
    const bytes = new Uint8Array(new Uint32Array(BLOCK_BYTES / 4).fill(number).buffer)
    const errno = await clients[disk]!.write(slot * STRIDE_BYTES, bytes)
    if (errno === 0) write.outcome = 'done'
    else if (errno === undefined) over = true
    else failures.push({ number, errno })
  }
  async function flush(): Promise<void> {
    const upTo = writes.length
    for (const client of clients) {
      const errno = await client.flush()
      if (errno === undefined) over = true
      if (errno !== 0) return
    }
    flushed = upTo
  }

  /** What may lie in each slot of a disk after so many writes, of which those after `safe` may not have come through. */
  function allowed(disk: number, upTo: number, safe: number): Set<number>[] {
    const slots = Array.from({ length: SLOTS }, () => new Set([0]))
    for (const [index, write] of writes.slice(0, upTo).entries()) {
      if (write.disk !== disk) continue
      if (write.outcome === 'done' && index < safe) slots[write.slot] = new Set([index + 1])
      else slots[write.slot]!.add(index + 1)
    }
    return slots
  }
  const unlike = (images: readonly Uint32Array[], upTo: number, safe: number): string[] =>
    images.flatMap((held, disk) =>
      allowed(disk, upTo, safe).flatMap((may, slot) =>
        may.has(held[slot]!) ? [] : [`disk ${disk}, slot ${slot}: ${held[slot]}, not ${[...may].join(' or ')}`],
      ),
    )

  return {
    async write(count) {
      for (let index = 0; index < count && !over; index++) await writeOne()
    },
    flush,
    goOn() {
      let going = true
      const end = (async () => {
        while (going && !over) {
          await writeOne()
          if (writes.length % FLUSH_EVERY === 0) await flush()
        }
      })()
      return {
        async stop() {
          going = false
          await end
        },
      }
    },
    known: () => ({ writes: [...writes], flushed }),
    now: () => writes.length,
    failures: () => failures,
    isOver: () => over,
    drop() {
      over = true
      for (const client of clients) client.drop()
    },
    momentOf(images, from, to) {
      const held = images.map(readSlots)
      let nearest: string[] | undefined
      for (let moment = from; moment <= to; moment++) {
        const amiss = unlike(held, moment, moment)
        if (amiss.length === 0) return moment
        if (nearest === undefined || amiss.length < nearest.length) nearest = amiss
      }
      throw new Error(`no moment from ${from} to ${to}; nearest: ${nearest?.slice(0, 5).join('; ')}`)
    },
    lostOf: (images) => unlike(images.map(readSlots), writes.length, flushed),
  }
}

/** The number in each slot; one that is torn is the highest there is, and so is any other byte that nobody has written. */
function readSlots({ path, format }: GuestImage): Uint32Array {
  const plain = `${path}.plain-${crypto.randomUUID()}`
  const argv = [
    'qemu-img',
    'dd',
    '-U',
    '-f',
    format,
    '-O',
    'raw',
    'bs=1M',
    `count=${DISK_MIB}`,
    `if=${path}`,
    `of=${plain}`,
  ]
  const { exitCode, stderr } = Bun.spawnSync(argv, { stderr: 'pipe' })
  if (exitCode !== 0) throw new Error(stderr.toString())
  const words = new Uint32Array(new Uint8Array(readFileSync(plain)).buffer)
  rmSync(plain)
  const slots = new Uint32Array(SLOTS)
  const perSlot = STRIDE_BYTES / 4
  for (let at = 0; at < Math.min(words.length, SLOTS * perSlot); at++) {
    const slot = Math.floor(at / perSlot)
    const expected = at % perSlot < BLOCK_BYTES / 4 ? words[slot * perSlot]! : 0
    if (at % perSlot === 0) slots[slot] = words[at]!
    else if (words[at] !== expected) slots[slot] = 0xffffffff
  }
  return slots
}
