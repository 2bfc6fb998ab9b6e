import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { output } from '../../lab/machine/command.ts'
import { debianSources, type Say } from './apt.ts'

/**
 * Releases of Debian that this machine's apt is not configured with, from the addresses that it is configured with: the
 * word of the release is replaced, and a suite that is not to be had there is left out. Their lists lie in a directory of
 * their own, and are as well signed as this machine's keyring (debian-archive-keyring) can tell.
 */

export const RELEASES = ['bullseye', 'bookworm', 'trixie'] as const
export type Release = (typeof RELEASES)[number]

/** The one that the lab is built from where nothing else is asked for: this machine's apt must have it. */
export const HOME_RELEASE: Release = 'bookworm'

interface ReleaseApt {
  /** `deb …` lines of the suites that are to be had. */
  readonly sources: readonly string[]
  /** What makes apt-get and apt-cache see that release alone. */
  readonly options: readonly string[]
}

const opened = new Map<Release, Promise<ReleaseApt>>()

/** Fetches the release's lists, once a run. */
function releaseApt(release: Release, say: Say): Promise<ReleaseApt> {
  const known = opened.get(release) ?? openRelease(release, say)
  opened.set(release, known)
  return known
}

async function openRelease(release: Release, say: Say): Promise<ReleaseApt> {
  const dir = join(tmpdir(), `pengx-apt-${release}`)
  const lists = join(dir, 'lists')
  for (const path of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(dir, path), { recursive: true })
  const wanted = (await debianSources(say)).map((line) => line.replace(HOME_RELEASE, release))
  writeFileSync(join(dir, 'sources.list'), `${wanted.join('\n')}\n`)
  const options = [
    `Dir::Etc::sourcelist=${join(dir, 'sources.list')}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${lists}`,
    'Dir::State::status=/dev/null',
    `Dir::Cache=${join(dir, 'cache')}`,
  ].flatMap((option) => ['-o', option])
  const { exit, stderr } = await output(['apt-get', '-q', ...options, 'update'])
  if (exit !== 0) say(`not all lists of ${release}: ${stderr.trim().split('\n').at(-1)}`)
  const fetched = readdirSync(lists)
  const sources = wanted.filter((line) => {
    const suite = line.split(' ')[2]!
    return fetched.some((name) => name.endsWith(`_dists_${suite}_InRelease`))
  })
  if (!sources.some((line) => line.endsWith(` ${release} main`)))
    throw new Error(`no Debian ${release} where this machine's apt has its own release from`)
  return { sources, options }
}

export const releaseSources = async (release: Release, say: Say): Promise<readonly string[]> =>
  (await releaseApt(release, say)).sources

/** What makes apt-get and apt-cache see a release: nothing for the one that they see anyway. */
export const releaseOptions = async (release: Release, say: Say): Promise<readonly string[]> =>
  release === HOME_RELEASE ? [] : (await releaseApt(release, say)).options
