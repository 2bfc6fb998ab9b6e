import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command, Host } from '../../src/engine/host/host.ts'
import { limitHost } from '../../src/engine/host/limited.ts'
import { openLocalHost } from '../../src/engine/host/local.ts'
import { run } from '../../src/engine/host/run.ts'
import { switchDisks } from '../../src/engine/hypervisor/layers.ts'
import { withQmpLock } from '../../src/engine/hypervisor/libxlLock.ts'
import { LAB_UUIDS, openSimLab } from '../support/sites/simLab.ts'
import { until } from '../support/until.ts'

/** libxl's lock, taken by the real flock(1) on this machine, with the places that a PM has. */

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-lock-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const domain = (domid: number) => ({ domid, uuid: `uuid-${domid}` })
const fileOf = (domid: number) => `/var/lib/xen/userdata-l.${domid}.uuid-${domid}.qmp-socket-lock`
const here = (path: string) => path.replace('/var/lib/xen/', `${directory}/`)

/** This machine, whose /var/lib/xen is a directory of the test. */
function machine(): Host {
  const local = openLocalHost('here')
  const moved = (command: Command): Command => ({
    ...command,
    argv: command.argv.map(here) as [string, ...string[]],
  })
  return limitHost({ ...local, open: (command, signal, onWait) => local.open(moved(command), signal, onWait) })
}

const sleeps: Command = { argv: ['sleep', '0.1'], effect: 'read' }

/** Whoever holds that file open by now: the `cat` that flock(1) has started. */
function holdersOf(path: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${path}\0`)
      } catch {
        return false
      }
    })
}

describe('the lock of libxl', () => {
  test('is held by twenty at once, and their work has its places', async () => {
    const host = machine()
    let atOnce = 0
    let most = 0
    const began = performance.now()
    await Promise.all(
      Array.from({ length: 20 }, (_, domid) =>
        withQmpLock(host, domain(domid), `j${domid}-${process.pid}.0`, async (lock) => {
          most = Math.max(most, ++atOnce)
          await Promise.all(Array.from({ length: 3 }, () => run(host, sleeps)))
          await lock.needHeld()
          atOnce--
        }),
      ),
    )
    expect(most).toBe(4)
    expect(performance.now() - began).toBeLessThan(15_000)
  }, 30_000)

  test('keeps others out until it is given back', async () => {
    const host = machine()
    const order: string[] = []
    const first = Promise.withResolvers<void>()
    const one = withQmpLock(host, domain(30), `k-${process.pid}.0`, async () => {
      order.push('one')
      await first.promise
      order.push('one ends')
    })
    await until(() => order.length === 1)
    const two = withQmpLock(host, domain(30), `l-${process.pid}.0`, async () => void order.push('two'))
    await Bun.sleep(300)
    first.resolve()
    await Promise.all([one, two])
    expect(order).toEqual(['one', 'one ends', 'two'])
  })

  test('that was lost is an error before the next effect', async () => {
    const host = machine()
    const effects: string[] = []
    const work = withQmpLock(host, domain(31), `m-${process.pid}.0`, async (lock) => {
      await lock.needHeld()
      effects.push('first')
      const flock = holdersOf(here(fileOf(31)))
      expect(flock).toHaveLength(1)
      const [cat] = readFileSync(`/proc/${flock[0]}/task/${flock[0]}/children`, 'utf8').trim().split(' ').map(Number)
      process.kill(cat!, 'SIGKILL')
      await until(() => holdersOf(here(fileOf(31))).length === 0)
      await lock.needHeld()
      effects.push('second')
    })
    await expect(work).rejects.toMatchObject({
      code: 'unreachable',
      message: 'the lock on the QEMU of domain 31 on here was lost: nothing more is changed there',
    })
    expect(effects).toEqual(['first'])
  })

  test('whose holder says nothing any more is lost', async () => {
    const host = machine()
    const script = join(directory, 'mute')
    writeFileSync(script, '#!/bin/sh\nread -r line; echo "$line"; exec sleep 1000\n', { mode: 0o755 })
    const mute: Host = {
      ...host,
      open: (command, signal) =>
        host.open(command.argv[0] === 'flock' ? { ...command, argv: ['sh', script] } : command, signal),
    }
    const stop = new AbortController()
    const ended: Host = { ...mute, open: (command) => mute.open(command, stop.signal) }
    writeFileSync(here(fileOf(33)), '')
    const work = withQmpLock(ended, domain(33), `o-${process.pid}.0`, async (lock) => {
      await lock.needHeld().finally(() => stop.abort())
    })
    await expect(work).rejects.toMatchObject({ code: 'unreachable' })
  }, 20_000)
})

describe('disks', () => {
  test('are not switched under a lock that was lost: QEMU is not told to', async () => {
    const lab = await openSimLab(['pv1'])
    const domid = lab.site.domain('pv1')!.domid
    const [from, to] = ['/lab/img/pv1-a.qcow2', '/lab/img/over.qcow2']
    await lab.sh(`qemu-img create -q -f qcow2 -b ${from} -F qcow2 ${to}`)
    let holder: AbortController | undefined
    const host: Host = {
      ...lab.host,
      open: (command, signal, onWait) => {
        if (command.argv[0] !== 'flock') return lab.host.open(command, signal, onWait)
        holder = new AbortController()
        return lab.host.open(command, holder.signal, onWait)
      },
      async connect(path, effect, signal) {
        // xl has the lock by the time that QEMU is spoken to
        holder?.abort()
        return await lab.host.connect(path, effect, signal)
      },
    }
    const switched = switchDisks(host, { domid, uuid: LAB_UUIDS.pv1 }, [{ vdev: 'xvda', from, to }], 'job.0')
    await expect(switched).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('was lost: nothing more is changed there'),
    })
    const written = lab.site.domain('pv1')!.config.disks.map((disk) => disk.livePath ?? '')
    expect(written).not.toContain(to)
  })
})
