// The guests of a lab host: their configurations and disks, put on the seed. All run Debian's kernel with the busybox
// initramfs of guest/init.sh, whose console protocol stands at its top; a test makes more of them with guestConfig().
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { need } from './command.ts'

export const IMAGES = '/var/lib/xen/images'
export const CONFIGS = '/lab/cfg'

export interface GuestSpec {
  readonly name: string
  readonly type: 'pv' | 'pvh' | 'hvm'
  /** Unique in the site: gives the uuid, the MAC and the address of the guest. */
  readonly number: number
  readonly memoryMib?: number
  readonly vcpus?: number
  /** What the guest does with xvda: nothing, a counter a second, or counters as fast as it can. */
  readonly mode?: 'idle' | 'count' | 'stream'
  readonly ignoresShutdown?: boolean
  /** Lines of xl.cfg in place of the disks or beside the rest. */
  readonly disks?: readonly string[]
  readonly extra?: readonly string[]
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

export const guestUuid = (number: number): string => `6c616200-0000-4000-8000-${hex(number, 12)}`
export const guestMac = (number: number): string => `00:16:3e:4c:${hex(number >> 8, 2)}:${hex(number & 255, 2)}`
const guestImage = (name: string, disk: 'a' | 'b'): string => `${IMAGES}/${name}-${disk}.qcow2`

/** What the kernel of a guest that runs busybox is told; words of `mode` and any others stand at the top of guest/init.sh. */
export function guestCmdline(name: string, mode: string = 'idle', ...words: readonly string[]): string {
  return ['console=hvc0 loglevel=3 mitigations=off random.trust_cpu=on', `gname=${name} gmode=${mode}`, ...words].join(
    ' ',
  )
}

/** The text of an xl.cfg. */
export function guestConfig(spec: GuestSpec): string {
  const words = [
    guestCmdline(spec.name, spec.mode),
    `gip=10.0.2.${100 + (spec.number % 100)}`,
    spec.ignoresShutdown ? 'gignore=1' : '',
  ]
  // an HVM guest is started through its own boot code, which wants the packed kernel
  const kernel = spec.type === 'hvm' ? '/lab/guest/vmlinuz' : '/lab/guest/vmlinux'
  const disks = spec.disks ?? [
    `format=qcow2,vdev=xvda,access=rw,target=${guestImage(spec.name, 'a')}`,
    `format=qcow2,vdev=xvdb,access=rw,target=${guestImage(spec.name, 'b')}`,
  ]
  return [
    `name = "${spec.name}"`,
    `uuid = "${guestUuid(spec.number)}"`,
    `type = "${spec.type}"`,
    `memory = ${spec.memoryMib ?? (spec.type === 'pv' ? 96 : 160)}`,
    `vcpus = ${spec.vcpus ?? 1}`,
    `kernel = "${kernel}"`,
    'ramdisk = "/lab/guest/initrd"',
    `cmdline = "${words.filter(Boolean).join(' ')}"`,
    `disk = [ ${disks.map((line) => `"${line}"`).join(', ')} ]`,
    `vif = [ "mac=${guestMac(spec.number)},bridge=xenbr0" ]`,
    ...(spec.extra ?? []),
    '',
  ].join('\n')
}

const HVM_DISKS = [
  `format=qcow2,vdev=xvda,access=rw,target=${guestImage('hvm1', 'a')}`,
  `format=raw,vdev=hdc,access=ro,devtype=cdrom,target=${IMAGES}/tiny.iso`,
]

const GUESTS: readonly GuestSpec[] = [
  { name: 'pv1', type: 'pv', number: 1, extra: ['vfb = [ "vnc=1,vnclisten=127.0.0.1" ]'] },
  { name: 'pv2', type: 'pv', number: 2 },
  { name: 'pvh1', type: 'pvh', number: 3 },
  {
    name: 'hvm1',
    type: 'hvm',
    number: 4,
    disks: HVM_DISKS,
    extra: ['vnc = 1', 'vnclisten = "127.0.0.1"', 'serial = "pty"', 'on_reboot = "restart"'],
  },
]

/** Writes configurations, disks and the ISO under `dir`, which stands for dom0's /. */
export async function writeGuests(dir: string): Promise<void> {
  const images = join(dir, IMAGES)
  await mkdir(images, { recursive: true })
  for (const spec of GUESTS) {
    await Bun.write(join(dir, CONFIGS, `${spec.name}.cfg`), guestConfig(spec))
    for (const disk of ['a', 'b'] as const)
      await need(['qemu-img', 'create', '-q', '-f', 'qcow2', join(dir, guestImage(spec.name, disk)), '64M'])
  }
  const content = join(dir, 'iso')
  await Bun.write(join(content, 'hello.txt'), 'a small disc\n')
  await need(['genisoimage', '-quiet', '-V', 'TINY', '-R', '-o', join(images, 'tiny.iso'), content])
  await need(['rm', '-r', content])
}
