import { toPengxError } from '../../../model/error.ts'
import type { Host, Output } from '../../host/host.ts'
import { parseGroupTags, showGroupTags } from '../../tools/lvmTags.ts'
import type { Program } from '../../tools/program.ts'
import { nameChanger } from '../groupChange.ts'
import { type GroupPlace, type GroupPlaces, isChangedElsewhere, ownGroup, placeWith } from '../groupPlace.ts'
import { runRescanning } from '../rescan.ts'

/** Where claims are written: beside files and on RBD images on the PM at work, tags of volumes where their group is changed. */

export const LOOK = { timeoutMs: 60_000 }

/** How claims are written. */
export interface ClaimWrite {
  /** Of the step at work. */
  readonly tag?: string
  /** As of a command (host/host.ts). */
  readonly passing?: true
  /** Where volume groups are changed; none given: on the PM at work, whatever they say of themselves. */
  readonly groups?: GroupPlaces
}

/** One change of a group's tags, for volumes of it by their paths. */
export interface Retagging {
  readonly paths: readonly string[]
  readonly group: string
  readonly program: Program
}

/** Of volumes in groups, and of those that have one each to themselves. */
export interface ClaimChange {
  readonly single: readonly Program[]
  readonly tags: readonly Retagging[]
  readonly reads: readonly Program[]
}

/**
 * The one way by which claims are changed: tags of a group that another PM changes for all are written there, before the
 * rest, which is read where it is asked. Answers as the programs stand in the change.
 */
export async function changeClaims(
  host: Host,
  { single, tags, reads }: ClaimChange,
  { tag, passing, groups = ownGroup }: ClaimWrite,
): Promise<Output[]> {
  const how = { ...LOOK, ...(tag === undefined ? {} : { tag }), ...(passing ? { passing } : {}) }
  const answers = new Map<Retagging['program'], Output>()
  const note = (some: readonly Retagging[], outputs: readonly Output[]) => {
    for (const [at, output] of outputs.entries()) if (some[at]) answers.set(some[at].program, output)
  }
  // Without the PM that changes the group there is no claim, which is told as of any other that cannot be put.
  const fail = (some: readonly Retagging[], stderr: string) =>
    note(
      some,
      some.map(() => ({ exit: 1, stdout: '', stderr })),
    )
  const places = await placesOf(host, tags, groups)
  const placed = [...Map.groupBy(tags, ({ group }) => group)].map(([group, some]) => ({
    some,
    place: places.get(group)!,
    naming: nameChanger(places.get(group)!),
  }))
  for (const { some, place, naming } of placed) {
    if (place.refusal !== undefined) fail(some, place.refusal)
    else if (isChangedElsewhere(place)) {
      const parts = [...naming, ...some.map(({ program }) => program)]
      await runRescanning(place.changer, parts, how).then(
        (outputs) => note(some, outputs.slice(naming.length)),
        (error: unknown) => fail(some, toPengxError(error).message),
      )
    }
  }
  const near = placed.filter(({ place }) => place.refusal === undefined && !isChangedElsewhere(place))
  const before = [...single, ...near.flatMap(({ naming }) => naming)]
  const own = near.flatMap(({ some }) => some)
  const parts = [...before, ...own.map(({ program }) => program), ...reads]
  const outputs = parts.length === 0 ? [] : await runRescanning(host, parts, how)
  note(own, outputs.slice(before.length, before.length + own.length))
  const told = tags.flatMap(({ program }) => answers.get(program) ?? [])
  return [...outputs.slice(0, single.length), ...told, ...outputs.slice(before.length + own.length)]
}

/** Where the groups of which tags are to be changed are changed, as each of them says itself: one round trip. */
async function placesOf(
  host: Host,
  tags: readonly Retagging[],
  groups: GroupPlaces,
): Promise<ReadonlyMap<string, GroupPlace>> {
  const names = [...new Set(tags.map(({ group }) => group))]
  if (names.length === 0) return new Map()
  const [output] = await runRescanning(host, [showGroupTags(names)], LOOK)
  const said = parseGroupTags(output && output.exit <= 5 ? output.stdout : '')
  return new Map(names.map((name) => [name, placeWith(groups(host, name), said.get(name))]))
}
