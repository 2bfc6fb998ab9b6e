import { afterEach, expect, test } from 'bun:test'
import { cancelJobs } from '../../../src/engine/hypervisor/blockJobs.ts'
import { writtenImages } from '../../../src/engine/hypervisor/layers.ts'
import { momentMeans } from '../../../src/engine/hypervisor/moment/moment.ts'
import { closeImages } from '../../../src/engine/hypervisor/stream.ts'
import type { BlockFault } from '../../support/programs/blockFaults.ts'
import { openRealQemu, type RealQemu } from '../../support/programs/realQemu.ts'
import { createImage, imageAt, quickClock } from './bench.ts'

/**
 * QEMU 7.2 ends over a list of its nodes while a stream that is over has not been put away, as where pengx was killed in the
 * middle of it: whatever is done next, the guest lives.
 */

let qemu: RealQemu
afterEach(() => qemu.close())

async function open(fault?: BlockFault): Promise<void> {
  qemu = await openRealQemu(async (dir, host) => {
    await createImage(host, imageAt(dir, 'base').path)
    const wrote = Bun.spawnSync(['qemu-io', '-f', 'qcow2', '-c', 'write -P 7 0 6M', imageAt(dir, 'base').path])
    expect(wrote.exitCode).toBe(0)
    await createImage(host, imageAt(dir, 'top').path, imageAt(dir, 'base').path)
    return [{ vdev: 'xvda', ...imageAt(dir, 'top'), ...(fault ? { fault } : {}) }]
  })
}

/** A stream that nobody asks after. */
async function leave(id: string, how: 'done' | 'failed' | 'cancelled'): Promise<void> {
  await open(how === 'failed' ? { errno: 'ENOSPC', afterWrites: 0 } : undefined)
  const speed = how === 'cancelled' ? 65_536 : 0
  await qemu.ask(async (qmp) => {
    await qmp.execute('block-stream', { 'job-id': id, device: 'xvda-qcow2', 'auto-dismiss': false, speed })
    if (how === 'cancelled') await qmp.execute('block-job-cancel', { device: id, force: true })
    while (((await qmp.execute('query-jobs')) as { status: string }[])[0]?.status !== 'concluded') await Bun.sleep(5)
  })
}

const disk = () => ({ vdev: 'xvda', path: imageAt(qemu.dir, 'top').path })
const means = () => momentMeans(qemu.host, qemu.domid, [disk()])
const isAlive = async () => expect([...(await writtenImages(qemu.host, qemu.domid)).values()]).toEqual([disk().path])

test.each(['done', 'failed', 'cancelled'] as const)(
  'pengx’s own that is %s is put away by what comes next',
  async (how) => {
    await leave('merge-1a2b3c4d-0', how)
    // Who only looks has to leave it there.
    await expect(means()).rejects.toMatchObject({ code: 'busy', message: expect.stringMatching(/merge-1a2b3c4d-0/) })
    await isAlive()
    if (how === 'done') await closeImages(qemu.host, qemu.domid, [imageAt(qemu.dir, 'base').path])
    else await cancelJobs(qemu.host, qemu.domid, { name: 'pengx-aaaaaaaa', clock: quickClock })
    expect(await qemu.ask((qmp) => qmp.execute('query-jobs'))).toEqual([])
    expect((await means()).canHold).toBe(true)
    await isAlive()
  },
)

test('somebody else’s is left to them, and the guest to itself', async () => {
  await leave('theirs', 'done')
  await expect(closeImages(qemu.host, qemu.domid, [imageAt(qemu.dir, 'base').path])).rejects.toMatchObject({
    code: 'busy',
  })
  await expect(means()).rejects.toMatchObject({ code: 'busy' })
  await isAlive()
  await qemu.ask((qmp) => qmp.execute('job-dismiss', { id: 'theirs' }))
  expect((await means()).canHold).toBe(true)
})
