// Disks that go over to another storlink and back while their guest writes to both without an end, and while it is off: each
// number that it has written is there, whatever it was moved to, and nothing is left where it was.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { momentOf, SLOTS, SLOTS_AT } from '../guestWrites.ts'
import { createVictim, goesOn, markOf, type Told, type Victim } from '../kills/victim.ts'
import { needOneMind } from '../kills/whole.ts'
import { booting, consoleMark } from '../machine/console.ts'
import { imageBytes } from '../machine/guestDisk.ts'
import { labHost, labHosts, run, sh } from '../machine/ssh.ts'
import { expectRefusal, listed, pengxOutside, perform } from '../pengx.ts'

const host = labHost()
const GUEST = 'moved'
const AWAY = '/away-moved'
const pengx = pengxOutside(labHosts().slice(0, 1))
let vm: Victim
/** Where the guest stands: it has never failed to write or to read, and each number came after the one before. */
let stands: Pick<Told, 'mark' | 'last'>

beforeAll(async () => {
  vm = await createVictim(host, pengx, GUEST)
  await sh(host, `rm -rf ${AWAY}; mkdir ${AWAY}`)
  await perform(pengx, 'storlink.create', 'away', '--link', AWAY, '--type', 'LO', '--level', 'FL')
  const mark = await markOf(vm)
  await perform(pengx, 'vm.start', GUEST)
  stands = await goesOn(vm, { mark, last: 0 }, { begun: true })
}, 600_000)

afterAll(async () => {
  await run(host, ['xl', 'destroy', GUEST])
  await sh(host, `rm -rf ${vm.link} ${AWAY}`)
})

const at = (link: string): Victim => ({ ...vm, link })
/** What is in a directory beside what says what it is. */
const leftIn = async (link: string) => (await sh(host, `ls ${link}`)).trim()
/** Of those that QEMU has open, by all that it has open of the two directories. */
const opened = async () =>
  (await sh(host, `ls -l /proc/[0-9]*/fd 2>/dev/null | grep -oE '(${vm.link}|${AWAY})/[^ ]+' | sort -u || :`))
    .trim()
    .split('\n')

async function moved(storlink: string, from: string, to: string): Promise<void> {
  await perform(pengx, 'vm.smigrate', GUEST, '--storlink', storlink)
  stands = await goesOn(vm, stands)
  const { row } = await needOneMind(at(to))
  expect(row.disks.map(({ path }) => path.startsWith(`${to}/`))).toEqual([true, true])
  expect(await leftIn(from)).toBe('')
  expect(await opened()).toEqual(row.disks.map(({ path }) => path).sort())
}

test('both go there while the guest goes on, and its own reboot finds them there', async () => {
  await moved('away', vm.link, AWAY)
  await booting(host, GUEST, () => perform(pengx, 'vm.reboot', GUEST))
  stands = await goesOn(vm, stands, { begun: true })
  await needOneMind(at(AWAY))
}, 900_000)

test('what it would not do it says: it lies there already, on snapshots, or there is no such disk', async () => {
  const to = (storlink: string, ...more: string[]) => ['vm.smigrate', GUEST, '--storlink', storlink, ...more]
  await expectRefusal(pengx, to('away'), /lie on away already/)
  await expectRefusal(pengx, to(vm.storlink, '--disk', 'xvdq'), /no disk xvdq/)
  await perform(pengx, 'snapshot.create', GUEST, '--name', 'kept')
  await expectRefusal(pengx, to(vm.storlink), /delete its snapshots first/)
  await perform(pengx, 'snapshot.delete', GUEST, '--snapshot', 'kept')
  stands = await goesOn(vm, stands)
}, 600_000)

test('one that has been elsewhere is let go of by the guest and by QEMU, and the others go on', async () => {
  await perform(pengx, 'disk.create', GUEST, '--storlink', 'away', '--size', '8', '--format', 'raw')
  await perform(pengx, 'vm.smigrate', GUEST, '--storlink', vm.storlink, '--disk', 'xvdc')
  expect(await leftIn(vm.link)).toMatch(/^[0-9a-f-]+\.raw\n\S+\.claim$/)
  await perform(pengx, 'disk.delete', GUEST, '--disk', 'xvdc')
  expect(await leftIn(vm.link)).toBe('')
  stands = await goesOn(vm, stands)
  const { row } = await needOneMind(at(AWAY))
  expect(await opened()).toEqual(row.disks.map(({ path }) => path).sort())
}, 600_000)

test('one goes back alone, and the other with it when the VM is off: both hold what was written last', async () => {
  await perform(pengx, 'vm.smigrate', GUEST, '--storlink', vm.storlink, '--disk', 'xvdb', '--speed', '0')
  stands = await goesOn(vm, stands)
  await perform(pengx, 'vm.poweroff', GUEST)
  const momentIn = async () => {
    const disks = await listed<{ vdev: string; path: string }>(pengx, 'disks', GUEST)
    const on = async (vdev: string) =>
      momentOf(await imageBytes(host, disks.find((disk) => disk.vdev === vdev)!.path, SLOTS_AT, SLOTS))
    return [await on('xvda'), await on('xvdb')]
  }
  const before = await momentIn()
  expect(before[0]! - before[1]!).toBeOneOf([0, 1])
  expect(before[0]).toBeGreaterThanOrEqual(stands.last)
  await perform(pengx, 'vm.smigrate', GUEST, '--storlink', vm.storlink)
  expect(await leftIn(AWAY)).toBe('')
  expect(await momentIn()).toEqual(before)
  await needOneMind(vm)
  stands = { mark: await consoleMark(host, GUEST), last: before[1]! }
  await booting(host, GUEST, () => perform(pengx, 'vm.start', GUEST))
  stands = await goesOn(vm, stands, { begun: true })
}, 900_000)

test('the VM is deleted, and nothing of it is left', async () => {
  await perform(pengx, 'vm.poweroff', GUEST)
  await perform(pengx, 'vm.delete', GUEST)
  for (const storlink of [vm.storlink, 'away']) await perform(pengx, 'storlink.delete', storlink)
  for (const link of [vm.link, AWAY]) expect(await leftIn(link)).toBe('')
}, 300_000)
