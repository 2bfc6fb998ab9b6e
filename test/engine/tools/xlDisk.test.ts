import { expect, test } from 'bun:test'
import { formatDisk, parseDisk } from '../../../src/engine/tools/xl/disk.ts'

const disk = { path: '/dev/vg/a', format: 'raw', vdev: 'xvda', readOnly: false, cdrom: false } as const

test('both syntaxes of xl-disk-configuration(5)', () => {
  const same = [
    'phy:/dev/vg/a,xvda,w',
    'file:/dev/vg/a,xvda,w',
    'tap:aio:/dev/vg/a,xvda,w',
    'raw:/dev/vg/a,xvda,rw',
    '/dev/vg/a,raw,xvda,rw',
    '/dev/vg/a,,xvda',
    '/dev/vg/a, , xvda, w',
    'format=raw, vdev=xvda, access=rw, target=/dev/vg/a',
    'vdev=xvda,target=/dev/vg/a',
    'raw:/dev/vg/a,xvda:disk,w',
  ]
  for (const text of same) expect([text, parseDisk(text)]).toEqual([text, disk])
})

test('formats, backends, access', () => {
  expect(parseDisk('tap:qcow2:/img/a.qcow2,xvdb,r')).toEqual({
    path: '/img/a.qcow2',
    format: 'qcow2',
    vdev: 'xvdb',
    readOnly: true,
    cdrom: false,
  })
  expect(parseDisk('vdev=xvda,format=qcow2,backendtype=qdisk,target=/dev/vg/a')).toMatchObject({
    format: 'qcow2',
    backend: 'qdisk',
  })
  expect(parseDisk('/a.vhd,vhd,hda,w')).toMatchObject({ format: 'vhd', vdev: 'hda' })
})

test('CD drives, full and empty', () => {
  expect(parseDisk('file:/iso/debian.iso,hdc:cdrom,r')).toMatchObject({
    path: '/iso/debian.iso',
    cdrom: true,
    format: 'raw',
  })
  expect(parseDisk('/iso/a.iso,,hdc,cdrom')).toMatchObject({ vdev: 'hdc', cdrom: true, readOnly: true })
  expect(parseDisk('/iso/a.iso,raw,hdc,ro,cdrom')).toMatchObject({ cdrom: true })
  expect(parseDisk('devtype=cdrom,vdev=hdc,target=/iso/a.iso')).toMatchObject({ cdrom: true, path: '/iso/a.iso' })
  expect(parseDisk(',hdc:cdrom,r')).toMatchObject({ path: '', format: 'empty', cdrom: true })
  expect(parseDisk(',empty,hdc,cdrom')).toMatchObject({ path: '', format: 'empty' })
})

test('the target comes last and may hold commas; the rest is kept in its order', () => {
  const text = 'script=block-iscsi,vdev=xvda,discard,direct-io-safe,target=iqn=a,portal=b,c'
  expect(parseDisk(text)).toEqual({
    path: 'iqn=a,portal=b,c',
    format: 'raw',
    vdev: 'xvda',
    readOnly: false,
    cdrom: false,
    extra: 'script=block-iscsi,discard,direct-io-safe',
  })
  expect(parseDisk('drbd:r0,xvda,w')).toMatchObject({ path: 'r0', extra: 'script=block-drbd' })
})

test('what is wrong is said', () => {
  expect(() => parseDisk('/dev/vg/a')).toThrow(/no vdev/)
  expect(() => parseDisk('vdev=xvda')).toThrow(/no target/)
  expect(() => parseDisk('/a,vmdk,xvda,w')).toThrow(/no format "vmdk"/)
  expect(() => parseDisk('/a,raw,xvda,x')).toThrow(/no access "x"/)
  expect(() => parseDisk('/a,raw,xvda,w,w')).toThrow(/too many/)
  expect(() => parseDisk('/a,raw,xvda,speed=9')).toThrow(/unknown parameter "speed"/)
  expect(() => parseDisk('nfs:/a,raw,xvda')).toThrow(/unknown prefix "nfs"/)
  expect(() => parseDisk('/a,raw,xvda,format=qcow2')).toThrow(/format given twice/)
  expect(() => parseDisk(',hdc:cdrom,r,format=raw')).toThrow(/format given twice/)
  expect(() => parseDisk('/a,raw,xvda,target=/a')).toThrow(/target given twice/)
  expect(() => parseDisk('/a,raw,xvda,vdev=xvda')).toThrow(/vdev given twice/)
  expect(() => parseDisk('/a,raw,xvda,backendtype=phy,backendtype=qdisk')).toThrow(/backend type given twice/)
  expect(() => parseDisk('drbd:/a,xvda,script=x')).toThrow(/script given twice/)
  expect(parseDisk('iqn:a,raw,xvda,format=raw,backendtype=phy,backendtype=phy')).toMatchObject({ path: 'iqn:a' })
  expect(parseDisk(',raw,xvda,target=/a')).toMatchObject({ path: '/a' })
})

test('what is written is read back', () => {
  for (const path of ['/a', '/with,comma', '/ends,', '/a b=c:d', 'iqn.2001:x']) {
    const full = { ...disk, path, backend: 'qdisk', extra: 'discard,script=x', readOnly: true }
    expect(parseDisk(formatDisk(full))).toEqual(full)
  }
})
