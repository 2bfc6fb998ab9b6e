import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../../../src/engine/host/host.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { type Qmp, withQmp } from '../../../src/engine/tools/qmp.ts'
import { until } from '../until.ts'

/**
 * A real QEMU with real disks and no machine to speak of (it never runs): its block layer is that of a domain's device
 * model, its nodes are named alike, and its monitor is where that of domain 7 would be. What a guest would write is
 * written by QEMU itself, told on a second monitor.
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
  kill(): Promise<void>
  close(): Promise<void>
}

const DOMID = 7

export interface RealDisk {
  readonly vdev: string
  readonly path: string
  readonly format: 'qcow2' | 'raw'
}

export async function openRealQemu(
  disks: (dir: string, host: Host) => Promise<readonly RealDisk[]>,
): Promise<RealQemu> {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-qemu-'))
  const local = openLocalHost('here')
  const made = await disks(dir, local)
  const sockets = ['libxl', 'libxenstat', 'guest'].map((name) => join(dir, `${name}.sock`))
  const blocks = made.flatMap(({ vdev, path, format }, index) => {
    const file = { driver: 'file', filename: path, locking: 'off' }
    const node = JSON.stringify({ driver: format, 'node-name': `${vdev}-${format}`, file })
    const iothread = `io${index}`
    const device = `virtio-blk-pci,drive=${vdev}-${format},id=${vdev},serial=${vdev},iothread=${iothread},share-rw=on`
    return ['-object', `iothread,id=${iothread}`, '-blockdev', node, '-device', device]
  })
  const monitors = sockets.flatMap((path) => ['-qmp', `unix:${path},server=on,wait=off`])
  const still = ['-M', 'pc', '-accel', 'tcg', '-S', '-nodefaults', '-display', 'none', '-m', '32']
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
  const host: Host = {
    ...local,
    async connect(path, effect, signal) {
      const [, monitor] = new RegExp(`^/var/run/xen/qmp-(libxl|libxenstat)-${DOMID}$`).exec(path) ?? []
      const socket = await local.connect(monitor ? join(dir, `${monitor}.sock`) : path, effect, signal)
      // A Xen disk's device knows its vdev; here its serial number says it.
      const write = socket.write.bind(socket) as (text: string) => boolean
      return Object.assign(socket, {
        write: (text: string) => write(text.replace('"property":"vdev"', '"property":"serial"')),
      })
    },
  }
  await until(async () => {
    if (child.exitCode !== null) throw new Error(await new Response(child.stderr).text())
    return await ask(async () => true).catch(() => false)
  })
  /** Through the device: whoever stands between that and the image sees it. */
  const guest = async (vdev: string, does: string, expected: RegExp) => {
    const line = `qemu-io -d /machine/peripheral/${vdev}/virtio-backend "${does}"`
    const said = await ask((qmp) => qmp.execute('human-monitor-command', { 'command-line': line }))
    if (!expected.test(String(said).trim())) throw new Error(String(said))
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  return {
    domid: DOMID,
    host,
    dir,
    pid: child.pid,
    ask,
    async write(vdev, byte, atKib, lengthKib) {
      await guest(vdev, `write -P ${byte} ${atKib}k ${lengthKib}k`, /^$|wrote \d+\/\d+ bytes/)
    },
    async flush() {
      for (const { vdev } of made) await guest(vdev, 'flush', /^$/)
    },
    kill,
    async close() {
      await kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
