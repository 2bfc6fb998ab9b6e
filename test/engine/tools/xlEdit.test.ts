// A VM's configuration with one change: what is written is what was meant, and what was not meant stays byte for byte.
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseConfig } from '../../../src/engine/tools/xl/config.ts'
import { editConfig } from '../../../src/engine/tools/xl/edit.ts'
import { parseStatements } from '../../../src/engine/tools/xl/syntax.ts'
import { withImage } from '../../../src/model/drive.ts'
import type { VmSpec } from '../../../src/model/vm.ts'
import { anyChange, CHANGES, type Change, rewritten } from '../../support/configChanges.ts'

/** Statements of other keys, with what stands around them. */
function others(text: string, keys: readonly string[]): string[] {
  return parseStatements(text).flatMap(({ key, text: own }) => (keys.includes(key) ? [] : [own]))
}

const told = (spec: VmSpec) => ({
  ...spec,
  name: '',
  disks: [...spec.disks].sort((a, b) => (a.vdev < b.vdev ? -1 : 1)),
  drives: spec.drives.map(({ vdev, path }) => `${vdev} ${path}`).sort(),
  nics: spec.nics.map(({ name: _, ...nic }) => nic),
})

test('any file, any change: what is not touched is the same, what is read is what was meant', () => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(rewritten, anyChange, (text, { name, keys, change }) => {
      const before = parseConfig(text).spec
      const after = change(before)
      const written = editConfig(text, before, after, 'a.cfg')
      if (written !== text) seen.set(name, (seen.get(name) ?? 0) + 1)
      expect(told(parseConfig(written).spec)).toEqual(told(after))
      expect(others(written, keys)).toEqual(others(text, keys))
    }),
    { numRuns: 3000 },
  )
  expect([...seen.keys()].sort()).toEqual(CHANGES.map(({ name }) => name).sort())
  for (const [name, count] of seen) expect({ name, isTried: count > 20 }).toEqual({ name, isTried: true })
})

test('a disk and an interface that come and go leave the very bytes', () => {
  fc.assert(
    fc.property(rewritten, fc.constantFrom('attach', 'nic'), (text, which) => {
      const before = parseConfig(text).spec
      const after = CHANGES.find(({ name }) => name === which)!.change(before)
      const written = editConfig(text, before, after, 'a.cfg')
      const read = parseConfig(written).spec
      const back = { ...read, disks: before.disks, nics: read.nics.slice(0, before.nics.length), drives: before.drives }
      expect(editConfig(written, read, back, 'a.cfg')).toBe(text)
    }),
    { numRuns: 500 },
  )
})

describe('an administrator’s file', () => {
  const edit = (text: string, change: Change) => {
    const before = parseConfig(text).spec
    return editConfig(text, before, change(before), 'a.cfg')
  }
  const memory: Change = (vm) => ({ ...vm, memoryMib: 1024, maxmemMib: Math.max(1024, vm.maxmemMib) })

  test('memory is one word, whether it is quoted, a number of another base, or beside other statements', () => {
    expect(edit("name='a'; memory = '0x200' # half\nkernel='/k'\n", memory)).toBe(
      "name='a'; memory = '1024' # half\nkernel='/k'\n",
    )
    expect(edit('name="a"\nmemory=512;vcpus=1\n', memory)).toBe('name="a"\nmemory=1024;vcpus=1\n')
    expect(edit('name="a"\nmaxmem=512\n', memory)).toBe('name="a"\nmaxmem=1024\n')
    expect(edit('name="a"\nmemory=512\nmaxmem=2048\n', memory)).toBe('name="a"\nmemory=1024\nmaxmem=2048\n')
  })

  test('what is given as the most follows where it would be too little', () => {
    const vcpus =
      (count: number): Change =>
      (vm) => ({ ...vm, vcpuCount: count, maxVcpuCount: count })
    expect(edit('name="a"\nvcpus=1\nmaxvcpus=1\n', vcpus(2))).toBe('name="a"\nvcpus=2\nmaxvcpus=2\n')
    expect(edit('name="a"\nmemory=512\nmaxmem=512\n', memory)).toBe('name="a"\nmemory=1024\nmaxmem=1024\n')
    expect(edit('name="a"\nmaxvcpus=2\nvcpus=2\n', vcpus(4))).toBe('name="a"\nmaxvcpus=4\nvcpus=4\n')
  })

  test('a drive keeps its name and place, and its neighbours their words', () => {
    const text =
      "name='n'\nbuilder='hvm'\ndisk = [ 'file:/data/nested.img,hdc,w', 'file:/data/iso/inst-8.1.iso,hdb:cdrom,r' ]\n"
    expect(edit(text, memory)).toContain("'file:/data/nested.img,hdc,w', 'file:/data/iso/inst-8.1.iso,hdb:cdrom,r'")
    expect(edit(text, (vm) => withImage(vm, 'hdb', '/x.iso'))).toBe(text.replace('/data/iso/inst-8.1.iso', '/x.iso'))
  })

  test('what cannot be changed safely is refused with where and why', () => {
    const refused = (text: string, change: Change) => () => edit(text, change)
    expect(refused('name="a"\nmemory=1\nmemory=512\n', memory)).toThrow(/^a\.cfg:2: memory is given again in line 3/)
    expect(refused('name="a"\nname+="b"\nmemory=1\n', (vm) => ({ ...vm, domainName: 'c' }))).toThrow(
      /^a\.cfg:1: name is put together/,
    )
    const twice = "name='a'\nkernel='/k'\ndisk=['/a,raw,xvda,w','/b,raw,xvda,w']\n"
    expect(refused(twice, (vm) => ({ ...vm, disks: vm.disks.slice(1) }))).toThrow(/two disks are xvda/)
    expect(edit(twice, memory)).toContain('memory = 1024')
    expect(refused('name="a"\ntype="hvm"\n', ({ vnc: _, ...vm }) => vm)).toThrow(/its display/)
  })
})
