import { PengxError } from '../../../model/error.ts'
import { isProvisional } from '../../../model/provisional.ts'
import type { Storlink } from '../../../model/storlink.ts'
import { run } from '../../host/run.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import { changerAmong, changerTag, changerTags, tagGroup } from '../../tools/lvmTags.ts'
import { ownGroup } from '../../volumes/groupPlace.ts'
import { groupOf, lookAtGroup } from '../../volumes/volumeGroup.ts'
import { refuseNamedChanger } from './access.ts'

/**
 * The PM that changes a volume group which several see, as the group itself says it by a tag: two pengx that know nothing of
 * each other read the same there (docs/decisions/0019).
 */

type Shared = Pick<Storlink, 'pm' | 'link' | 'level' | 'shared'>

/** Tags that name the changer: those that were found, and the one that is to be there alone. */
export type ChangerFacts = { readonly found: readonly string[]; readonly tag: string }

/** Who changes the group of a place by its own word, and what is to be written; neither where nobody need be named. */
interface ChangerLook {
  /** The PM that it names, which is known here and another than the place's. */
  readonly other?: { readonly pm: string; readonly name: string }
  readonly name: ChangerFacts | null
}

/**
 * Looks on the place's PM what its group says of who changes it. `name`: the tag that the PM needs put. `takesOver`: it is to
 * be the changer, whoever that was. Throws `refused` where the group names a PM that is not known here, and for a place that
 * is not shared where it names another at all.
 */
export async function lookToName(cx: Context, place: Shared, takesOver = false): Promise<ChangerLook> {
  if (place.level !== 'BL') return { name: null }
  const group = groupOf(place.link)
  const { group: seen } = await lookAtGroup(ownGroup(cx.host(place.pm), group), undefined)
  if (seen.lockType !== undefined) return { name: null }
  const named = changerAmong(seen.tags)
  const found = changerTags(seen.tags)
  const { uuid: pm, name } = cx.view.needPm(place.pm)
  const isOther = named !== undefined && named.pm !== pm
  if (isOther) {
    const known = cx.view.getPm(named.pm)
    if (!known || isProvisional(known))
      throw new PengxError('refused', refuseNamedChanger(group, named, cx.view) ?? `${group} is changed by ${named.pm}`)
    if (!place.shared)
      throw new PengxError(
        'refused',
        `volume group ${group} is changed by PM ${known.name} (${known.uuid}), as its tag says, so other PMs see it too: with shared=true that is done`,
      )
    if (!takesOver) return { other: { pm: known.uuid, name: known.name }, name: null }
  }
  if (!place.shared || (!isOther && found.length === 1)) return { name: null }
  return { name: { found, tag: changerTag({ pm, name }) } }
}

/** Names the place's PM as the changer of its group, and nobody else; what the group said before is there again when it is undone. */
export function changerStep(place: Pick<Shared, 'pm' | 'link'>, { found, tag }: ChangerFacts): ChangingStep {
  const group = groupOf(place.link)
  const others = found.filter((one) => one !== tag)
  return {
    name: 'name the PM that changes the group',
    shows: [`vgchange ${[`--addtag ${tag}`, ...others.map((one) => `--deltag ${one}`), group].join(' ')}`],
    async do(cx) {
      await run(cx.host(place.pm), { ...tagGroup(group, { add: [tag], drop: others }), tag: cx.tag })
      return null
    },
    async isApplied(cx) {
      const { group: seen } = await lookAtGroup(ownGroup(cx.host(place.pm), group), undefined)
      const now = changerTags(seen.tags)
      return now.length === 1 && now[0] === tag
    },
    async undo(cx) {
      const drop = found.includes(tag) ? [] : [tag]
      if (others.length + drop.length === 0) return
      await run(cx.host(place.pm), { ...tagGroup(group, { add: others, drop }), tag: cx.tag })
    },
  }
}
