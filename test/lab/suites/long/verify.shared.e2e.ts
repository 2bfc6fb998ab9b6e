// Every kind of drift that can be made by hand on real Xen, made on purpose: what `pengx verify` finds of it, what its repair
// does, and that all is as it is written down again.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Finding } from '../../../../src/model/finding.ts'
import { claimTag, formatClaim } from '../../../../src/model/storage/claim.ts'
import { booting } from '../../machine/console.ts'
import { makeGroup, removeGroup } from '../../machine/group.ts'
import { guestCmdline, guestConfig, guestUuid } from '../../machine/guest.ts'
import { labHost, labHosts, run, sh } from '../../machine/ssh.ts'
import { listed, type Pengx, pengxOutside, perform, vmsOf } from '../../pengx.ts'

const host = labHost()
const DATA = '/data-verify'
const GROUP = 'vgverify'
const MARKER = `${DATA}/.pengx-storlink`
const HAND = '/root/verify'
let pengx: Pengx

type Told = Finding & { readonly repair?: { readonly line?: string } }

/** What is found on what is this suite's own: others are at work on the host. */
async function verify(...more: string[]): Promise<readonly Told[]> {
  const said = await pengx.run('verify', 'own', 'block', 'files', 'group', ...more, '--json')
  if (said.exit > 1) throw new Error(said.stderr)
  const { findings } = JSON.parse(said.stdout) as { readonly findings: readonly Told[] }
  expect(said.exit).toBe(findings.length === 0 ? 0 : 1)
  return findings
}

const codes = async (...more: string[]) => [...new Set((await verify(...more)).map(({ code }) => code))]

/** Finds just that, on that path, and gives it. */
async function only(code: string, where: { readonly path?: string } = {}, ...more: string[]): Promise<Told> {
  const findings = await verify(...more)
  expect(findings).toMatchObject([{ code, ...where }])
  return findings[0]!
}

/** Runs the line that is printed with a finding, as a person would. */
async function repair({ code, repair: proposed }: Told): Promise<void> {
  expect({ code, line: proposed?.line }).toEqual({ code, line: expect.stringMatching(/^pengx run [a-z.]+ /) })
  const words = (await sh(host, `printf '%s\n' ${proposed!.line}`)).trimEnd().split('\n')
  await perform(pengx, ...words.slice(2))
}

interface DiskRow {
  readonly vdev: string
  readonly path: string
}
const pathOf = async (vm: string) => (await listed<DiskRow>(pengx, 'disks', vm))[0]!.path
const uuidOf = async (vm: string) => (await vmsOf(pengx)).get(vm)!.uuid

/** By hand: libxl waits ten seconds for a QEMU, which an emulated host that has much to do may miss. */
async function create(name: string, text: string): Promise<void> {
  await sh(host, `cat >${HAND}/${name}.cfg`, { stdin: text })
  for (let attempt = 1; ; attempt++) {
    const { exit, stderr } = await run(host, ['xl', 'create', `${HAND}/${name}.cfg`])
    if (exit === 0) return
    if (attempt === 3) throw new Error(stderr)
  }
}

const onImage = (name: string, number: number, path: string) =>
  guestConfig({
    name,
    type: 'pv',
    number,
    disks: [`format=qcow2,vdev=xvda,access=rw,backendtype=qdisk,target=${path}`],
  })

const MACHINE = ['--memory', '96', '--type', 'pv', '--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd']
/** A claim of a domain that was never there. */
const GONE = { bootId: '', domid: 4711, controller: 'elsewhere', store: 'another', at: Date.UTC(2026, 0, 1) }
let pm = ''
/** Of `own` from the first snapshot on: what its overlay lies on. */
let frozen = ''

beforeAll(async () => {
  await sh(host, `rm -rf ${DATA} ${DATA}-link ${HAND}; mkdir -p ${DATA} ${HAND}; ln -s ${DATA} ${DATA}-link`)
  await makeGroup(host, GROUP, 100)
  pengx = pengxOutside(labHosts().slice(0, 1))
  await perform(pengx, 'storlink.create', 'files', '--link', DATA, '--type', 'LO', '--level', 'FL')
  await perform(pengx, 'storlink.create', 'group', '--link', `/dev/${GROUP}`, '--type', 'LO', '--level', 'BL')
  for (const [name, storlink] of [
    ['own', 'files'],
    ['block', 'group'],
  ] as const)
    await perform(
      pengx,
      'vm.create',
      name,
      '--storlink',
      storlink,
      '--disk-size',
      '16',
      ...MACHINE,
      '--cmdline',
      guestCmdline(name),
    )
  pm = (await listed<{ uuid: string }>(pengx, 'pms'))[0]!.uuid
}, 400_000)

afterAll(async () => {
  for (const name of ['own', 'block', 'stranger', 'plain']) await run(host, ['xl', 'destroy', name])
  await run(host, ['umount', DATA])
  await removeGroup(host, GROUP)
  await sh(host, `rm -rf ${DATA} ${DATA}-link ${HAND} /etc/xen/plain.cfg`)
}, 400_000)

test('two that run, one on logical volumes, and live snapshots: nothing is found, whatever QEMU has open', async () => {
  for (const name of ['block', 'own']) await perform(pengx, 'vm.start', name)
  expect(await verify()).toEqual([])
  frozen = await pathOf('own')
  await perform(pengx, 'snapshot.create', 'own', '--name', 'first')
  await perform(pengx, 'snapshot.create', 'block', '--name', 'first')
  expect(await verify()).toEqual([])
  expect((await pengx.run('verify', 'own', '--deep')).exit).toBe(0)
}, 600_000)

test('a claim that is lost while its guest runs', async () => {
  const path = await pathOf('own')
  const claim = (await sh(host, `readlink ${path}.claim`)).trimEnd()
  await sh(host, `rm ${path}.claim`)
  await only('CLAIM_MISSING', { path })
  await sh(host, `ln -s '${claim}' ${path}.claim`)
  expect(await verify()).toEqual([])
}, 300_000)

test('a stranger that runs on the same image, by another name, and one on the frozen layer', async () => {
  const path = await pathOf('own')
  await create('stranger', onImage('stranger', 81, path.replace(DATA, `/${DATA}-link/.`)))
  const two = (await verify('stranger')).filter(({ code }) => code === 'VOLUME_TWO_USERS')
  expect(two).toMatchObject([{ severity: 'danger', text: expect.stringContaining('stranger') }])
  await sh(host, 'xl destroy stranger')
  await create('stranger', onImage('stranger', 81, frozen.replace(DATA, `${DATA}-link`)))
  const [on] = (await verify('stranger')).filter(({ code }) => code === 'VM_ON_FROZEN_LAYER')
  expect(on).toMatchObject({ text: expect.stringContaining('layer 1 of VM own') })
  expect(on!.repair).toBeUndefined()
  await sh(host, 'xl destroy stranger')
  expect(await verify()).toEqual([])
}, 600_000)

test('a disk of its that a stranger has got while it runs, which stands in no configuration', async () => {
  const path = await pathOf('own')
  await sh(host, `qemu-img create -q -f qcow2 ${HAND}/plain.qcow2 16M`)
  // its owner has given it no UUID: Xen makes one up at each start
  const text = onImage('plain', 82, `${HAND}/plain.qcow2`).replace(/^uuid = .*\n/m, '')
  await create('plain', text)
  await sh(host, `cp ${HAND}/plain.cfg /etc/xen/plain.cfg`)
  expect((await vmsOf(pengx)).get('plain')?.state).toBe('running')
  await perform(pengx, 'vm.adopt', '/etc/xen/plain.cfg')
  expect(await verify('plain')).toEqual([])
  await sh(
    host,
    `xl block-attach plain format=qcow2,vdev=xvdb,access=rw,backendtype=qdisk,target=${DATA}-link/${path.split('/').at(-1)}`,
  )
  const two = (await verify('plain')).filter(({ code }) => code === 'VOLUME_TWO_USERS')
  expect(two).toHaveLength(1)
  await sh(host, 'xl block-detach plain xvdb')
  await perform(pengx, 'vm.reset', 'plain')
  expect(await verify('plain')).toEqual([])
  await perform(pengx, 'vm.poweroff', 'plain')
  await perform(pengx, 'vm.forget', 'plain')
}, 600_000)

test('its own domain on the frozen layer, which is powered off', async () => {
  await perform(pengx, 'vm.poweroff', 'own')
  const text = onImage('own', 83, frozen).replace(guestUuid(83), await uuidOf('own'))
  await create('own', text)
  const on = (await verify()).find(({ code }) => code === 'VM_ON_FROZEN_LAYER')
  expect(on).toMatchObject({ severity: 'danger', subject: { name: 'own' }, path: frozen })
  await repair(on!)
  expect((await vmsOf(pengx)).get('own')).toMatchObject({ state: 'shutdown' })
  expect(await verify()).toEqual([])
}, 300_000)

test('a configuration that names the frozen layer, one that says something else, and none', async () => {
  const path = await pathOf('own')
  const [file] = (await sh(host, `grep -l ${path} /etc/xen/pengx/*.cfg`)).trimEnd().split('\n')
  await sh(host, `cp ${file} ${HAND}/own.before; sed -i s:${path}:${frozen}: ${file}`)
  const found = await verify()
  expect(found.map(({ code }) => code).sort()).toEqual(['CONFIG_DIFFERS', 'VM_ON_FROZEN_LAYER'])
  await repair(found.find(({ code }) => code === 'VM_ON_FROZEN_LAYER')!)
  expect(await verify()).toEqual([])
  await sh(host, `sed -i 's/^memory = .*/memory = 77/' ${file}`)
  await only('CONFIG_DIFFERS', { path: file! })
  await sh(host, `mv ${file} ${HAND}/own.changed`)
  await only('CONFIG_MISSING', { path: file! })
  await sh(host, `cp ${HAND}/own.before ${file}`)
  expect(await verify()).toEqual([])
}, 400_000)

test('a claim of a domain that is gone, beside a file and on a logical volume', async () => {
  await perform(pengx, 'vm.poweroff', 'block')
  for (const name of ['own', 'block']) {
    const path = await pathOf(name)
    const claim = { ...GONE, vm: await uuidOf(name), pm }
    if (name === 'own') await sh(host, `ln -s '${formatClaim(claim)}' ${path}.claim`)
    else await sh(host, `lvchange -q --addtag pengx.claimed --addtag '${claimTag(claim)}' ${path}`)
    await repair(await only('CLAIM_STALE', { path }))
    expect(await verify()).toEqual([])
  }
  const path = await pathOf('own')
  await sh(host, `ln -s '${formatClaim({ ...GONE, vm: guestUuid(99), pm: guestUuid(98) })}' ${path}.claim`)
  expect(await only('CLAIM_FOREIGN', { path })).toMatchObject({ severity: 'danger' })
  await sh(host, `rm ${path}.claim`)
}, 400_000)

test('an image that is not there, lies on another, is of another size, or is damaged', async () => {
  const path = await pathOf('own')
  await sh(host, `mv ${path} ${path}.aside`)
  expect((await only('VOLUME_MISSING', { path })).text).toContain('set aside')
  await sh(host, `mv ${path}.aside ${path}; qemu-img create -q -f qcow2 ${HAND}/other.qcow2 16M`)
  await sh(host, `qemu-img rebase -u -f qcow2 -b ${HAND}/other.qcow2 -F qcow2 ${path}`)
  await only('CHAIN_DIFFERS', { path })
  // the same image by another spelling is no other
  await sh(host, `qemu-img rebase -u -f qcow2 -b ${frozen.replace(DATA, `/${DATA}-link`)} -F qcow2 ${path}`)
  expect(await verify()).toEqual([])
  await sh(host, `qemu-img rebase -u -f qcow2 -b ${frozen} -F qcow2 ${path}; qemu-img resize -q -f qcow2 ${path} 32M`)
  await only('SIZE_DIFFERS', { path })
  await sh(host, `qemu-img resize -q --shrink -f qcow2 ${path} 16M`)
  const flag = (bits: string) => sh(host, `printf '\\00${bits}' | dd of=${path} bs=1 seek=79 conv=notrunc status=none`)
  await flag('2') // incompatible feature 1: the image is corrupt
  await only('IMAGE_CORRUPT', { path })
  await flag('0')
  await sh(
    host,
    `dd if=${path} of=${HAND}/head bs=512 count=1 status=none; dd if=/dev/zero of=${path} bs=512 count=1 conv=notrunc status=none`,
  )
  await only('FORMAT_DIFFERS', { path })
  await sh(host, `dd if=${HAND}/head of=${path} bs=512 count=1 conv=notrunc status=none`)
  expect(await verify()).toEqual([])
}, 400_000)

test('a marker that is lost, is another’s, or lies under what is mounted over it', async () => {
  await sh(host, `cp ${MARKER} ${HAND}/marker; rm ${MARKER}`)
  await repair(await only('STORLINK_UNMARKED', { path: DATA }))
  expect(await sh(host, `cmp ${MARKER} ${HAND}/marker`)).toBe('')
  await sh(host, `sed -i 's/^storlink .*/storlink ${guestUuid(97)}/' ${MARKER}`)
  const other = await only('STORLINK_OTHER_DISK', { path: DATA })
  expect(other.text).toContain(guestUuid(97))
  await sh(host, `cp ${HAND}/marker ${MARKER}; mount -t tmpfs none ${DATA}`)
  expect((await only('STORLINK_AWAY', { path: DATA })).repair).toBeUndefined()
  await sh(host, `umount ${DATA}`)
  const tag = (await sh(host, `vgs --noheadings -o vg_tags ${GROUP}`))
    .trim()
    .split(',')
    .find((one) => one.startsWith('pengx'))
  await sh(host, `vgchange -q --deltag ${tag} ${GROUP}`)
  await repair(await only('STORLINK_UNMARKED', { path: `/dev/${GROUP}` }))
  expect(await sh(host, `vgs --noheadings -o vg_tags ${GROUP}`)).toContain(tag!)
  expect(await verify()).toEqual([])
}, 400_000)

test('what jobs have left goes with gc, and what nobody knows stays', async () => {
  const path = await pathOf('own')
  const unknown = `${DATA}/${guestUuid(96)}.qcow2`
  const claim = `${DATA}/${guestUuid(95)}.qcow2.claim`
  await sh(host, `qemu-img create -q -f qcow2 ${unknown} 16M; qemu-img create -q -f qcow2 ${path}.new 16M`)
  await sh(host, `ln -s '${formatClaim({ ...GONE, vm: await uuidOf('own'), pm })}' ${claim}`)
  const found = await verify()
  const paths = (code: string) => found.flatMap((one) => (one.code === code ? one.path! : [])).sort()
  expect(paths('LEFTOVER')).toEqual([`${path}.new`, claim].sort())
  expect(paths('VOLUME_UNKNOWN')).toEqual([unknown])
  const dry = await pengx.run('gc', '--storlink', 'files', '--dry-run')
  expect(dry.stdout).toContain(`${path}.new`)
  const lying = () => sh(host, `ls -A ${DATA}`)
  expect(await lying()).toContain('.new')
  expect(await pengx.run('gc', '--storlink', 'files', '--yes')).toMatchObject({ exit: 0 })
  expect(await lying()).not.toMatch(/\.new|\.aside|\.claim/)
  await only('VOLUME_UNKNOWN', { path: unknown })
  await sh(host, `rm ${unknown}`)
  expect(await codes()).toEqual([])
}, 400_000)

test('after all that its guest boots on its own disks', async () => {
  await booting(host, 'own', () => perform(pengx, 'vm.start', 'own'))
  expect(await verify()).toEqual([])
  for (const name of ['own', 'block']) await perform(pengx, 'vm.delete', name, '--force').catch(() => undefined)
}, 400_000)
