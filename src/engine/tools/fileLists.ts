import { type Program, reads } from './program.ts'

/** Many files at once: what lies in a directory (find(1)). */

/** What lies in a directory, hidden files too, and not what lies in those below; `parseListed` reads it. */
export function listDirectory(directory: string): Program {
  const root = `${directory.replace(/\/+$/, '')}/`
  const terms = ['-mindepth', '1', '-maxdepth', '1', '-printf', '%y|%s|%p\\0']
  return { ...reads('find', root, ...terms), okExits: [0, 1] }
}

export interface ListedFile {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly bytes: number
}

export function parseListed(stdout: string): ListedFile[] {
  const kinds: Record<string, ListedFile['kind']> = { f: 'file', d: 'directory', l: 'link' }
  return stdout.split('\0').flatMap((line) => {
    const [, letter = '', bytes, path] = /^(.)\|(\d+)\|(.+)$/s.exec(line) ?? []
    return path === undefined ? [] : [{ path, kind: kinds[letter] ?? 'other', bytes: Number(bytes) }]
  })
}
