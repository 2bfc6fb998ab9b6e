import { changes, type Program, reads } from './program.ts'

/**
 * OpenSSH's keys and authorized_keys(5). pengx's keys stand in one block of that file, between two comments; what else
 * stands there is somebody's own and stays byte for byte, so the text here holds one character for each byte.
 */
export const KEY_NAMES = ['id_ed25519', 'id_ecdsa', 'id_rsa'] as const

const BEGIN = '# pengx: keys of this site, begin'
const END = '# pengx: keys of this site, end'

/** One public key, and no private one. */
export function isPublicKey(text: string): boolean {
  return /^(ssh-[a-z0-9-]+|ecdsa-sha2-[a-z0-9-]+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]{40,}={0,3}( [^\r\n]*)?$/.test(text)
}

/** Whose key it is; the PM is named by its UUID, so that one that cannot be asked keeps what it had. */
export interface SiteKey {
  readonly pm: string
  readonly name: string
  readonly key: string
}

export function formatBlock(keys: readonly SiteKey[]): string {
  const lines = keys.flatMap(({ pm, name, key }) => [`# ${pm} ${name.replace(/[^\x20-\x7e]/g, '?')}`, key])
  return `${[BEGIN, ...lines, END].join('\n')}\n`
}

/** The block as it stands there; undefined where there is none, `broken` where it has no end. */
export function findBlock(text: string): string | 'broken' | undefined {
  const begin = text.startsWith(`${BEGIN}\n`) ? 0 : text.indexOf(`\n${BEGIN}\n`) + 1
  if (begin === 0 && !text.startsWith(`${BEGIN}\n`)) return undefined
  const end = text.indexOf(`\n${END}`, begin)
  if (end < 0) return 'broken'
  const after = end + 1 + END.length
  return text.slice(begin, text[after] === '\n' ? after + 1 : after)
}

export function parseBlock(block: string): SiteKey[] {
  const keys: SiteKey[] = []
  let whose: { pm: string; name: string } | undefined
  for (const line of block.split('\n')) {
    const [, pm, name] = /^# ([0-9a-f-]{36}) (.*)$/.exec(line) ?? []
    if (pm !== undefined) whose = { pm, name: name ?? '' }
    else if (whose && isPublicKey(line)) keys.push({ ...whose, key: line })
  }
  return keys
}

/** The text with another block, or with none; a new one stands at the end. */
export function withBlock(text: string, block: string | undefined): string {
  const before = findBlock(text)
  if (before !== undefined) return text.replace(before, () => block ?? '')
  if (block === undefined) return text
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${block}`
}

/** Bytes as text that survives every encoding on the way. */
export function readBytes(path: string): Program {
  return { ...reads('base64', path), okExits: [0, 1] }
}

export function parseBytes(stdout: string): string {
  return Buffer.from(stdout, 'base64').toString('latin1')
}

/** Where a file of keys is written before it takes the place of the one that is there. */
export function keysDraft(path: string): string {
  return `${path}.pengx-new`
}

/**
 * A file of keys with new content, whole or not at all: only its owner reads it, and he stays who he was. Parts of one
 * batch that stops at its first failure.
 */
export function writeKeys(path: string, text: string, from: { readonly existed: boolean }): Program[] {
  const draft = keysDraft(path)
  return [
    changes('install', '-m', '600', '/dev/null', draft),
    { ...changes('dd', `of=${draft}`, 'conv=fsync', 'status=none'), stdin: Buffer.from(text, 'latin1') },
    ...(from.existed ? [changes('chown', `--reference=${path}`, draft)] : []),
    changes('mv', '-T', draft, path),
  ]
}

/** A key pair, made under a name of its own first: a key that is there is never written over. */
export function makeKey(path: string, mark: string, comment: string): Program[] {
  const draft = `${path}.${mark}`
  return [
    changes('rm', '-f', draft, `${draft}.pub`),
    changes('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', `${comment} ${mark}`, '-f', draft),
    changes('mv', '-n', '-T', `${draft}.pub`, `${path}.pub`),
    changes('mv', '-n', '-T', draft, path),
    changes('rm', '-f', draft, `${draft}.pub`),
  ]
}
