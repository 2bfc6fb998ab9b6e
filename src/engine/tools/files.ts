import { changes, type Program, reads } from './program.ts'

/** Files on a PM, with plain programs: every part can run in a batch, locally, over SSH and simulated. */

/**
 * A file's new content, whole or not at all, mode 0600 from its first byte; parts of one batch that stops at its first
 * failure. `dd`, because it takes the text from standard input and, unlike tee, does not repeat it: a secret in it
 * must not come back as output. The text is on the disk before the file has its name.
 */
export function writeFileAtomically(path: string, text: string): Program[] {
  const draft = draftOf(path)
  return [
    changes('mkdir', '-p', parentOf(path)),
    changes('install', '-m', '600', '/dev/null', draft),
    { ...changes('dd', `of=${draft}`, 'conv=fsync', 'status=none'), stdin: text },
    changes('mv', '-T', draft, path),
  ]
}

/** What `writeFileAtomically` leaves where it is cut short. */
export function draftOf(path: string): string {
  return `${path}.new`
}

export function readFile(path: string): Program {
  return reads('cat', path)
}

/** Which file of its file system a path leads to, and how long it is; `parseFileIdentity` reads it. */
export function fileIdentity(path: string): Program {
  return { ...reads('stat', '-L', '-c', '%F|%i|%s', path), okExits: [0, 1] }
}

export interface FileIdentity {
  /** `file`, or anything else by stat's name: `block special file`. */
  readonly kind: string
  readonly inode: string
  readonly bytes: number
}

export function parseFileIdentity(stdout: string): FileIdentity | undefined {
  const [, kind, inode, bytes] = /^(.+)\|(\d+)\|(\d+)$/.exec(stdout.trim()) ?? []
  if (kind === undefined) return undefined
  return { kind: kind.startsWith('regular') ? 'file' : kind, inode: inode!, bytes: Number(bytes) }
}

/** Opens a file, which makes a network file system ask its server how it is now; the byte itself does not matter. */
export function firstByte(path: string): Program {
  return reads('head', '-c', '1', path)
}

/** Bytes into the beginning of what is there, on the disk when it ends. */
export function writeInto(path: string, bytes: Uint8Array): Program {
  return { ...changes('dd', `of=${path}`, 'conv=notrunc,fsync', 'status=none'), stdin: bytes }
}

/** Exit 0: something is there, 1: nothing is. */
export function fileExists(path: string): Program {
  return { ...reads('test', '-e', path), okExits: [0, 1] }
}

/** Where a path leads to when every symbolic link in it is followed; exit 1: nowhere. */
export function resolveLink(path: string): Program {
  return { ...reads('readlink', '-f', path), okExits: [0, 1] }
}

/** A file that is not there is removed. */
export function removeFile(path: string): Program {
  return changes('rm', '-f', path)
}

/** Names in a directory, one a line; `parseNames` reads them. */
export function listNames(directory: string): Program {
  return reads('ls', '-1', directory)
}

/** CD images in directories and in those right below; a directory that is not there has none. */
export function findIsos(directories: readonly string[]): Program {
  const terms = ['-maxdepth', '2', '-type', 'f', '-iname', '*.iso', '-printf', '%s %p\\n']
  return { ...reads('find', ...directories, ...terms), okExits: [0, 1] }
}

/** One `SIZE PATH` a line, in bytes; a path may hold blanks. */
export function parseSizedPaths(stdout: string): { readonly path: string; readonly bytes: number }[] {
  return stdout.split('\n').flatMap((line) => {
    const [, bytes, path] = /^(\d+) (\/.*)$/.exec(line) ?? []
    return path === undefined ? [] : [{ path, bytes: Number(bytes) }]
  })
}

export function lastLines(path: string, count: number): Program {
  return reads('tail', '-n', String(count), path)
}

export function parseNames(stdout: string): string[] {
  return stdout.split('\n').filter((name) => name !== '')
}

function parentOf(path: string): string {
  const end = path.lastIndexOf('/')
  return end > 0 ? path.slice(0, end) : '/'
}
