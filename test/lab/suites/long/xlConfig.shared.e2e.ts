// What pengx reads in a configuration against what the real xl reads in it: `xl -N create` parses, builds nothing, and
// prints what it understood.
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatConfig, parseConfig } from '../../../../src/engine/tools/xl/config.ts'
import { editConfig } from '../../../../src/engine/tools/xl/edit.ts'
import { parseConfigurations } from '../../../../src/engine/tools/xl/json/domains.ts'
import type { VmSpec } from '../../../../src/model/vm.ts'
import { anyChange, rewritten } from '../../../support/configChanges.ts'
import { anySpec, SPECS, UUID } from '../../../support/sites/specs.ts'
import { labHost, run } from '../../machine/ssh.ts'

const host = labHost()
const FILE = '/tmp/pengx-xl-config.cfg'

async function ask(text: string): Promise<{ exit: number; spec?: VmSpec }> {
  const { exit, stdout } = await run(host, ['sh', '-c', `cat >${FILE} && xl -N create ${FILE}`], { stdin: text })
  if (exit !== 0) return { exit }
  const [found] = parseConfigurations(JSON.stringify([{ domid: 1, config: JSON.parse(stdout) }]))
  return { exit, spec: found!.spec }
}

/** What the two may say in different words. */
function comparable(spec: VmSpec) {
  const { boot, vnc, extraConfig: _, name: __, ...rest } = spec
  const { kernel, firmware, order, ...others } = boot
  const words: Record<string, string | undefined> = { uefi: 'ovmf', bios: undefined }
  const bios = firmware !== undefined && firmware in words ? words[firmware] : firmware
  return {
    ...rest,
    boot: {
      ...others,
      // xl passes over a PV guest's boot order, and makes a kernel of its firmware
      ...(spec.type === 'hvm' ? { order, kernel, firmware: bios } : { kernel: kernel ?? firmware }),
    },
    vnc,
    disks: spec.disks.map((disk) => ({ ...disk, extra: disk.extra?.split(',').sort() })),
    drives: spec.drives.map(({ text: ___, ...drive }) => drive),
    nics: spec.nics.map(({ extra: ____, ...nic }) => nic),
  }
}

async function agree(text: string): Promise<void> {
  const read = parseConfig(text).spec
  const { exit, spec } = await ask(text)
  expect([exit, text]).toEqual([0, text])
  expect(comparable(spec!)).toEqual(comparable(read))
}

test('goldens', async () => {
  for (const spec of Object.values(SPECS)) {
    // the real one has no such firmware file to make a kernel of
    if (spec.boot.firmware?.startsWith('pvgrub')) continue
    await agree(formatConfig(UUID, spec))
  }
})

test('whatever pengx may write', async () => {
  const bootable = anySpec.map((spec): VmSpec => {
    const { firmware: _, ...boot } = spec.boot
    return { ...spec, boot: { kernel: '/boot/vmlinuz', ...boot }, extraConfig: '' }
  })
  for (const spec of fc.sample(bootable, 25)) await agree(formatConfig(UUID, spec))
})

test('any file, any change: the real xl reads in what was written what was meant', async () => {
  const told = (spec: VmSpec) => {
    const { boot, disks, drives, nics, ...sizes } = comparable(spec)
    const order = (one: { vdev: string }, other: { vdev: string }) => (one.vdev < other.vdev ? -1 : 1)
    const loaded = drives.map(({ vdev, path }) => `${vdev} ${path}`).sort()
    return { boot, ...sizes, disks: [...disks].sort(order), loaded, nics: nics.map(({ name: _, ...nic }) => nic) }
  }
  const samples = fc.sample(fc.tuple(rewritten, anyChange), 600)
  let changed = 0
  for (const [text, { name, change }] of samples) {
    const before = parseConfig(text).spec
    const bootable = before.boot.kernel !== undefined && before.boot.firmware === undefined
    const after = change(before)
    const written = editConfig(text, before, after, 'a.cfg')
    if (written === text || !bootable) continue
    if (++changed > 60) break
    const { exit, spec } = await ask(written)
    expect([name, exit, written]).toEqual([name, 0, written])
    expect([name, told(spec!)]).toEqual([name, told(after)])
  }
  expect(changed).toBeGreaterThan(40)
})

test('what administrators write', async () => {
  const head = `name = "a"\nmemory = 128\nuuid = "${UUID}"\n`
  const texts = [
    `${head}kernel='/k'\nmemory='0x200'\nvcpus=0x2; maxvcpus = 010\nroot='/dev/xvda2 ro'\nextra="quiet"\n`,
    `${head}bootloader="pygrub"\ndisk = [ 'phy:/dev/vg/a,xvda,w', 'file:/b,xvdb,r', 'tap:qcow2:/c,xvdc,w',\n '/d,,xvdd', ]\n`,
    `${head}builder="hvm"\nkernel="/usr/lib/xen/boot/hvmloader"\nboot="dc"\ndisk=['/a,raw,hda,rw','/i.iso,raw,hdc,ro,cdrom']\n`,
    `${head}type="hvm"\ndisk=['file:/i.iso,hdc:cdrom,r','format=vhd, vdev=xvda, target=/a,b c']\nvnc=0\n`,
    `${head}kernel="/k"\nmemory=1\nmemory=64\ndisk=["/a,raw,xvda,w"]\ndisk+=["/b,raw,xvdb,r"]\nextra="a"\nextra+=" b"\n`,
    `${head}kernel="/k"\nvif=[ 'mac=00:16:3E:11:22:33, bridge=br0,ip=10.0.0.1', 'model=e1000', '' ]\n`,
    `${head}kernel="/k"\nvfb=[ 'type=vnc,vncdisplay=10,vncpasswd=secret,sdl=0' ]\n# the end\n`,
    `${head}kernel="/k"\nvnc=1\nvnclisten='0.0.0.0'\nvncpasswd="a,b"\ncmdline="x=\\"y\\" \\\\ 'z'"\n`,
    `${head}type="hvm"\nvnclisten=""\n`,
    `${head}kernel="/k"\nvnc=1\nvnclisten=""\n`,
    `${head}type="hvm"\nbios="ovmf"\nmaxmem=512\n`,
    `${head}type="hvm"\nbios="ovmf"\nfirmware="seabios"\nvcpus=3\n`,
  ]
  for (const text of texts) await agree(text)
})

test('what xl refuses is refused', async () => {
  const texts = [
    'kernel = "/k"\n',
    'name = "a\nkernel = "/k"\n',
    'name = "a"\nkernel = "/k"\nmemory = oops\n',
    'name = "a"\nkernel = "/k"\ndisk = [ "/x" ]\n',
    'name = "a"\nkernel = "/k"\ndisk = [ "/x,vmdk,xvda,w" ]\n',
    'name = "a"\nkernel = "/k"\ndisk = [ "/x,raw,xvda,w,w" ]\n',
    'name = "a"\nkernel = "/k"\ntype = "vmware"\n',
    'name = "a"\nkernel = "/k"\ntype = "pv"\nbuilder = "hvm"\n',
    'name = "a"\nkernel = "/k"\nuuid = "1"\n',
    'name = "a"\r\nkernel = "/k"\r\n',
    'name = "a"\nkernel = "/k"\nextra = "\\x41"\n',
    'name = "a"\nkernel = "/k"\ncpus = -1\n',
    'name = "a"\nkernel = "/k" "/l"\n',
  ]
  for (const text of texts) {
    expect([text, (await ask(text)).exit]).not.toEqual([text, 0])
    expect(() => parseConfig(text)).toThrow()
  }
})
