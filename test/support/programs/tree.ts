import { need } from '../../lab/machine/command.ts'
import { acquireOptions, debianSources, type Say } from './apt.ts'
import { HOME_RELEASE, type Release, releaseSources } from './release.ts'

/** A tree of a Debian release's minimal system and some packages, from this machine's own sources; no service is started. */
export async function bootstrap(
  tree: string,
  packages: readonly string[],
  say: Say,
  hooks: readonly string[] = [],
  release: Release = HOME_RELEASE,
): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('building a Debian tree needs root: it makes device nodes and owners')
  const options = (await acquireOptions()).flatMap((line) => ['--aptopt', line])
  // mode root: the other modes need user namespaces or a loop mount. dpkg's file syncs cost minutes for nothing.
  const flags = ['--variant=minbase', '--mode=root', '--quiet', '--dpkgopt=force-unsafe-io', ...options]
  const paths = ['doc', 'man', 'locale', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`)
  // Later releases have it of themselves; what the lab puts into /usr/sbin is to be in /sbin.
  const layout = release === 'bullseye' ? ['--setup-hook=/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh'] : []
  const sources = release === HOME_RELEASE ? await debianSources(say) : await releaseSources(release, say)
  // In mounts of its own: what it mounts in the tree goes with it, also where it is killed.
  await need(
    [
      'unshare',
      '--mount',
      'mmdebstrap',
      ...flags,
      ...paths,
      ...layout,
      ...hooks,
      `--include=${packages.join(',')}`,
      release,
      tree,
      '-',
    ],
    { stdin: sources.join('\n') },
  )
}
