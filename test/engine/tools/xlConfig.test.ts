import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatConfig, parseConfig } from '../../../src/engine/tools/xl/config.ts'
import { drivesFor } from '../../../src/model/drive.ts'
import { listenAddress } from '../../../src/model/vnc.ts'
import { expectGolden } from '../../support/golden.ts'
import { anySpec, disk, SPECS, UUID } from '../../support/sites/specs.ts'

describe('configurations as they are written', () => {
  for (const [name, value] of Object.entries(SPECS)) {
    test(name, () => {
      const text = formatConfig(UUID, value)
      expectGolden(`xl/${name}.cfg`, text)
      expect(parseConfig(text)).toMatchObject({ spec: value, uuid: UUID })
    })
  }
})

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

  test('a MAC address without zeros and with a blank behind it, and a number that is added to, as xl takes them', () => {
    const { spec: read, notUnderstood } = parseConfig(`
name = "web"
memory = 256
memory += 256
vif = [ 'mac=0:16:3E:a:0:2 , bridge=br0', 'mac=any' ]
`)
    // xl passes over the memory of such a file, and libxl has its default
    expect(read).toMatchObject({ memoryMib: 32, nics: [{ mac: '00:16:3e:0a:00:02', bridge: 'br0' }, { mac: 'any' }] })
    expect(notUnderstood).toEqual(['memory'])
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
      vnc: { listen: '127.0.0.1' },
      disks: [{ vdev: 'hda', path: '/dev/vg/win' }],
      drives: [
        { vdev: 'hdd', cdrom: true, path: '', after: 1, text: ',hdd:cdrom,r' },
        { vdev: 'hdc', cdrom: true, path: '/iso/win.iso', after: 1, text: '/iso/win.iso,,hdc,cdrom' },
        { vdev: 'hdb', cdrom: false, path: '/x.qed', after: 1, text: '/x.qed,qed,hdb,w' },
      ],
    })
    expect(read.boot.kernel).toBeUndefined()
    expect(read.vnc?.password).toBeUndefined()
    expect(read.extraConfig).toBe(`usbdevice = 'tablet'`)
    expect(notUnderstood).toEqual(['usbdevice'])
    expect(parseConfig(formatConfig(UUID, read)).spec).toEqual(read)
  })

  test('a list in which the CD comes first', () => {
    const text = `name="a"\nmemory=64\nbootloader="pygrub"\ndisk=[ 'file:/g.iso,hdc:cdrom,r', 'phy:/dev/sdc,xvda,rw' ]\n`
    const { spec: read } = parseConfig(text)
    expect(read.drives).toMatchObject([{ vdev: 'hdc', after: 0 }])
    expect(formatConfig(UUID, read)).toContain('disk = [ "file:/g.iso,hdc:cdrom,r", "format=raw,vdev=xvda,')
  })

  test('a display that is switched off keeps its words', () => {
    const { spec: read } = parseConfig('name="a"\ntype="hvm"\nvnc=0\nvnclisten="0.0.0.0"\n')
    expect(read.vnc).toBeUndefined()
    expect(read.extraConfig).toBe('vnclisten="0.0.0.0"')
    expect(parseConfig(formatConfig(UUID, read)).spec).toEqual(read)
  })

  test('an empty address is every one, which is what libxl makes of it, and stays empty', () => {
    const head = 'name="a"\ntype='
    for (const text of [`${head}"hvm"\nvnclisten=""\n`, `${head}"pv"\nvnc=1\nvnclisten=""\n`]) {
      const { spec: read } = parseConfig(text)
      expect(read.vnc).toEqual({ listen: '' })
      expect(listenAddress(read.vnc!)).toBe('0.0.0.0')
      expect(parseConfig(formatConfig(UUID, read)).spec).toEqual(read)
    }
    expect(parseConfig(`${head}"pvh"\nvfb=["vnc=1,vnclisten="]\n`).spec.vnc).toEqual({ listen: '' })
    expect(parseConfig(`${head}"hvm"\n`).spec.vnc).toEqual({ listen: '127.0.0.1' })
  })

  test('an address with its display', () => {
    const vnc = (listen: string) => parseConfig(`name="a"\ntype="hvm"\nvnclisten="${listen}"\n`).spec.vnc
    expect(vnc('0.0.0.0:5')).toEqual({ listen: '0.0.0.0', display: 5 })
    expect(vnc('[::1]:7')).toEqual({ listen: '[::1]', display: 7 })
    expect(vnc('[::1]:0')).toEqual({ listen: '[::1]' })
    expect(vnc('::1')).toEqual({ listen: '::1' })
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
  expect(() => drivesFor(disks, '/x.iso')).toThrow(/no free drive/)
  expect(drivesFor([disk('hdc', '/c')], '/x.iso').drives).toMatchObject([{ vdev: 'hdd', path: '/x.iso', after: 1 }])
})
