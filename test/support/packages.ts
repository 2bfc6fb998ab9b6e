import { existsSync, rmSync, writeFileSync } from 'node:fs'

/**
 * The programs outside npm that tests work with, and the Debian package that brings each. Where one is missing and
 * cannot be had, the test files that name it are left out, and that is said.
 */
interface Need {
  readonly program: string
  readonly package: string
  /** A test file that says this works with the program. */
  readonly sign: RegExp
}

const NEEDS: readonly Need[] = [
  { program: 'qemu-img', package: 'qemu-utils', sign: /qemu-img|QemuImg/ },
  { program: 'qemu-storage-daemon', package: 'qemu-system-common', sign: /qemu-storage-daemon/ },
  { program: 'sshd', package: 'openssh-server', sign: /support\/sshd|\bsshd\b/ },
  { program: 'ssh', package: 'openssh-client', sign: /support\/sshd|\bssh -G\b/ },
  { program: 'ssh-keygen', package: 'openssh-client', sign: /support\/sshd|ssh-keygen/ },
  { program: 'ssh-agent', package: 'openssh-client', sign: /ssh-agent/ },
  { program: 'curl', package: 'curl', sign: /'curl'/ },
  { program: 'zsh', package: 'zsh', sign: /openShell\('zsh'\)/ },
  { program: 'fish', package: 'fish', sign: /openShell\('fish'\)/ },
  { program: 'tmux', package: 'tmux', sign: /'tmux'/ },
]

/** sshd lives where a person's PATH does not look. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`

export interface LeftOut {
  readonly path: string
  readonly program: string
}

/** Installs what is missing where that can be done without asking anybody, and says what it does. */
export async function bringPackages(texts: readonly string[], say: (line: string) => void): Promise<void> {
  const wanted = NEEDS.filter((need) => isMissing(need) && texts.some((text) => need.sign.test(text)))
  const packages = [...new Set(wanted.map((need) => need.package))]
  if (packages.length === 0) return
  const obstacle = process.getuid?.() !== 0 ? 'not root' : Bun.which('apt-get') ? undefined : 'not Debian'
  if (obstacle) return say(`missing and not installed (${obstacle}): ${packages.join(' ')}`)
  say(`installing ${packages.join(' ')}`)
  await withoutStartingServices(async () => {
    const install = ['install', '-y', '--no-install-recommends', ...packages]
    if ((await apt(install, () => undefined)) === 0) return
    await apt(['update'], say)
    await apt(install, say)
  })
}

/** The files that cannot run here, each with the first program that it lacks. */
export function leftOut(files: readonly { readonly path: string; readonly text: string }[]): LeftOut[] {
  const missing = NEEDS.filter(isMissing)
  return files.flatMap(({ path, text }) => {
    const lacking = missing.find((need) => need.sign.test(text))
    return lacking ? [{ path, program: `${lacking.program} (Debian package ${lacking.package})` }] : []
  })
}

function isMissing(need: Need): boolean {
  return Bun.which(need.program, { PATH }) === null
}

async function apt(words: readonly string[], say: (line: string) => void): Promise<number> {
  const child = Bun.spawn(['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...words], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const [stderr, exit] = await Promise.all([new Response(child.stderr).text(), child.exited])
  if (exit !== 0) say(`apt-get ${words[0]} exited with ${exit}: ${stderr.trim().split('\n').at(-1)}`)
  return exit
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
