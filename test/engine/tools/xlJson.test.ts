import { describe, expect, test } from 'bun:test'
import { formatConfig, parseConfig } from '../../../src/engine/tools/xl/config.ts'
import { parseConfigurations } from '../../../src/engine/tools/xl/json/domains.ts'
import { lossLines } from '../../../src/engine/tools/xl/json/loss.ts'
import { UUID } from '../../support/sites/specs.ts'
import { transcript, versionsWith } from '../../support/transcript.ts'

describe.each(versionsWith('xl', 'list-l'))('Xen %s', (version) => {
  const seen = [...parseConfigurations(transcript(`xl-${version}-list-l`).stdout)]

  test('dom0 is nobody’s VM', () => {
    expect(seen.map(({ domid, uuid, spec }) => [domid, uuid, spec.name, spec.type])).toEqual([
      [1, '578ef491-d44c-4f9f-bd6b-b723edee1151', 'pvh1', 'pvh'],
      [2, '1736f6d0-4829-4505-aafa-deb413df388f', 'pv1', 'pv'],
      [4, '5136fb5f-f220-495f-ab99-ea96be67c6a4', 'hvm1', 'hvm'],
    ])
  })

  test('a PV guest with disks, nic and frame buffer', () => {
    expect(seen[1]).toEqual({
      domid: 2,
      uuid: '1736f6d0-4829-4505-aafa-deb413df388f',
      spec: {
        name: 'pv1',
        domainName: 'pv1',
        type: 'pv',
        vcpuCount: 1,
        maxVcpuCount: 2,
        memoryMib: 192,
        maxmemMib: 256,
        boot: {
          kernel: '/lab/guest-vmlinuz',
          ramdisk: '/lab/guest-initrd.gz',
          cmdline: 'console=hvc0 gname=pv1 gip=10.0.2.101 quiet',
        },
        vnc: { listen: '127.0.0.1' },
        disks: ['a', 'b'].map((letter) => ({
          uuid: '',
          vdev: `xvd${letter}`,
          format: 'qcow2' as const,
          path: `/lab/img/pv1-${letter}.qcow2`,
          readOnly: false,
          owned: false,
          desc: '',
          createdAt: 0,
        })),
        drives: [],
        nics: [{ id: 0, name: 'eth0', mac: '00:16:3e:00:00:01', bridge: 'xenbr0', ip: '' }],
        extraConfig: '',
      },
      kept: [],
      lost: [],
    })
  })

  test('an HVM guest: its display, its serial line', () => {
    expect(seen[2]?.spec).toMatchObject({ vnc: { listen: '127.0.0.1' }, extraConfig: 'serial = "pty"' })
    expect(seen[2]).toMatchObject({ kept: ['serial'], lost: [] })
    expect(seen[0]?.spec.vnc).toBeUndefined()
  })

  test('what was running starts again as it ran', () => {
    for (const { uuid, spec } of seen) expect(parseConfig(formatConfig(uuid, spec)).spec).toEqual(spec)
  })
})

/** A domain of an HVM guest, with these keys beside the usual. */
function domain(
  config: Record<string, unknown>,
  build: Record<string, unknown> = {},
  own: Record<string, unknown> = {},
) {
  const [found] = parseConfigurations(
    JSON.stringify([
      {
        domid: 9,
        config: {
          c_info: { type: 'hvm', name: 'win', uuid: UUID },
          b_info: { max_memkb: 2097152, target_memkb: 2097152, ...build, 'type.hvm': { vga: {}, vnc: {}, ...own } },
          on_reboot: 'restart',
          on_soft_reset: 'soft_reset',
          ...config,
        },
      },
    ]),
  )
  return found!
}

test('drives, scripts and passwords', () => {
  const found = domain(
    {
      disks: [
        { pdev_path: '/dev/vg/a', vdev: 'hda', backend: 'phy', format: 'raw', readwrite: 1, discard_enable: 'True' },
        { pdev_path: '/iso/x.iso', vdev: 'hdc', format: 'raw', removable: 1, is_cdrom: 1 },
        { vdev: 'hdd', format: 'empty', removable: 1, is_cdrom: 1 },
      ],
      nics: [
        { devid: 0, mac: '00:16:3E:00:00:09', bridge: 'br0', model: 'e1000', script: 'vif-route', nictype: 'vif' },
      ],
      on_crash: 'preserve',
      on_poweroff: 'destroy',
    },
    { max_vcpus: 3, avail_vcpus: [0, 1, 2], sched_params: { sched: 'credit2', weight: 256, cap: 0 } },
    {
      bios: 'ovmf',
      boot: 'dc',
      vnc: { enable: 'True', passwd: 'geheim', display: 4 },
      usbdevice_list: ['tablet', 'mouse'],
    },
  )
  expect(found.spec).toMatchObject({
    vcpuCount: 3,
    boot: { firmware: 'ovmf', order: 'dc' },
    vnc: { listen: '127.0.0.1', password: 'geheim', display: 4 },
    disks: [{ vdev: 'hda', backend: 'phy', extra: 'discard' }],
    drives: [
      { vdev: 'hdc', cdrom: true, path: '/iso/x.iso', after: 1 },
      { vdev: 'hdd', cdrom: true, path: '', after: 1 },
    ],
    nics: [{ mac: '00:16:3e:00:00:09', model: 'e1000', extra: 'script=vif-route,type=vif' }],
    extraConfig: `usbdevice = [ "tablet", "mouse" ]
on_crash = "preserve"`,
  })
  expect(found).toMatchObject({ kept: ['usbdevice', 'on_crash'], lost: [] })
})

test('what no file can say is lost, to the last value; a password stays one', () => {
  const found = domain(
    {
      c_info: { type: 'hvm', name: 'win', uuid: UUID, xsdata: { a: '1' } },
      usbctrls: [{ devid: 0, version: 2, backend_domname: 'usbdom', backend_domid: 4 }],
      usbdevs: [{}],
      pcidevs: [{ bus: 3, vfunc_mask: 3 }],
      disks: [{ pdev_path: '/a', vdev: 'hda', format: 'raw', readwrite: 1, backend_domid: 5 }],
      nics: [
        { devid: 0, backend_domid: 5, backend_domname: 'net', rate_bytes_per_interval: 1, rate_interval_usecs: 3e6 },
      ],
      vfbs: [{ devid: 0, vnc: { passwd: 'a,b' }, sdl: {} }],
      channels: [{ devid: 0, name: 'a,b', 'connection.pty': {} }],
    },
    {
      avail_vcpus: [0, 2],
      max_vcpus: 4,
      nodemap: [1],
      exec_ssidref: 7,
      shadow_memkb: 1000,
      sched_params: { weight: 256, budget: 10 },
      cpuid: { cpuid: [], msr: [{ index: 5 }] },
    },
    { rdm: { policy: 'strict' }, timeoffset: '5', mca_caps: 2, vga: { kind: 'new' } },
  )
  expect(found.lost).toEqual([
    { key: 'c_info.xsdata.a', value: '1' },
    { key: 'b_info.avail_vcpus', value: '[0,2]', parameter: 'vcpus' },
    { key: 'b_info.nodemap', value: '[1]' },
    { key: 'b_info.exec_ssidref', value: '7' },
    { key: 'b_info.shadow_memkb', value: '1000', parameter: 'shadow_memory' },
    { key: 'b_info.sched_params.budget', value: '10' },
    { key: 'b_info.cpuid.msr.0.index', value: '5', parameter: 'cpuid' },
    { key: 'b_info.type.hvm.vga.kind', value: 'new', parameter: 'vga' },
    { key: 'b_info.type.hvm.rdm.policy', value: 'strict', parameter: 'rdm' },
    { key: 'b_info.type.hvm.timeoffset', value: '5' },
    { key: 'b_info.type.hvm.mca_caps', value: '2', parameter: 'mca_caps' },
    { key: 'usbctrls.0.backend_domname', value: 'usbdom', parameter: 'usbctrl' },
    { key: 'usbdevs.0', value: '{}', parameter: 'usbdev' },
    { key: 'pcidevs.0.vfunc_mask', value: '3', parameter: 'pci' },
    { key: 'disks.0.backend_domid', value: '5', parameter: 'disk' },
    { key: 'nics.0.rate_bytes_per_interval', value: '1', parameter: 'vif' },
    { key: 'nics.0.rate_interval_usecs', value: '3000000', parameter: 'vif' },
    { key: 'vfbs.0.vnc.passwd', value: '***', parameter: 'vfb' },
    { key: 'channels.0.name', value: 'a,b', parameter: 'channel' },
  ])
  expect(found.kept).toEqual(['pci', 'usbctrl', 'channel', 'vfb'])
  expect(lossLines({ kept: ['pci'], lost: found.lost.slice(1, 3) })).toEqual([
    'kept as it is, not interpreted: pci',
    'LOST: b_info.avail_vcpus = [0,2] (of vcpus)',
    'LOST: b_info.nodemap = [1] (xl.cfg(5) has no word for it)',
  ])
})

test('what libxl computes is neither kept nor lost', () => {
  const computed = { video_memkb: 8192, iommu_memkb: 5, event_channels: 1023, claim_mode: 'True', blkdev_start: 'xvdz' }
  const build = { ...computed, max_vcpus: 2, avail_vcpus: [0, 1], shadow_memkb: 4 * (512 + 4096) }
  expect(domain({}, build, { boot: 'cda' })).toMatchObject({ kept: [], lost: [] })
  const wide = domain({}, { ...build, video_memkb: 16384 }, { vga: { kind: 'qxl' } })
  expect(wide.spec.extraConfig).toBe('vga = "qxl"\nvideoram = 16'.split('\n').reverse().join('\n'))
})

test('libxl leaves out what is to be destroyed, which xl does not', () => {
  const { spec, kept } = domain({ on_reboot: undefined, on_soft_reset: undefined })
  expect(spec.extraConfig).toBe('on_reboot = "destroy"\non_soft_reset = "destroy"')
  expect(kept).toEqual(['on_reboot', 'on_soft_reset'])
})
