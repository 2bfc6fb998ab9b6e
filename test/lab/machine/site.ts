// A run of the lab: a directory with keys, ports and one sub-directory a host, booted from fresh overlays. `lab up` and
// every `lab test` have one each, so they can go on side by side.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Release } from '../../support/programs/release.ts'
import { type Machine, runningPid, startHost, stopHost, waitBooted } from './boot.ts'
import { need, output, say, timed } from './command.ts'
import { dom0Initramfs, writeInitramfs } from './initramfs.ts'
import { freePorts } from './ports.ts'
import { buildRoot } from './root.ts'
import { type Identity, makeKey, writeCommon, writeSeed } from './seed.ts'
import { closeSsh, type LabHost, sshConfigText, waitSsh } from './ssh.ts'

export interface Site {
  readonly dir: string
  readonly hosts: readonly LabHost[]
  readonly machines: readonly Machine[]
}

/** Sockets want short paths (108 bytes), which a clone's may not be. */
const socketDir = (dir: string): string => join(tmpdir(), `pengx-lab-${Bun.hash(resolve(dir)).toString(36)}`)

export interface SiteOptions {
  /** Xen hosts. */
  readonly hosts: number
  /** A host without Xen beside them, `linux1`: an emulated Linux is several times as fast as one that is a dom0. */
  readonly linux?: boolean
  /** The hypervisor: what apt installs today, or the one that can migrate PV guests live. */
  readonly xen: 'update' | 'shadow'
  /** Debian's, which has its Xen and QEMU; the usual one where none is named. */
  readonly release?: Release
  /** The one of several hosts that has two processors: what is done is done there, and the others do little. */
  readonly busy?: string
}

export const isXen = (name: string): boolean => name.startsWith('xen')

/** Makes everything that a run of so many hosts needs, and switches nothing on. */
async function prepareSite(dir: string, options: SiteOptions): Promise<Site> {
  const count = options.hosts
  if (![0, 1, 2].includes(count)) throw new Error('the lab has 1 Xen host or 2') // a wire has two ends
  const root = await buildRoot(options.release)
  const xen = options.xen === 'shadow' ? root.xenShadow : root.xen
  if (!xen) throw new Error('no hypervisor with shadow paging was to be had when the root was built')
  await rm(dir, { recursive: true, force: true })
  const sockets = socketDir(dir)
  for (const path of [dir, sockets]) await mkdir(path, { recursive: true, mode: 0o700 })
  const key = join(dir, 'key')
  await makeKey(key)
  const initrd = join(dir, 'initrd')
  await writeInitramfs(root, dom0Initramfs, initrd)
  await writeCommon(root, join(dir, 'common'))
  const sharedDisk = join(dir, 'shared.img')
  await need(['truncate', '-s', '2G', sharedDisk])

  const names = [...['xen1', 'xen2'].slice(0, count), ...(options.linux ? ['linux1'] : [])]
  const ports = [await freePorts(), await freePorts(), await freePorts(), await freePorts()] as const
  const all: (Identity['all'][number] & { home: string; hostKeyFile: string })[] = []
  for (const [index, name] of names.entries()) {
    const home = join(dir, name)
    await mkdir(home)
    const hostKeyFile = join(home, 'hostkey')
    all.push({
      name,
      number: index + 1,
      home,
      hostKeyFile,
      hostKey: (await makeKey(hostKeyFile)).split(' ').slice(0, 2).join(' '),
    })
  }
  for (const one of all) {
    await writeSeed(join(dir, 'common'), { ...one, all, loginKey: key }, join(one.home, 'seed.tar'))
    const overlay = join(one.home, 'root.qcow2')
    await need(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', root.image, overlay])
    await need(['truncate', '-s', '2G', join(one.home, 'own.img')])
  }
  // An emulated processor is a thread that wants one of this machine's: where two are promised one and get half, a lock's
  // holder waits for its turn while the other spins, and libxl's hotplug scripts pass their 40 s.
  const cpusOf = (name: string) => (name === options.busy || (names.length === 1 && isXen(name)) ? 2 : 1)
  const machines = all.map(({ name, number, home }): Machine => {
    // Nobody is at the other end of the third one's wires.
    const [own, peer] = isXen(name) ? [ports[number - 1]!, ports[2 - number]!] : [ports[2], ports[3]]
    const qmp = join(sockets, `${name}.qmp`)
    const below = isXen(name) ? { xen, memoryMib: 3584 } : { memoryMib: 1536 }
    return { name, number, dir: home, cpus: cpusOf(name), ports: own, peer, qmp, root, ...below, initrd, sharedDisk }
  })
  const knownHosts = join(dir, 'known_hosts')
  const sshConfig = join(dir, 'ssh_config')
  const hosts = machines.map(({ name, ports, dir: home }): LabHost => {
    return { name, port: ports.ssh, user: 'root', key, knownHosts, sshConfig, dir: home }
  })
  await Bun.write(knownHosts, hosts.map((host, i) => `[127.0.0.1]:${host.port} ${all[i]!.hostKey}\n`).join(''))
  await Bun.write(sshConfig, sshConfigText(hosts, sockets))
  await Bun.write(join(dir, 'machines.json'), JSON.stringify(machines, null, 2))
  await Bun.write(join(dir, 'hosts.json'), JSON.stringify(hosts, null, 2))
  return { dir, hosts, machines }
}

/** Boots a fresh site; one that does not come up is tried once more from the beginning. */
export async function upSite(dir: string, options: SiteOptions): Promise<Site> {
  for (let attempt = 1; ; attempt++) {
    const site = await timed('prepared', () => prepareSite(dir, options))
    try {
      await timed(`booted ${site.hosts.map((host) => host.name).join(' ')}`, () => bootSite(site))
      return site
    } catch (error) {
      for (const { name, dir: home } of site.machines)
        await output(['cp', join(home, 'serial.log'), `${dir}.${name}.failed.log`])
      await downSite(dir)
      if (attempt === 2) throw error
      say(`${(error as Error).message}; trying once more`)
    }
  }
}

async function bootSite(site: Site): Promise<void> {
  await Promise.all(site.machines.map(startHost))
  await Promise.all(site.machines.map((machine) => waitBooted(machine)))
  await Promise.all(site.hosts.map((host) => waitSsh(host)))
}

/** A site that was made earlier, running or not. */
export function openSite(dir: string): Site | undefined {
  if (!existsSync(join(dir, 'machines.json'))) return undefined
  // Who was killed while making or removing it may have left only one of them.
  const read = (name: string) => (existsSync(join(dir, name)) ? JSON.parse(readFileSync(join(dir, name), 'utf8')) : [])
  return { dir, hosts: read('hosts.json'), machines: read('machines.json') }
}

export const isUp = (site: Site): boolean => site.machines.every((machine) => runningPid(machine))

/** Ends what the run started and removes its directory. */
export async function downSite(dir: string): Promise<void> {
  const site = openSite(dir)
  if (site) {
    await Promise.all(site.hosts.map((host) => closeSsh(host)))
    await Promise.all(site.machines.map((machine) => stopHost(machine)))
  }
  await rm(dir, { recursive: true, force: true })
  await rm(socketDir(dir), { recursive: true, force: true })
}

/** Takes down what test runs that were killed left behind: theirs is a directory `NAME-PID`. */
export async function sweepSites(parent: string): Promise<void> {
  for (const name of existsSync(parent) ? readdirSync(parent) : []) {
    const owner = /^(?:test|soak)-(\d+)$/.exec(name)?.[1]
    if (owner && !existsSync(`/proc/${owner}`)) await downSite(join(parent, name))
  }
}
