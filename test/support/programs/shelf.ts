import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { programsOf, SEARCH_PATH, type User } from './programs.ts'

/**
 * The door through which tests start programs: a PATH of one directory, in which stand the programs of Debian's minimal
 * system and those of the table (programs.ts), and nothing else. What somebody has installed by hand, or for another
 * purpose, is not found there. Of sbin it has what the table names alone, as a person's PATH has none: a host adds that.
 */

/** Makes the directory anew and gives it; undefined where no dpkg tells what a minimal system has. */
export function openShelf(user: User, dir: string): string | undefined {
  if (!Bun.which('dpkg-query')) return undefined
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  const put = (path: string) => {
    const place = join(dir, basename(path))
    if (!existsSync(place)) symlinkSync(path, place)
  }
  const minimal = minimalPrograms()
  for (const path of minimal) put(path)
  const real = new Set(minimal.map((path) => realpathSync(path)))
  for (const name of readdirSync('/etc/alternatives')) {
    const path = Bun.which(name, { PATH: SEARCH_PATH })
    if (path && real.has(realpathSync(path))) put(path)
  }
  for (const program of programsOf(user)) {
    const path = Bun.which(program, { PATH: SEARCH_PATH })
    if (path) put(path)
  }
  return dir
}

const output = (...argv: string[]): string => Bun.spawnSync(argv, { stderr: 'ignore' }).stdout.toString()

/** The programs of the packages that every Debian system has: those that are essential, or of priority `required`. */
function minimalPrograms(): string[] {
  const format = ['-f', `\${Package} \${Essential} \${Priority}\n`]
  const packages = output('dpkg-query', '-W', ...format)
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, essential, priority]) => essential === 'yes' || priority === 'required')
    .map(([name]) => name!)
  return output('dpkg-query', '-L', ...packages)
    .split('\n')
    .filter((path) => /^(\/usr)?\/bin\/[^/]+$/.test(path) && existsSync(path))
}
