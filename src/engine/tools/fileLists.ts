import { type Program, reads } from './program.ts'

/** Many files at once: where paths lead to (stat(1)), and what lies in a directory (find(1)). */

/** Where each of many paths leads to, one a line, `\\0` after each; one that leads nowhere has none. */
export function identifyFiles(paths: readonly string[]): Program {
  return { ...reads('stat', '-L', '--printf=%F|%d:%i|%t:%T|%s|%n\\0', '--', ...paths), okExits: [0, 1] }
}

export interface LocatedFile {
  readonly path: string
  /** Two that are one have one key: a file by its device and inode, a device by its numbers. */
  readonly key: string
  readonly kind: 'file' | 'directory' | 'device' | 'other'
  readonly bytes: number
}

export function parseIdentities(stdout: string): LocatedFile[] {
  return stdout.split('\0').flatMap((line) => {
    const [, type = '', file, device, bytes, path] =
      /^([^|]+)\|(\d+:\d+)\|([\da-f]+:[\da-f]+)\|(\d+)\|(.+)$/s.exec(line) ?? []
    if (path === undefined) return []
    const kind = kindOf(type)
    return [{ path, kind, key: kind === 'device' ? `dev ${device}` : `${file}`, bytes: Number(bytes) }]
  })
}

function kindOf(type: string): LocatedFile['kind'] {
  if (type.startsWith('regular')) return 'file'
  if (type === 'directory') return 'directory'
  return type.startsWith('block special') ? 'device' : 'other'
}

/** What lies in a directory, hidden files too, and not what lies in those below; `parseListed` reads it. */
export function listDirectory(directory: string): Program {
  const root = `${directory.replace(/\/+$/, '')}/`
  const terms = ['-mindepth', '1', '-maxdepth', '1', '-printf', '%D:%i|%y|%s|%p\\0']
  return { ...reads('find', root, ...terms), okExits: [0, 1] }
}

export interface ListedFile {
  readonly path: string
  /** As `LocatedFile` has it, of what lies there itself and not of what it leads to. */
  readonly key: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly bytes: number
}

export function parseListed(stdout: string): ListedFile[] {
  const kinds: Record<string, ListedFile['kind']> = { f: 'file', d: 'directory', l: 'link' }
  return stdout.split('\0').flatMap((line) => {
    const [, key, letter = '', bytes, path] = /^(\d+:\d+)\|(.)\|(\d+)\|(.+)$/s.exec(line) ?? []
    return path === undefined ? [] : [{ path, key: key!, kind: kinds[letter] ?? 'other', bytes: Number(bytes) }]
  })
}
