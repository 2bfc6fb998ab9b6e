import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseManifest, parseOvf } from '../../../src/engine/tools/transfer/ovf.ts'
import { type OvfWords, ovfOf } from '../../support/ova.ts'

const GIB = 1024 ** 3
const DISKS = [
  { href: 'a.vmdk', capacity: 8 * GIB },
  { href: 'b.vmdk', capacity: GIB },
]
const problem = (text: string) => {
  const result = parseOvf(text)
  return result.ok ? 'none' : result.problem
}
const changed = (words: OvfWords, from: string | RegExp, to: string) => {
  const text = ovfOf(words)
  const other = text.replace(from, to)
  expect(other).not.toBe(text)
  return other
}

test('says name, memory, CPUs, interfaces, and disks in the order in which the guest has them', () => {
  expect(parseOvf(ovfOf({ name: 'shop', memoryMib: 2048, vcpus: 4, nics: 2, disks: DISKS }))).toEqual({
    ok: true,
    vm: {
      name: 'shop',
      memoryMib: 2048,
      vcpus: 4,
      isUefi: false,
      disks: [
        { bytes: 8 * GIB, file: { href: 'a.vmdk' } },
        { bytes: GIB, file: { href: 'b.vmdk' } },
      ],
      nicCount: 2,
      notices: [],
    },
  })
})

test.each([
  ['byte * 2^30', 8 * 2 ** 30],
  ['byte*2^20', 8 * 2 ** 20],
  ['MegaBytes', 8 * 2 ** 20],
  ['GB', 8 * 2 ** 30],
  ['bytes', 8],
])('capacity in units of %s', (units, bytes) => {
  const text = changed(
    { disks: [{ href: 'a', capacity: 8 }] },
    'capacityAllocationUnits="byte"',
    `capacityAllocationUnits="${units}"`,
  )
  const result = parseOvf(text)
  expect(result.ok && result.vm.disks[0]!.bytes).toBe(bytes)
})

test('firmware that others call efi; a disk without a file is empty; one of no VM is left out', () => {
  const efi = ovfOf({
    disks: DISKS,
    more: '<vmw:Config xmlns:vmw="x" ovf:required="false" vmw:key="firmware" vmw:value="efi"/>',
  })
  const result = parseOvf(
    efi
      .replace('ovf:fileRef="file1"', '')
      .replace(/ovf:\/disk\/disk0/, 'ovf:/disk/disk1')
      .replace(/<Item>(?:(?!<Item>).)*ovf:\/disk\/disk1.*?<\/Item>/s, ''),
  )
  expect(result).toMatchObject({
    ok: true,
    vm: { isUefi: true, disks: [{ bytes: GIB }], notices: ['disk disk0 of the OVF belongs to no VM: left out'] },
  })
})

test.each([
  ['<a>', /is not closed/],
  ['<Domain/>', /an OVF begins with <Envelope>/],
  ['<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Envelope>&a;</Envelope>', /document types/],
  ['<Envelope><VirtualSystemCollection/></Envelope>', /several VMs/],
  ['<Envelope/>', /describes no VM/],
  [changed({ disks: DISKS }, '"a.vmdk"', '"../../etc/shadow"'), /outside of the archive/],
  [changed({ disks: DISKS }, '"a.vmdk"', '"..%2F..%2Fetc/shadow"'), /outside of the archive/],
  [changed({ disks: DISKS }, '"a.vmdk"', '"/etc/shadow"'), /outside of the archive/],
  [changed({ disks: DISKS }, '"a.vmdk"', '"http://example.org/a.vmdk"'), /outside of the archive/],
  [changed({ disks: DISKS }, '"a.vmdk"', '"file:///etc/shadow"'), /outside of the archive/],
  [
    changed({ disks: DISKS }, 'ovf:href="a.vmdk"', 'ovf:href="a.vmdk" ovf:compression="gzip"'),
    /is compressed \(gzip\)/,
  ],
  [changed({ disks: DISKS }, 'ovf:href="a.vmdk"', 'ovf:href="a.vmdk" ovf:chunkSize="9"'), /several files/],
  [changed({ disks: DISKS }, 'ovf:href="a.vmdk"', 'ovf:href="a.vmdk" href="b"'), /says href twice/],
  [changed({ disks: DISKS }, `ovf:capacity="${8 * GIB}"`, 'ovf:capacity="99999999999999999999"'), /is no size/],
  [changed({ disks: DISKS }, `ovf:capacity="${8 * GIB}"`, 'ovf:capacity="-1"'), /is no size/],
  [changed({ disks: DISKS }, 'AllocationUnits="byte"', 'AllocationUnits="furlong"'), /no unit that is known/],
  [changed({ disks: DISKS }, 'ovf:fileRef="file0"', 'ovf:fileRef="file9"'), /not among its <References>/],
  [changed({ disks: DISKS }, 'ovf:diskId="disk0"', 'ovf:diskId="disk1"'), /two <Disk> are called disk1/],
  [changed({ disks: DISKS }, 'ovf:/disk/disk0', 'ovf:/disk/disk1'), /disk disk1 is there twice/],
  [changed({ disks: DISKS }, 'ovf:diskId="disk0"', 'ovf:diskId="disk0" ovf:parentRef="x"'), /differs from another/],
  [changed({ disks: DISKS }, '>512<', '>lots<'), /no amount of memory/],
])('refuses what is not one VM within its archive (%#)', (text, why) => {
  expect(problem(text)).toMatch(why)
})

test('digests, one a line; anything else is no list of them', () => {
  const sha256 = 'ab'.repeat(32)
  expect(parseManifest(`SHA256(web01.ovf)= ${sha256}\r\nSHA1 (a b.vmdk) = ${'c'.repeat(40)}\n\n`)).toEqual([
    { name: 'web01.ovf', program: 'sha256sum', digest: sha256 },
    { name: 'a b.vmdk', program: 'sha1sum', digest: 'c'.repeat(40) },
  ])
  for (const wrong of [
    `MD5(a)= ${'0'.repeat(32)}`,
    'SHA256(a)= ab',
    `SHA256(a)= ${sha256}\nSHA1(a)= ${'0'.repeat(40)}`,
  ])
    expect(parseManifest(wrong)).toBeUndefined()
})

test('whatever text it is, it is read or refused in words, and no file is outside', () => {
  const good = ovfOf({ disks: DISKS })
  const mangled = fc
    .array(
      fc.record({
        at: fc.nat(good.length),
        length: fc.nat(30),
        text: fc.oneof(fc.string(), fc.constantFrom('../', '<Item>', '</Item>', '"', '&amp;', '0')),
      }),
      { maxLength: 4 },
    )
    .map((edits) =>
      edits.reduce((text, { at, length, text: put }) => text.slice(0, at) + put + text.slice(at + length), good),
    )
  fc.assert(
    fc.property(mangled, (text) => {
      const result = parseOvf(text)
      if (!result.ok) return expect(result.problem.length).toBeGreaterThan(0)
      for (const { file, bytes } of result.vm.disks) {
        expect(bytes).toBeGreaterThan(0)
        expect(file?.href ?? 'x').not.toMatch(/^\/|(^|\/)\.\.(\/|$)/)
      }
    }),
    { numRuns: 1000 },
  )
})
