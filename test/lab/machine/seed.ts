// What makes a host its own: identity, keys, network, boot scripts, guests. All of it travels as one tar on a second
// disk that dom0 unpacks at its first boot, so the built image is the same for every host and every run.
import { chmod, copyFile, mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { need } from './command.ts'
import { writeGuests } from './guest.ts'
import { guestInitramfs, writeInitramfs } from './initramfs.ts'
import type { Root } from './root.ts'

const here = import.meta.dir

/** Address of host N (from 1) on the wire that joins the hosts. */
const wireAddress = (number: number): string => `10.99.0.${number}`

/** Makes a key pair without a passphrase and gives the public half. */
export async function makeKey(path: string): Promise<string> {
  if (!(await Bun.file(path).exists()))
    await need(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'lab', '-f', path])
  return (await Bun.file(`${path}.pub`).text()).trim()
}

/** The parts that all hosts of a run share, made once: guests and boot scripts. */
export async function writeCommon(root: Root, dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true })
  await writeGuests(dir)
  await mkdir(join(dir, 'lab/guest'), { recursive: true })
  await writeInitramfs(root, guestInitramfs, join(dir, 'lab/guest/initrd'))
  await symlink('/boot/vmlinux', join(dir, 'lab/guest/vmlinux'))
  await symlink(`/boot/vmlinuz-${root.kernelRelease}`, join(dir, 'lab/guest/vmlinuz'))
  for (const name of ['boot.sh', 'halt.sh', 'serve.sh']) {
    await copyFile(join(here, 'dom0', name), join(dir, 'lab', name))
    await chmod(join(dir, 'lab', name), 0o755)
  }
  // busybox as PID 1 reaps, respawns and powers off; systemd would more than double the time to ssh
  await mkdir(join(dir, 'usr/sbin'), { recursive: true })
  for (const name of ['init', 'poweroff', 'reboot', 'halt']) await symlink('/bin/busybox', join(dir, 'usr/sbin', name))
  const files: Record<string, string> = {
    'etc/inittab': '::sysinit:/lab/boot.sh\n::ctrlaltdel:/sbin/reboot\n::shutdown:/lab/halt.sh\n',
    // guests' consoles go to /var/log/xen/console/guest-NAME.log, which is how tests read them
    'etc/default/xen': 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console"\n',
    // suites run many commands at once over one connection, and a busy machine makes every login slow
    'etc/ssh/sshd_config.d/lab.conf':
      'PermitRootLogin prohibit-password\nUseDNS no\nUsePAM no\nMaxSessions 64\nMaxStartups 64\nLoginGraceTime 300\n',
  }
  for (const [name, text] of Object.entries(files)) await Bun.write(join(dir, name), text)
}

export interface Identity {
  readonly name: string
  readonly number: number
  readonly all: readonly { readonly name: string; readonly number: number; readonly hostKey: string }[]
  /** Private files here: the key that may log in (hosts use it among themselves too), and this host's own. */
  readonly loginKey: string
  readonly hostKeyFile: string
}

/** Packs `common` and the identity of one host into `archive`. */
export async function writeSeed(common: string, identity: Identity, archive: string): Promise<void> {
  const dir = `${archive}.d`
  await rm(dir, { recursive: true, force: true })
  const names = identity.all.map((host) => ({ ...host, address: wireAddress(host.number) }))
  const files: Record<string, string> = {
    'etc/hostname': `${identity.name}\n`,
    'etc/machine-id': `${crypto.randomUUID().replaceAll('-', '')}\n`,
    'etc/hosts': ['127.0.0.1 localhost', ...names.map((host) => `${host.address} ${host.name}`), ''].join('\n'),
    'etc/network/interfaces': interfaces(identity.number),
    'etc/iscsi/initiatorname.iscsi': `InitiatorName=iqn.1993-08.org.debian:01:lab${identity.number}\n`,
    'etc/ssh/ssh_host_ed25519_key': await Bun.file(identity.hostKeyFile).text(),
    'etc/ssh/ssh_host_ed25519_key.pub': await Bun.file(`${identity.hostKeyFile}.pub`).text(),
    'root/.ssh/id_ed25519': await Bun.file(identity.loginKey).text(),
    'root/.ssh/id_ed25519.pub': await Bun.file(`${identity.loginKey}.pub`).text(),
    'root/.ssh/authorized_keys': await Bun.file(`${identity.loginKey}.pub`).text(),
    'root/.ssh/known_hosts': names.map((host) => `${host.name},${host.address} ${host.hostKey}\n`).join(''),
  }
  for (const [name, text] of Object.entries(files)) {
    await Bun.write(join(dir, name), text)
    if (/id_ed25519$|host_ed25519_key$/.test(name)) await chmod(join(dir, name), 0o600)
  }
  // files alone, no directories: those in the root keep their owners and modes
  const lists: string[] = []
  for (const [index, from] of [common, dir].entries()) {
    const list = `${archive}.${index}`
    await Bun.write(list, await need(['find', '.', '!', '-type', 'd'], { cwd: from }))
    lists.push('-C', from, '-T', list)
  }
  await need(['tar', '-c', '-f', archive, '--owner=0', '--group=0', ...lists])
  for (const path of [dir, `${archive}.0`, `${archive}.1`]) await rm(path, { recursive: true })
}

/** ifupdown's file: guests' bridge over the card that leads out, the wire between hosts, and a spare wire left alone. */
function interfaces(number: number): string {
  return [
    'auto lo\niface lo inet loopback\n',
    'iface eth0 inet manual\n',
    'auto xenbr0\niface xenbr0 inet static',
    '    address 10.0.2.15/24\n    gateway 10.0.2.2',
    '    bridge_ports eth0\n    bridge_stp off\n    bridge_fd 0\n    bridge_maxwait 0\n',
    `auto eth1\niface eth1 inet static\n    address ${wireAddress(number)}/24\n`,
    'iface eth2 inet manual\n',
  ].join('\n')
}
