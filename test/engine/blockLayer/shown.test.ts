import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { run } from '../../../src/engine/host/run.ts'
import { exportMoment, momentUrl, withdrawMoment } from '../../../src/engine/hypervisor/moment/export.ts'
import { compareImages } from '../../../src/engine/tools/qemuImg.ts'
import { packImage } from '../../../src/engine/tools/qemuPack.ts'
import { DISK_MIB } from '../../support/programs/numberedGuest.ts'
import { openStorageDaemon, type StorageDaemon } from '../../support/programs/storageDaemon.ts'

/** A moment that QEMU shows, read by qemu-img at a limited rate while the guest writes. */

let dir: string
let daemon: StorageDaemon
const host = openLocalHost('here')
const at = (name: string) => join(dir, name)
const create = (name: string) =>
  run(host, { argv: ['qemu-img', 'create', '-q', '-f', 'qcow2', at(name), `${DISK_MIB}M`], effect: 'change' })

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pengx-shown-'))
  for (const image of ['a.qcow2', 'scratch.qcow2']) await create(image)
  daemon = await openStorageDaemon(dir)
  await daemon.open('xvda', { path: at('a.qcow2'), format: 'qcow2' })
})
afterEach(async () => {
  await daemon.kill()
  rmSync(dir, { recursive: true })
})

test('it is read whole, and compared, at a limited rate, and the guest never fails to write', async () => {
  const guest = await daemon.guest('xvda')
  await guest.write(300)
  const name = 'pengx-1a2b3c4d'
  const writing = guest.goOn()
  const from = guest.now()
  await daemon.ask(async (qmp) => {
    const file = { driver: 'file', filename: at('scratch.qcow2') }
    await qmp.execute('blockdev-add', { 'node-name': `${name}-0`, driver: 'qcow2', backing: 'xvda', file })
    const data = { 'job-id': `${name}-0`, device: 'xvda', target: `${name}-0`, sync: 'none', 'auto-dismiss': false }
    await qmp.execute('transaction', { actions: [{ type: 'blockdev-backup', data }] })
    // Its guest comes through the one server that there can be.
    const served = {
      execute: (command: string, args?: Parameters<typeof qmp.execute>[1]) =>
        command === 'nbd-server-start' ? Promise.resolve({}) : qmp.execute(command, args),
    }
    await exportMoment(served, [{ vdev: 'shown' }], { name, socket: '' })
  })
  const to = guest.now()
  const socket = at(readdirSync(dir).find((file) => file.startsWith('guest-'))!)
  const source = { path: momentUrl(socket, 'shown'), format: 'raw', bytesPerSecond: 64 * 1024 * 1024 } as const
  const target = { path: at('packed.qcow2'), format: 'qcow2' } as const
  await run(host, packImage({ source, target: target.path, compression: 'zlib' }))
  expect((await run(host, compareImages(source, target))).exit).toBe(0)
  expect(await daemon.ask((qmp) => withdrawMoment(qmp, name))).toBe(1)
  await writing.stop()
  guest.momentOf([target], from, to)
  expect(guest.failures()).toEqual([])
}, 60_000)

test('the rate holds for whoever reads, also where nothing but a comparison is made', async () => {
  await daemon.guest('xvda')
  const socket = at(readdirSync(dir).find((file) => file.startsWith('guest-'))!)
  const slow = { path: momentUrl(socket, 'xvda'), format: 'raw', bytesPerSecond: 8 * 1024 * 1024 } as const
  await create('other.qcow2')
  await run(host, {
    argv: ['qemu-io', '-f', 'raw', '-c', `write -P 7 0 ${DISK_MIB}M`, '-c', 'flush', momentUrl(socket, 'xvda')],
    effect: 'change',
  })
  const filled = { path: at('filled.qcow2'), format: 'qcow2' } as const
  await run(host, packImage({ source: { ...slow, bytesPerSecond: 0 }, target: filled.path, compression: 'zlib' }))
  const took = async (bytesPerSecond: number) => {
    const began = performance.now()
    expect((await run(host, compareImages({ ...slow, bytesPerSecond }, filled))).exit).toBe(0)
    return performance.now() - began
  }
  // 8 MiB at 8 MiB/s, less what may be taken at once.
  expect(await took(slow.bytesPerSecond)).toBeGreaterThan(500)
  expect((await run(host, compareImages(slow, { path: at('other.qcow2'), format: 'qcow2' }))).exit).toBe(1)
})
