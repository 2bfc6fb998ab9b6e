import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../../src/engine/host/run.ts'
import { fileVolumes } from '../../../src/engine/volumes/file.ts'
import { act, NEW_VM, refusalOf, startVm } from '../../support/sites/acts.ts'
import { openRealDisks, type RealDisks } from '../../support/sites/realDisks.ts'
import { openWorld } from '../../support/sites/world.ts'

/** A VM's real images go out, are read by others' programs, and come in again as another VM that reads the same. */
const BACK = '99999999-4444-4333-8444-555555555555'
let site: RealDisks
beforeEach(async () => {
  site = await openRealDisks()
  await act(site, 'vm.create', { ...NEW_VM, storlink: site.storlink, diskSize: 4, extraDiskSize: 2 })
  for (const [index, { path, format }] of row().disks.entries()) {
    await tool(
      'qemu-io',
      '-f',
      format,
      '-c',
      `write -P ${65 + index} ${index * 64}k 300k`,
      '-c',
      'write -P 9 1M 4k',
      path,
    )
  }
})
afterEach(async () => await site.close())

const row = () => site.engine.view.needVm(NEW_VM.uuid)
const at = (name: string) => join(site.elsewhere, name)
const tool = async (program: string, ...rest: string[]) =>
  await run(site.host, { argv: [program, ...rest], effect: 'change' })
const exports = (to: string, more: object = {}) => act(site, 'vm.export', { vm: NEW_VM.uuid, to, ...more })
const refusal = (to: string, more: object = {}) => refusalOf(site, 'vm.export', { vm: NEW_VM.uuid, to, ...more })

test.each(['qcow2', 'raw', 'vmdk'] as const)(
  'a directory of %s images, with digests that coreutils finds right',
  async (format) => {
    await exports(`${at('out')}/`, { format })
    expect(readdirSync(site.elsewhere)).toEqual(['out'])
    expect(readdirSync(at('out')).sort()).toEqual(
      [`fresh-xvda.${format}`, `fresh-xvdb.${format}`, 'fresh.mf', 'fresh.ovf', 'fresh.pengx.json'].sort(),
    )
    expect(statSync(at('out')).mode & 0o777).toBe(0o700)
    for (const { vdev, path, format: own } of row().disks) {
      const file = join(at('out'), `fresh-${vdev}.${format}`)
      const output = await tool('qemu-img', 'compare', '-f', own, '-F', format, path, file)
      expect(output.stdout).toContain('Images are identical')
    }
    const lines = readFileSync(join(at('out'), 'fresh.mf'), 'utf8').replace(/^SHA256\((.*)\)= (.*)$/gm, '$2  $1')
    writeFileSync(join(at('out'), 'sums'), lines)
    const checked = await tool('sh', '-c', `cd ${at('out')} && sha256sum -c sums`)
    expect(checked.stdout.trim().split('\n')).toHaveLength(4)
    const told = JSON.parse(readFileSync(join(at('out'), 'fresh.pengx.json'), 'utf8'))
    expect(told).toMatchObject({ pengxExport: 1, vm: NEW_VM.uuid, spec: { name: 'fresh', memoryMib: 512 } })
    expect(told.configuration).toContain('name = "fresh"')
    expect(JSON.stringify(told)).not.toContain('verysafe')
  },
)

test.each([undefined, 'qcow2', 'raw'] as const)(
  'an OVA (%p) that tar lists, and that comes in as a VM that reads the same',
  async (format) => {
    await exports(at('fresh.ova'), format === undefined ? {} : { format })
    expect(readdirSync(site.elsewhere)).toEqual(['fresh.ova'])
    expect(statSync(at('fresh.ova')).mode & 0o777).toBe(0o600)
    const ext = format ?? 'vmdk'
    const listed = (await tool('tar', '-tf', at('fresh.ova'))).stdout.trim().split('\n')
    expect(listed).toEqual(['fresh.ovf', 'fresh.mf', 'fresh.pengx.json', `fresh-xvda.${ext}`, `fresh-xvdb.${ext}`])
    await act(site, 'vm.import', { file: at('fresh.ova'), storlink: site.storlink, name: 'again', uuid: BACK })
    const back = site.engine.view.needVm(BACK)
    expect(back).toMatchObject({ memoryMib: 512, vcpuCount: 2, nics: [{}] })
    for (const [index, disk] of row().disks.entries()) {
      expect(back.disks[index]!.sizeMib).toBe(disk.sizeMib)
      expect(await fileVolumes.compare(site.host, back.disks[index]!, disk)).toBe(true)
    }
  },
)

test('disks on layers and on nothing go out as what the guest reads', async () => {
  await act(site, 'snapshot.create', { vm: NEW_VM.uuid, name: 'before' })
  const [disk] = row().disks
  await tool('qemu-io', '-f', 'qcow2', '-c', 'write -P 1 2M 64k', disk!.path)
  await exports(at('out'))
  const file = { path: join(at('out'), 'fresh-xvda.qcow2'), format: 'qcow2' as const }
  expect(await fileVolumes.compare(site.host, file, disk!)).toBe(true)
  expect((await fileVolumes.stat(site.host, file.path, 'qcow2'))?.backing).toBeUndefined()
})

test('nothing is written over, and nothing is made where nothing can be', async () => {
  writeFileSync(at('there.ova'), 'somebody’s')
  mkdirSync(at('there'))
  expect(await refusal(at('there.ova'))).toMatch(/refused: to: .* is there on xen1: nothing is written over/)
  expect(await refusal(at('there'))).toMatch(/refused: to: .* is there on xen1/)
  await tool('ln', '-s', '/nowhere', at('link'))
  expect(await refusal(at('link'))).toMatch(/refused: to: .* is there on xen1/)
  expect(await refusal(at('none/out'))).toMatch(/refused: to: there is no directory/)
  expect(await refusal('out')).toMatch(/is no path of a new directory or file/)
  expect(await refusal(`${at('x')}/../y`)).toMatch(/is no path of a new directory or file/)
  expect(readFileSync(at('there.ova'), 'utf8')).toBe('somebody’s')
  expect(readdirSync(site.elsewhere).sort()).toEqual(['link', 'there', 'there.ova'])
})

test.each(['out', 'out.ova'])('what takes the name %s meanwhile stays, and the export is taken back', async (name) => {
  const started = await site.engine.start(
    'vm.export',
    site.engine.decode('vm.export', { vm: NEW_VM.uuid, to: at(name) }),
    'cli',
  )
  while (!readdirSync(site.elsewhere).some((one) => one.endsWith('.new'))) await Bun.sleep(1)
  writeFileSync(at(name), 'somebody’s')
  const { job } = await site.engine.finished(started.id)
  expect([job.state, job.message]).toEqual([
    'undone',
    expect.stringContaining('is there by now: nothing is written over'),
  ])
  expect(readFileSync(at(name), 'utf8')).toBe('somebody’s')
  expect(readdirSync(site.elsewhere)).toEqual([name])
})

test('a VM that runs is not exported', async () => {
  const world = await openWorld()
  try {
    const { uuid } = await startVm(world)
    const words = await refusalOf(world, 'vm.export', { vm: uuid, to: '/root/out' })
    expect(words).toMatch(/^refused: .*restore the backup as another VM, which can be exported$/)
  } finally {
    await world.close()
  }
})
