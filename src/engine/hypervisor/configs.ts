import { createHash } from 'node:crypto'
import { bytesOfText, textOfBytes } from '../../lib/bytes.ts'
import { turns } from '../../lib/turns.ts'
import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { run, runAll, runBatch, runMany } from '../host/run.ts'
import {
  draftOf,
  findMatching,
  holdsBytes,
  moveFile,
  originalOf,
  parseBase64,
  parseNames,
  readBytes,
  removeFile,
  replaceByLink,
  replaceFile,
  resolveLink,
  resolveLinks,
  writeFileAtomically,
} from '../tools/files.ts'
import { type ParsedConfig, parseConfig } from '../tools/xl/config.ts'
import { parseStatements } from '../tools/xl/syntax.ts'
import type { ConfigFile, ConfigText } from './domain.ts'

/** Guests' configurations (xl.cfg(5)) as files on a PM: looked for, read byte by byte, changed, put aside. */

const READ_TIMEOUT_MS = 60_000

/** Keys of which a guest's configuration has one at least: /etc/xen holds other files too, xl.conf among them. */
const GUEST_KEYS = ['kernel', 'disk', 'builder', 'type', 'bootloader', 'firmware']

/** Where people keep them; /etc/xen/auto is what xendomains(8) starts from. */
const USUAL = ['/etc/xen/*', '/etc/xen/vm/*', '/etc/xen/auto/*']

/** No guest's, and what editors and packages leave beside a file. Where xendomains starts from, they are files like any other. */
const LEFT_BEHIND =
  /^xl\.conf$|^README|(~|\.(bak|old|orig|save|sav|tmp|swp|new|dpkg-[a-z]+|rpm(new|save|orig)))$|^xlexample\./

/**
 * Guests' configurations (xl.cfg(5)) in /etc/xen, /etc/xen/vm and /etc/xen/auto, and where `patterns` say, with `*` and `?`.
 * A file that several names lead to is one, by the path that leads through no link. What cannot be read, or is no
 * guest's, is left out, and so is what an editor has left behind. Looks only.
 */
export async function configFiles(
  host: Host,
  signal?: AbortSignal,
  patterns: readonly string[] = [],
): Promise<ConfigFile[]> {
  const asked = [...new Set([...USUAL, ...patterns])].map(findMatching)
  const found = await runBatch(host, batch(asked, { timeoutMs: READ_TIMEOUT_MS }), signal)
  const names = [...new Set(found.flatMap(({ stdout }) => parseNames(stdout)))].filter(isCandidate).sort()
  if (names.length === 0) return []
  const places = await targetsOf(host, names, signal)
  const paths = [...places.keys()]
  const outputs = await runMany(host, paths.map(readBytes), { timeoutMs: READ_TIMEOUT_MS }, signal)
  const files: ConfigFile[] = []
  for (const [index, path] of paths.entries()) {
    const { exit, stdout } = outputs[index]!
    await turns.take()
    const file = exit === 0 ? toConfigFile(path, places.get(path)!, textOfBytes(parseBase64(stdout))) : undefined
    if (file) files.push(file)
  }
  return files
}

function isCandidate(path: string): boolean {
  return path.startsWith('/etc/xen/auto/') || !LEFT_BEHIND.test(path.slice(path.lastIndexOf('/') + 1))
}

/** By where they lead: the other names that lead there. */
async function targetsOf(host: Host, names: readonly string[], signal?: AbortSignal): Promise<Map<string, string[]>> {
  const output = await run(host, { ...resolveLinks(names), timeoutMs: READ_TIMEOUT_MS }, signal)
  const targets = parseNames(output.stdout)
  const places = new Map<string, string[]>()
  names.forEach((name, index) => {
    const target = targets.length === names.length ? targets[index]! : name
    places.set(target, [...(places.get(target) ?? []), ...(target === name ? [] : [name])])
  })
  return places
}

/**
 * One configuration, read now and parsed (xl.cfg(5)), and the path that leads to it through no link. `notFound` where
 * the file is not there, `invalid` where xl would not take it, `commandFailed` where it cannot be read.
 */
export async function readConfig(host: Host, path: string): Promise<ConfigText & ParsedConfig> {
  const parts = [readBytes(path), resolveLink(path)]
  const [read, link] = await runBatch(host, batch(parts, { timeoutMs: READ_TIMEOUT_MS }))
  if (read?.exit !== 0) {
    const said = read?.stderr ?? ''
    const gone = /No such file/.test(said)
    const why = gone ? 'it is not there' : said.trim().replace(/^base64: /, '')
    throw new PengxError(gone ? 'notFound' : 'commandFailed', `cannot read ${path} on ${host.name}: ${why}`, {
      cause: read,
    })
  }
  const text = textOfBytes(parseBase64(read.stdout))
  const parsed = parseConfig(text, path)
  const target = link?.exit === 0 ? link.stdout.trim() : path
  return { path, target, name: parsed.spec.name, text, ...parsed }
}

/** Undefined for a file that is not a guest's, or that xl would not take either. */
function toConfigFile(path: string, links: readonly string[], text: string): ConfigFile | undefined {
  try {
    const statements = parseStatements(text, path)
    if (!statements.some((statement) => GUEST_KEYS.includes(statement.key))) return undefined
    const { spec, uuid } = parseConfig(text, path, statements)
    return { path, links, name: spec.domainName, spec, ...(uuid === undefined ? {} : { uuid }) }
  } catch (error) {
    if (error instanceof PengxError && error.code === 'invalid') return undefined
    throw error
  }
}

/** A configuration of pengx's own, whole or not at all, mode 0600. */
export async function writeConfig(host: Host, path: string, text: string, tag: string): Promise<void> {
  const parts = writeFileAtomically(path, bytesOfText(text))
  await runAll(host, { ...batch(parts, { stopOnFailure: true }), tag })
}

/**
 * Another text for a file that its owner has written, whole or not at all: mode and owner stay, and what it was before
 * pengx changed it for the first time is kept beside it. `path` leads through no link. `conflict` where the file does
 * not hold `before` any more: nothing was done then.
 */
export async function replaceConfig(
  host: Host,
  path: string,
  texts: { readonly before: string; readonly after: string },
  tag: string,
): Promise<void> {
  const parts = replaceFile(path, digestOf(texts.before), bytesOfText(texts.after))
  const outputs = await runBatch(host, { ...batch(parts, { stopOnFailure: true }), tag })
  if (outputs.length === 1)
    throw new PengxError('conflict', `${path} on ${host.name} was changed by somebody else meanwhile: try again`)
  const last = outputs.at(-1)!
  if (outputs.length === parts.length && last.exit === 0) return
  const part = parts[outputs.length - 1]!
  throw new PengxError('commandFailed', `cannot change ${path} on ${host.name}: ${part.argv[0]}: ${last.stderr.trim()}`)
}

/** What is kept of a file as it was goes where the file is that again: nothing has been changed then. */
export async function forgetOriginal(host: Host, path: string, text: string, tag: string): Promise<void> {
  const parts = [holdsBytes(originalOf(path), digestOf(text)), removeFile(originalOf(path))]
  await runBatch(host, { ...batch(parts, { stopOnFailure: true }), tag })
}

/** SHA-256 of a text's bytes, in hexadecimal digits: what `CreateConfig.digest` and `replaceConfig` compare. */
export function digestOf(text: string): string {
  return createHash('sha256').update(bytesOfText(text)).digest('hex')
}

/** A file that becomes a link to another, and the name under which it is kept. */
export interface LinkedConfig {
  readonly path: string
  readonly target: string
  readonly kept: string
}

/** A link to a configuration in the place of a file, which is kept under another name; done where it is that link. */
export async function linkConfig(host: Host, { path, target, kept }: LinkedConfig, tag: string): Promise<void> {
  if (await isLink(host, path, target)) return
  await runAll(host, { ...batch(replaceByLink(path, target, kept), { stopOnFailure: true }), tag })
}

/** The file that was kept, in the link's place again; whatever else is there stays. */
export async function unlinkConfig(host: Host, { path, target, kept }: LinkedConfig, tag: string): Promise<void> {
  const isBack = (await isLink(host, path, target)) ? moveFile(kept, path) : removeFile(kept)
  await runAll(host, { ...batch([isBack, removeFile(draftOf(path))]), tag })
}

async function isLink(host: Host, path: string, target: string): Promise<boolean> {
  return (await run(host, { ...resolveLink(path), timeoutMs: READ_TIMEOUT_MS })).stdout.trim() === target
}

/** A file gets another name, under which nobody starts a VM from it; done where it is not there. */
export async function setConfigAside(host: Host, path: string, aside: string, tag: string): Promise<void> {
  const there = await run(host, { ...moveFile(path, aside), okExits: [0, 1], tag })
  if (there.exit !== 0 && !/No such file/.test(there.stderr))
    throw new PengxError('commandFailed', `cannot set ${path} on ${host.name} aside: ${there.stderr.trim()}`)
}

/** The file, and what an attempt to write it has left; done where they are not there. */
export async function removeConfig(host: Host, path: string, tag: string): Promise<void> {
  await runAll(host, { ...batch([removeFile(path), removeFile(draftOf(path))]), tag })
}

/** What an attempt to write a file has left. */
export async function removeConfigDraft(host: Host, path: string, tag: string): Promise<void> {
  await run(host, { ...removeFile(draftOf(path)), tag })
}
