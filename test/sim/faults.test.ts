import { beforeEach, expect, test } from 'bun:test'
import { batch } from '../../src/engine/host/batch.ts'
import type { Command } from '../../src/engine/host/host.ts'
import { endLost } from '../../src/engine/host/lost.ts'
import { run, runBatch } from '../../src/engine/host/run.ts'
import { openSimLab, type SimLab } from '../support/sites/simLab.ts'

let lab: SimLab
beforeEach(async () => {
  lab = await openSimLab(['pv1'])
})

const there = async (path: string) => (await lab.sh(`test -e ${path}`)).exit === 0

test('a failure before the effect leaves nothing, one after it leaves all', async () => {
  lab.site.faults.add({ match: 'touch', effect: { kind: 'failBefore', exit: 9, stderr: 'no\n' } })
  expect(await lab.sh('touch /lab/x')).toEqual({ exit: 9, stdout: '', stderr: 'no\n' })
  expect(await there('/lab/x')).toBe(false)
  const fault = lab.site.faults.add({ match: /^touch/, effect: { kind: 'failAfter' } })
  expect((await lab.sh('touch /lab/x')).exit).toBe(1)
  expect(await there('/lab/x')).toBe(true)
  expect([(await lab.sh('touch /lab/y')).exit, fault.struck, fault.hits]).toEqual([0, 1, 2])
})

test('a lie has done nothing; after a vanishing all was well and the domain is gone', async () => {
  lab.site.faults.add({ match: 'xl destroy', effect: { kind: 'lie' } })
  expect((await lab.sh('xl destroy pv1')).exit).toBe(0)
  expect(lab.site.domain('pv1')).toBeDefined()
  await lab.sh('xl destroy pv1')
  lab.site.faults.add({ match: 'xl create', effect: { kind: 'vanish' } })
  expect((await lab.sh('xl create /lab/cfg/pv1.cfg')).exit).toBe(0)
  expect(lab.site.pm('xen1')).toMatchObject({ domains: [], nextDomid: 4 })
})

test('a connection is lost before or after the effect', async () => {
  lab.site.faults.add({ match: 'touch', effect: { kind: 'lostBefore' } })
  await expect(lab.sh('touch /lab/x')).rejects.toMatchObject({ code: 'unreachable' })
  expect(await there('/lab/x')).toBe(false)
  lab.site.faults.add({ match: 'touch', effect: { kind: 'lostAfter' } })
  await expect(lab.sh('touch /lab/x')).rejects.toMatchObject({ code: 'unreachable' })
  expect(await there('/lab/x')).toBe(true)
})

test('a fault meets one part of a batch, and the batch goes on or stops as it says', async () => {
  const parts = ['/lab/1', '/lab/2', '/lab/3'].map((path): Command => ({ argv: ['touch', path], effect: 'change' }))
  lab.site.faults.add({ match: 'touch /lab/2', times: 2, effect: { kind: 'failBefore', exit: 4 } })
  expect((await runBatch(lab.host, batch(parts))).map((part) => part.exit)).toEqual([0, 4, 0])
  await lab.sh('rm /lab/1 /lab/3')
  const stopped = await runBatch(lab.host, batch(parts, { stopOnFailure: true }))
  expect(stopped.map((part) => part.exit)).toEqual([0, 4])
  expect([await there('/lab/1'), await there('/lab/3')]).toEqual([true, false])
})

test('faults are for a PM, for reads or changes, and after so many', async () => {
  lab.site.faults.add({ pm: 'xen9', effect: { kind: 'failBefore' } })
  lab.site.faults.add({ of: 'read', effect: { kind: 'failBefore' } })
  const late = lab.site.faults.add({ match: 'sync', skip: 2, effect: { kind: 'failBefore' } })
  const exits = []
  for (let count = 0; count < 4; count++) exits.push((await lab.sh('sync')).exit)
  expect([exits, late.hits]).toEqual([[0, 0, 1, 0], 4])
  const read = run(lab.host, { argv: ['true'], effect: 'read' })
  await expect(read).rejects.toMatchObject({ code: 'commandFailed' })
})

test('a PM that does not answer comes back', async () => {
  lab.site.faults.unreachable('xen1', 5000)
  await expect(lab.sh('true')).rejects.toMatchObject({ code: 'unreachable' })
  await expect(lab.host.connect('/var/run/xen/qmp-libxl-2', 'read')).rejects.toMatchObject({ code: 'unreachable' })
  await lab.clock.advance(5000)
  expect((await lab.sh('true')).exit).toBe(0)
})

test('a full disk says so, and takes what fits', async () => {
  lab.site.faults.fillDisk('xen1', '/data', 1_000_000)
  const copied = await lab.sh('cp /data/images/debian-12.qcow2 /data/copy')
  expect([copied.exit, copied.stderr]).toEqual([1, "cp: error writing '/data/copy': No space left on device\n"])
  const converted = run(lab.host, {
    argv: ['qemu-img', 'convert', '-O', 'qcow2', '/data/images/debian-12.qcow2', '/data/c.qcow2'],
    effect: 'change',
  })
  await expect(converted).rejects.toMatchObject({ code: 'noSpace' })
  expect((await lab.sh('tee /data/file', 'word')).stderr).toContain('No space left on device')
  await lab.sh('rm -f /data/copy /data/c.qcow2')
  expect((await lab.sh('tee /data/file', 'word')).exit).toBe(0)
})

const SYNC: Command = { argv: ['sync'], effect: 'change', endable: true }

test('what hangs ends when it is given up, when its time is over, or by its tag', async () => {
  const hang = { match: 'sync', effect: { kind: 'hang' } } as const
  lab.site.faults.add({ ...hang, times: 3 })
  const controller = new AbortController()
  const child = await lab.host.open({ ...SYNC }, controller.signal)
  controller.abort()
  await expect(child.exited).rejects.toMatchObject({ code: 'cancelled' })
  const late = await lab.host.open({ ...SYNC, timeoutMs: 3000 })
  await lab.clock.advance(3000)
  await expect(late.exited).rejects.toMatchObject({ code: 'unreachable' })
  const lost = await lab.host.open({ ...SYNC, tag: 'job7.flush' })
  expect(await endLost(lab.host, 'job8')).toEqual([])
  expect(await endLost(lab.host, 'job7')).toMatchObject([{ tag: 'job7.flush', program: 'sync' }])
  expect(await lost.exited).toBe(143)
})

test('what may not be ended is let run to its end, by a signal, by its time and as a lost one', async () => {
  lab.site.faults.add({ match: 'xl pause', times: 2, effect: { kind: 'slow', ms: 90_000 } })
  const pause: Command = { argv: ['xl', 'pause', 'pv1'], effect: 'change', timeoutMs: 60_000, tag: 'job7.pause' }
  const said: (string | undefined)[] = []
  const controller = new AbortController()
  const child = await lab.host.open(pause, controller.signal, (why) => void said.push(why))
  controller.abort()
  expect(await child.exited).toBe(0)
  expect(lab.site.domain('pv1')?.paused).toBe(true)
  expect(said).toEqual([expect.stringContaining('xl pause on xen1 has not ended after 60 s'), undefined])
  const lost = await lab.host.open(pause)
  expect(await endLost(lab.host, 'job7')).toMatchObject([{ tag: 'job7.pause', program: 'xl', waited: true }])
  expect(await lost.exited).toBe(0)
})

test('a lost one that does not end is named after a quarter of an hour, and is still there', async () => {
  lab.site.faults.add({ match: 'xl destroy', effect: { kind: 'hang' } })
  await lab.host.open({ argv: ['xl', 'destroy', 'pv1'], effect: 'change', tag: 'job7.destroy' })
  const before = lab.clock.now()
  const failure = await endLost(lab.host, 'job7').catch((error) => error)
  expect(failure).toMatchObject({ code: 'unreachable' })
  expect(failure.message).toMatch(/^xl \(pid \d+\) is still at work on xen1 and is never ended half way/)
  expect(lab.clock.now() - before).toBeGreaterThanOrEqual(15 * 60_000)
  expect(lab.site.domain('pv1')).toBeDefined()
})

test('what is slow takes its time', async () => {
  lab.site.faults.add({ match: 'sync', effect: { kind: 'slow', ms: 90_000 } })
  const before = lab.clock.now()
  await lab.sh('sync')
  expect(lab.clock.now() - before).toBe(90_000)
})
