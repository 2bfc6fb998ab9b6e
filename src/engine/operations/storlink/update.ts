import { z } from 'zod'
import { PengxError, toPengxError } from '../../../model/error.ts'
import { isSame, type Json } from '../../../model/json.ts'
import { volumesOf } from '../../../model/layer.ts'
import { isProvisional } from '../../../model/provisional.ts'
import type { Storlink } from '../../../model/storlink.ts'
import type { Context } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { type ChangerFacts, changerStep, lookToName } from './changerStep.ts'
import { liesOn, saysWhatLiesOn } from './contents.ts'
import { lookToMark, type MarkFacts, markedUuid, markStep, tellOthers } from './markStep.ts'
import { lookAtPlace, normalLink, refuseKind, refusePlace } from './place.ts'
import { FIELDS, LEVELS, PLACES_LOCK, refuseStorlinkName, storlinkField, storlinkOperation, TYPES } from './target.ts'

/** What is written down of a storlink, and, while nothing lies on it, where it is. */

const updateParams = z.object({
  storlink: storlinkField,
  name: field(z.string().optional(), { title: 'Name' }),
  link: field(z.string().optional(), FIELDS.link),
  type: field(z.enum(TYPES).optional(), FIELDS.type),
  level: field(z.enum(LEVELS).optional(), FIELDS.level),
  shared: field(z.boolean().optional(), FIELDS.shared),
  desc: field(z.string().optional(), { title: 'Description', clearable: true }),
  pm: field(z.string().optional(), {
    title: 'PM',
    from: 'pm',
    help: 'the PM through which a shared one is worked on, and which alone changes a volume group',
  }),
})
type UpdateParams = z.infer<typeof updateParams>
type UpdateFacts = {
  readonly before: Storlink & Json
  /** What the new place holds, where it is another. */
  readonly space: { readonly sizeMib: number; readonly freeMib: number } | null
  readonly mark: MarkFacts | null
  readonly changer: ChangerFacts | null
}

/** The row as it is to be; what is not given stays. */
function updated(before: Storlink, { storlink: _, ...given }: UpdateParams): Storlink {
  const fields = Object.entries(given).filter(([, value]) => value !== undefined)
  const after: Storlink = { ...before, ...Object.fromEntries(fields) }
  return { ...after, link: normalLink(after.link, after.level) }
}

const PLACE_FIELDS = ['link', 'type', 'level'] as const

function refuseUpdate(p: UpdateParams, view: View): string | undefined {
  const before = view.needStorlink(p.storlink)
  if (Object.keys(p).length === 1) return 'nothing is given to change: name, link, type, level, shared, desc or pm'
  const after = updated(before, p)
  const name = after.name === before.name ? undefined : refuseStorlinkName(after.name, view, before.id)
  if (name) return name
  const handedOver = after.pm === before.pm ? undefined : refuseHandingOver(after, view)
  if (handedOver) return handedOver
  const moved = PLACE_FIELDS.find((key) => before[key] !== after[key])
  if (moved === undefined && before.shared === after.shared) return undefined
  const place = refuseKind(after.link, after.type, after.level) ?? refusePlace(after, view, before.id)
  if (place) return place
  const lying = moved && saysWhatLiesOn(before.id, view)
  if (lying) return `${moved} would change from ${before[moved]} to ${after[moved]}, and ${lying}`
  return after.shared ? undefined : refuseUnshare(before, view)
}

/** Only what another PM sees too can be that one's. */
function refuseHandingOver({ name, shared, pm: id }: Storlink, view: View): string | undefined {
  const pm = view.needPm(id)
  if (!shared) return `${name} is not shared: no other PM than its own sees it`
  if (isProvisional(pm) || pm.seen.reach === 'down')
    return `${pm.name} cannot be reached${pm.seen.problem ? `: ${pm.seen.problem}` : ''}`
  return pm.readOnly ? `${pm.name} is read-only` : undefined
}

/** What other PMs have put there would be out of their sight. */
function refuseUnshare({ id, pm }: Storlink, view: View): string | undefined {
  const far = view.vms().find((vm) => vm.pm !== pm && liesOn(vm, id))
  return far && `VM ${far.name} on ${view.getPm(far.pm)?.name ?? far.pm} has disks on it: it has to stay shared`
}

/**
 * Throws `refused` where the PM that takes it over sees another place under that link: another group by its UUID, or, where
 * the PM so far cannot be asked, one in which none of the volumes is that are known to lie there.
 */
async function needSame(cx: Context, before: Storlink, after: Storlink, identity: string | undefined): Promise<void> {
  const [old, next] = [cx.view.needPm(before.pm), cx.view.needPm(after.pm)]
  const driver = cx.volumes(before.level)
  const seen = await driver.inspect(cx.host(old.uuid), before.link).catch((error: unknown) => toPengxError(error))
  if (!(seen instanceof PengxError) && (seen.identity !== undefined || identity !== undefined)) {
    if (seen.identity === identity) return
    throw new PengxError(
      'refused',
      `${before.link} on ${next.name} is not what it is on ${old.name}: its UUID is another`,
    )
  }
  const known = cx.view.vms().flatMap((vm) => volumesOf(vm).filter((volume) => volume.storlink === before.id))
  for (const { path } of known)
    if ((await driver.isWritable(cx.host(next.uuid), path)) !== undefined) {
      if (seen instanceof PengxError)
        cx.notice(
          `${old.name} could not be asked (${seen.message}); ${next.name} sees ${path}: be sure that nothing on ${old.name} changes it any more`,
        )
      return
    }
  if (known.length > 0)
    throw new PengxError('refused', `${before.link} on ${next.name} has none of the volumes that lie on ${before.name}`)
  if (seen instanceof PengxError)
    cx.notice(`${old.name} could not be asked whether ${before.link} on ${next.name} is the same: ${seen.message}`)
}

/**
 * What a group that several see, or shall see from now on, is to say of who changes it: with `pm` given that one from now on.
 * Throws `refused` where another does by the group's own word, and none is given.
 */
async function lookToShare(
  cx: Context,
  p: UpdateParams,
  before: Storlink,
  after: Storlink,
): Promise<ChangerFacts | null> {
  const isNew = !before.shared || before.link !== after.link || before.level !== after.level
  if (!after.shared || (!isNew && p.pm === undefined)) return null
  const { other, name } = await lookToName(cx, after, p.pm !== undefined)
  if (other === undefined) return name
  const { pm: uuid, name: pm } = other
  throw new PengxError(
    'refused',
    `volume group ${after.link} is changed by PM ${pm} (${uuid}), as its tag says: give pm=${pm} for that, or another PM, which takes it over`,
  )
}

export const storlinkUpdate = storlinkOperation<UpdateParams, UpdateFacts>({
  name: 'storlink.update',
  title: 'edit storlink',
  help: 'Changes what is written down of a storlink; its link, type and level only while nothing lies on it.',
  danger: 'safe',
  params: updateParams,
  locks: ({ storlink, name, pm }, view) => [
    PLACES_LOCK,
    { key: `storlink:${storlink}`, mode: 'exclusive' },
    { key: `pm:${view.needStorlink(storlink).pm}`, mode: 'shared' },
    ...(pm === undefined || pm === view.needStorlink(storlink).pm
      ? []
      : [{ key: `pm:${pm}`, mode: 'shared' as const }]),
    ...(name === undefined ? [] : [{ key: `name:storlink:${name}`, mode: 'exclusive' as const }]),
  ],
  refuse: refuseUpdate,
  async gather(p, cx) {
    const before = cx.view.needStorlink(p.storlink)
    const after = updated(before, p)
    const stays = after.link === before.link && after.level === before.level
    if (stays && after.pm === before.pm)
      return { before: { ...before }, space: null, mark: null, changer: await lookToShare(cx, p, before, after) }
    const { sizeMib, freeMib, identity } = await lookAtPlace(after, cx, before.id)
    if (after.pm !== before.pm) await needSame(cx, before, after, identity)
    const mark = stays ? null : await lookToMark(cx, after, before)
    const changer = await lookToShare(cx, p, before, after)
    return { before: { ...before }, space: { sizeMib, freeMib }, mark, changer }
  },
  plan: (p, { before, space, mark, changer }) => [
    ...(changer ? [changerStep(updated(before, p), changer)] : []),
    ...(mark ? [markStep(updated(before, p), mark)] : []),
    {
      name: 'record',
      async do(cx) {
        // How much it holds may have been looked at meanwhile.
        const now = updated(cx.view.getStorlink(p.storlink) ?? before, p)
        const marked = mark ? { uuid: await markedUuid(cx, now, mark) } : {}
        const after = { ...now, ...space, ...marked }
        const asks = after.shared && after.uuid !== undefined && (mark !== null || !before.shared)
        const others = asks ? await tellOthers(cx, after) : after.problems
        return await cx.inventory.putStorlink({ ...after, ...(others ? { problems: others } : {}) })
      },
      async isApplied(cx) {
        const now = cx.view.getStorlink(p.storlink)
        return (now !== undefined && isSame(now, updated(now, p))) || 'again'
      },
      async undo(cx) {
        await cx.inventory.putStorlink(before)
      },
    },
  ],
})
