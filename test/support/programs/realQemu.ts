import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../../../src/engine/host/host.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { type Qmp, withQmp } from '../../../src/engine/tools/qmp.ts'
import { until } from '../until.ts'
import { type BlockFault, createFaults } from './blockFaults.ts'
import { type Message, monitorBetween } from './monitorBetween.ts'
import type { NumberedGuest } from './numberedGuest.ts'
import { openGuestOf } from './storageDaemon.ts'

/**
 * A real QEMU with real disks and no machine to speak of (it never runs): its block layer is that of a domain's device
 * model, its nodes are named alike, and its monitor is where that of domain 7 would be. What a guest would write is
 * written by QEMU itself, told on a second monitor, or by a guest that comes through NBD.
 */
export interface RealQemu {
  readonly domid: number
  readonly host: Host
  readonly dir: string
  readonly pid: number
  /** As the guest would: bytes of one value at an offset, both in KiB. */
  write(vdev: string, byte: number, atKib: number, lengthKib: number): Promise<void>
  /** What has been written is in the images, for others to read. */
  flush(): Promise<void>
  ask<T>(work: (qmp: Qmp) => Promise<T>): Promise<T>
  /** Who writes to all disks without pause; while it is there QEMU can show no moment. */
  guest(before?: NumberedGuest): Promise<NumberedGuest>
  /** From when it is opened next, as an overlay or a target, something goes wrong on the way to that image, or no more. */
  failing(path: string, fault: BlockFault | undefined): void
  /** What is said to the monitors of libxl's from now on is put otherwise. */
  retell(edit: (message: Message) => Message): void
  /** What is said to them comes there only after that, line by line. */
  delay(before: () => Promise<void>): void
  kill(): Promise<void>
  /** Another QEMU in the same directory, after this one has gone. */
  again(disks: readonly RealDisk[]): Promise<RealQemu>
  close(): Promise<void>
}

const DOMID = 7

export interface RealDisk {
  readonly vdev: string
  readonly path: string
  readonly format: 'qcow2' | 'raw'
  readonly fault?: BlockFault
}

export async function openRealQemu(
  disks: (dir: string, host: Host) => Promise<readonly RealDisk[]>,
): Promise<RealQemu> {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-qemu-'))
  return await boot(dir, await disks(dir, openLocalHost('here')))
}

async function boot(dir: string, made: readonly RealDisk[]): Promise<RealQemu> {
  const local = openLocalHost('here')
  const faults = createFaults(dir)
  const run = crypto.randomUUID().slice(0, 8)
  const sockets = ['libxl', 'libxenstat', 'guest'].map((name) => join(dir, `${name}-${run}.sock`))
  const blocks = made.flatMap(({ vdev, path, format, fault }) => {
    if (fault) faults.set(path, fault)
    const file = faults.into({ driver: 'file', filename: path, locking: 'off' })
    const node = JSON.stringify({ driver: format, 'node-name': `${vdev}-${format}`, file })
    const device = `virtio-blk-pci,drive=${vdev}-${format},id=${vdev},serial=${vdev},share-rw=on`
    return ['-blockdev', node, '-device', device]
  })
  const monitors = sockets.flatMap((path) => ['-qmp', `unix:${path},server=on,wait=off`])
  const still = ['-name', 'guest', '-M', 'pc', '-accel', 'tcg', '-S', '-nodefaults', '-display', 'none', '-m', '32']
  const child = Bun.spawn(['qemu-system-x86_64', ...still, ...blocks, ...monitors], {
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const reach = (path: string) =>
    new Promise<ReturnType<typeof connect>>((resolve, reject) => {
      const socket = connect(path)
      socket.once('connect', () => resolve(socket))
      socket.once('error', reject)
    })
  const ask = async <T>(work: (qmp: Qmp) => Promise<T>) =>
    await withQmp(await reach(sockets[2]!), { peer: 'the guest', timeoutMs: 20_000 }, work)
  const moved = (word: string) => word.replace(/^\/var\/lib\/xen\//, `${dir}/`)
  let delayed = async () => {}
  let retold = (message: Message) => message
  const guests: NumberedGuest[] = []
  const host: Host = {
    ...local,
    // libxl's locks lie in the directory.
    open: (command, signal, onWait) =>
      local.open({ ...command, argv: command.argv.map(moved) as [string, ...string[]] }, signal, onWait),
    async connect(path, effect, signal) {
      const [, monitor] = new RegExp(`^/var/run/xen/qmp-(libxl|libxenstat)-${DOMID}$`).exec(path) ?? []
      if (monitor === undefined) return await local.connect(path, effect, signal)
      const socket = await local.connect(join(dir, `${monitor}-${run}.sock`), effect, signal)
      return monitorBetween(socket, {
        before: () => delayed(),
        tell: (message) => faults.into(asDevice(retold(message))),
        answer: faults.hide,
      })
    },
  }
  await until(async () => {
    if (child.exitCode !== null) throw new Error(await new Response(child.stderr).text())
    return await ask(async () => true).catch(() => false)
  })
  /** Through the device: whoever stands between that and the image sees it. */
  const told = async (vdev: string, does: string, expected: RegExp) => {
    const line = `qemu-io -d /machine/peripheral/${vdev}/virtio-backend "${does}"`
    const said = await ask((qmp) => qmp.execute('human-monitor-command', { 'command-line': line }))
    if (!expected.test(String(said).trim())) throw new Error(String(said))
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await child.exited
    for (const guest of guests) guest.drop()
  }
  return {
    domid: DOMID,
    host,
    dir,
    pid: child.pid,
    ask,
    async write(vdev, byte, atKib, lengthKib) {
      await told(vdev, `write -P ${byte} ${atKib}k ${lengthKib}k`, /^$|wrote \d+\/\d+ bytes/)
    },
    async flush() {
      for (const { vdev } of made) await told(vdev, 'flush', /^$/)
    },
    async guest(before) {
      const nodes = made.map(({ vdev, format }) => `${vdev}-${format}`)
      const guest = await ask((qmp) => openGuestOf(qmp, dir, nodes, before))
      guests.push(guest)
      return guest
    },
    failing: faults.set,
    retell(edit) {
      retold = edit
    },
    delay(before) {
      delayed = before
    },
    kill,
    again: (disks) => boot(dir, disks),
    async close() {
      await kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** A Xen disk's device knows its vdev; here its serial number says it. */
function asDevice(message: Message): Message {
  const { property } = message.arguments ?? {}
  return property === 'vdev' ? { ...message, arguments: { ...message.arguments, property: 'serial' } } : message
}
