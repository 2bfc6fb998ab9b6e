// A VM that somebody else made, by hand, from a file without a UUID: what its PM does with it by itself when it boots.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { booting } from '../../machine/console.ts'
import { guestConfig, IMAGES } from '../../machine/guest.ts'
import { fill, imageSum, sumOf } from '../../machine/guestDisk.ts'
import { powerOff, powerOn } from '../../machine/power.ts'
import { labHost, labHosts, run, sh } from '../../machine/ssh.ts'
import { expectRefusal, listed, type Pengx, pengxOutside, perform, vmsOf } from '../../pengx.ts'

const host = labHost()
const NAME = 'erp'
const FILE = `/etc/xen/${NAME}.cfg`
const LAYERS = '/owned'
const BASE = `${IMAGES}/${NAME}-a.qcow2`
let pengx: Pengx

const TEXT = `# made by hand, ten years ago: caf\xe9\n${guestConfig({
  name: NAME,
  type: 'pv',
  number: 41,
  disks: [`${BASE},qcow2,xvda,w`],
}).replace(/^uuid = .*\n/m, '')}on_crash = "preserve" # keep it\n`

interface DiskRow {
  readonly vdev: string
  readonly path: string
}
const pathNow = async () => (await listed<DiskRow>(pengx, 'disks', NAME))[0]!.path

const uuidOf = async () => /[0-9a-f-]{36}/.exec(await sh(host, `xl list -v ${NAME} | tail -1`))![0]

beforeAll(async () => {
  pengx = pengxOutside(labHosts().slice(0, 1))
  // one byte of it is no UTF-8
  const bytes = Buffer.from(TEXT, 'latin1').toString('base64')
  await sh(host, `mkdir -p /etc/xen/auto ${LAYERS}; qemu-img create -q -f qcow2 ${BASE} 16M`)
  await sh(host, `echo ${bytes} | base64 -d >${FILE}; chmod 640 ${FILE}`)
  await booting(host, NAME, () => sh(host, `xl create ${FILE}`))
  await perform(pengx, 'storlink.create', 'layers', '--link', LAYERS, '--type', 'LO', '--level', 'FL')
}, 600_000)

afterAll(async () => {
  await run(host, ['xl', 'destroy', NAME])
  await sh(host, `rm -rf ${LAYERS} ${BASE} ${FILE} /etc/xen/.${NAME}.cfg.* /etc/xen/auto/*${NAME}.cfg /root/old.cfg`)
}, 60_000)

let held = ''

test('adopted by its file and snapshotted: the file is edited in one word, and stays its owner’s', async () => {
  const uuid = await uuidOf()
  const before = await sh(host, `sha256sum <${FILE}`)
  await perform(pengx, 'vm.adopt', FILE)
  expect((await vmsOf(pengx)).get(NAME)).toMatchObject({ uuid, origin: 'adopted', state: 'running' })
  expect(await sh(host, `sha256sum <${FILE}`)).toBe(before)
  await perform(pengx, 'vm.edit', NAME, '--autostart', 'yes', '--order', '10')
  expect(await sh(host, `readlink -f /etc/xen/auto/10-${NAME}.cfg`)).toBe(`${FILE}\n`)
  held = await fill(host, NAME, 'xvda')
  await perform(pengx, 'snapshot.create', NAME, '--name', 'one', '--storlink', 'layers')
  const changed = await sh(
    host,
    `diff -a /etc/xen/.${NAME}.cfg.before-pengx ${FILE} | grep -ac '^[<>]'; stat -c %a ${FILE}`,
  )
  expect(changed).toBe('2\n640\n')
  expect(await sh(host, `sha256sum </etc/xen/.${NAME}.cfg.before-pengx`)).toBe(before)
  expect(await sumOf(host, NAME, 'xvda')).toBe(held)
}, 600_000)

test('a copy from which the PM would start keeps it from another snapshot, until it is a link', async () => {
  const copy = '/etc/xen/auto/copy.cfg'
  await sh(host, `cp ${FILE} ${copy}`)
  await expectRefusal(pengx, ['snapshot.create', NAME, '--storlink', 'layers'], /auto\/copy\.cfg describes it too/)
  await perform(pengx, 'vm.config', NAME, '--link')
  expect(await sh(host, `readlink -f ${copy}; rm -f ${copy} /etc/xen/auto/.copy.cfg.*`)).toBe(`${FILE}\n`)
}, 300_000)

test('the PM loses its power, and xendomains starts the guest: it goes on where it was', async () => {
  const frozen = await imageSum(host, BASE)
  const latest = await fill(host, NAME, 'xvda')
  await sh(host, 'sync')
  await powerOff(host)
  await powerOn(host)
  await booting(host, NAME, () => sh(host, '/etc/init.d/xendomains start'))
  expect(await sumOf(host, NAME, 'xvda')).toBe(latest)
  expect(await imageSum(host, BASE)).toBe(frozen)
  // It runs under a UUID that libxl made up, and is the same VM all the same.
  const row = (await listed<{ name: string; state: string; uuid: string; drift: string[] }>(pengx, 'vms')).filter(
    (vm) => vm.name === NAME,
  )
  expect(row).toMatchObject([{ state: 'running', drift: [] }])
  expect(row[0]!.uuid).not.toBe(await uuidOf())
  held = latest
}, 900_000)

test('a boot that saves its guests and restores them takes this one over, after another live snapshot', async () => {
  await perform(pengx, 'snapshot.create', NAME, '--name', 'two')
  held = await fill(host, NAME, 'xvda')
  await sh(host, '/etc/init.d/xendomains stop')
  expect((await run(host, ['xl', 'domid', NAME])).exit).not.toBe(0)
  await sh(host, '/etc/init.d/xendomains start')
  await sh(host, `until xl domid ${NAME}; do sleep 1; done`, { timeoutMs: 60_000 })
  expect(await sumOf(host, NAME, 'xvda')).toBe(held)
  const told = await pengx.run('vms')
  expect(told.stdout).not.toContain('power it off now')
  await booting(host, NAME, () => perform(pengx, 'vm.reset', NAME))
  expect(await sumOf(host, NAME, 'xvda')).toBe(held)
}, 900_000)

test('started by hand from an old copy it is seen within one look, and nothing is harmed by what comes next', async () => {
  const frozen = await imageSum(host, BASE)
  await perform(pengx, 'vm.poweroff', NAME)
  const overlay = await pathNow()
  const overlaid = await imageSum(host, overlay)
  await sh(host, `cp /etc/xen/.${NAME}.cfg.before-pengx /root/old.cfg`)
  await booting(host, NAME, () => sh(host, 'xl create /root/old.cfg'))
  const said = await pengx.run('vms', '--json')
  expect(said.stdout).toContain(BASE)
  await expectRefusal(pengx, ['snapshot.create', NAME, '--storlink', 'layers'], new RegExp(BASE))
  await expectRefusal(pengx, ['vm.start', NAME], /it is running/)
  await sh(host, `xl destroy ${NAME}`)
  expect(await imageSum(host, overlay)).toBe(overlaid)
  await booting(host, NAME, () => perform(pengx, 'vm.start', NAME))
  expect(await sumOf(host, NAME, 'xvda')).toBe(held)
  // the old copy had only booted from it: nothing was written to the base
  expect(await imageSum(host, BASE)).toBe(frozen)
}, 900_000)

test('a disk comes and goes, and the file is what it was', async () => {
  const before = await sh(host, `sha256sum <${FILE}`)
  const made = await perform(pengx, 'disk.create', NAME, '--size', '8', '--storlink', 'layers')
  expect(await sh(host, `sha256sum <${FILE}`)).not.toBe(before)
  const { vdev } = made.result as { vdev: string }
  await perform(pengx, 'disk.delete', NAME, '--disk', vdev)
  expect(await sh(host, `sha256sum <${FILE}`)).toBe(before)
  // The guest's own reboot comes back with its UUID.
  const uuid = await uuidOf()
  await booting(host, NAME, () => perform(pengx, 'vm.reboot', NAME))
  expect(await uuidOf()).toBe(uuid)
  await run(host, ['xl', 'destroy', NAME])
}, 900_000)
