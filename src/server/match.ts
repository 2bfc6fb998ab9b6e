import type { View } from '../engine/store/view.ts'
import { snapshotsOf } from '../model/layer.ts'
import { NAMED, sayUnknownInPath, uuidOf } from './named.ts'
import type { Row } from './routes/row.ts'

/** Which row a path means: literal words before ids, the final slash optional. */
export type Found =
  | { readonly kind: 'row'; readonly row: Row; readonly raw: Readonly<Record<string, string>> }
  | { readonly kind: 'verb'; readonly allow: readonly string[] }
  | { readonly kind: 'none' }

function splitPath(path: string): string[] | undefined {
  const words = path.replace(/^\//, '').replace(/\/$/, '').split('/')
  try {
    return words.map(decodeURIComponent)
  } catch {
    return undefined
  }
}

/** A row's patterns as words: hundreds of them are gone through for each request. */
const patternsOf = new WeakMap<Row, readonly (readonly string[])[]>()

function patterns(row: Row): readonly (readonly string[])[] {
  const known = patternsOf.get(row)
  if (known) return known
  const made = [row.path, ...(row.also ?? [])].map((pattern) => splitPath(pattern)!)
  patternsOf.set(row, made)
  return made
}

function matchPattern(
  parts: readonly string[],
  words: readonly string[],
): { literals: number; raw: Record<string, string> } | undefined {
  if (parts.length !== words.length) return undefined
  const raw: Record<string, string> = {}
  let literals = 0
  for (const [index, part] of parts.entries()) {
    const word = words[index]!
    if (part.startsWith(':')) raw[part.slice(1)] = word
    else if (part === word) literals += 1
    else return undefined
  }
  return { literals, raw }
}

export function findRow(rows: readonly Row[], method: string, path: string): Found {
  const words = splitPath(path)
  if (!words) return { kind: 'none' }
  const verb = method === 'HEAD' ? 'GET' : method
  let best = -1
  let allow: string[] = []
  let found: Found = { kind: 'none' }
  for (const row of rows) {
    for (const pattern of patterns(row)) {
      const match = matchPattern(pattern, words)
      if (!match || match.literals < best) continue
      if (match.literals > best) {
        best = match.literals
        allow = []
        found = { kind: 'none' }
      }
      allow.push(...(row.method === 'GET' ? ['GET', 'HEAD'] : [row.method]))
      if (row.method === verb) found = { kind: 'row', row, raw: match.raw }
    }
  }
  if (best < 0 || found.kind === 'row') return found
  return { kind: 'verb', allow: [...new Set(allow)] }
}

/** What an id in a path has to name; a malformed one names nothing. */
interface Finder {
  readonly what: string
  /** The row that shows what there is, by its pattern. */
  readonly listed: string
  /** `ids` are those before it in the path: a disk is looked for among its VM's. */
  find(view: View, text: string, ids: Readonly<Record<string, string>>): string | undefined
}

const FINDERS: Record<string, Finder> = {
  pm_uuid: NAMED.pm,
  vm_uuid: NAMED.vm,
  gvm_uuid: NAMED.template,
  storlink_id: NAMED.storlink,
  disk_uuid: {
    what: 'disk',
    listed: '/vms/:vm_uuid/disks/',
    find: (view, text, { vm_uuid = '' }) =>
      uuidOf(text, (uuid) => view.getVm(vm_uuid)?.disks.find((disk) => disk.uuid === uuid)?.uuid),
  },
  snapshot_uuid: {
    what: 'snapshot',
    listed: '/vms/:vm_uuid/snapshots/',
    find: (view, text, { vm_uuid = '' }) =>
      uuidOf(text, (uuid) => {
        const vm = view.getVm(vm_uuid)
        return vm && snapshotsOf(vm).find((one) => one.uuid === uuid)?.uuid
      }),
  },
  backed_vm_uuid: {
    what: 'VM',
    listed: NAMED.vm.listed,
    find: (view, text) =>
      uuidOf(text, (uuid) => view.getVm(uuid)?.uuid ?? (view.backupsOf(uuid).length > 0 ? uuid : undefined)),
  },
  backup_uuid: {
    what: 'backup',
    listed: '/vms/:backed_vm_uuid/backups/',
    find: (view, text, { backed_vm_uuid = '' }) =>
      uuidOf(text, (uuid) => view.backupsOf(backed_vm_uuid).find((one) => one.uuid === uuid)?.uuid),
  },
  interface_id: {
    what: 'interface',
    listed: '/vms/:vm_uuid/interfaces/',
    find: (view, text, { vm_uuid = '' }) =>
      view
        .getVm(vm_uuid)
        ?.nics.find((nic) => String(nic.id) === text)
        ?.id.toString(),
  },
  schedule_uuid: {
    what: 'schedule',
    listed: '/schedules/',
    find: (view, text) => uuidOf(text, (uuid) => view.getSchedule(uuid)?.uuid),
  },
  job_id: {
    what: 'job',
    listed: '/jobs/',
    find: (view, text) => uuidOf(text, (uuid) => view.getJob(uuid)?.id),
  },
}

/** The path's ids as the inventory writes them, or what is not there. */
export function resolveIds(
  raw: Readonly<Record<string, string>>,
  view: View,
): { readonly ids: Record<string, string> } | { readonly missing: string } {
  const ids: Record<string, string> = {}
  for (const [name, text] of Object.entries(raw)) {
    const { what, listed, find } = FINDERS[name]!
    const found = find(view, text, ids)
    if (found === undefined) {
      const list = listed.replace(/:(\w+)/g, (_, before: string) => ids[before] ?? '')
      return { missing: sayUnknownInPath(what, text, list) }
    }
    ids[name] = found
  }
  return { ids }
}
