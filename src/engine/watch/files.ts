import type { FoundConfig, IsoImage } from '../../model/pm.ts'
import type { Vm } from '../../model/vm.ts'
import type { Host } from '../host/host.ts'
import { run } from '../host/run.ts'
import type { ConfigFile } from '../hypervisor/domain.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { View } from '../store/view.ts'
import { findIsos, parseSizedPaths } from '../tools/files.ts'

/** Files on a PM that are worth knowing: configurations that somebody wrote, and CD images. */
export interface FilesSeen {
  readonly configs: readonly ConfigFile[]
  /** By path. */
  readonly isos: readonly IsoImage[]
}

export interface FilesDeps {
  readonly view: View
  readonly hypervisor: Hypervisor
  readonly isoDirectories: readonly string[]
}

/** What cannot be looked at now stays as it was last. */
export async function lookForFiles(parts: FilesDeps, host: Host, pm: string, last: FilesSeen): Promise<FilesSeen> {
  const links = parts.view
    .storlinks()
    .filter((storlink) => storlink.level === 'FL' && (storlink.pm === pm || storlink.shared))
    .map((storlink) => storlink.link)
  const [configs, isos] = await Promise.all([
    parts.hypervisor.configFiles(host).catch(() => last.configs),
    findImages(host, [...links, ...parts.isoDirectories]).catch(() => last.isos),
  ])
  return { configs, isos }
}

/** Where CD images are looked for on every PM, beside its storlinks of files and what the settings name. */
const USUAL = ['/var/lib/xen/iso', '/var/lib/xen/images']
/** More than anybody picks from a list. */
const MOST = 500
const TIMEOUT_MS = 30_000
const MIB = 1024 * 1024

async function findImages(host: Host, directories: readonly string[]): Promise<IsoImage[]> {
  const places = [...new Set([...USUAL, ...directories])]
  const { stdout } = await run(host, { ...findIsos(places), timeoutMs: TIMEOUT_MS })
  const found = new Map(parseSizedPaths(stdout).map(({ path, bytes }) => [path, Math.ceil(bytes / MIB)]))
  return [...found]
    .map(([path, sizeMib]) => ({ path, sizeMib }))
    .sort((one, other) => (one.path < other.path ? -1 : 1))
    .slice(0, MOST)
}

/** Configurations that no row stands for: neither its own file nor one of its name. */
export function unclaimed(rows: readonly Vm[], configs: readonly ConfigFile[]): FoundConfig[] {
  const paths = new Set(rows.map((vm) => vm.configPath))
  const uuids = new Set<string | undefined>(rows.map((vm) => vm.uuid))
  const names = new Set(rows.map((vm) => vm.name))
  const claimed = (file: ConfigFile) =>
    paths.has(file.path) || (file.uuid === undefined ? names.has(file.name) : uuids.has(file.uuid))
  return configs
    .filter((file) => !claimed(file))
    .map(({ path, name, uuid }) => ({ path, name, ...(uuid === undefined ? {} : { uuid }) }))
}
