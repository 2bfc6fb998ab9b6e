import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { need } from '../../lab/machine/command.ts'
import { missingFor, packagesOf, type User } from './programs.ts'

/**
 * This machine's own apt: installs what a table of programs asks for, and tells where packages come from and which versions
 * it would install. Nothing names a mirror: the addresses are read from apt's configuration each time.
 */

export type Say = (line: string) => void

const LOCK_S = 300
/** How it waits for who else is at work, but for the lists. */
const APT = ['apt-get', '-q', '-o', `DPkg::Lock::Timeout=${LOCK_S}`]
let updated = false

/** Fetches the package lists once a run; a machine without network may still have usable ones. */
export async function updateLists(say: Say): Promise<void> {
  if (updated) return
  updated = true
  const until = Date.now() + LOCK_S * 1000
  let said = await apt(['update'])
  for (; isLocked(said) && Date.now() < until; said = await apt(['update'])) await Bun.sleep(1000)
  const { exit, last } = said
  if (exit !== 0) say(`apt-get update failed, going on with the lists at hand: ${last}`)
}

const isLocked = ({ exit, last }: { exit: number; last: string }) => exit !== 0 && last.includes('Unable to lock')

/** Installs what is missing where that can be done without asking anybody, says what it does, and gives what is missing then. */
export async function bringPrograms(user: User, say: Say): Promise<string[]> {
  const missing = missingFor(user)
  if (missing.length === 0) return []
  const packages = packagesOf(missing)
  const obstacle = process.getuid?.() !== 0 ? 'not root' : Bun.which('apt-get') ? undefined : 'not Debian'
  if (obstacle) {
    say(`missing and not installed (${obstacle}): ${packages.join(' ')}`)
    return missing
  }
  say(`installing ${packages.join(' ')}`)
  await withoutStartingServices(async () => {
    const install = ['install', '-y', '--no-install-recommends', ...packages]
    if ((await apt(install)).exit === 0) return
    await updateLists(say)
    const { exit, last } = await apt(install)
    if (exit !== 0) say(`apt-get install exited with ${exit}: ${last}`)
  })
  return missingFor(user)
}

async function apt(words: readonly string[]): Promise<{ exit: number; last: string }> {
  const child = Bun.spawn([...APT, ...words], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const [stderr, exit] = await Promise.all([new Response(child.stderr).text(), child.exited])
  return { exit, last: stderr.trim().split('\n').at(-1) ?? '' }
}

/** A test suite that leaves an SSH server running behind it would have changed the machine. */
async function withoutStartingServices(work: () => Promise<void>): Promise<void> {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return await work()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    await work()
  } finally {
    rmSync(policy, { force: true })
  }
}

/** The `deb …` lines of Debian bookworm as this machine is configured, for the root to be built from. */
export async function debianSources(say: Say): Promise<string[]> {
  const format = '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)'
  const list = () => need(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages'])
  let text = await list()
  if (!text.includes('Debian|')) {
    await updateLists(say)
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

/** `name version` of what would be installed now, under some options of apt's: the image is rebuilt when one of them changes. */
export async function candidates(
  packages: readonly string[],
  say: Say,
  options: readonly string[] = [],
): Promise<string[]> {
  const versions = async () => {
    const found = new Map<string, string>()
    let name = ''
    for (const line of (await need(['apt-cache', ...options, 'policy', ...packages])).split('\n')) {
      if (/^\S.*:$/.test(line)) name = line.slice(0, -1)
      const version = /^ +Candidate: (\S+)/.exec(line)?.[1]
      if (version && version !== '(none)') found.set(name, version)
    }
    return found
  }
  let found = await versions()
  if (packages.some((name) => !found.has(name))) {
    await updateLists(say)
    found = await versions()
  }
  const unknown = packages.filter((name) => !found.has(name))
  if (unknown.length > 0) throw new Error(`apt has no candidate for ${unknown.join(' ')}`)
  return packages.map((name) => `${name} ${found.get(name)}`)
}
