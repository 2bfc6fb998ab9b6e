import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/**
 * The known_hosts format of sshd(8), pure. A machine is looked up under its name (`host`, or `[host]:port`
 * where the port is not 22); a key is ok when any line for that name has it, and changed when lines for that
 * name have only others: a key of a type never seen there is no reason to believe, so it counts as changed.
 */
export interface KnownHost {
  readonly file: string
  readonly line: number
  readonly marker?: 'revoked' | 'cert-authority'
  readonly patterns: string
  readonly type: string
  /** Base64, as in the file. */
  readonly key: string
}

export type KeyVerdict =
  | { readonly verdict: 'ok' }
  | { readonly verdict: 'unknown' }
  | { readonly verdict: 'changed' | 'revoked'; readonly entry: KnownHost }

/** Pure. Lines that are comments, or that sshd(8) would not understand, are left out; `file` is for messages. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  const entries: KnownHost[] = []
  text.split('\n').forEach((raw, index) => {
    const words = raw.trim().split(/\s+/)
    const marker = words[0]?.startsWith('@') ? words.shift()!.slice(1) : undefined
    const [patterns, type, key] = words
    if (!patterns || patterns.startsWith('#') || !type || !key) return
    if (marker !== undefined && marker !== 'revoked' && marker !== 'cert-authority') return
    entries.push({ file, line: index + 1, ...(marker ? { marker } : {}), patterns, type, key })
  })
  return entries
}

/** The name under which a machine stands in known_hosts. */
export function knownName(host: string, port: number): string {
  const name = host.toLowerCase()
  return port === 22 ? name : `[${name}]:${port}`
}

/**
 * Pure. Whether a line is for that machine: a hashed name (`|1|SALT|HASH`), or patterns with `*` and `?`, of which
 * one that is negated (`!`) and matches decides.
 */
export function matchesName(patterns: string, name: string): boolean {
  if (patterns.startsWith('|1|')) return matchesHashed(patterns, name)
  let matched = false
  for (const pattern of patterns.toLowerCase().split(',')) {
    if (pattern.startsWith('!')) {
      if (glob(pattern.slice(1)).test(name)) return false
    } else if (glob(pattern).test(name)) matched = true
  }
  return matched
}

function matchesHashed(pattern: string, name: string): boolean {
  const [, , salt, hash] = pattern.split('|')
  if (!salt || !hash) return false
  const expected = Buffer.from(hash, 'base64')
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest()
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

function glob(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`)
}

/** The types of the keys known for a machine: it is asked to show one of these. */
export function knownTypes(entries: readonly KnownHost[], name: string): string[] {
  const types = entries.filter((entry) => !entry.marker && matchesName(entry.patterns, name)).map((entry) => entry.type)
  return [...new Set(types)]
}

/**
 * Pure. What the lines make of a key: a revoked one is revoked whatever else they say, a certificate authority
 * vouches for nobody here.
 */
export function judgeKey(entries: readonly KnownHost[], name: string, blob: Uint8Array): KeyVerdict {
  const key = Buffer.from(blob).toString('base64')
  const ours = entries.filter((entry) => matchesName(entry.patterns, name))
  const revoked = ours.find((entry) => entry.marker === 'revoked' && entry.key === key)
  if (revoked) return { verdict: 'revoked', entry: revoked }
  const plain = ours.filter((entry) => !entry.marker)
  if (plain.some((entry) => entry.key === key)) return { verdict: 'ok' }
  const other = plain.find((entry) => entry.type === keyType(blob)) ?? plain[0]
  return other ? { verdict: 'changed', entry: other } : { verdict: 'unknown' }
}

/** A line for known_hosts, with its end. */
export function formatKnownHost(name: string, blob: Uint8Array): string {
  return `${name} ${keyType(blob)} ${Buffer.from(blob).toString('base64')}\n`
}

/** The type that a public key names itself: its first string (RFC 4253 section 6.6). */
export function keyType(blob: Uint8Array): string {
  const bytes = Buffer.from(blob)
  return bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString('latin1')
}

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export function fingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}
