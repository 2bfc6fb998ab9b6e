// The dom0 disk: a tree of a Debian release made by mmdebstrap, pruned, with the guests' kernel unpacked in it, and an ext4
// image of that. It holds packages alone; whatever is the lab's own (init, keys, guests) travels on a seed disk (see
// seed.ts), so a change there costs nothing. Built once, kept under a key of package versions and of this file.
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { candidates, updateLists } from '../../support/programs/apt.ts'
import { HOME_RELEASE, type Release, releaseOptions } from '../../support/programs/release.ts'
import { bootstrap } from '../../support/programs/tree.ts'
import { buildOnce, cache } from './cache.ts'
import { need, output, say, timed } from './command.ts'

/** The machine, and what tests use to look around. */
const MACHINE = [
  'udev kmod iproute2 iputils-ping bridge-utils ifupdown procps psmisc openssh-server linux-image-amd64 ca-certificates',
  'lvm2 e2fsprogs nfs-kernel-server nfs-common',
  'rsync socat jq busybox-static python3-minimal strace',
  'xen-system-amd64 xenstore-utils qemu-utils seabios',
]

/** By release: its Xen with the QEMU that this runs, and on the usual one every way for storage to reach a host. */
const RELEASE_PACKAGES: Readonly<Record<Release, readonly string[]>> = {
  // that Debian had no QEMU of Xen's own yet
  bullseye: [...MACHINE, 'xen-utils-4.14 qemu-system-x86'],
  bookworm: [
    ...MACHINE,
    'xen-utils-4.17 qemu-system-xen',
    'open-iscsi tgt drbd-utils ocfs2-tools sanlock lvm2-lockd ceph-mon ceph-osd ceph-common',
  ],
  trixie: [...MACHINE, 'xen-utils-4.20 qemu-system-xen'],
}

const packagesOf = (release: Release): string[] => RELEASE_PACKAGES[release].flatMap((line) => line.split(' '))

/** Directories of lib/modules that no test can need: 300 of 395 MB. */
const UNUSED_MODULES =
  'sound drivers/gpu drivers/media drivers/usb drivers/infiniband drivers/staging drivers/iio drivers/hwmon ' +
  'drivers/net/wireless drivers/net/ethernet drivers/net/usb drivers/net/can drivers/isdn drivers/input ' +
  'drivers/platform drivers/bluetooth drivers/mtd drivers/video drivers/comedi drivers/leds drivers/power ' +
  'net/bluetooth net/wireless net/mac80211 net/can net/sctp net/tipc fs/btrfs fs/xfs fs/jfs fs/reiserfs fs/ubifs fs/f2fs fs/ntfs3'

/** Debian's own initramfs is never booted; it would be made twice on the way. */
const NO_INITRAMFS =
  '--essential-hook=chroot "$1" dpkg-divert --quiet --local --rename --add /usr/sbin/update-initramfs && ' +
  'ln -s /bin/true "$1/usr/sbin/update-initramfs"'

const UNUSED_FILES = 'usr/share/doc usr/share/man usr/share/locale usr/share/info var/cache/apt var/lib/apt/lists'

export interface Root {
  /** The tree, from which initramfs modules are picked. */
  readonly tree: string
  readonly image: string
  readonly kernelRelease: string
  /** The hypervisor that apt installs today; and that of the first release where it can do more (see shadowXen). */
  readonly xen: string
  readonly xenShadow?: string
}

/** Built where it is not there yet; a release but the usual one is its own root, which nobody has who does not ask for it. */
export async function buildRoot(release: Release = HOME_RELEASE): Promise<Root> {
  let dir = await cacheDir(release)
  if (!existsSync(dir)) {
    await updateLists(say) // newer lists may name newer versions, hence another key
    dir = await cacheDir(release)
  }
  await buildOnce(dir, (work) => build(work, release))
  const tree = join(dir, 'tree')
  const kernelRelease = readdirSync(join(tree, 'lib/modules'))[0]!
  const shadow = join(dir, 'xen-shadow')
  const xenShadow = existsSync(shadow) ? shadow : undefined
  return { tree, image: join(dir, 'root.img'), kernelRelease, xen: join(dir, 'xen'), xenShadow }
}

async function cacheDir(release: Release): Promise<string> {
  const versions = await candidates(packagesOf(release), say, await releaseOptions(release, say))
  const recipe = [...versions, await Bun.file(import.meta.path).text()]
  return join(cache, `root-${new Bun.CryptoHasher('sha256').update(recipe.join('\n')).digest('hex').slice(0, 16)}`)
}

async function build(work: string, release: Release): Promise<void> {
  const tree = join(work, 'tree')
  await timed('root tree', () => bootstrap(tree, packagesOf(release), say, [NO_INITRAMFS], release))
  await timed('pruned', () => prune(tree))
  await timed('guest kernel', () => unpackKernel(tree))
  await timed('root image', () => makeImage(tree, work))
  await unpackXen(tree, join(work, 'xen'))
  if (release === HOME_RELEASE) await shadowXen(work)
}

async function prune(tree: string): Promise<void> {
  const release = readdirSync(join(tree, 'lib/modules'))[0]!
  const modules = UNUSED_MODULES.split(' ').map((name) => join(tree, 'lib/modules', release, 'kernel', name))
  const files = UNUSED_FILES.split(' ').map((name) => join(tree, name))
  await need(['rm', '-rf', ...modules, ...files])
  // Newer releases pack each module, which our initramfs and an emulated processor would rather have as it is.
  await need(['find', join(tree, 'lib/modules', release), '-name', '*.ko.xz', '-exec', 'xz', '-d', '{}', '+'])
  await need(['depmod', '-b', tree, release])
  // keys and identities are each host's own and come with its seed
  await need(['sh', '-c', 'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id "$1"/etc/hostname', 'sh', tree])
}

const ZSTD_MAGIC = 0xfd2fb528

/**
 * Leaves the guests' kernel unpacked as /boot/vmlinux: libxl otherwise unpacks it at every `xl create`, seconds of an
 * emulated processor. The place of the payload is in the boot header (Linux Documentation/arch/x86/boot.rst).
 */
async function unpackKernel(tree: string): Promise<void> {
  const release = readdirSync(join(tree, 'lib/modules'))[0]!
  const image = Buffer.from(await Bun.file(join(tree, `boot/vmlinuz-${release}`)).arrayBuffer())
  const start = (image.readUInt8(0x1f1) + 1) * 512 + image.readUInt32LE(0x248)
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - 4) // the last 4 bytes are its length
  if (payload.readUInt32LE(0) === ZSTD_MAGIC) {
    await Bun.write(join(tree, 'boot/vmlinux'), await Bun.zstdDecompress(payload))
    return
  }
  const packed = join(tree, 'boot/vmlinux.xz')
  await Bun.write(packed, payload)
  await need(['xz', '-d', '-f', packed])
}

async function makeImage(tree: string, work: string): Promise<void> {
  const image = join(work, 'root.img')
  await need(['truncate', '-s', '6G', image])
  await need(['mkfs.ext4', '-q', '-F', '-L', 'dom0', '-m', '0', '-E', 'lazy_itable_init=1', '-d', tree, image])
}

/** QEMU starts a Multiboot image, not a packed one. */
async function unpackXen(tree: string, to: string): Promise<void> {
  const packed = readdirSync(join(tree, 'boot')).find((name) => /^xen-4.*\.gz$/.test(name))
  if (!packed) throw new Error('no Xen hypervisor in the root tree')
  await Bun.write(to, Bun.gunzipSync(await Bun.file(join(tree, 'boot', packed)).bytes()))
}

/**
 * Debian's security updates build Xen without shadow paging, and then no PV guest can be migrated live (`Failed to
 * enable logdirty`). The hypervisor of the release itself still has it: kept beside, for `--xen shadow`.
 */
async function shadowXen(work: string): Promise<void> {
  const dir = join(work, 'shadow')
  await mkdir(dir, { recursive: true })
  const fetch = ['apt-get', '-q', '-o', 'APT::Sandbox::User=root', 'download', 'xen-hypervisor-4.17-amd64/bookworm']
  await output(fetch, { cwd: dir })
  const archive = readdirSync(dir).find((name) => name.endsWith('.deb'))
  if (!archive) return say('no hypervisor with shadow paging to be had: PV guests cannot be migrated live in this lab')
  await need(['dpkg-deb', '-x', archive, 'tree'], { cwd: dir })
  const { stdout } = await output(['sh', '-c', 'cat tree/boot/xen-*.config'], { cwd: dir })
  if (stdout.includes('CONFIG_SHADOW_PAGING=y')) await unpackXen(join(dir, 'tree'), join(work, 'xen-shadow'))
  await rm(dir, { recursive: true })
}
