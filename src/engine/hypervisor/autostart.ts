import { AUTOSTART_DIRECTORY, type AutostartLink, type AutostartLook } from '../../model/autostart.ts'
import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { commandFailure, run, runAll, runBatch } from '../host/run.ts'
import {
  findServices,
  identifyEntries,
  identifyFiles,
  listEntries,
  parseEntries,
  parseIdentities,
  startsGuests,
} from '../tools/autostart.ts'
import { makeDirectory, makeLink, readLink, removeFile, resolveLink } from '../tools/files.ts'

const LOOK = { timeoutMs: 60_000 }

/** So that the script of one batch stays well under what a shell takes as one word (128 KiB). */
const PATHS_AT_ONCE = 500

/**
 * What starts with a PM (xendomains, /etc/xen/auto), and which of the configurations that are: by the file itself, so that a
 * link, a link to one, and a directory that is one count for what they are. One round trip, and one more for each 500
 * configurations behind the first 500. Changes nothing.
 */
export async function autostart(host: Host, configs: readonly string[], signal?: AbortSignal): Promise<AutostartLook> {
  const first = configs.slice(0, PATHS_AT_ONCE)
  const parts = [
    resolveLink(AUTOSTART_DIRECTORY),
    findServices(),
    listEntries(AUTOSTART_DIRECTORY),
    identifyEntries(AUTOSTART_DIRECTORY),
    ...(first.length === 0 ? [] : [identifyFiles(first)]),
  ]
  const outputs = await runBatch(host, batch(parts, LOOK), signal)
  const said = (index: number) => outputs[index]?.stdout ?? ''
  const listed = parseEntries(said(2))
  const byFile = Map.groupBy(parseIdentities(said(4)), ([, file]) => file)
  for (let at = PATHS_AT_ONCE; at < configs.length && listed.length > 0; at += PATHS_AT_ONCE) {
    const more = await runBatch(host, batch([identifyFiles(configs.slice(at, at + PATHS_AT_ONCE))], LOOK), signal)
    for (const [path, file] of parseIdentities(more[0]!.stdout)) {
      byFile.set(file, [...(byFile.get(file) ?? []), [path, file]])
    }
  }
  const files = parseIdentities(said(3))
  return {
    directory: said(0).trim() || AUTOSTART_DIRECTORY,
    enabled: startsGuests(said(1)),
    entries: listed.map(({ name, ...link }) => ({
      path: `${AUTOSTART_DIRECTORY}/${name}`,
      ...link,
      configs: (byFile.get(files.get(name) ?? '') ?? []).map(([path]) => path),
    })),
  }
}

/** Whether that link is there, and leads where it is to (readlink(1)). */
export async function hasAutostartLink(host: Host, { path, target }: AutostartLink): Promise<boolean> {
  return (await run(host, { ...readLink(path), ...LOOK })).stdout === `${target}\n`
}

/**
 * Makes that link, with the directory where that is not there; one that is there is done. Never in the place of anything:
 * `conflict` then, with nothing changed.
 */
export async function addAutostartLink(host: Host, link: AutostartLink, tag: string): Promise<void> {
  const make = { ...makeLink(link.target, link.path), okExits: [0, 1] }
  const parts = [makeDirectory(AUTOSTART_DIRECTORY), make]
  const outputs = await runAll(host, { ...batch(parts, { ...LOOK, stopOnFailure: true }), tag })
  if (outputs[1]!.exit === 0 || (await hasAutostartLink(host, link))) return
  if (!/File exists/.test(outputs[1]!.stderr)) throw commandFailure(host, make, outputs[1]!)
  throw new PengxError('conflict', `${link.path} on ${host.name} is taken: it is not replaced`)
}

/** Takes that link away; what else stands under its name stays, and one that is not there is done. */
export async function removeAutostartLink(host: Host, link: AutostartLink, tag: string): Promise<void> {
  if (await hasAutostartLink(host, link)) await run(host, { ...removeFile(link.path), ...LOOK, tag })
}
