/** A mount of its own for a child: root needs no more, and others a user namespace, which not every machine gives them. */
const NAMESPACE = process.getuid?.() === 0 ? '-m' : '-Urm'

export const canMount = Bun.spawnSync(['unshare', NAMESPACE, 'true']).exitCode === 0

/** Starts a program where a directory is a small file system in memory, with a file `ballast` that takes most of it. */
export function onSmallDisk(dir: string, argv: readonly string[]) {
  return within(
    `mount -t tmpfs -o size=3m none "$0" && head -c 1000000 /dev/zero > "$0/ballast" && exec "$@"`,
    dir,
    argv,
  )
}

/** Starts a program where a directory is mounted read-only. */
export function onReadOnlyDisk(dir: string, argv: readonly string[]) {
  return within(`mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"`, dir, argv)
}

function within(script: string, dir: string, argv: readonly string[]) {
  const words = ['unshare', NAMESPACE, 'sh', '-c', script, dir, ...argv]
  return Bun.spawn(words, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
}
