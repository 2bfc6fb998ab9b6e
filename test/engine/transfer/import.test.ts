import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../../src/engine/host/run.ts'
import { fileVolumes } from '../../../src/engine/volumes/file.ts'
import { manifestOf, ovaOf, ovfOf, tarOf } from '../../support/ova.ts'
import { act, refusalOf } from '../../support/sites/acts.ts'
import { openRealDisks, type RealDisks } from '../../support/sites/realDisks.ts'

/** Real images, made by the real qemu-img, come in and are compared with what they were made of. */
const VM = '99999999-3333-4333-8444-555555555555'
const MIB = 1048576
let site: RealDisks
let plain: string
beforeEach(async () => {
  site = await openRealDisks()
  plain = await pattern('plain.raw', 7)
})
afterEach(async () => await site.close())

const at = (name: string) => join(site.elsewhere, name)
const qemu = async (program: string, ...rest: string[]) =>
  await run(site.host, { argv: [program, ...rest], effect: 'change' })

/** 4 MiB with something here and there, that no compression makes nothing of. */
async function pattern(name: string, seed: number): Promise<string> {
  const bytes = Buffer.alloc(4 * MIB)
  let state = seed
  for (const start of [0, 1.5 * MIB, 4 * MIB - 70_000]) {
    for (let index = 0; index < 70_000; index++) {
      state = (state * 1103515245 + 12345) & 0x7fffffff
      bytes[start + index] = state >> 16
    }
  }
  writeFileSync(at(name), bytes)
  return at(name)
}

async function convert(from: string, format: string, name: string, ...options: string[]): Promise<string> {
  await qemu('qemu-img', 'convert', '-f', 'raw', '-O', format, ...options, from, at(name))
  return at(name)
}

const base = () => ({ storlink: site.storlink, memory: 256, uuid: VM, name: 'imported' })
const imports = (file: string, more: object = {}) => act(site, 'vm.import', { ...base(), file, ...more })
const refusal = async (file: string, more: object = {}) => {
  const words = await refusalOf(site, 'vm.import', { ...base(), file, ...more })
  expect(readdirSync(site.dir).filter((name) => !name.startsWith('.'))).toEqual([])
  return words
}

async function expectHolds(index: number, raw: string): Promise<void> {
  const { path, format } = site.engine.view.needVm(VM).disks[index]!
  expect(await fileVolumes.compare(site.host, { path, format }, { path: raw, format: 'raw' })).toBe(true)
}

test.each([
  ['qcow2', 'qcow2', []],
  ['qcow2, compressed', 'qcow2', ['-c']],
  ['qcow2 of version 2', 'qcow2', ['-o', 'compat=0.10']],
  ['VMDK', 'vmdk', []],
  ['VMDK as OVAs hold it', 'vmdk', ['-o', 'subformat=streamOptimized']],
  ['VHD', 'vpc', ['-o', 'force_size=on']],
  ['VHD of fixed size', 'vpc', ['-o', 'subformat=fixed,force_size=on']],
  ['VHDX', 'vhdx', []],
  ['raw', 'raw', []],
] as const)('%s', async (_, format, options) => {
  const file = await convert(plain, format, 'disk.image', ...options)
  const before = readFileSync(file)
  for (const diskFormat of ['qcow2', 'raw']) {
    await imports(file, { diskFormat })
    expect(site.engine.view.needVm(VM)).toMatchObject({ name: 'imported', memoryMib: 256, seen: { state: 'shutdown' } })
    expect(site.engine.view.needVm(VM).disks).toMatchObject([
      { vdev: 'xvda', sizeMib: 4, format: diskFormat, owned: true },
    ])
    await expectHolds(0, plain)
    await act(site, 'vm.delete', { vm: VM })
  }
  expect(readFileSync(file).equals(before)).toBe(true)
})

test('several images are disks in their order, and where nothing names a format that is said', async () => {
  const other = await pattern('other.raw', 9)
  await imports(plain, { disks: await convert(other, 'qcow2', 'other.qcow2') })
  await expectHolds(0, plain)
  await expectHolds(1, other)
  const { messages } = {
    messages: site.engine.view
      .jobs()
      .map(({ message }) => message ?? '')
      .join('\n'),
  }
  expect(messages).toContain(`${plain} is taken for the bare bytes of a disk (raw)`)
  expect(messages).not.toContain('other.qcow2 is taken')
})

test('what a person says of the format holds, and an image is then a disk’s bytes', async () => {
  const file = await convert(plain, 'qcow2', 'disk.qcow2')
  await imports(file, { format: 'raw' })
  await expectHolds(0, file)
})

async function ova(disks: readonly string[], more: Partial<Parameters<typeof ovfOf>[0]> = {}): Promise<string> {
  const members = disks.map((path, index) => ({ name: `disk${index}.vmdk`, bytes: readFileSync(path) }))
  const ovf = ovfOf({ disks: members.map(({ name }) => ({ href: name, capacity: 4 * MIB })), ...more })
  writeFileSync(at('shop.ova'), ovaOf(ovf, members))
  return at('shop.ova')
}

const stream = (from: string, name: string) => convert(from, 'vmdk', name, '-o', 'subformat=streamOptimized')

test('an OVA says what VM it is; nothing of it is unpacked', async () => {
  const other = await pattern('other.raw', 9)
  const file = await ova([await stream(plain, 'a.vmdk'), await stream(other, 'b.vmdk')], {
    name: 'shop',
    memoryMib: 384,
    nics: 2,
  })
  await act(site, 'vm.import', { file, storlink: site.storlink, uuid: VM })
  const vm = site.engine.view.needVm(VM)
  expect(vm).toMatchObject({
    name: 'shop',
    memoryMib: 384,
    vcpuCount: 2,
    type: 'hvm',
    nics: [{ bridge: '' }, { bridge: '' }],
  })
  await expectHolds(0, plain)
  await expectHolds(1, other)
  expect(readdirSync(site.dir).filter((name) => !name.startsWith('.'))).toHaveLength(2)
})

test('params win over what an OVA says', async () => {
  const file = await ova([await stream(plain, 'a.vmdk')], { name: 'shop' })
  await imports(file, { vcpus: 3, bridges: 'xenbr0' })
  expect(site.engine.view.needVm(VM)).toMatchObject({
    name: 'imported',
    memoryMib: 256,
    vcpuCount: 3,
    nics: [{ bridge: 'xenbr0' }],
  })
})

test('an OVA that was changed is not what its digests say, and nothing of it is left', async () => {
  const file = await ova([await stream(plain, 'a.vmdk')], { name: 'shop' })
  const bytes = readFileSync(file)
  const offset = bytes.length - 1024 - 512 * 6
  bytes[offset] = bytes[offset]! ^ 0xff
  writeFileSync(file, bytes)
  const started = await site.engine.start('vm.import', site.engine.decode('vm.import', { ...base(), file }), 'cli')
  const { job } = await site.engine.finished(started.id)
  expect([job.state, job.message]).toEqual(['undone', expect.stringContaining('is not what its digest says')])
  expect(site.engine.view.getVm(VM)).toBeUndefined()
  expect(readdirSync(site.dir).filter((name) => !name.startsWith('.'))).toEqual([])
})

test('what would read another file of the host is refused before anything opens it', async () => {
  const secret = await pattern('secret.raw', 3)
  await qemu('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', secret, '-F', 'raw', at('backed.qcow2'))
  expect(await refusal(at('backed.qcow2'))).toMatch(/refused: .* lies on a backing file/)
  await qemu(
    'qemu-img',
    'create',
    '-q',
    '-f',
    'qcow2',
    '-o',
    `data_file=${at('data.raw')},data_file_raw=on`,
    at('data.qcow2'),
    '4M',
  )
  expect(await refusal(at('data.qcow2'))).toMatch(/refused: .* has its bytes in another file/)
  await convert(plain, 'vmdk', 'flat.vmdk', '-o', 'subformat=monolithicFlat')
  expect(await refusal(at('flat.vmdk'))).toMatch(/refused: .* only names the files in which its bytes lie/)
  const parent = await convert(plain, 'vmdk', 'parent.vmdk')
  await qemu('qemu-img', 'create', '-q', '-f', 'vmdk', '-b', parent, '-F', 'vmdk', at('child.vmdk'))
  expect(await refusal(at('child.vmdk'))).toMatch(/refused: .* holds only what differs from another/)
})

test('an OVA’s disk that would read another file of the host is refused too', async () => {
  await qemu('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', plain, '-F', 'raw', at('backed.qcow2'))
  const file = await ova([at('backed.qcow2')])
  expect(await refusal(file)).toMatch(/refused: disk0\.vmdk in .* lies on a backing file/)
})

test.each([
  ['qcow2', []],
  ['vmdk', []],
  ['vmdk', ['-o', 'subformat=streamOptimized']],
  ['vpc', []],
  ['vhdx', []],
] as const)('an image that is cut off is refused: %s %p', async (format, options) => {
  const file = await convert(plain, format, 'cut.image', ...options)
  truncateSync(file, Math.floor((readFileSync(file).length * 0.6) / 512) * 512)
  expect(await refusal(file)).toMatch(/refused: .*(cut off|truncated|damaged|cannot be opened)/)
})

test('an OVA that lies, or is cut off, is refused', async () => {
  const disk = await stream(plain, 'a.vmdk')
  const member = { name: 'disk0.vmdk', bytes: readFileSync(disk) }
  const words = { href: 'disk0.vmdk', capacity: 4 * MIB }
  const put = (tar: Buffer) => writeFileSync(at('x.ova'), tar)
  const said = async (tar: Buffer) => {
    put(tar)
    return await refusal(at('x.ova'))
  }
  expect(await said(ovaOf(ovfOf({ disks: [{ ...words, capacity: 64 * MIB }] }), [member]))).toMatch(
    /says that the disk in disk0.vmdk has 67108864 bytes, and it has 4194304/,
  )
  expect(await said(ovaOf(ovfOf({ disks: [{ ...words, more: 'ovf:size="9"' }] }), [member]))).toMatch(
    /says that disk0.vmdk has 9 bytes, and it has/,
  )
  expect(await said(ovaOf(ovfOf({ disks: [{ ...words, href: 'other.vmdk' }] }), [member]))).toMatch(
    /speaks of "other.vmdk", which is not in it/,
  )
  expect(await said(tarOf([member]))).toMatch(/there is no .ovf in it/)
  const whole = ovaOf(ovfOf({ disks: [words] }), [member])
  expect(await said(whole.subarray(0, whole.length - 3000))).toMatch(/is cut off/)
  const ovf = { name: 'x.ovf', bytes: ovfOf({ disks: [words] }) }
  expect(await said(tarOf([ovf, { name: 'x.mf', bytes: manifestOf([ovf]) }, member]))).toMatch(
    /says nothing of disk0.vmdk/,
  )
  expect(await said(tarOf([ovf, { name: 'x.mf', bytes: 'nonsense' }, member]))).toMatch(/is no list of digests/)
  expect(await said(tarOf([ovf, { ...ovf, name: 'y.ovf' }, member]))).toMatch(/2 OVFs in it/)
  expect(await said(tarOf([ovf, { name: 'disk0.vmdk', bytes: '/etc/shadow', type: '2' }]))).toMatch(
    /is a symbolic link/,
  )
})

test('what is no disk is refused by what it is', async () => {
  const packed = Bun.gzipSync(readFileSync(plain))
  writeFileSync(at('disk.raw.gz'), packed)
  expect(await refusal(at('disk.raw.gz'))).toMatch(/compressed with gzip: unpack it first/)
  mkdirSync(at('dir'))
  expect(await refusal(at('dir'))).toMatch(/is a directory, and no file/)
  symlinkSync('/dev/zero', at('zero'))
  expect(await refusal(at('zero'))).toMatch(/is a character special file, and no file/)
  expect(await refusal(at('none'))).toMatch(/invalid: file: there is no file/)
  writeFileSync(at('empty'), '')
  expect(await refusal(at('empty'))).toMatch(/is empty/)
  expect(await refusal(plain, { format: 'qcow2' })).toMatch(/is no qcow2 image: nothing in it says so/)
})

test('a disk of a size that no place has is refused before anything is written', async () => {
  await qemu('qemu-img', 'create', '-q', '-f', 'qcow2', at('huge.qcow2'), '60T')
  expect(await refusal(at('huge.qcow2'))).toMatch(/noSpace: a disk of \d+ MiB is larger than real/)
})

test('where no name is given it is the file’s, also before it is known which UUID the VM gets', async () => {
  const file = await convert(plain, 'qcow2', 'web-7.qcow2')
  const params = site.engine.decode('vm.import', { file, storlink: site.storlink, memory: 256 })
  expect(site.engine.refuse('vm.import', params)).toBeUndefined()
  await act(site, 'vm.import', { file, storlink: site.storlink, memory: 256, uuid: VM })
  expect(site.engine.view.needVm(VM).name).toBe('web-7')
  const words = await refusalOf(site, 'vm.import', { file, storlink: site.storlink, memory: 256 })
  expect(words).toMatch(/refused: the name web-7 is taken by VM/)
})
