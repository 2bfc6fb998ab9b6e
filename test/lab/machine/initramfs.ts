// Two small initramfs archives, of busybox and a handful of modules: one finds dom0's disk (Debian's own takes many
// times as long on an emulated processor), the other is the whole system of a guest.
import { copyFile, mkdir, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { need } from './command.ts'
import type { Root } from './root.ts'

export interface Initramfs {
  /** Module names as modprobe takes them; what they depend on comes along, loaded in this order. */
  readonly modules: readonly string[]
  /** Path in the archive → file here; all are made executable. */
  readonly files: Readonly<Record<string, string>>
}

const here = import.meta.dir

export const dom0Initramfs: Initramfs = {
  modules: ['virtio_pci', 'virtio_blk', 'crc32c_generic', 'ext4'],
  files: { init: join(here, 'dom0/initrd.sh') },
}

export const guestInitramfs: Initramfs = {
  modules: ['xen-blkfront', 'xen-netfront', 'ata_piix', 'sr_mod', 'isofs'],
  files: {
    init: join(here, 'guest/init.sh'),
    'sbin/poweroff': join(here, 'guest/power.sh'),
    'sbin/reboot': join(here, 'guest/power.sh'),
  },
}

/** Writes the archive, uncompressed: unpacking costs an emulated processor more than the bytes do. */
export async function writeInitramfs(root: Root, spec: Initramfs, archive: string): Promise<void> {
  const dir = `${archive}.d`
  await rm(dir, { recursive: true, force: true })
  for (const name of ['bin', 'sbin', 'modules', 'proc', 'sys', 'dev', 'run', 'tmp', 'mnt'])
    await mkdir(join(dir, name), { recursive: true })
  const busybox = join(root.tree, 'bin/busybox')
  await copyFile(busybox, join(dir, 'bin/busybox'))
  // busybox is static, so it can say here what it offers there
  for (const applet of (await need([busybox, '--list'])).trim().split('\n'))
    if (applet !== 'busybox') await symlink('busybox', join(dir, 'bin', applet))
  const paths = await moduleClosure(root, spec.modules)
  for (const path of paths) await copyFile(join(moduleDir(root), path), join(dir, 'modules', basename(path)))
  await Bun.write(join(dir, 'modules/order'), `${paths.map((path) => basename(path)).join('\n')}\n`)
  for (const [name, file] of Object.entries(spec.files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await copyFile(file, join(dir, name))
    await need(['chmod', '755', join(dir, name)])
  }
  const pack = 'cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet > "$2"'
  await need(['sh', '-c', pack, 'sh', dir, archive])
  await rm(dir, { recursive: true })
}

const moduleDir = (root: Root): string => join(root.tree, 'lib/modules', root.kernelRelease)

/** Files of the modules and of all they need, each after its needs. Names that are built in give nothing. */
async function moduleClosure(root: Root, names: readonly string[]): Promise<string[]> {
  const key = (path: string) => basename(path).replace(/\.ko$/, '').replaceAll('-', '_')
  const needs = new Map<string, { path: string; after: string[] }>()
  for (const line of (await Bun.file(join(moduleDir(root), 'modules.dep')).text()).split('\n')) {
    const [path, rest] = line.split(':')
    if (path) needs.set(key(path), { path, after: (rest ?? '').trim().split(' ').filter(Boolean).map(key) })
  }
  const order = new Set<string>()
  const visit = (name: string) => {
    const found = needs.get(name)
    if (!found || order.has(found.path)) return
    found.after.forEach(visit)
    order.add(found.path)
  }
  names.map((name) => name.replaceAll('-', '_')).forEach(visit)
  return [...order]
}
