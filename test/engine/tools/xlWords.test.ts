import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type DiskSpec, formatDisk, parseDisk } from '../../../src/engine/tools/xl/disk.ts'
import { type DiskChange, editDiskItem } from '../../../src/engine/tools/xl/diskWords.ts'
import { editNicItem, parseNic } from '../../../src/engine/tools/xl/nic.ts'

test('the words of a disk change and no others, whichever way they are said', () => {
  const changed: [string, DiskChange, string][] = [
    ['phy:/dev/vg/a,xvda,w', { path: '/dev/vg/b' }, 'phy:/dev/vg/b,xvda,w'],
    ['/dev/vg/a, , xvda, w', { path: '/srv/a.qcow2', format: 'qcow2' }, '/srv/a.qcow2, qcow2, xvda, w'],
    ['/dev/vg/a,raw,xvda', { readOnly: true }, '/dev/vg/a,raw,xvda,ro'],
    ['file:/a,hda,r', { readOnly: false }, 'file:/a,hda,w'],
    ['tap:qcow2:/a.qcow2,xvda,w', { path: '/b.vhd', format: 'vhd' }, 'tap:vhd:/b.vhd,xvda,w'],
    ['vdev=xvda, format=qcow2,target=/a', { path: '/b, c' }, 'vdev=xvda, format=qcow2,target=/b, c'],
    ['vdev=xvda,target=/a,', { path: '/b,' }, 'vdev=xvda,target=/b,,'],
    [
      'vdev=xvda,target=/a',
      { format: 'qcow2', backend: 'qdisk' },
      'vdev=xvda,format=qcow2,backendtype=qdisk,target=/a',
    ],
    ['/a,qcow2,xvda,w,discard', { backend: 'qdisk' }, '/a,qcow2,xvda,w,discard,backendtype=qdisk'],
    ['/a,qcow2,xvda,w, backendtype=qdisk', { backend: undefined }, '/a,qcow2,xvda,w'],
    ['backendtype=qdisk,vdev=xvda, target=/a', { backend: undefined }, 'vdev=xvda, target=/a'],
    ['/a,raw,xvda,access=rw,script=x', { readOnly: true }, '/a,raw,xvda,access=ro,script=x'],
    ['phy:/dev/vg/a,xvda,w', {}, 'phy:/dev/vg/a,xvda,w'],
    ['phy:/dev/vg/a,xvda,w', { path: '/dev/vg/a', backend: undefined }, 'phy:/dev/vg/a,xvda,w'],
    // drives: emptied, filled
    ['/a.iso,,hdc,cdrom', { path: '' }, ',,hdc,cdrom'],
    ['file:/a.iso,hdc:cdrom,r', { path: '/b.iso' }, 'file:/b.iso,hdc:cdrom,r'],
    [',hdc:cdrom,r', { path: '/a.iso' }, '/a.iso,,hdc:cdrom,r'],
    ['/a.iso,,hdc:cdrom,r', { path: '' }, ',hdc:cdrom,r'],
    [',hda:disk,r', { path: '/a', format: 'qcow2' }, '/a,qcow2,hda:disk,r'],
    [',empty,hdc,cdrom', { path: '/a.iso' }, '/a.iso,raw,hdc,cdrom'],
    ['devtype=cdrom,vdev=hdc', { path: '/a.iso' }, 'devtype=cdrom,vdev=hdc,target=/a.iso'],
    ['format=empty,vdev=hdc,access=ro,cdrom,target=', { path: '/a' }, 'format=raw,vdev=hdc,access=ro,cdrom,target=/a'],
  ]
  for (const [item, to, result] of changed) expect([item, editDiskItem(item, to)]).toEqual([item, result])
})

test('what the words cannot say is written anew, and all the rest of it is kept', () => {
  const anew: [string, DiskChange, string][] = [
    ['phy:/dev/vg/a,xvda,w', { path: '/a.qcow2', format: 'qcow2' }, 'format=qcow2,vdev=xvda,access=rw,target=/a.qcow2'],
    ['file:/a,xvda,r', { path: '/dev/vg/a' }, 'format=raw,vdev=xvda,access=ro,target=/dev/vg/a'],
    ['/a,raw,xvda,w,discard', { path: '/b,c' }, 'format=raw,vdev=xvda,access=rw,discard,target=/b,c'],
    ['/a,raw,xvda', { path: 'nfs:/b' }, 'format=raw,vdev=xvda,access=rw,target=nfs:/b'],
    ['drbd:r0,hdc:cdrom', { path: 'a=b' }, 'format=raw,vdev=hdc,access=ro,devtype=cdrom,script=block-drbd,target=a=b'],
  ]
  for (const [item, to, result] of anew) expect([item, editDiskItem(item, to)]).toEqual([item, result])
  expect(() => editDiskItem('/a,raw', { path: '/b' })).toThrow(/it has no vdev/)
})

const blank = fc.constantFrom('', '', '', ' ')
const path = fc.constantFrom('/a', '/dev/vg/b', '/c d.qcow2', 'r0', 'é\udcff')
const format = fc.constantFrom('', 'raw', 'qcow2', 'vhd', 'qed')
const vdev = fc.constantFrom('xvda', 'hdc', 'sda1', 'd0p1')
const access = fc.constantFrom('r', 'w', 'ro', 'rw', '')
const others = fc.subarray(['discard', 'script=block-x', 'backendtype=qdisk', 'specification=xen', 'trusted'], {
  maxLength: 2,
})
const type = fc.constantFrom('', '', 'cdrom', 'devtype=cdrom', 'devtype=disk')
const prefix = fc.constantFrom('phy:', 'file:', 'tap:aio:', 'tap:qcow2:', 'vhd:', 'tap2:raw:', 'iscsi:')
const joined = (words: fc.Arbitrary<string[]>) =>
  fc.tuple(words, fc.array(blank, { minLength: 12, maxLength: 12 }), fc.boolean()).map(([all, blanks, hasEnd]) => {
    const text = all.map((word, index) => blanks[index % 12]! + word).join(',')
    return hasEnd && !text.includes('target=') ? `${text},` : text
  })
const some = <T>(one: fc.Arbitrary<T>, say: (value: T) => string) => fc.option(one.map(say), { nil: '' })
const positional = joined(
  fc
    .tuple(path, format, vdev, fc.option(access, { nil: undefined }), others, type)
    .map(([p, f, v, a, o, t]) => [...[p, f, v], ...(a === undefined ? [] : [a]), ...o, ...(t === '' ? [] : [t])]),
)
const prefixed = joined(
  fc.tuple(prefix, path, vdev, fc.constantFrom('', ':cdrom', ':disk'), access, others).map(([p, at, v, t, a, o]) => {
    // this prefix names a script itself
    const words = o.filter((word) => p !== 'iscsi:' || !word.startsWith('script='))
    return [`${p}${at}`, `${v}${t}`, a, ...words]
  }),
)
const named = joined(
  fc
    .tuple(
      fc.tuple(
        some(format, (value) => `format=${value}`),
        vdev.map((value) => `vdev=${value}`),
        some(access, (value) => `access=${value}`),
        type,
      ),
      others,
      fc.oneof(path, fc.constantFrom('/a,b', 'iqn=x,y', '/z,,')),
    )
    .chain(([words, more, target]) =>
      fc
        .shuffledSubarray(
          [...words, ...more].filter((word) => word !== ''),
          { minLength: 1 },
        )
        .map((all) => [
          ...(all.some((word) => word.startsWith('vdev')) ? all : [...all, words[1]]),
          `target=${target}`,
        ]),
    ),
)
const mixed = joined(
  fc
    .tuple(
      path,
      vdev,
      some(access, (value) => `access=${value}`),
      others,
    )
    .map(([p, v, a, o]) => [...[p, `vdev=${v}`], ...(a === '' ? [] : [a]), ...o]),
)
const emptyDrive = fc.constantFrom(
  ...[
    ',hdc:cdrom,r',
    ',empty,hdc,cdrom',
    ',,hdc,,cdrom',
    'vdev=hdc,cdrom',
    'devtype=cdrom,vdev=hdc,target=',
    'phy:,hdd:cdrom,r',
  ],
)
const ITEMS = { positional, prefixed, named, mixed, emptyDrive }
const anyItem = fc.oneof(
  ...Object.entries(ITEMS).map(([form, items]) => items.map((item): [string, string] => [form, item])),
)
const anyChange: fc.Arbitrary<DiskChange> = fc.record(
  {
    path: fc.constantFrom('/n', '/dev/n', '/n,m', 'x:y', 'nbd:z', 'a=b', 'cdrom', '', '/n m', '/end,'),
    format: fc.constantFrom('raw' as const, 'qcow2' as const, 'vhd' as const),
    readOnly: fc.boolean(),
    backend: fc.constantFrom('phy', 'qdisk', undefined),
  },
  { requiredKeys: [] },
)

test('any specification reads as it was meant, and its other words stand as they stood', () => {
  const reached = new Map<string, number>()
  fc.assert(
    fc.property(anyItem, anyChange, ([form, item], to) => {
      const before = parseDisk(item)
      const result = editDiskItem(item, to)
      const after = parseDisk(result)
      const isEmpty = before.cdrom && (to.path ?? before.path) === ''
      const wanted = to.format ?? (before.format === 'empty' ? 'raw' : before.format)
      const meant: Record<keyof DiskSpec, unknown> = {
        path: to.path ?? before.path,
        format: isEmpty ? 'empty' : wanted,
        vdev: before.vdev,
        readOnly: before.cdrom || (to.readOnly ?? before.readOnly),
        cdrom: before.cdrom,
        backend: 'backend' in to ? to.backend : before.backend,
        extra: before.extra,
      }
      expect<object>({ ...after, backend: after.backend, extra: after.extra }).toEqual(meant)
      const isAnew = result === formatDisk(after) && result !== item
      const name = `${form}${isAnew ? ' anew' : ''}`
      reached.set(name, (reached.get(name) ?? 0) + 1)
      if (isAnew) return
      const isOther = (word: string) => /^(?!target|access|format|backendtype)[^=]*=/.test(word)
      const kept = (text: string) =>
        text
          .replace(/target=.*/s, '')
          .split(',')
          .map((word) => word.trim())
          .filter(isOther)
      expect(kept(result)).toEqual(kept(item))
      if (to.path === undefined && to.format === undefined) {
        // access and backend alone: positions and prefixes stay
        const positions = (text: string) =>
          text
            .replace(/target=.*/s, '')
            .split(',')
            .slice(0, 2)
        if (form === 'positional' || form === 'prefixed') expect(positions(result)).toEqual(positions(item))
      }
    }),
    { numRuns: 6000 },
  )
  const forms = Object.keys(ITEMS).flatMap((form) => (form === 'named' ? [form] : [form, `${form} anew`]))
  expect(forms.filter((form) => (reached.get(form) ?? 0) < 50)).toEqual([])
})

test('the words of an interface change and no others', () => {
  const edits: [string, Parameters<typeof editNicItem>[1], string][] = [
    ['mac=00:16:3E:00:00:01, bridge=br0,rate=1Mb/s', { bridge: 'br1' }, 'mac=00:16:3E:00:00:01, bridge=br1,rate=1Mb/s'],
    ['mac=00:16:3E:00:00:01,bridge=br0', { mac: '00:16:3e:00:00:01' }, 'mac=00:16:3E:00:00:01,bridge=br0'],
    ['bridge=br0', { bridge: '' }, ''],
    ['', { bridge: 'br0', model: 'e1000' }, 'bridge=br0,model=e1000'],
    ['bridge=br0, script=vif-x', { bridge: '', ip: '10.0.0.1' }, 'script=vif-x,ip=10.0.0.1'],
    ['bridge=br0, script=vif-x', { bridge: '' }, 'script=vif-x'],
    ['bridge=a,type=ioemu,bridge=b', { bridge: 'c' }, 'bridge=c,type=ioemu,bridge=c'],
    ['bridge=a,type=ioemu,bridge=b,', { bridge: '', model: '' }, 'type=ioemu,'],
    ['bridge=ovsbr0.10:20,script=vif-openvswitch', { ip: '' }, 'bridge=ovsbr0.10:20,script=vif-openvswitch'],
  ]
  for (const [item, to, result] of edits) expect([item, editNicItem(item, to)]).toEqual([item, result])
  expect(() => editNicItem('', { bridge: 'a,b' })).toThrow(/no bridge of an interface can hold a comma/)
})

test('any interface reads as it was meant', () => {
  const word = fc.constantFrom(
    'mac=00:16:3E:00:00:01',
    'bridge=br0',
    'ip=10.0.0.1',
    'model=e1000',
    'rate=1Mb/s',
    'type=vif',
    '',
  )
  const items = fc
    .array(
      fc.tuple(blank, word).map((parts) => parts.join('')),
      { maxLength: 6 },
    )
    .map((all) => all.join(','))
  const value = fc.constantFrom('', 'x', 'y z')
  const change = fc.record({ mac: value, bridge: value, ip: value, model: value }, { requiredKeys: [] })
  fc.assert(
    fc.property(items, change, (item, to) => {
      const { model, ...before } = parseNic(item, 0)
      const { model: modelAfter, ...after } = parseNic(editNicItem(item, to), 0)
      const { model: modelMeant, ...meant } = to
      expect(after).toEqual({ ...before, ...meant })
      expect(modelAfter ?? '').toBe(modelMeant ?? model ?? '')
    }),
    { numRuns: 2000 },
  )
})
