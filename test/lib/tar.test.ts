import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { readTar, type TarResult } from '../../src/lib/tar.ts'
import { type Member, tarHeader, tarOf } from '../support/ova.ts'

const read = (tar: Buffer): Promise<TarResult> =>
  readTar(tar.byteLength, async (offset, length) => tar.subarray(offset, offset + length))
const problem = async (tar: Buffer) => {
  const result = await read(tar)
  return result.ok ? 'none' : result.problem
}
const file = (name: string, bytes = 'x', more: Partial<Member> = {}): Member => ({ name, bytes, ...more })

test('tells of each member where it lies', async () => {
  const tar = tarOf([file('a.ovf', 'x'.repeat(700)), file('./b.vmdk', ''), file('dir/c', 'yz')])
  expect(await read(tar)).toEqual({
    ok: true,
    members: [
      { name: 'a.ovf', offset: 512, bytes: 700 },
      { name: 'b.vmdk', offset: 2048, bytes: 0 },
      { name: 'dir/c', offset: 2560, bytes: 2 },
    ],
  })
})

test.each(['ustar', 'gnu', 'pax', 'v7', 'oldgnu'])('reads what tar writes as %s, be names long', async (format) => {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-tar-'))
  try {
    const long = format === 'v7' ? 'short.vmdk' : `${'n'.repeat(format === 'ustar' ? 90 : 180)}.vmdk`
    writeFileSync(join(dir, 'web01.ovf'), '<Envelope/>')
    writeFileSync(join(dir, long), 'b'.repeat(100_000))
    const made = Bun.spawnSync(['tar', `--format=${format}`, '-cf', 'x.tar', 'web01.ovf', long], { cwd: dir })
    expect(made.exitCode).toBe(0)
    const tar = readFileSync(join(dir, 'x.tar'))
    const result = await read(tar)
    if (!result.ok) throw new Error(result.problem)
    expect(result.members.map(({ name, bytes }) => [name, bytes])).toEqual([
      ['web01.ovf', 11],
      [long, 100_000],
    ])
    const [, disk] = result.members
    expect(tar.subarray(disk!.offset, disk!.offset + disk!.bytes).toString()).toBe('b'.repeat(100_000))
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test.each([
  [[file('../../etc/passwd')], /leads out of the archive/],
  [[file('a/../../b')], /leads out of the archive/],
  [[file('/etc/passwd')], /absolute name/],
  [[file('a', '', { type: '1' })], /is a link to another file/],
  [[file('a', '', { type: '2' })], /is a symbolic link/],
  [[file('a', '', { type: '3' })], /is a device/],
  [[file('a', '', { type: '4' })], /is a device/],
  [[file('a/', '', { type: '5' })], /is a directory/],
  [[file('a', '', { type: '6' })], /is a pipe/],
  [[file('a', '', { type: 'S' })], /unknown kind/],
  [[file('a'), file('./a')], /stands in it twice/],
  [[file('a\\b')], /characters that no name has/],
  [[file('')], /has no name/],
  [[file('a', 'x', { says: 10_000_000 })], /reaches beyond its end/],
  [[file('p', '20 path=../../x\n', { type: 'x' }), file('a')], /leads out of the archive/],
  [[file('p', '12 size=-9\n', { type: 'x' }), file('a')], /no size/],
  [[file('l', 'n', { type: 'L' })], /a name has no member/],
  [Array.from({ length: 300 }, (_, index) => file(`m${index}`)), /more than 200 members/],
] as const)('refuses what is no plain file of a plain name (%#)', async (members, why) => {
  expect(await problem(tarOf(members))).toMatch(why)
})

test('refuses what is cut off, at whatever byte', async () => {
  const tar = tarOf([file('a.ovf', 'x'.repeat(700)), file('b', 'y'.repeat(2000))])
  const whole = tar.byteLength - 1024
  for (let length = 0; length < whole + 512; length += 97) {
    expect(await problem(tar.subarray(0, length))).toMatch(/cut off|beyond its end/)
  }
})

test('refuses a header that was changed', async () => {
  const tar = tarOf([file('a', 'xyz')])
  tar.write('b', 0)
  expect(await problem(tar)).toBe('it holds a header that is damaged (at byte 0)')
})

test('a size of more digits than there is room for is read as GNU writes it', async () => {
  const header = tarHeader(file('a', ''))
  header.fill(0, 124, 136)
  header[124] = 0x80
  header.writeBigUInt64BE(9_663_676_416n, 128)
  header.write('        ', 148)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const total = 512 + 9_663_676_416 + 1024
  const sparse = await readTar(total, async (offset, length) => {
    const bytes = Buffer.alloc(length)
    if (offset === 0) header.copy(bytes)
    return bytes
  })
  expect(sparse).toEqual({ ok: true, members: [{ name: 'a', offset: 512, bytes: 9_663_676_416 }] })
})

test('whatever is mangled, each member lies within and has a plain name, once, or nothing is read', async () => {
  const good = tarOf([file('a.ovf', 'x'.repeat(600)), file('a.mf', 'y'), file('disk.vmdk', 'z'.repeat(5000))])
  const mangled = fc
    .tuple(
      fc.array(fc.record({ at: fc.nat(good.byteLength - 1), byte: fc.nat(255) }), { maxLength: 12 }),
      fc.nat(good.byteLength),
      fc.boolean(),
    )
    .map(([changes, length, sums]) => {
      const tar = Buffer.from(good)
      for (const { at, byte } of changes) tar[at] = byte
      // with sums that are right again, what stands behind them is met too
      if (sums) for (let at = 0; at < 2048; at += 512) if (tar[at + 257] === 0x75) resum(tar.subarray(at, at + 512))
      return length % 3 === 0 ? tar.subarray(0, length) : tar
    })
  await fc.assert(
    fc.asyncProperty(mangled, async (tar) => {
      const result = await read(tar)
      if (!result.ok) return
      expect(new Set(result.members.map(({ name }) => name)).size).toBe(result.members.length)
      for (const { name, offset, bytes } of result.members) {
        expect(offset + bytes).toBeLessThanOrEqual(tar.byteLength)
        expect(name).not.toMatch(/^\/|(^|\/)\.\.(\/|$)|[\u0000-\u001f\\]/)
      }
    }),
    { numRuns: 2000 },
  )
})

function resum(header: Buffer): void {
  header.write('        ', 148, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
}
