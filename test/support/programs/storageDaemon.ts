import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type Qmp, withQmp } from '../../../src/engine/tools/qmp.ts'
import type { Json } from '../../../src/model/json.ts'
import { until } from '../until.ts'
import { type BlockFault, createFaults } from './blockFaults.ts'
import { type GuestImage, type NumberedGuest, openNumberedGuest } from './numberedGuest.ts'

/**
 * QEMU's block layer without a machine (`qemu-storage-daemon`): nodes, jobs and exports as those of a domain's device
 * model, and a guest that writes to them through NBD. By the main loop: behind an iothread, where a Xen disk is, QEMU's own NBD
 * server (7.2) ends now and then over what is done to its node (assertions in nbd/server.c), which says nothing of what is asked.
 */
export interface StorageDaemon {
  readonly pid: number
  readonly socket: string
  /** Each time a connection of its own, as the engine makes them. */
  ask<T>(work: (qmp: Qmp) => Promise<T>): Promise<T>
  /** Opens an image, its whole chain with it, as a node of that name. */
  open(node: string, image: GuestImage): Promise<void>
  /** From when it is opened next something goes wrong on the way to that image. */
  failing(path: string, fault: BlockFault): void
  /** A guest that writes to these nodes, and to whatever comes to stand on them. */
  guest(...nodes: readonly string[]): Promise<NumberedGuest>
  kill(): Promise<void>
}

export async function openStorageDaemon(dir: string): Promise<StorageDaemon> {
  const socket = join(dir, `monitor-${crypto.randomUUID().slice(0, 8)}.sock`)
  const chardev = `socket,id=monitor,path=${socket},server=on,wait=off`
  const child = Bun.spawn(['qemu-storage-daemon', '--chardev', chardev, '--monitor', 'chardev=monitor'], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
  await until(async () => {
    if (child.exitCode !== null) throw new Error(await new Response(child.stderr).text())
    return existsSync(socket)
  })
  const reach = () =>
    new Promise<ReturnType<typeof connect>>((resolve, reject) => {
      const opened = connect(socket, () => resolve(opened))
      opened.once('error', reject)
    })
  const faults = createFaults(dir)
  const through = (qmp: Qmp): Qmp => ({
    async execute(command, args) {
      const answer = await qmp.execute(command, args && faults.into(args as { readonly [key: string]: Json }))
      return JSON.parse(faults.hide(JSON.stringify(answer)))
    },
  })
  const ask = async <T>(work: (qmp: Qmp) => Promise<T>) =>
    await withQmp(await reach(), { peer: 'the storage daemon', timeoutMs: 20_000 }, (qmp) => work(through(qmp)))
  const guests: NumberedGuest[] = []
  return {
    pid: child.pid,
    socket,
    ask,
    async open(node, { path, format }) {
      const file = { driver: 'file', filename: path, locking: 'off', discard: 'unmap' }
      await ask((qmp) => qmp.execute('blockdev-add', { driver: format, 'node-name': node, file }))
    },
    failing: faults.set,
    async guest(...nodes) {
      const guest = await ask((qmp) => openGuestOf(qmp, dir, nodes))
      guests.push(guest)
      return guest
    },
    async kill() {
      child.kill('SIGKILL')
      await child.exited
      for (const guest of guests) guest.drop()
    },
  }
}

/** A guest of any QEMU that is not showing anything to anybody yet. */
export async function openGuestOf(
  qmp: Qmp,
  dir: string,
  nodes: readonly string[],
  before?: NumberedGuest,
): Promise<NumberedGuest> {
  const socket = join(dir, `guest-${crypto.randomUUID().slice(0, 8)}.sock`)
  await qmp.execute('nbd-server-start', { addr: { type: 'unix', data: { path: socket } } })
  for (const node of nodes) {
    const way = { type: 'nbd', id: `guest-${node}`, 'node-name': node, name: node, writable: true }
    await qmp.execute('block-export-add', way)
  }
  return await openNumberedGuest(
    nodes.map((name) => ({ socket, name })),
    before,
  )
}
