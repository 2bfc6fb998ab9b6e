import { ANY_EXIT, changes, type Program, reads } from './program.ts'

/** Files on a PM, with plain programs: every part can run in a batch, locally, over SSH and simulated. */

/**
 * A file's new content, whole or not at all, mode 0600 from its first byte; parts of one batch that stops at its first
 * failure. `dd`, because it takes the text from standard input and, unlike tee, does not repeat it: a secret in it
 * must not come back as output. The text is on the disk before the file has its name.
 */
export function writeFileAtomically(path: string, text: string | Uint8Array): Program[] {
  const draft = draftOf(path)
  return [
    changes('mkdir', '-p', parentOf(path)),
    changes('install', '-m', '600', '/dev/null', draft),
    { ...changes('dd', `of=${draft}`, 'conv=fsync', 'status=none'), stdin: text },
    moveFile(draft, path),
  ]
}

/**
 * What `writeFileAtomically` leaves where it is cut short: a name that a shell's `*` does not meet, since xendomains(8)
 * starts whatever it finds in /etc/xen/auto.
 */
export function draftOf(path: string): string {
  return hidden(path, 'new')
}

/** Where the file that pengx has changed first is kept as it was, hard-linked, once; hidden for the same reason. */
export function originalOf(path: string): string {
  return hidden(path, 'before-pengx')
}

/** Where the file of a VM that has moved away is set aside: by its content, so that none takes another's place. */
export function movedOf(path: string, sha256: string): string {
  return hidden(path, `moved-away-${sha256.slice(0, 12)}`)
}

/** To that very path, in the place of what is there. */
export function moveFile(from: string, to: string): Program {
  return changes('mv', '-T', from, to)
}

/** Where a file that has become a link is kept as it was: by its content, so that none is kept in another's place. */
export function linkedAwayOf(path: string, sha256: string): string {
  return hidden(path, `before-link-${sha256.slice(0, 12)}`)
}

function hidden(path: string, what: string): string {
  const end = path.lastIndexOf('/') + 1
  return `${path.slice(0, end)}.${path.slice(end)}.${what}`
}

/** Exit 0: the file holds just these bytes, by their SHA-256 in hexadecimal digits; 1: it does not, or is not there. */
export function holdsBytes(path: string, sha256: string): Program {
  const script = '[ "$(sha256sum <"$1" | cut -c 1-64)" = "$2" ]'
  return { ...reads('sh', '-c', script, 'pengx-holds', path, sha256), okExits: [0] }
}

/**
 * Another content for a file of somebody else's that holds certain bytes: its mode and owner stay, and what it was before
 * pengx changed it first is kept beside it, once. Parts of one batch that stops at its first failure; `path` leads
 * through no link.
 */
export function replaceFile(path: string, before: string, bytes: Uint8Array): Program[] {
  const draft = draftOf(path)
  return [
    holdsBytes(path, before),
    // 1: one is kept already, or there can be none, which the next part finds out
    { ...changes('ln', path, originalOf(path)), okExits: ANY_EXIT },
    reads('test', '-e', originalOf(path)),
    changes('install', '-m', '600', '/dev/null', draft),
    { ...changes('dd', `of=${draft}`, 'conv=fsync', 'status=none'), stdin: bytes },
    changes('cp', '--attributes-only', '--preserve=mode,ownership', path, draft),
    moveFile(draft, path),
  ]
}

/** A link in the place of a file, which is kept under another name. Parts of a batch that stops at its first failure. */
export function replaceByLink(path: string, target: string, kept: string): Program[] {
  const draft = draftOf(path)
  return [
    // 1: it is kept there already
    { ...changes('ln', path, kept), okExits: ANY_EXIT },
    reads('test', '-e', kept),
    changes('ln', '-sfn', target, draft),
    moveFile(draft, path),
  ]
}

/** What stands in a file, byte by byte, as base64 in lines; `parseBase64` reads it. */
export function readBytes(path: string): Program {
  return reads('base64', path)
}

export function parseBase64(stdout: string): Uint8Array {
  return Uint8Array.from(Buffer.from(stdout, 'base64'))
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

/** Bytes into the beginning of what is there, on the disk when it ends; where nothing is, nothing is made. */
export function writeInto(path: string, bytes: Uint8Array): Program {
  return { ...changes('dd', `of=${path}`, 'conv=nocreat,notrunc,fsync', 'status=none'), stdin: bytes }
}

/** Exit 0: something is there, 1: nothing is. */
export function fileExists(path: string): Program {
  return { ...reads('test', '-e', path), okExits: [0, 1] }
}

/** Exit 0: a directory is there, 1: none is. */
export function isDirectory(path: string): Program {
  return { ...reads('test', '-d', path), okExits: [0, 1] }
}

/** Where a path leads to when every symbolic link in it is followed; exit 1: nowhere. */
export function resolveLink(path: string): Program {
  return { ...reads('readlink', '-f', path), okExits: [0, 1] }
}

/** Where each of them leads to, one a line, in their order; a path that leads nowhere has no line. */
export function resolveLinks(paths: readonly string[]): Program {
  return { ...reads('readlink', '-f', ...paths), okExits: [0, 1] }
}

/**
 * Files, also those that a link leads to, that a pattern with `*` and `?` names, one a line: no hidden ones, none over
 * 256 KiB. find(1)'s own `*` would go over slashes: the depth says how many there are.
 */
export function findMatching(pattern: string): Program {
  const [root, depth] = fixedPart(pattern)
  const terms = ['-mindepth', String(depth), '-maxdepth', String(depth), '-path', pattern, '-type', 'f']
  return { ...reads('find', '-L', root, ...terms, '!', '-name', '.*', '-size', '-257k'), okExits: [0, 1] }
}

/** The directories before the first wildcard, and how many names follow. */
function fixedPart(pattern: string): [root: string, depth: number] {
  const names = pattern.split('/').slice(1)
  const wild = names.findIndex((name) => /[*?[]/.test(name))
  const fixed = wild === -1 ? names.length - 1 : wild
  return [`/${names.slice(0, fixed).join('/')}`, names.length - fixed]
}

/** What is written in a symbolic link, and a line feed; exit 1: there is none of that name. */
export function readLink(path: string): Program {
  return { ...reads('readlink', path), okExits: [0, 1] }
}

/** A symbolic link, at once and only where nothing is: what is there is not replaced, nor gone into. */
export function makeLink(target: string, path: string): Program {
  return changes('ln', '-s', '-T', target, path)
}

/** With those above it; one that is there is made. */
export function makeDirectory(path: string): Program {
  return changes('mkdir', '-p', path)
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
