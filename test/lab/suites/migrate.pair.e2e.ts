// A VM with a disk on NFS and two in a volume group on a LUN goes from one PM to the other and back while its guest writes to
// them without an end: the line is pulled while it is sent, and the receiving host loses its power. It runs once at any time,
// and no number that it has written is lost.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { addPm, closeController, openController, waitUp } from '../controllers.ts'
import { momentOf, SLOTS, SLOTS_AT } from '../guestWrites.ts'
import { askGuest, booting, consoleMark, consoleText, logArrivals } from '../machine/console.ts'
import { guestCmdline } from '../machine/guest.ts'
import { imageBytes, peekAt } from '../machine/guestDisk.ts'
import { powerOff, powerOn, setCable } from '../machine/power.ts'
import {
  endSharing,
  makeSharedGroup,
  mountShared,
  removeSharedGroup,
  SHARED_DIRECTORY,
  shareDirectory,
} from '../machine/shared.ts'
import { type LabHost, labHosts, run, sh } from '../machine/ssh.ts'
import { expectRefusal, listed, perform, vmsOf } from '../pengx.ts'

const hosts = labHosts()
const [xen1, xen2] = hosts as [LabHost, LabHost]
const GROUP = 'vgmove'
const GUEST = 'mover'
/** A directory of xen2 alone. */
const FAR = '/far-mover'
const pengx = openController(hosts)
/** Who looks more often takes the processor from what is looked at. */
const LOOK_MS = 1000

interface DiskRow {
  readonly vdev: string
  readonly path: string
  readonly format: string
}
interface VmSeen {
  readonly name: string
  readonly pm: string
  readonly state: string
  readonly drift: readonly string[]
}

beforeAll(async () => {
  // xen1 serves: xen2 is switched off here.
  await shareDirectory(xen1, hosts)
  await makeSharedGroup(hosts, GROUP)
  for (const host of hosts) {
    await addPm(pengx, host)
    await logArrivals(host, GUEST)
  }
  const nas = ['--link', SHARED_DIRECTORY, '--type', 'NFS', '--level', 'FL', '--shared']
  await perform(pengx, 'storlink.create', 'nas', ...nas, '--pm', 'xen1')
  const san = ['--link', GROUP, '--type', 'FC', '--level', 'BL', '--shared']
  await perform(pengx, 'storlink.create', 'san', ...san, '--pm', 'xen1')
  const boot = ['--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd', '--type', 'pv', '--memory', '96']
  const placed = ['--storlink', 'nas', '--pm', 'xen1', '--disk-size', '32', '--bridges', 'xenbr0']
  await perform(pengx, 'vm.create', GUEST, ...boot, ...placed, '--cmdline', guestCmdline(GUEST, 'prove'))
  await perform(pengx, 'disk.create', GUEST, '--storlink', 'san', '--size', '12', '--format', 'raw')
  await perform(pengx, 'disk.create', GUEST, '--storlink', 'san', '--size', '64', '--format', 'qcow2')
  stands.mark = await consoleMark(xen1, GUEST)
  await booting(xen1, GUEST, () => perform(pengx, 'vm.start', GUEST))
}, 900_000)

afterAll(async () => {
  await setCable(xen1, 'wire0', true)
  for (const host of hosts) await run(host, ['xl', 'destroy', GUEST])
  closeController(pengx)
  await removeSharedGroup(hosts, GROUP)
  await endSharing(xen1, hosts)
}, 400_000)

const disks = () => listed<DiskRow>(pengx, 'disks', GUEST)

/** Where it stands: the last number of which it has said that it is on both disks, and up to where its console was read. */
let stands = { mark: 0, last: 0 }

/**
 * Reads on, and gives how many numbers it has told since: each comes after the one before, nothing has failed to be written or
 * to read as it was written, and it has not booted anew. `mayMiss` so many, which it told while it was on its way.
 */
async function hear(host: LabHost, mayMiss = 0): Promise<number> {
  const text = await consoleText(host, GUEST, stands.mark)
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  expect(whole).not.toMatch(/FAILED|^RESUME (?!0\r)/m)
  const numbers = [...whole.matchAll(/^COUNT (\d+)\r?$/gm)].map((match) => Number(match[1]))
  if (numbers.length === 0) return 0
  const missed = numbers[0]! - stands.last - 1
  expect({ last: stands.last, numbers, missed: missed >= 0 && missed <= mayMiss ? 0 : missed }).toMatchObject({
    missed: 0,
  })
  expect(numbers).toEqual(numbers.map((_, index) => numbers[0]! + index))
  stands = { ...stands, mark: stands.mark + Buffer.byteLength(whole), last: numbers.at(-1)! }
  return numbers.length
}

async function goesOn(host: LabHost, mayMiss = 0): Promise<void> {
  const until = Date.now() + 240_000
  for (let heard = 0; heard < 3; ) {
    heard += await hear(host, heard === 0 ? mayMiss : 0)
    if (Date.now() > until) throw new Error(`${GUEST} does not go on on ${host.name}: it is at ${stands.last}`)
    await Bun.sleep(LOOK_MS)
  }
}

/** Domains with the name of the guest, in any state, of all hosts that answer. */
async function domains(all: readonly LabHost[] = hosts): Promise<string[]> {
  const lists = all.map(async (host) => {
    const names = (await sh(host, 'xl list')).split('\n').map((line) => line.split(' ')[0]!)
    return names.filter((name) => name.startsWith(GUEST)).map((name) => `${name} on ${host.name}`)
  })
  return (await Promise.all(lists)).flat()
}

/** The row, `xl list` of all hosts, the files that its QEMU has open and its configurations say the same. */
async function needOneMind(host: LabHost): Promise<void> {
  expect(await domains()).toEqual([`${GUEST} on ${host.name}`])
  const row = (await listed<VmSeen>(pengx, 'vms')).find(({ name }) => name === GUEST)
  expect(row).toMatchObject({ pm: host.name, state: 'running', drift: [] })
  const paths = (await disks()).map(({ path }) => path)
  const qemu = `xenstore-read /local/domain/$(xl domid ${GUEST})/image/device-model-pid`
  const open = await sh(
    host,
    `find /proc/$(${qemu})/fd -type l -exec readlink {} +; echo; readlink -f ${paths.join(' ')}`,
  )
  const [opened, wanted] = open.split('\n\n').map((part) => part.trim().split('\n'))
  for (const path of wanted!) expect(opened).toContain(path)
  const configs = await Promise.all(hosts.map((one) => sh(one, 'cat /etc/xen/pengx/*.cfg 2>/dev/null || true')))
  for (const [index, one] of hosts.entries())
    for (const path of paths)
      expect({ one: one.name, has: configs[index]!.includes(path) }).toEqual({ one: one.name, has: one === host })
}

/**
 * Blocks at the beginnings of clusters that nothing was written to before, so many on each of two qcow2: on NFS, where the
 * numbers have its tables synced again and again, and in the volume group, where nobody asks for it. Where those lie is
 * told by a table that the QEMU here writes when it ends, and which the kernel over there may have read, and kept, before.
 */
const SPREAD = 340
const SPREADS = [
  { vdev: 'xvda', first: 160, last: 8191 },
  { vdev: 'xvdc', first: 0, last: 16383 },
] as const
const spreadOne = SPREADS.map(
  ({ vdev, first }) =>
    `printf "%-4095s\\n" "SPREAD $n" | dd of=/dev/${vdev} bs=64k seek=$((${first} + n)) conv=notrunc 2>/dev/null || exit`,
).join('; ')
const spreadWrites = `rm -f /tmp/stop /tmp/spread; (n=0; while [ $n -lt ${SPREAD} ]; do [ -e /tmp/stop ] && exit; ${spreadOne}; n=$((n + 1)); echo $n >/tmp/spread; sleep 0.5; done) >/dev/null 2>&1 & until [ -s /tmp/spread ]; do sleep 0.2; done`

/** All of them, as its guest reads them and as the host does; it has written them until it was there. */
async function needSpread(host: LabHost): Promise<void> {
  const ask = (command: string) => askGuest(host, GUEST, command, 240_000)
  const count = Number(await ask('touch /tmp/stop; sleep 3; cat /tmp/spread; echo 3 >/proc/sys/vm/drop_caches'))
  expect(count).toBeGreaterThan(5)
  expect(count).toBeLessThan(SPREAD)
  const expected = Array.from({ length: count }, (_, n) => `SPREAD ${n}`)
  for (const { vdev, first, last } of SPREADS) {
    const disk = `/dev/${vdev}`
    const read = `dd if=${disk} bs=64k skip=${first} count=${count} 2>/dev/null | tr -d "\\000" | grep -a -o "^SPREAD [0-9]*"`
    expect((await ask(read)).split('\n')).toEqual(expected)
    // What the host reads lacks what QEMU has not been asked to write.
    await ask(`dd if=/dev/zero of=${disk} bs=4096 seek=${last} count=1 conv=notrunc,fsync 2>/dev/null`)
    const { path } = (await disks()).find((row) => row.vdev === vdev)!
    const bytes = await imageBytes(host, path, first * 16, count * 16)
    expect(expected.map((_, n) => bytes.toString('latin1', n * 65_536, n * 65_536 + 20).trim())).toEqual(expected)
  }
}

async function migrate(from: LabHost, to: LabHost): Promise<void> {
  await goesOn(from)
  const mark = await consoleMark(to, GUEST)
  await perform(pengx, 'vm.migrate', GUEST, '--pm', to.name)
  await hear(from)
  stands = { ...stands, mark }
  await goesOn(to, 5)
  await needOneMind(to)
}

/** The number that both of its disks hold, which has to be one moment's. */
async function numberOn(host: LabHost, volumes: readonly DiskRow[]): Promise<number> {
  const on = async (vdev: string) => {
    const { path, format } = volumes.find((volume) => volume.vdev === vdev)!
    return momentOf(await imageBytes(host, path, SLOTS_AT, SLOTS, format))
  }
  const [a, b] = [await on('xvda'), await on('xvdb')]
  expect([a, a - 1]).toContain(b)
  return b
}

const snapshots = () => listed<{ name: string; volumes: readonly DiskRow[] }>(pengx, 'snapshots', GUEST)

/** What its snapshots hold, by their names. */
async function moments(host: LabHost): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const { name, volumes } of await snapshots()) found[name] = await numberOn(host, volumes)
  return found
}

/** Sends it, and does something to the world as soon as it is arriving over there; gives how that ended. */
async function whileSent(
  to: LabHost,
  act: () => Promise<void>,
): Promise<{ readonly exit: number; readonly said: string }> {
  const { argv, env } = pengx.argv('run', 'vm.migrate', GUEST, '--pm', to.name, '--yes')
  const child = Bun.spawn(argv, { env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const said = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  while (!(await domains([to])).some((name) => name.includes('--incoming'))) {
    if (child.exitCode !== null) throw new Error(`it ended before it arrived: ${(await said).join('')}`)
    await Bun.sleep(LOOK_MS)
  }
  await act()
  return { exit: await child.exited, said: (await said).join('') }
}

test('it goes there while it writes, and is one there', async () => {
  await perform(pengx, 'snapshot.create', GUEST, '--name', 'here')
  await askGuest(xen1, GUEST, spreadWrites)
  const closeEyes = await peekAt(xen2, await disks())
  try {
    await migrate(xen1, xen2)
  } finally {
    await closeEyes()
  }
  await needSpread(xen2)
}, 900_000)

test('it is snapshotted there, and comes back with its snapshots', async () => {
  await perform(pengx, 'snapshot.create', GUEST, '--name', 'there')
  await migrate(xen2, xen1)
  const held = await moments(xen1)
  expect(Object.keys(held).sort()).toEqual(['here', 'there'])
  expect(held.there!).toBeGreaterThan(held.here!)
  expect(stands.last).toBeGreaterThan(held.there!)
}, 900_000)

test('it is copied to the other PM while it writes, all of one moment, through one pipe', async () => {
  await sh(xen2, `rm -rf ${FAR}; mkdir ${FAR}`)
  await perform(pengx, 'storlink.create', 'far', '--link', FAR, '--type', 'LO', '--level', 'FL', '--pm', 'xen2')
  await goesOn(xen1)
  const before = stands.last
  await perform(pengx, 'vm.copy', GUEST, '--name', 'apart', '--storlink', 'far')
  await goesOn(xen1)
  const copied = await listed<DiskRow>(pengx, 'disks', 'apart')
  const number = await numberOn(xen2, copied)
  expect({ number, within: number >= before && number <= stands.last }).toMatchObject({ within: true })
  const rows = await disks()
  expect(copied.map(({ vdev, format }) => [vdev, format])).toEqual(rows.map(({ vdev, format }) => [vdev, format]))
  await needOneMind(xen1)
  // Nothing of the moment is left beside the disks.
  const known = [...rows, ...(await snapshots()).flatMap(({ volumes }) => volumes)].map(({ path }) => path)
  const lying = (await sh(xen1, `ls -d ${SHARED_DIRECTORY}/*.qcow2 /dev/${GROUP}/* 2>/dev/null`)).trim().split('\n')
  expect(lying.filter((path) => !known.includes(path))).toEqual([])
  await perform(pengx, 'vm.delete', 'apart')
  await perform(pengx, 'storlink.delete', 'far')
  expect((await sh(xen2, `ls ${FAR}`)).trim()).toBe('')
}, 900_000)

test('the line between the hosts is pulled while it is sent: it stays where it was, and writes on', async () => {
  const { exit, said } = await whileSent(xen2, () => setCable(xen1, 'wire0', false))
  await setCable(xen1, 'wire0', true)
  expect({ exit, said }).toEqual({ exit: 1, said: expect.stringMatching(/mover/) })
  await goesOn(xen1)
  await mountShared(xen1, xen2)
  await vmsOf(pengx)
  await needOneMind(xen1)
}, 900_000)

test('the host that it goes to loses its power: it stays where it was, and runs once when that one is back', async () => {
  const { exit } = await whileSent(xen2, () => powerOff(xen2))
  expect(exit).toBe(1)
  await goesOn(xen1)
  await expectRefusal(pengx, ['vm.migrate', GUEST, '--pm', 'xen2'], /xen2 cannot be reached/)
  await powerOn(xen2)
  await waitUp(pengx, xen2)
  await mountShared(xen1, xen2)
  // What could not be taken back while it was off is before anything else is done with the VM.
  await perform(pengx, 'vm.edit', GUEST, '--desc', 'since xen2 is back')
  await needOneMind(xen1)
  const jobs = await listed<{ state: string; operation: string }>(pengx, 'jobs')
  expect(jobs.filter(({ state }) => !['done', 'undone', 'cancelled'].includes(state))).toEqual([])
  await goesOn(xen1)
}, 1_200_000)

test('shut down, its disks hold all that it told, and it is deleted with everything that is its own', async () => {
  await perform(pengx, 'vm.poweroff', GUEST)
  const rows = await disks()
  const read = ({ path, format }: DiskRow) => imageBytes(xen1, path, SLOTS_AT, SLOTS, format).then(momentOf)
  await sh(xen1, `vgchange -q -ay ${GROUP}`)
  for (const row of rows)
    if (row.vdev === 'xvdc') await sh(xen1, `qemu-img check -q ${row.path}`)
    else expect(await read(row)).toBeGreaterThanOrEqual(stands.last)
  await sh(xen1, `vgchange -q -an ${GROUP}`)
  await perform(pengx, 'vm.delete', GUEST)
  for (const storlink of ['nas', 'san']) await perform(pengx, 'storlink.delete', storlink)
  expect((await sh(xen2, `ls ${SHARED_DIRECTORY}`)).trim()).toBe('')
  expect((await sh(xen1, `lvs --noheadings -o lv_name ${GROUP}`)).trim()).toBe('')
}, 600_000)
