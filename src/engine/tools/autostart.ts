import { type Program, reads } from './program.ts'

/** What a directory of guests to start holds, by find(1) and stat(1), and whether a service of the PM starts them. */

/** Services as System V, systemd and OpenRC note that they start (xendomains, of Xen and of Debian). */
const SERVICE_PLACES = ['/etc/rc2.d', '/etc/rc3.d', '/etc/rc5.d', '/etc/runlevels', '/etc/systemd/system']

/** A directory, or where a link to one leads; one that is not there has none. `parseEntries` reads it. */
export function listEntries(directory: string): Program {
  return entries([], directory, '%y %f\\0%l\\0')
}

/** Which files the same names are, or lead to; `parseIdentities` reads it. */
export function identifyEntries(directory: string): Program {
  return entries(['-L'], directory, '%D:%i %f\\0')
}

function entries(follow: readonly string[], directory: string, format: string): Program {
  const terms = ['-mindepth', '1', '-maxdepth', '1', '-printf', format]
  return { ...reads('find', ...follow, `${directory}/`, ...terms), okExits: [0, 1] }
}

/** Which files those paths are, or lead to: `parseIdentities` reads it. Those that are not there are left out. */
export function identifyFiles(paths: readonly string[]): Program {
  return { ...reads('stat', '-L', '--printf=%d:%i %n\\0', ...paths), okExits: [0, 1] }
}

/** By name, none of a dotfile; `target`: what is written in a link. */
export function parseEntries(stdout: string): { readonly name: string; readonly target?: string }[] {
  const words = stdout.split('\0')
  const found: { name: string; target?: string }[] = []
  for (let at = 0; at + 1 < words.length; at += 2) {
    const [kind, name] = [words[at]![0], words[at]!.slice(2)]
    if (!name.startsWith('.')) found.push({ name, ...(kind === 'l' ? { target: words[at + 1]! } : {}) })
  }
  return found.sort((one, other) => (one.name < other.name ? -1 : 1))
}

/** Device and inode, by name or path. */
export function parseIdentities(stdout: string): ReadonlyMap<string, string> {
  const found = stdout.split('\0').flatMap((text): [string, string][] => {
    const [, identity, name] = /^(\d+:\d+) (.+)$/s.exec(text) ?? []
    return name === undefined ? [] : [[name, identity!]]
  })
  return new Map(found)
}

export function findServices(): Program {
  return { ...reads('find', ...SERVICE_PLACES, '-name', '*xendomains*', '-printf', '%p %l\\n'), okExits: [0, 1] }
}

/** Whether the PM's boot starts xendomains; systemd starts none that is masked. */
export function startsGuests(stdout: string): boolean {
  const lines = stdout.split('\n')
  if (lines.includes('/etc/systemd/system/xendomains.service /dev/null')) return false
  const noted =
    /^(\/etc\/rc\d\.d\/S\d+xendomains|\S+\.(wants|requires)\/xendomains\.service|\/etc\/runlevels\/[^/]+\/xendomains) /
  return lines.some((line) => noted.test(line))
}
