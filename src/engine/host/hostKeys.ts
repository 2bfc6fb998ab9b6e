import { appendFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PengxError } from '../../model/error.ts'
import {
  fingerprint,
  formatKnownHost,
  judgeKey,
  type KnownHost,
  keyType,
  knownName,
  knownTypes,
  matchesName,
  parseKnownHosts,
} from './knownHosts.ts'
import type { SshSettings } from './sshConfig.ts'

/** What a person is asked about a key that nobody knows yet. */
export interface UnknownKey {
  readonly pm: string
  readonly address: string
  readonly keyType: string
  /** `SHA256:…`, as ssh-keygen -l prints it. */
  readonly fingerprint: string
}

/** `undefined`: there is nobody to ask, now. */
export type AskHostKey = (question: UnknownKey) => Promise<boolean | undefined>

export interface HostKeysOptions {
  /** Where keys that were accepted are written down; those of ssh_config are read as well. */
  readonly path: string
  readonly ask?: AskHostKey
}

/** A machine's key as it was presented. */
export interface PresentedKey {
  readonly settings: SshSettings
  readonly blob: Uint8Array
}

export type HostKeys = ReturnType<typeof createHostKeys>

/**
 * The keys of machines: those that ssh_config(5) names are read, those that a person accepts here are written to
 * `path` alone (known_hosts in sshd(8)), mode 0600. Nothing is read before it is asked for.
 */
export function createHostKeys(options: HostKeysOptions) {
  const answers = new Map<string, Promise<boolean | undefined>>()

  /** All entries of the file of its own and of those that ssh_config(5) names; a file that is not there has none. */
  async function read(settings: SshSettings): Promise<KnownHost[]> {
    const files = [...new Set([options.path, ...settings.knownHostsFiles])]
    const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')))
    return files.flatMap((file, index) => parseKnownHosts(texts[index]!, file))
  }

  /** Asks once a run for one key of one machine; whoever asks meanwhile waits for the same answer. */
  function ask(pm: string, key: PresentedKey): Promise<boolean | undefined> {
    const question = questionFor(pm, key)
    const id = `${nameOf(key.settings)} ${question.fingerprint}`
    const asked = answers.get(id)
    if (asked) return asked
    const answer = (async () => {
      const accepted = await options.ask?.(question)
      if (accepted) await remember(key)
      return accepted
    })()
    answers.set(id, answer)
    answer.then(
      (accepted) => accepted === undefined && answers.delete(id),
      () => answers.delete(id),
    )
    return answer
  }

  /** Appends a key to the file of its own, which it makes where it is not there. */
  async function remember(key: PresentedKey): Promise<void> {
    await mkdir(dirname(options.path), { recursive: true, mode: 0o700 })
    const text = await readFile(options.path, 'utf8').catch(() => '')
    const separator = text === '' || text.endsWith('\n') ? '' : '\n'
    const line = formatKnownHost(nameOf(key.settings), key.blob)
    await appendFile(options.path, separator + line, { mode: 0o600 })
    answers.delete(`${nameOf(key.settings)} ${fingerprint(key.blob)}`)
  }

  /** Takes a key out of the file that `remember` writes to; the machine need not be there for that. */
  async function forget(settings: SshSettings, wanted: string): Promise<void> {
    const text = await readFile(options.path, 'utf8').catch(() => '')
    const name = nameOf(settings)
    const known = parseKnownHosts(text, options.path).filter(
      (entry) => !entry.marker && matchesName(entry.patterns, name),
    )
    const gone = known.filter((entry) => fingerprint(Buffer.from(entry.key, 'base64')) === wanted)
    if (gone.length === 0) return
    const lines = text.split('\n').filter((_, index) => !gone.some((entry) => entry.line === index + 1))
    const draft = `${options.path}.${process.pid}.new`
    await writeFile(draft, lines.join('\n'), { mode: 0o600 })
    await rename(draft, options.path)
  }

  return { read, ask, remember, forget }
}

function nameOf(settings: SshSettings): string {
  return settings.hostKeyAlias?.toLowerCase() ?? knownName(settings.hostName, settings.port)
}

function questionFor(pm: string, key: PresentedKey): UnknownKey {
  const { hostName, port } = key.settings
  const address = knownName(hostName, port)
  return { pm, address, keyType: keyType(key.blob), fingerprint: fingerprint(key.blob) }
}

/**
 * Pure. What to make of a presented key: nothing (it is known), `unknown`, or the error, `refused`: it has changed or
 * is revoked. Nobody is asked.
 */
export function checkKey(entries: readonly KnownHost[], key: PresentedKey): PengxError | 'unknown' | undefined {
  const { settings, blob } = key
  const judged = judgeKey(entries, nameOf(settings), blob)
  if (judged.verdict === 'ok') return undefined
  if (judged.verdict === 'unknown') return 'unknown'
  const where = `${judged.entry.file}:${judged.entry.line}`
  const shown = `${keyType(blob)} ${fingerprint(blob)}`
  if (judged.verdict === 'revoked') {
    return new PengxError('refused', `THE KEY OF ${settings.address} IS REVOKED by ${where}: it shows ${shown}`)
  }
  return new PengxError(
    'refused',
    `THE KEY OF ${settings.address} HAS CHANGED: it shows ${shown}, but ${where} knows another (${judged.entry.type}). ` +
      `Somebody may stand in between. Where the machine was really installed anew, remove that line`,
  )
}

/**
 * The error for a key that nobody knows or that a person has declined, not thrown here: `refused`, with its
 * fingerprint and how to trust it.
 */
export function unknownKeyRefusal(destination: string, key: PresentedKey, declined: boolean): PengxError {
  const shown = `${keyType(key.blob)} ${fingerprint(key.blob)}`
  const through = key.settings.address === destination ? '' : ` (on the way to ${destination})`
  const why = declined ? 'was not accepted' : 'is not known'
  return new PengxError(
    'refused',
    `the key of ${key.settings.address}${through} ${why}: it shows ${shown}. Compare it with ` +
      `\`ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub\` there; to trust it: ` +
      `pengx run pm.trust ${key.settings.address} --fingerprint ${fingerprint(key.blob)}`,
  )
}

const EVERY_TYPE = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa']

/**
 * Pure. The host key algorithms to ask for, as SSH names them (HostKeyAlgorithms in ssh_config(5)): those of the keys
 * that are known first, so that a known key is shown.
 */
export function wantedKeyTypes(entries: readonly KnownHost[], settings: SshSettings): string[] {
  const known = knownTypes(entries, nameOf(settings)).filter((type) => EVERY_TYPE.includes(type))
  return [...new Set([...known, ...EVERY_TYPE])].flatMap((type) =>
    // SHA-1 signatures of RSA keys are not accepted.
    type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type],
  )
}
