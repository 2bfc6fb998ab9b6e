import { expect, test } from 'bun:test'
import { formatConfig, parseConfig } from '../../../src/engine/tools/xl/config.ts'
import { parseConfigurations } from '../../../src/engine/tools/xl/json.ts'
import { transcript } from '../../support/transcript.ts'

const seen = [...parseConfigurations(transcript('xl-4.17-list-l').stdout)]

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
    notUnderstood: [],
  })
})

test('an HVM guest: its display, its serial line', () => {
  expect(seen[2]?.spec).toMatchObject({ vnc: { listen: '127.0.0.1' }, extraConfig: 'serial = "pty"' })
  expect(seen[2]?.notUnderstood).toEqual([])
  expect(seen[0]?.spec.vnc).toBeUndefined()
})

test('what was running starts again as it ran', () => {
  for (const { uuid, spec } of seen) expect(parseConfig(formatConfig(uuid, spec)).spec).toEqual(spec)
})

test('drives, scripts and passwords; and what has no words is named', () => {
  const config = {
    c_info: { type: 'hvm', name: 'win', uuid: '11111111-1111-4111-8111-111111111111', ssid_label: 'x' },
    b_info: {
      max_vcpus: 3,
      avail_vcpus: [0, 1, 2],
      max_memkb: 2097152,
      target_memkb: 2097152,
      sched_params: { sched: 'credit2', weight: 512, cap: 0 },
      'type.hvm': {
        bios: 'ovmf',
        boot: 'dc',
        vnc: { enable: 'True', passwd: 'geheim', display: 4 },
        vga: { kind: 'cirrus' },
        usbdevice_list: ['tablet', 'mouse'],
      },
    },
    disks: [
      { pdev_path: '/dev/vg/a', vdev: 'hda', backend: 'phy', format: 'raw', readwrite: 1, discard_enable: 'True' },
      { pdev_path: '/iso/x.iso', vdev: 'hdc', format: 'raw', removable: 1, is_cdrom: 1 },
      { vdev: 'hdd', format: 'empty', removable: 1, is_cdrom: 1 },
    ],
    nics: [{ devid: 0, mac: '00:16:3E:00:00:09', bridge: 'br0', model: 'e1000', script: 'vif-route', nictype: 'vif' }],
    pcidevs: [{ bus: 3, dev: 0, func: 0 }],
    on_crash: 'preserve',
    on_poweroff: 'destroy',
  }
  const [found] = parseConfigurations(JSON.stringify([{ domid: 9, config }]))
  expect(found?.spec).toMatchObject({
    vcpuCount: 3,
    boot: { firmware: 'ovmf', order: 'dc' },
    vnc: { listen: '127.0.0.1', password: 'geheim', display: 4 },
    disks: [{ vdev: 'hda', backend: 'phy', extra: 'discard' }],
    drives: [
      { vdev: 'hdc', cdrom: true, path: '/iso/x.iso', after: 1 },
      { vdev: 'hdd', cdrom: true, path: '', after: 1 },
    ],
    nics: [{ mac: '00:16:3e:00:00:09', model: 'e1000', extra: 'script=vif-route,type=vif' }],
    extraConfig: `on_crash = "preserve"
usbdevice = [ "tablet", "mouse" ]`,
  })
  expect(found?.notUnderstood).toEqual([
    'c_info.ssid_label',
    'b_info.sched_params.weight',
    'b_info.type.hvm.vga.kind',
    'pcidevs.0.bus',
    'pcidevs.0.dev',
    'pcidevs.0.func',
  ])
})
