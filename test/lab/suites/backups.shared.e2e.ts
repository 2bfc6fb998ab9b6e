// Backups of a guest that writes to both its disks without an end: each holds just what was on them at one moment, comes back
// as that, whole or in place, and what is wrong with one is found. What is kept of them is what was asked for.
import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { momentOf, SLOTS, SLOTS_AT } from '../guestWrites.ts'
import { createVictim, goesOn, markOf, type Told, type Victim } from '../kills/victim.ts'
import { needOneMind } from '../kills/whole.ts'
import { booting, consoleMark } from '../machine/console.ts'
import { imageBytes } from '../machine/guestDisk.ts'
import { labHost, labHosts, run, sh } from '../machine/ssh.ts'
import { expectRefusal, listed, pengxOutside, perform, serveOutside } from '../pengx.ts'

const host = labHost()
const GUEST = 'saved'
const KEEP = '/keep-saved'
const pengx = pengxOutside(labHosts().slice(0, 1))
let vm: Victim
/** Where the guest stands: it has never failed to write or to read, and each number came after the one before. */
let stands: Pick<Told, 'mark' | 'last'>

interface DiskRow {
  readonly vdev: string
  readonly path: string
}
interface BackupRow {
  readonly uuid: string
  readonly name: string
  readonly kind: string
  readonly state: string
  readonly drilledAt: number | null
}

/** As the store has them, the oldest first: no list of the command line shows them. */
function stored<Row>(sql: string): Row[] {
  const database = new Database(pengx.storePath, { readonly: true })
  try {
    return database.query<Row, []>(sql).all()
  } finally {
    database.close()
  }
}
const backups = () => stored<BackupRow>('SELECT uuid, name, kind, state, drilledAt FROM backups ORDER BY createdAt')
const uuidOf = (name: string) => backups().find((row) => row.name === name)!.uuid
const volumesOf = (name: string) =>
  stored<DiskRow>(`SELECT vdev, path FROM backupVolumes WHERE backup = '${uuidOf(name)}' ORDER BY vdev`)

/** The number that both disks of a VM hold, which has to be one moment's. */
async function momentIn(vm: string): Promise<number> {
  const disks = await listed<DiskRow>(pengx, 'disks', vm)
  const on = async (vdev: string) =>
    momentOf(await imageBytes(host, disks.find((disk) => disk.vdev === vdev)!.path, SLOTS_AT, SLOTS))
  const [a, b] = [await on('xvda'), await on('xvdb')]
  expect([a, a - 1]).toContain(b)
  return b
}

/** Between which numbers each was begun and done. */
const spans = new Map<string, readonly [number, number]>()

/** How many numbers a second it writes while something is done. */
async function rateWhile(act: () => Promise<unknown>): Promise<number> {
  const [begun, { last }] = [performance.now(), await goesOn(vm, stands)]
  await act()
  stands = await goesOn(vm, stands)
  return (stands.last - last) / ((performance.now() - begun) / 1000)
}

async function backUp(name: string): Promise<void> {
  const before = (await goesOn(vm, stands)).last
  const words = [GUEST, '--storlink', 'keep', '--name', name, '--rate', '4']
  const alone = await rateWhile(() => Bun.sleep(10_000))
  const beside = await rateWhile(() => perform(pengx, 'backup.create', ...words))
  // Of an emulated host: its processors do the guest's work, and the compressing beside it.
  console.log(`backup ${name}: its guest wrote ${beside.toFixed(2)} times a second, and ${alone.toFixed(2)} alone`)
  spans.set(name, [before, stands.last])
}

beforeAll(async () => {
  vm = await createVictim(host, pengx, GUEST)
  await sh(host, `rm -rf ${KEEP}; mkdir ${KEEP}`)
  await perform(pengx, 'storlink.create', 'keep', '--link', KEEP, '--type', 'LO', '--level', 'FL')
  const mark = await markOf(vm)
  await perform(pengx, 'vm.start', GUEST)
  stands = await goesOn(vm, { mark, last: 0 }, { begun: true })
}, 600_000)

afterAll(async () => {
  await run(host, ['xl', 'destroy', GUEST])
  await sh(host, `rm -rf ${vm.link} ${KEEP}`)
})

test('a full one and three of what was written since, while the guest goes on', async () => {
  for (const name of ['full', 'first', 'second', 'third']) await backUp(name)
  expect(backups().map(({ name, kind, state }) => [name, kind, state])).toEqual([
    ['full', 'full', 'verified'],
    ['first', 'incremental', 'verified'],
    ['second', 'incremental', 'verified'],
    ['third', 'incremental', 'verified'],
  ])
  // Nothing of what was needed while they were made is left beside the disks or in QEMU.
  const { row, files, written } = await needOneMind(vm)
  const disks = row.disks.map(({ path }) => path)
  expect(files.filter((path) => !/\.claim$|pengx-storlink$/.test(path)).sort()).toEqual(disks.sort())
  expect(written).toHaveLength(2)
}, 900_000)

test('it comes back as a VM of its own, with both disks of its moment, also where it lies on others', async () => {
  for (const name of ['full', 'first', 'second', 'third']) {
    const [before, after] = spans.get(name)!
    await perform(pengx, 'backup.restore', uuidOf(name), '--as', 'new', '--name', `of-${name}`)
    const number = await momentIn(`of-${name}`)
    expect({ name, number, within: number >= before && number <= after }).toMatchObject({ within: true })
    await perform(pengx, 'vm.delete', `of-${name}`)
  }
}, 900_000)

test('it is copied twice while it writes: both copies hold one moment', async () => {
  const before = (await goesOn(vm, stands)).last
  await perform(pengx, 'vm.copy', GUEST, '--name', 'twin', '--count', '2', '--storlink', 'keep', '--rate', '8')
  stands = await goesOn(vm, stands)
  const numbers = [await momentIn('twin-1'), await momentIn('twin-2')]
  expect(numbers[1]).toBe(numbers[0]!)
  expect({ numbers, within: numbers[0]! >= before && numbers[0]! <= stands.last }).toMatchObject({ within: true })
  await needOneMind(vm)
  for (const name of ['twin-1', 'twin-2']) await perform(pengx, 'vm.delete', name)
}, 900_000)

test('one that is drilled comes up beside its VM, and nothing of it is left', async () => {
  // Beside one that writes without an end, an emulated guest takes long to boot.
  await perform(pengx, 'backup.drill', uuidOf('third'), '--seconds', '90')
  expect(backups().map(({ drilledAt }) => drilledAt !== null)).toEqual([false, false, false, true])
  expect((await listed<{ name: string }>(pengx, 'vms')).map(({ name }) => name)).not.toContainEqual(
    expect.stringMatching(/drill/),
  )
  expect(await sh(host, 'xl list')).not.toContain('drill')
  stands = await goesOn(vm, stands)
}, 600_000)

test('a byte that has turned is found, and what lies on it is not restored', async () => {
  const [{ path } = { path: '' }] = volumesOf('first')
  for (const name of ['full', 'first', 'second', 'third']) await perform(pengx, 'backup.verify', uuidOf(name))
  const size = Number(await sh(host, `stat -c %s ${path}`))
  // In the last cluster, which holds what the guest wrote.
  const at = size - 30_000
  const turn = `b=$(dd if=${path} bs=1 skip=${at} count=1 status=none | od -An -tu1); printf "\\\\$(printf %o $((b ^ 255)))" | dd of=${path} bs=1 seek=${at} conv=notrunc status=none`
  await sh(host, turn)
  const said = await pengx.run('run', 'backup.verify', uuidOf('first'), '--yes')
  expect({ exit: said.exit, said: said.stderr }).toEqual({ exit: 1, said: expect.stringContaining(path) })
  for (const name of ['first', 'second', 'third'])
    await expectRefusal(pengx, ['backup.restore', uuidOf(name), '--as', 'new', '--name', 'bad'], /verify it first/)
  await sh(host, turn)
  await perform(pengx, 'backup.verify', uuidOf('first'))
  expect(backups().map(({ state }) => state)).toEqual(['verified', 'verified', 'verified', 'verified'])
}, 600_000)

test('its VM goes back to one, and forward again to what it held', async () => {
  await perform(pengx, 'vm.poweroff', GUEST)
  await needOneMind(vm)
  const held = await momentIn(GUEST)
  await perform(pengx, 'backup.restore', uuidOf('first'), '--keep')
  const [before, after] = spans.get('first')!
  const number = await momentIn(GUEST)
  expect({ number, within: number >= before && number <= after }).toMatchObject({ within: true })
  stands = { mark: await consoleMark(host, GUEST), last: number }
  await booting(host, GUEST, () => perform(pengx, 'vm.start', GUEST))
  stands = await goesOn(vm, stands, { begun: true })
  await perform(pengx, 'vm.poweroff', GUEST)
  const [kept] = await listed<{ uuid: string; name: string }>(pengx, 'snapshots', GUEST)
  await perform(pengx, 'snapshot.update', GUEST, '--snapshot', kept!.uuid, '--name', 'as it was', '--desc', 'kept')
  await perform(pengx, 'snapshot.restore', GUEST, '--snapshot', 'as it was', '--no-keep')
  expect(await momentIn(GUEST)).toBe(held)
  await perform(pengx, 'snapshot.delete', GUEST, '--snapshot', 'as it was')
  expect(await momentIn(GUEST)).toBe(held)
}, 900_000)

test('a server makes them by a schedule until that is switched off; of all, those that shall be kept are', async () => {
  const made = await perform(
    pengx,
    'schedule.create',
    GUEST,
    '--storlink',
    'keep',
    '--cron',
    '* * * * *',
    '--keep-last',
    '3',
  )
  const { uuid } = made.result as { uuid: string }
  const served = await serveOutside(pengx)
  try {
    const known = new Set(['full', 'first', 'second', 'third'])
    for (const until = Date.now() + 300_000; ; await Bun.sleep(500)) {
      if (backups().some(({ name }) => !known.has(name))) break
      if (Date.now() > until) throw new Error('no backup was made by the schedule')
    }
  } finally {
    await served.stop()
  }
  await perform(pengx, 'schedule.update', uuid, '--no-enabled')
  expect(stored('SELECT enabled FROM schedules')).toEqual([{ enabled: 0 }])
  await perform(pengx, 'schedule.delete', uuid)
  expect(stored('SELECT uuid FROM schedules')).toEqual([])
  await expectRefusal(pengx, ['backup.delete', uuidOf('full')], /first/)
  await perform(pengx, 'backup.prune', GUEST, '--storlink', 'keep', '--keep-last', '1')
  const [left, ...more] = backups()
  expect({ left: left?.state, more }).toEqual({ left: 'verified', more: [] })
  await perform(pengx, 'backup.delete', left!.uuid)
  expect((await sh(host, `ls ${KEEP}`)).trim()).toBe('')
}, 900_000)

test('the VM is deleted, and nothing of it is left', async () => {
  await perform(pengx, 'vm.delete', GUEST)
  for (const storlink of [vm.storlink, 'keep']) await perform(pengx, 'storlink.delete', storlink)
  for (const link of [vm.link, KEEP]) expect((await sh(host, `ls ${link}`)).trim()).toBe('')
}, 300_000)
