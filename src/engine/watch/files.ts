import type { FoundConfig, IsoImage } from '../../model/pm.ts'
import type { Vm } from '../../model/vm.ts'
import type { ConfigFile } from '../hypervisor/domain.ts'
import { findIsos, parseSizedPaths } from '../tools/files.ts'
import type { Question } from './askEach.ts'

/** Files on a PM that are worth knowing: configurations that somebody wrote, and CD images. */

/** Where CD images are looked for on every PM, beside its storlinks of files and what the settings name. */
const USUAL = ['/var/lib/xen/iso', '/var/lib/xen/images']
/** More than anybody picks from a list. */
const MOST = 500
const MIB = 1024 * 1024

/** A directory that cannot be looked at has no answer. */
export function isoQuestions(directories: readonly string[]): Question<readonly IsoImage[] | undefined>[] {
  return [...new Set([...USUAL, ...directories])].map((place) => ({
    place,
    parts: [findIsos([place])],
    read: ([output]) =>
      output && output.exit <= 1
        ? parseSizedPaths(output.stdout).map(({ path, bytes }) => ({ path, sizeMib: Math.ceil(bytes / MIB) }))
        : undefined,
  }))
}

/** By path, each once, wherever it was found. */
export function listIsos(found: Iterable<readonly IsoImage[]>): IsoImage[] {
  const all = new Map([...found].flat().map((iso) => [iso.path, iso]))
  return [...all.values()].sort((one, other) => (one.path < other.path ? -1 : 1)).slice(0, MOST)
}

/** Configurations that are no VM's own file, each with the VM that it describes: by its UUID, or, without one, by name. */
export function unclaimed(rows: readonly Vm[], files: readonly (FoundConfig | ConfigFile)[]): FoundConfig[] {
  const own = new Set(rows.filter(({ origin }) => origin !== 'found').map((vm) => vm.configPath))
  const uuids = new Set(rows.map((vm) => vm.uuid))
  const byName = new Map(rows.toReversed().map((vm) => [vm.domainName, vm.uuid]))
  return files
    .filter(({ path, links = [] }) => ![path, ...links].some((name) => own.has(name)))
    .map(({ path, name, uuid, links = [] }) => {
      const vm = uuid === undefined ? byName.get(name) : uuids.has(uuid) ? uuid : undefined
      return {
        path,
        name,
        ...(uuid === undefined ? {} : { uuid }),
        ...(links.length === 0 ? {} : { links }),
        ...(vm === undefined ? {} : { vm }),
      }
    })
}
