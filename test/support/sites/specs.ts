import fc from 'fast-check'
import type { Disk } from '../../../src/model/disk.ts'
import type { Drive } from '../../../src/model/drive.ts'
import type { Nic } from '../../../src/model/nic.ts'
import { domainNameFor, type VmSpec, type VmType } from '../../../src/model/vm.ts'

export const UUID = '1736f6d0-4829-4505-aafa-deb413df388f'

export const disk = (vdev: string, path: string, rest: Partial<Disk> = {}): Disk => ({
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
const cd = (vdev: string, path: string, after: number, text?: string): Drive => ({
  vdev,
  cdrom: true,
  path,
  after,
  text: text ?? `format=raw,vdev=${vdev},access=ro,devtype=cdrom,target=${path}${path.endsWith(',') ? ',' : ''}`,
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
  drives: [],
  nics: [nic(0)],
  extraConfig: '',
  ...rest,
})

/** One of each kind, for goldens. */
export const SPECS: Record<string, VmSpec> = {
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
    drives: [cd('hdc', '/srv/iso/debian 12, netinst.iso', 2)],
    vnc: { listen: '127.0.0.1', password: 'a"b\\c,d' },
    disks: [disk('xvda', '/srv/a.qcow2'), disk('xvdb', '/srv/b.vhd', { format: 'vhd', readOnly: true })],
    nics: [nic(0, { model: 'e1000', ip: '10.0.0.9' }), nic(1, { extra: 'script=vif-route,rate=10Mb/s', bridge: '' })],
  }),
  'hvm-no-display': spec({ type: 'hvm', boot: {}, disks: [] }),
  'extra-kept': spec({
    drives: [cd('hdd', '', 0, ',hdd:cdrom,r')],
    extraConfig: '# for the office\nsoundhw = "hda"  # intel\nusbdevice = [\n  "tablet",\n]',
  }),
}

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

/** Any configuration that pengx can be given. */
export const anySpec: fc.Arbitrary<VmSpec> = fc
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
        listen: fc.constantFrom('127.0.0.1', '0.0.0.0', '[::1]'),
        password: optional(fc.stringMatching(/^[A-Za-z0-9"'\\#;=]{1,8}$/)),
        display: optional(fc.integer({ min: 1, max: 99 })),
      }),
    ),
    cd: optional(fc.record({ path: filePath, after: fc.nat(2) })),
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
    disks: value.disks.slice(0, value.diskCount),
    drives: value.cd === undefined ? [] : [cd('hdc', value.cd.path, Math.min(value.cd.after, value.diskCount))],
    nics: value.nics.map((one, index) => defined(nic(index, one))),
    extraConfig: value.extra.join('\n'),
  }))
