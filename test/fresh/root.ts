// A bare machine: Debian bookworm's minimal system with Node, npm, git and certificates, and no more. Node and npm are this
// machine's own, since the release has an older one.
import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { need } from '../lab/machine/command.ts'
import { bootstrap } from '../support/programs/tree.ts'

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

export async function buildRoot(tree: string, say: (line: string) => void): Promise<void> {
  await bootstrap(tree, ['git', 'ca-certificates'], say)
  putNode(tree)
  for (const path of [CERTIFICATES, '/etc/hosts', '/etc/resolv.conf'])
    if (existsSync(path)) cpSync(path, join(tree, path), { dereference: true, force: true })
}

function putNode(tree: string): void {
  const [node, npm] = [needProgram('node'), needProgram('npm')]
  // …/npm/bin/npm-cli.js
  const package_ = dirname(dirname(npm))
  const modules = join(tree, 'usr/local/lib/node_modules')
  mkdirSync(modules, { recursive: true })
  cpSync(package_, join(modules, 'npm'), { recursive: true })
  cpSync(node, join(tree, 'usr/local/bin/node'))
  for (const name of ['npm', 'npx'])
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(tree, 'usr/local/bin', name))
}

function needProgram(name: string): string {
  const path = Bun.which(name)
  if (path === null) throw new Error(`no ${name} in the PATH`)
  return realpathSync(path)
}

/** A copy to be used up. */
export async function copyRoot(tree: string, to: string): Promise<void> {
  await need(['cp', '-a', '--reflink=auto', tree, to])
}

/** What reaches registries from here reaches them from there. */
const PASSED_ON =
  /^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE|GIT_SSL_CAINFO|CI|(https?|no|all)_proxy)$/i

const ENTER = `set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
if [ "$2" = tmpfs ]; then mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"; fi
cd "$1"
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
rmdir /.outside
cd "$3"
shift 3
"$@"`

/**
 * The argv that runs one there, with /proc, /dev, the network and the environment of a person who has just logged in; its
 * processes end with it. The tree is a root of its own and no chroot, so that what needs namespaces finds them.
 */
export function inRoot(tree: string, tmp: 'disk' | 'tmpfs', cwd: string, argv: readonly string[]): string[] {
  const passed = Object.entries(process.env).filter(([name]) => PASSED_ON.test(name))
  const env = {
    HOME: '/root',
    USER: 'root',
    SHELL: '/bin/sh',
    TERM: 'dumb',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...Object.fromEntries(passed),
  }
  const clean = ['env', '-i', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)]
  return [
    'unshare',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    ...clean,
    'sh',
    '-c',
    ENTER,
    'sh',
    tree,
    tmp,
    cwd,
    ...argv,
  ]
}
