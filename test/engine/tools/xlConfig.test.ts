import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatConfig, parseConfig } from '../../../src/engine/tools/xlConfig.ts'
import type { Disk } from '../../../src/model/disk.ts'
import type { Nic } from '../../../src/model/nic.ts'
import { domainNameFor, type VmSpec, type VmType } from '../../../src/model/vm.ts'
import { expectGolden } from '../../support/golden.ts'

const UUID = '1736f6d0-4829-4505-aafa-deb413df388f'

const disk = (vdev: string, path: string, rest: Partial<Disk> = {}): Disk => ({
  uuid: '',
  vdev,
  format: 'qcow2',
  path,
  readOnly: false,
  owned: false,
  desc: '',
  createdAt: 0,
  ...rest,
})
const nic = (index: number, rest: Partial<Nic> = {}): Nic => ({
  id: 0,
  name: `eth${index}`,
  mac: `00:16:3e:00:00:0${index}`,
  bridge: 'xenbr0',
  ip: '',
  ...rest,
})
const spec = (rest: Partial<VmSpec> = {}): VmSpec => ({
  name: 'web01',
  domainName: 'web01',
  type: 'pv',
  vcpuCount: 2,
  maxVcpuCount: 4,
  memoryMib: 1024,
  maxmemMib: 2048,
  boot: { kernel: '/boot/vmlinuz', ramdisk: '/boot/initrd', cmdline: 'root=/dev/xvda1 console=hvc0' },
  disks: [disk('xvda', '/srv/web01.qcow2')],
  nics: [nic(0)],
  extraConfig: '',
  ...rest,
})

const SPECS: Record<string, VmSpec> = {
  'pv-kernel': spec(),
  'pv-pygrub-vnc': spec({
    boot: { bootloader: 'pygrub' },
    vnc: { listen: '0.0.0.0', password: 'Geheim7', display: 3 },
    disks: [disk('xvda', '/dev/vg/web01', { format: 'raw', backend: 'qdisk' })],
  }),
  'pv-pvgrub': spec({ boot: { firmware: 'pvgrub64' }, nics: [] }),
  pvh: spec({
    type: 'pvh',
    name: 'Web & "Mail"',
    domainName: `vm-${UUID}`,
    vnc: { listen: '127.0.0.1', password: 'x' },
  }),
  'hvm-iso-vnc': spec({
    type: 'hvm',
    boot: { firmware: 'uefi', order: 'dc' },
    iso: '/srv/iso/debian 12, netinst.iso',
    vnc: { listen: '127.0.0.1', password: 'a"b\\c,d' },
    disks: [disk('xvda', '/srv/a.qcow2'), disk('xvdb', '/srv/b.vhd', { format: 'vhd', readOnly: true })],
    nics: [nic(0, { model: 'e1000', ip: '10.0.0.9' }), nic(1, { extra: 'script=vif-route,rate=10Mb/s', bridge: '' })],
  }),
  'hvm-no-display': spec({ type: 'hvm', boot: {}, disks: [] }),
  'extra-kept': spec({
    extraConfig:
      '# for the office\nsoundhw = "hda"  # intel\nusbdevice = [\n  "tablet",\n]\ndisk += [ ",hdd:cdrom,r" ]',
  }),
}

describe('configurations as they are written', () => {
  for (const [name, value] of Object.entries(SPECS)) {
    test(name, () => {
      const text = formatConfig(UUID, value)
      expectGolden(`xl/${name}.cfg`, text)
      expect(parseConfig(text)).toMatchObject({ spec: value, uuid: UUID })
    })
  }
})

const word = fc.stringMatching(/^[A-Za-z0-9_.+:@-]{1,12}$/)
const anyText = fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 30 })
const filePath = anyText.map((text) => `/${text}`)
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const defined = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T

const anyDisk = (letter: string): fc.Arbitrary<Disk> =>
  fc
    .record({
      path: filePath,
      format: fc.constantFrom('qcow2', 'raw', 'vhd'),
      readOnly: fc.boolean(),
      backend: optional(fc.constantFrom('qdisk', 'phy')),
      extra: optional(fc.constantFrom('discard', 'script=block-x', 'direct-io-safe,backend=dd')),
    })
    .map((value) => defined(disk(`xvd${letter}`, value.path, value as Partial<Disk>)))

const anySpec: fc.Arbitrary<VmSpec> = fc
  .record({
    name: anyText.filter((text) => !/[\n\r/\p{Cc}]/u.test(text) && text === text.trim()),
    type: fc.constantFrom<VmType>('pv', 'pvh', 'hvm'),
    vcpuCount: fc.integer({ min: 1, max: 64 }),
    moreVcpus: fc.integer({ min: 0, max: 64 }),
    memoryMib: fc.integer({ min: 1, max: 1_000_000 }),
    moreMib: fc.integer({ min: 0, max: 1_000_000 }),
    boot: fc.record({
      kernel: optional(filePath.filter((path) => !path.endsWith('hvmloader'))),
      ramdisk: optional(filePath),
      cmdline: optional(anyText),
      bootloader: optional(word),
      firmware: optional(word),
    }),
    order: optional(fc.constantFrom('c', 'dc', 'ncd')),
    vnc: optional(
      fc.record({
        listen: fc.constantFrom('127.0.0.1', '0.0.0.0', '::1'),
        password: optional(fc.stringMatching(/^[A-Za-z0-9"'\\#;=]{1,8}$/)),
        display: optional(fc.nat(99)),
      }),
    ),
    iso: optional(filePath),
    disks: fc.tuple(anyDisk('a'), anyDisk('b')),
    diskCount: fc.nat(2),
    nics: fc.array(
      fc.record({
        mac: fc.constantFrom('', '00:16:3e:aa:00:01'),
        bridge: fc.constantFrom('', 'xenbr0', 'br.12'),
        ip: fc.constantFrom('', '10.1.2.3'),
        model: optional(fc.constantFrom('rtl8139', 'e1000')),
        extra: optional(fc.constantFrom('script=vif-x', 'type=vif,rate=1Mb/s')),
      }),
      { maxLength: 3 },
    ),
    extra: fc.subarray(['serial = "pty"', '# two\nusb = 1', 'pci = [ "0:1.0",\n "0:2.0" ]', "on_crash='preserve' # x"]),
  })
  .map((value) => ({
    name: value.name,
    domainName: domainNameFor(value.name, UUID),
    type: value.type,
    vcpuCount: value.vcpuCount,
    maxVcpuCount: value.vcpuCount + value.moreVcpus,
    memoryMib: value.memoryMib,
    maxmemMib: value.memoryMib + value.moreMib,
    boot: defined({ ...value.boot, order: value.type === 'hvm' ? value.order : undefined }),
    ...(value.vnc === undefined ? {} : { vnc: defined(value.vnc) }),
    ...(value.type === 'hvm' && value.iso !== undefined ? { iso: value.iso } : {}),
    disks: value.disks.slice(0, value.diskCount),
    nics: value.nics.map((one, index) => defined(nic(index, one))),
    extraConfig: value.extra.join('\n'),
  }))

test('whatever is written is read back', () => {
  fc.assert(
    fc.property(anySpec, (value) => {
      const text = formatConfig(UUID, value)
      const read = parseConfig(text)
      expect(read.spec).toEqual(value)
      expect(read.uuid).toBe(UUID)
      expect(formatConfig(UUID, read.spec)).toBe(text)
    }),
    { numRuns: 300 },
  )
})

describe('an administrator wrote', () => {
  test('a PV guest in the old way', () => {
    const { spec: read, notUnderstood } = parseConfig(`
bootloader = '/usr/lib/xen-4.17/bin/pygrub'
vcpus      = '2'
memory     = '0x200'
root       = '/dev/xvda2 ro'
extra      = "elevator=noop"
disk       = [ 'phy:/dev/vg0/web-disk,xvda2,w', 'file:/srv/swap.img,xvda1,w' ]
name       = 'web'
vif        = [ 'ip=192.168.1.4 ,mac=00:16:3E:11:22:33, bridge=br0' ]
on_poweroff = 'destroy'
on_crash    = 'restart'
vfb = [ 'type=vnc,vncdisplay=10,vncpasswd=secret,sdl=0' ]
`)
    expect(read).toMatchObject({
      name: 'web',
      type: 'pv',
      vcpuCount: 2,
      maxVcpuCount: 2,
      memoryMib: 512,
      maxmemMib: 512,
      boot: { bootloader: '/usr/lib/xen-4.17/bin/pygrub', cmdline: 'root=/dev/xvda2 ro elevator=noop' },
      vnc: { listen: '127.0.0.1', password: 'secret', display: 10 },
      disks: [
        { vdev: 'xvda2', path: '/dev/vg0/web-disk', format: 'raw' },
        { vdev: 'xvda1', path: '/srv/swap.img', format: 'raw' },
      ],
      nics: [{ mac: '00:16:3e:11:22:33', bridge: 'br0', ip: '192.168.1.4 ' }],
      extraConfig: "on_poweroff = 'destroy'\non_crash    = 'restart'",
    })
    expect(notUnderstood).toEqual(['on_poweroff', 'on_crash'])
  })

  test('an HVM guest with two drives, one of them empty', () => {
    const { spec: read, notUnderstood } = parseConfig(`
builder = "hvm"
kernel = "/usr/lib/xen/boot/hvmloader"
name = "win"
memory = 2048
disk = [ '/dev/vg/win,raw,hda,rw', ',hdd:cdrom,r', '/iso/win.iso,,hdc,cdrom', '/x.qed,qed,hdb,w' ]
bios = "ovmf"
boot = "dc"
vncpasswd = ""
usbdevice = 'tablet'
`)
    expect(read).toMatchObject({
      type: 'hvm',
      boot: { firmware: 'ovmf', order: 'dc' },
      iso: '/iso/win.iso',
      vnc: { listen: '127.0.0.1' },
      disks: [{ vdev: 'hda', path: '/dev/vg/win' }],
    })
    expect(read.boot.kernel).toBeUndefined()
    expect(read.vnc?.password).toBeUndefined()
    expect(read.extraConfig).toBe(`usbdevice = 'tablet'\ndisk += [ ",hdd:cdrom,r" ]\ndisk += [ "/x.qed,qed,hdb,w" ]`)
    expect(notUnderstood).toEqual(['usbdevice', 'disk'])
    expect(parseConfig(formatConfig(UUID, read)).spec).toEqual(read)
  })

  test('a display that is switched off keeps its words', () => {
    const { spec: read } = parseConfig('name="a"\ntype="hvm"\nvnc=0\nvnclisten="0.0.0.0"\n')
    expect(read.vnc).toBeUndefined()
    expect(read.extraConfig).toBe('vnclisten="0.0.0.0"')
    expect(parseConfig(formatConfig(UUID, read)).spec).toEqual(read)
  })

  test('the last assignment counts, and additions add', () => {
    const { spec: read } = parseConfig(
      'name="a"\nmemory=1\nmemory=64\nname="b"\nname+="c"\ndisk=["/a,raw,xvda,w"]\ndisk+=["/b,raw,xvdb,w"]\n',
    )
    expect([read.name, read.memoryMib, read.disks.length]).toEqual(['bc', 64, 2])
  })

  test('a frame buffer that pengx has no words for', () => {
    const text = `vfb = [ "vnc=1,keymap=de" ]`
    const { spec: read } = parseConfig(`name="a"\nvnc=1\n${text}\n`)
    expect(read.vnc).toBeUndefined()
    expect(read.extraConfig).toBe('vnc=1\nvfb += [ "vnc=1,keymap=de" ]')
    expect(parseConfig(formatConfig(UUID, read)).spec).toEqual(read)
  })

  test('what xl would not take', () => {
    const wrong = [
      'memory = 1\n',
      'name = "a"\ntype = "vmware"\n',
      'name = "a"\ntype = "pv"\nbuilder = "hvm"\n',
      'name = "a"\nuuid = "1"\n',
      'name = "a"\ndisk = [ "/x" ]\n',
      'name = "a"\nname += [ "b" ]\n',
    ]
    for (const text of wrong) expect(() => parseConfig(text, '/etc/xen/a.cfg')).toThrow(/^\/etc\/xen\/a\.cfg/)
  })
})

test('the UUID is read in each of its spellings', () => {
  const uuid = (text: string) => parseConfig(`name="a"\nuuid="${text}"\n`).uuid
  expect([uuid(UUID), uuid(UUID.toUpperCase()), uuid(UUID.replaceAll('-', ''))]).toEqual([UUID, UUID, UUID])
})

test('an hvm guest with four drives has none for an iso', () => {
  const disks = ['a', 'b', 'c', 'd'].map((letter) => disk(`hd${letter}`, `/${letter}`))
  expect(() => formatConfig(UUID, spec({ type: 'hvm', iso: '/x.iso', disks }))).toThrow(/no free drive/)
  expect(formatConfig(UUID, spec({ type: 'hvm', iso: '/x.iso', disks: [disk('hdc', '/c')] }))).toContain('vdev=hdd')
})
