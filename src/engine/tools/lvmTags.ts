import { CALM, type LockType, lockOf, REPORT, rowsOf, tagsOf } from './lvm.ts'
import { changes, type Program, reads } from './program.ts'

/** Tags of logical volumes and of volume groups (lvm(8)), in which pengx keeps what all hosts shall read. */

/**
 * Adds tags to volumes of a group, and takes tags away, in one change of the group, which LVM makes under its lock of it;
 * only where a volume lacks a tag, or has one: of two at once one does it. 5: one of them is no volume, and the others are
 * changed all the same.
 */
export function retagVolumes(group: string, names: readonly string[], change: TagChange): Program {
  const { lacks, has, add = [], drop = [] } = change
  const asked = [
    ...(lacks === undefined ? [] : [`!(lv_tags={"${lacks}"})`]),
    ...(has === undefined ? [] : [`lv_tags={"${has}"}`]),
  ]
  const select = asked.length === 0 ? [] : ['-S', asked.join(' && ')]
  const tags = [...add.flatMap((tag) => ['--addtag', tag]), ...drop.flatMap((tag) => ['--deltag', tag])]
  return { ...changes('lvchange', ...tags, ...select, ...names.map((name) => `${group}/${name}`)), okExits: [0, 5] }
}

export interface TagChange {
  readonly add?: readonly string[]
  readonly drop?: readonly string[]
  /** Nothing is done where a volume has that tag. */
  readonly lacks?: string
  /** Nothing is done where a volume does not have that tag. */
  readonly has?: string
}

/** The tags of volumes, by `GROUP/NAME`; 5: one of them is none, and the others are told all the same. `parseTags` reads it. */
export function showTags(volumes: readonly string[]): Program {
  return { ...reads('lvs', ...REPORT, '-o', 'vg_name,lv_name,lv_tags', ...volumes), okExits: [0, 5] }
}

/** By `GROUP/NAME`. */
export function parseTags(stdout: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    rowsOf(stdout, 'lv').map(({ vg_name: group, lv_name: name, lv_tags: tags = '' }) => [
      `${group}/${name}`,
      tagsOf(tags),
    ]),
  )
}

/** Tags of a group are added, and others taken away, in one change of it; what it has, or has not, as asked is done. */
export function tagGroup(group: string, { add = [], drop = [] }: Pick<TagChange, 'add' | 'drop'>): Program {
  const tags = [...add.flatMap((tag) => ['--addtag', tag]), ...drop.flatMap((tag) => ['--deltag', tag])]
  return changes('vgchange', ...CALM, ...tags, group)
}

/** What groups say of themselves in their tags; 5: one of them is none, and the others are told all the same. */
export function showGroupTags(groups: readonly string[]): Program {
  return { ...reads('vgs', ...REPORT, '-o', 'vg_name,vg_tags,vg_lock_type', ...groups), okExits: [0, 5] }
}

/** A group's tags, and its lock type where it has one. */
export interface GroupTags {
  readonly tags: readonly string[]
  readonly lockType?: LockType
}

/** By name. */
export function parseGroupTags(stdout: string): ReadonlyMap<string, GroupTags> {
  return new Map(rowsOf(stdout, 'vg').map((row) => [row.vg_name!, { tags: tagsOf(row.vg_tags), ...lockOf(row) }]))
}

/** What `showVolumes` says of their group; undefined where it has named no volume. */
export function parseTagsOfGroup(stdout: string): GroupTags | undefined {
  const [row] = rowsOf(stdout, 'lv')
  return row && { tags: tagsOf(row.vg_tags), ...lockOf(row) }
}

const CHANGER = 'pengx.changer='

/** The PM, by its UUID and its name, that changes a group for all who see it, as a tag of the group says. */
export interface NamedChanger {
  readonly pm: string
  /** As far as a tag has letters for it; for people. */
  readonly name?: string
}

/** Pure. As a tag of the group. */
export function changerTag({ pm, name = '' }: NamedChanger): string {
  const letters = name.replaceAll(/[^A-Za-z0-9_+.-]/g, '_').slice(0, 200)
  return `${CHANGER}${pm}${letters === '' ? '' : `:${letters}`}`
}

/** Pure. Those of a group's tags that name a changer, the first of which counts: two that were put at once agree on that. */
export function changerTags(tags: readonly string[]): string[] {
  return tags.filter((tag) => parseChanger(tag) !== undefined).sort()
}

function parseChanger(tag: string): NamedChanger | undefined {
  const [, pm, name] = /^pengx\.changer=([0-9A-Fa-f-]{36})(?::(.+))?$/.exec(tag) ?? []
  return pm === undefined ? undefined : { pm, ...(name === undefined ? {} : { name }) }
}

/** Pure. The PM that a group's tags name as the one that changes it. */
export function changerAmong(tags: readonly string[]): NamedChanger | undefined {
  const [first] = changerTags(tags)
  return first === undefined ? undefined : parseChanger(first)
}
