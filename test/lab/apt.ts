// What this machine's own apt knows: where packages come from, which versions it would install, and the programs that
// the lab needs here. Nothing names a mirror: the addresses are read from apt's configuration each time.
import { need, output, say, searchPath } from './command.ts'

/** Programs used on this machine and the Debian package that brings each. */
const PROGRAMS = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mmdebstrap: 'mmdebstrap',
  'mkfs.ext4': 'e2fsprogs',
  ssh: 'openssh-client',
  cpio: 'cpio',
  depmod: 'kmod',
  xz: 'xz-utils',
  tar: 'tar',
  genisoimage: 'genisoimage',
} as const

const apt = ['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300']
let updated = false

/** Fetches the package lists once a run; a machine without network may still have usable ones. */
export async function updateLists(): Promise<void> {
  if (updated) return
  updated = true
  const { exit, stderr } = await output([...apt, 'update'])
  if (exit !== 0) say(`apt-get update failed, going on with the lists at hand: ${stderr.trim().split('\n').at(-1)}`)
}

/** Installs the missing programs, or says plainly which are missing and why they cannot be had. */
export async function needPrograms(): Promise<void> {
  const missing = () => Object.entries(PROGRAMS).filter(([program]) => !Bun.which(program, { PATH: searchPath }))
  const packages = missing().map(([, name]) => name)
  if (packages.length === 0) return
  if (process.getuid?.() !== 0) throw new Error(`the lab needs these packages: ${packages.join(' ')} (not root here)`)
  if (!Bun.which('apt-get')) throw new Error(`the lab needs these Debian packages: ${packages.join(' ')}`)
  await updateLists()
  say(`installing ${packages.join(' ')}`)
  await need([...apt, 'install', '-y', '--no-install-recommends', ...packages], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  })
  const left = missing().map(([program]) => program)
  if (left.length > 0) throw new Error(`still missing after apt-get install: ${left.join(' ')}`)
}

/** The `deb …` lines of Debian bookworm as this machine is configured, for the root to be built from. */
export async function debianSources(): Promise<string[]> {
  const format = '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)'
  const list = () => need(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages'])
  let text = await list()
  if (!text.includes('Debian|')) {
    await updateLists()
    text = await list()
  }
  const lines = text
    .split('\n')
    .map((line) => line.split('|'))
    .filter(
      ([origin, , release, component]) => origin === 'Debian' && /^bookworm/.test(release!) && component === 'main',
    )
    .map(([, uri, release]) => `deb ${uri} ${release} main`)
  if (!lines.some((line) => line.endsWith(' bookworm main')))
    throw new Error('this machine has no Debian bookworm among its apt sources: the lab is built from that release')
  return [...new Set(lines)]
}

/** How this machine reaches its sources (proxy, clock checks), for the apt that fills the root. */
export async function acquireOptions(): Promise<string[]> {
  const dump = await need(['apt-config', 'dump'])
  return dump.split('\n').filter((line) => /^Acquire::(Check-|[a-z]+::(Proxy|Verify-))/i.test(line))
}

/** `name version` of what would be installed now: the image is rebuilt when one of them changes. */
export async function candidates(packages: readonly string[]): Promise<string[]> {
  const versions = async () => {
    const found = new Map<string, string>()
    let name = ''
    for (const line of (await need(['apt-cache', 'policy', ...packages])).split('\n')) {
      if (/^\S.*:$/.test(line)) name = line.slice(0, -1)
      const version = /^ +Candidate: (\S+)/.exec(line)?.[1]
      if (version && version !== '(none)') found.set(name, version)
    }
    return found
  }
  let found = await versions()
  if (packages.some((name) => !found.has(name))) {
    await updateLists()
    found = await versions()
  }
  const unknown = packages.filter((name) => !found.has(name))
  if (unknown.length > 0) throw new Error(`apt has no candidate for ${unknown.join(' ')}`)
  return packages.map((name) => `${name} ${found.get(name)}`)
}
