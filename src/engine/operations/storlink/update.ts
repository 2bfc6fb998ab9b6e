import { z } from 'zod'
import { isSame, type Json } from '../../../model/json.ts'
import type { Storlink } from '../../../model/storlink.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { liesOn, saysWhatLiesOn } from './contents.ts'
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
})
type UpdateParams = z.infer<typeof updateParams>
type UpdateFacts = {
  readonly before: Storlink & Json
  /** What the new place holds, where it is another. */
  readonly space: { readonly sizeMib: number; readonly freeMib: number } | null
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
  if (Object.keys(p).length === 1) return 'nothing is given to change: name, link, type, level, shared or desc'
  const after = updated(before, p)
  const name = after.name === before.name ? undefined : refuseStorlinkName(after.name, view, before.id)
  if (name) return name
  const moved = PLACE_FIELDS.find((key) => before[key] !== after[key])
  if (moved === undefined && before.shared === after.shared) return undefined
  const place = refuseKind(after.link, after.type, after.level) ?? refusePlace(after, view, before.id)
  if (place) return place
  const lying = moved && saysWhatLiesOn(before.id, view)
  if (lying) return `${moved} would change from ${before[moved]} to ${after[moved]}, and ${lying}`
  return after.shared ? undefined : refuseUnshare(before, view)
}

/** What other PMs have put there would be out of their sight. */
function refuseUnshare({ id, pm }: Storlink, view: View): string | undefined {
  const far = view.vms().find((vm) => vm.pm !== pm && liesOn(vm, id))
  return far && `VM ${far.name} on ${view.getPm(far.pm)?.name ?? far.pm} has disks on it: it has to stay shared`
}

export const storlinkUpdate = storlinkOperation<UpdateParams, UpdateFacts>({
  name: 'storlink.update',
  title: 'edit storlink',
  help: 'Changes what is written down of a storlink; its link, type and level only while nothing lies on it.',
  danger: 'safe',
  params: updateParams,
  locks: ({ storlink, name }, view) => [
    PLACES_LOCK,
    { key: `storlink:${storlink}`, mode: 'exclusive' },
    { key: `pm:${view.needStorlink(storlink).pm}`, mode: 'shared' },
    ...(name === undefined ? [] : [{ key: `name:storlink:${name}`, mode: 'exclusive' as const }]),
  ],
  refuse: refuseUpdate,
  async gather(p, cx) {
    const before = cx.view.needStorlink(p.storlink)
    const after = updated(before, p)
    const stays = after.link === before.link && after.level === before.level
    const { sizeMib, freeMib } = stays ? before : await lookAtPlace(after, cx, before.id)
    return { before: { ...before }, space: stays ? null : { sizeMib, freeMib } }
  },
  plan: (p, { before, space }) => [
    {
      name: 'record',
      async do(cx) {
        // How much it holds may have been looked at meanwhile.
        const now = cx.view.getStorlink(p.storlink) ?? before
        return await cx.inventory.putStorlink({ ...updated(now, p), ...space })
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
