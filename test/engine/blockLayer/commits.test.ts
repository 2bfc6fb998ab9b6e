import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { parseBlockJobs } from '../../../src/engine/tools/qmp.ts'
import type { Json } from '../../../src/model/json.ts'
import type { NumberedGuest } from '../../support/programs/numberedGuest.ts'
import { openStorageDaemon, type StorageDaemon } from '../../support/programs/storageDaemon.ts'
import { until } from '../../support/until.ts'
import { createImage, imageAt } from './bench.ts'

/**
 * What the engine does not ask of QEMU, and why a snapshot is deleted upwards (docs/decisions/0008): commits change what others
 * read, and end with the guest on another file. Copies of a guest that writes are good as long as it is said that they are.
 */

const host = openLocalHost('here')
let dir: string
let daemon: StorageDaemon
let guest: NumberedGuest
const image = (name: string) => imageAt(dir, name)

/** base <- middle <- top, each of which the guest has written to. */
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pengx-commits-'))
  daemon = await openStorageDaemon(dir)
  await createImage(host, image('base').path)
  await daemon.open('base', image('base'))
  guest = await daemon.guest('base')
  await guest.write(60)
  for (const [name, below] of [
    ['middle', 'base'],
    ['top', 'middle'],
  ] as const) {
    await createImage(host, image(name).path, image(below).path)
    const overlay = { 'snapshot-file': image(name).path, 'snapshot-node-name': name, mode: 'existing' }
    await ask('blockdev-snapshot-sync', { 'node-name': below, format: 'qcow2', ...overlay })
    await guest.write(60)
  }
  await guest.flush()
})
afterEach(async () => {
  await daemon.kill()
  rmSync(dir, { recursive: true, force: true })
})

const ask = (command: string, args?: { readonly [key: string]: Json }) =>
  daemon.ask((qmp) => qmp.execute(command, args))
const jobs = async () => parseBlockJobs(await ask('query-jobs'))
const untilJob = (status: string) => until(async () => (await jobs()).some((job) => job.status === status), status)
const readsNow = (name: string) => expect(guest.momentOf([image(name)], guest.now(), guest.now())).toBe(guest.now())
const target = async (name: string) => {
  await createImage(host, image(name).path)
  await ask('blockdev-add', {
    'node-name': name,
    driver: 'qcow2',
    file: { driver: 'file', filename: image(name).path },
  })
}
/** Where the guest writes. */
const written = async () => {
  const shown = (await ask('query-block-exports')) as { 'node-name': string }[]
  return shown[0]!['node-name']
}

test('a middle layer is pushed down under a guest that writes, and what lay below reads otherwise then', async () => {
  const writing = guest.goOn()
  await ask('block-commit', {
    'job-id': 'c',
    device: 'top',
    'top-node': 'middle',
    'base-node': 'base',
    'auto-dismiss': false,
  })
  await untilJob('concluded')
  expect(await jobs()).toEqual([expect.not.objectContaining({ error: expect.anything() })])
  await ask('job-dismiss', { id: 'c' })
  await writing.stop()
  await guest.flush()
  readsNow('top')
  expect(guest.momentOf([image('base')], 120, 120)).toBe(120)
})

test('the top is pushed down and left when it is told to be: the guest goes on in what it lay on', async () => {
  const writing = guest.goOn()
  await ask('block-commit', { 'job-id': 'c', device: 'top', 'base-node': 'base', 'auto-dismiss': false })
  await untilJob('ready')
  expect(await written()).not.toBe('base')
  await ask('job-complete', { id: 'c' })
  await untilJob('concluded')
  await ask('job-dismiss', { id: 'c' })
  expect(await written()).toBe('base')
  await writing.stop()
  await guest.write(20)
  await guest.flush()
  readsNow('base')
})

test.each([
  ['middle', { 'top-node': 'middle', 'base-node': 'base' }],
  ['top', { 'base-node': 'base' }],
])('killed in the middle of a commit of the %s, the chain reads as the guest had flushed it', async (_, nodes) => {
  const writing = guest.goOn()
  await ask('block-commit', { 'job-id': 'c', device: 'top', ...nodes, speed: 1_000_000 })
  await untilJob('running')
  const since = guest.now()
  await until(() => guest.now() > since + 120)
  await daemon.kill()
  await writing.stop()
  expect(guest.lostOf([image('top')])).toEqual([])
})

test('a mirror is the guest’s disk when it is told to take its place, and what is written from then on lies there', async () => {
  await target('mirror')
  const writing = guest.goOn()
  await ask('blockdev-mirror', { 'job-id': 'm', device: 'top', target: 'mirror', sync: 'full', 'auto-dismiss': false })
  await untilJob('ready')
  await ask('job-complete', { id: 'm' })
  await untilJob('concluded')
  await ask('job-dismiss', { id: 'm' })
  expect(await written()).toBe('mirror')
  await writing.stop()
  await guest.write(50)
  await guest.flush()
  readsNow('mirror')
})

test('a mirror into a place that is full ends so, and the guest notices nothing', async () => {
  daemon.failing(image('mirror').path, { errno: 'ENOSPC', afterWrites: 5 })
  await target('mirror')
  const writing = guest.goOn()
  await ask('blockdev-mirror', { 'job-id': 'm', device: 'top', target: 'mirror', sync: 'full', 'auto-dismiss': false })
  await untilJob('concluded')
  expect((await jobs())[0]).toMatchObject({ error: 'No space left on device' })
  await ask('job-dismiss', { id: 'm' })
  await writing.stop()
  await guest.flush()
  expect(guest.failures()).toEqual([])
  expect(await written()).toBe('top')
  readsNow('top')
})

test('a guest that is killed has lost nothing that it was told is written', async () => {
  // On the server that shows the disk to the other.
  const socket = join(dir, readdirSync(dir).find((name) => /^guest-.*\.sock$/.test(name))!)
  await ask('block-export-add', { type: 'nbd', id: 'e', 'node-name': 'top', name: 'disk', writable: true })
  const client = Bun.spawn(['qemu-io', '-f', 'raw', `nbd+unix:///disk?socket=${socket}`], {
    stdin: 'pipe',
    stdout: 'pipe',
  })
  // Far from where the other has written, each block with a byte of its own.
  for (let block = 0; block < 200; block++) client.stdin.write(`write -P ${block + 1} ${4096 + block * 4}k 4k\n`)
  client.stdin.flush()
  let said = ''
  for await (const part of client.stdout) {
    said += new TextDecoder().decode(part)
    if (said.split('wrote').length > 40) break
  }
  client.kill('SIGKILL')
  await client.exited
  const told = [...said.matchAll(/wrote 4096\/4096 bytes at offset (\d+)/g)].map(([, offset]) => Number(offset))
  expect(told.length).toBeGreaterThanOrEqual(39)
  // The daemon lives, and serves the next.
  const reads = told.flatMap((at) => ['-c', `read -P ${(at / 1024 - 4096) / 4 + 1} ${at} 4k`])
  const next = Bun.spawnSync(['qemu-io', '-f', 'raw', ...reads, '-c', 'flush', `nbd+unix:///disk?socket=${socket}`])
  expect(next.stdout.toString()).not.toMatch(/failed/)
  await daemon.kill()
  const after = Bun.spawnSync(['qemu-io', '-r', '-f', 'qcow2', ...reads, image('top').path])
  expect(after.stdout.toString()).not.toMatch(/failed/)
  expect(after.stdout.toString().split('read 4096/4096').length - 1).toBe(told.length)
})
