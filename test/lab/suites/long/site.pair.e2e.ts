// Proves the lab of two hosts: what every suite of a pair takes for granted of what they share, of the cables and of the power,
// and of controllers beside each other.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { addPm, closeController, openController, pmsOf, waitUp } from '../../controllers.ts'
import { bootIdOf, powerOff, powerOn, setCable } from '../../machine/power.ts'
import {
  endSharing,
  makeSharedGroup,
  mountShared,
  removeSharedGroup,
  SHARED_DIRECTORY,
  shareDirectory,
  unmountShared,
} from '../../machine/shared.ts'
import { labHosts, run, sh, shAcross } from '../../machine/ssh.ts'

const hosts = labHosts()
const [xen1, xen2] = hosts as [(typeof hosts)[0], (typeof hosts)[0]]
const GROUP = 'vgpair'
const a = openController(hosts)
const b = openController(hosts)

beforeAll(async () => {
  // The one that serves stays: xen1 is switched off here.
  await shareDirectory(xen2, hosts)
  await makeSharedGroup(hosts, GROUP)
}, 400_000)

afterAll(async () => {
  for (const controller of [a, b]) closeController(controller)
  await setCable(xen1, 'out', true)
  await removeSharedGroup(hosts, GROUP)
  await endSharing(xen2, hosts)
}, 200_000)

test('a file that one host writes is read by the other', async () => {
  await sh(xen1, `echo 'of xen1' >${SHARED_DIRECTORY}/one`)
  expect(await sh(xen2, `cat ${SHARED_DIRECTORY}/one && echo 'of xen2' >${SHARED_DIRECTORY}/one`)).toBe('of xen1\n')
  expect(await sh(xen1, `cat ${SHARED_DIRECTORY}/one`)).toBe('of xen2\n')
})

test('one host is without the directory, and the other has it still', async () => {
  await unmountShared(xen1)
  expect(await sh(xen1, `findmnt -n -o SOURCE -T ${SHARED_DIRECTORY}; ls -A ${SHARED_DIRECTORY}`)).toBe('/dev/vda\n')
  expect(await sh(xen2, `cat ${SHARED_DIRECTORY}/one`)).toBe('of xen2\n')
  await mountShared(xen2, xen1)
  expect(await sh(xen1, `cat ${SHARED_DIRECTORY}/one`)).toBe('of xen2\n')
})

test('a group that one host makes is the other’s too, and so are the bytes of its volumes', async () => {
  const device = `/dev/${GROUP}/one`
  await sh(xen1, `lvcreate -y -q -L 8m -n one ${GROUP} && echo 'on xen1' | dd of=${device} conv=fsync status=none`)
  expect((await sh(xen2, `vgs --noheadings -o vg_name,lv_count ${GROUP}`)).trim()).toBe(`${GROUP}   1`)
  expect(await sh(xen2, `[ ! -e ${device} ] && lvchange -ay ${GROUP}/one && head -c 8 ${device}`)).toBe('on xen1\n')
})

test('controllers know the PMs that were added to each', async () => {
  await Promise.all([addPm(a, xen1), addPm(b, xen1)])
  await addPm(b, xen2)
  expect([...(await pmsOf(a)).keys()]).toEqual(['xen1'])
  expect([...(await pmsOf(b)).keys()]).toEqual(['xen1', 'xen2'])
})

test('a host whose cable is pulled is down for who is outside, and at work', async () => {
  await setCable(xen1, 'out', false)
  const [alone, beside] = await Promise.all([pmsOf(a), pmsOf(b)])
  for (const seen of [alone, beside])
    expect(seen.get('xen1')).toMatchObject({ reach: 'down', problem: expect.stringMatching(/no answer/) })
  expect(beside.get('xen2')?.reach).toBe('up')
  expect(await shAcross(xen2, xen1, `cat ${SHARED_DIRECTORY}/one`)).toBe('of xen2\n')
  await setCable(xen1, 'out', true)
  await waitUp(a, xen1)
}, 400_000)

test('a host loses its power and comes back, with what it shares', async () => {
  const file = `${SHARED_DIRECTORY}/two`
  const [before, row] = [await bootIdOf(xen1), (await pmsOf(a)).get('xen1')!]
  await sh(
    xen1,
    `echo kept >${file}; flock ${file} sleep 1000 >/dev/null 2>&1 & until ! flock -n ${file} true; do :; done`,
  )
  expect((await run(xen2, ['flock', '-n', file, 'true'])).exit).toBe(1)
  await powerOff(xen1)
  expect((await pmsOf(a)).get('xen1')?.reach).toBe('down')
  // what a dead host had locked is free when its lease is over
  expect(await sh(xen2, `flock -w 120 ${file} cat ${file}`)).toBe('kept\n')
  await powerOn(xen1)
  expect(await bootIdOf(xen1)).not.toBe(before)
  const after = await waitUp(a, xen1)
  expect(after.uuid).toBe(row.uuid)
  expect(Date.parse(after.bootedAt!)).toBeGreaterThan(Date.parse(row.bootedAt!))
  await mountShared(xen2, xen1)
  expect(await sh(xen1, `cat ${file}`)).toBe('kept\n')
  // at its boot a host activates every volume that it sees, as Debian does
  expect(await sh(xen1, `head -c 8 /dev/${GROUP}/one`)).toBe('on xen1\n')
}, 900_000)
