import { z } from 'zod'
import type { Json } from '../../../model/json.ts'
import type { Storlink } from '../../../model/storlink.ts'
import type { Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { markerPath, markerTag } from '../../tools/storlinkMarker.ts'
import { type ChangerFacts, changerStep, lookToName } from './changerStep.ts'
import { saysWhatLiesOn } from './contents.ts'
import { lookToMark, type MarkFacts, markedUuid, markStep, tellOthers } from './markStep.ts'
import { lookAtPlace, normalLink, type Place, refuseKind, refusePlace } from './place.ts'
import {
  choosePm,
  FIELDS,
  LEVELS,
  PLACES_LOCK,
  refuseStorlinkName,
  storlinkField,
  storlinkOperation,
  TYPES,
} from './target.ts'

/** Storage links, places on PMs where disks lie: made and forgotten. */

const createParams = z.object({
  name: field(z.string().min(1).max(100), { title: 'Name' }),
  link: field(z.string().min(1), FIELDS.link),
  type: field(z.enum(TYPES), FIELDS.type),
  level: field(z.enum(LEVELS), FIELDS.level),
  shared: field(z.boolean().default(false), FIELDS.shared),
  desc: field(z.string().default(''), { title: 'Description' }),
  pm: field(z.string().optional(), { title: 'PM', from: 'pm' }),
})
type CreateParams = z.infer<typeof createParams>
type CreateFacts = {
  /** The PM through which all this is done. */
  readonly pm: string
  /** The PM that changes the group already, which becomes the storlink's. */
  readonly other: { readonly pm: string; readonly name: string } | null
  readonly changer: ChangerFacts | null
  readonly space: { readonly sizeMib: number; readonly freeMib: number }
  readonly mark: MarkFacts
}

function placeOf({ pm, link, type, level, shared }: CreateParams, view: View): Place {
  return { pm: choosePm(pm, view), link: normalLink(link, level), type, level, shared }
}

function refuseCreate(p: CreateParams, view: View): string | undefined {
  const wrong = refuseStorlinkName(p.name, view) ?? refuseKind(p.link, p.type, p.level)
  if (wrong) return wrong
  const place = placeOf(p, view)
  const taken = refusePlace(place, view)
  if (taken) return taken
  const pm = view.needPm(place.pm)
  return pm.readOnly ? `PM ${pm.name} is read-only` : undefined
}

export const storlinkCreate: Operation<CreateParams, CreateFacts> = {
  name: 'storlink.create',
  title: 'create storlink',
  help: 'Makes a directory or a volume group of a PM a place where disks of VMs lie.',
  danger: 'safe',
  subjectKind: 'storlink',
  target: { param: 'name', kind: 'text' },
  params: createParams,
  subject: ({ name }) => ({ kind: 'storlink', id: name, name }),
  locks: ({ pm, name }, view) => [
    PLACES_LOCK,
    { key: `pm:${choosePm(pm, view)}`, mode: 'shared' },
    { key: `name:storlink:${name}`, mode: 'exclusive' },
  ],
  refuse: refuseCreate,
  async gather(p, cx) {
    const place = placeOf(p, cx.view)
    const { sizeMib, freeMib } = await lookAtPlace(place, cx)
    const { other, name } = await lookToName(cx, place)
    const mark = await lookToMark(cx, place)
    return { pm: place.pm, other: other ?? null, changer: name, space: { sizeMib, freeMib }, mark }
  },
  plan: ({ name, type, level, shared, desc, ...p }, { pm, other, changer, space, mark }) => [
    ...(changer ? [changerStep({ pm, link: normalLink(p.link, level) }, changer)] : []),
    markStep({ pm, link: normalLink(p.link, level), level }, mark),
    {
      name: 'record',
      async do(cx) {
        const there = cx.view.storlinks().find((other) => other.name === name)
        const place = { pm, link: normalLink(p.link, level), level }
        const uuid = await markedUuid(cx, place, mark)
        const row = {
          id: there?.id ?? 0,
          uuid,
          name,
          ...place,
          ...(other ? { pm: cx.view.needPm(other.pm).uuid } : {}),
          type,
          shared,
          desc,
          ...space,
          createdAt: cx.clock.now(),
        }
        const problems = shared ? await tellOthers(cx, row) : {}
        return await cx.inventory.putStorlink({ ...row, problems })
      },
      isApplied: async (cx) => cx.view.storlinks().some((one) => one.name === name) || 'again',
      async undo(cx) {
        const made = cx.view.storlinks().find((other) => other.name === name)
        if (made) await cx.inventory.dropStorlink(made.id)
      },
    },
  ],
  effects: (_p, { other, mark: { found } }) => ({
    notices: [
      ...(found === null ? [] : [`the storage is marked already (${found}): its marker is taken over`]),
      ...(other ? [`PM ${other.name} changes the volume group already, as its tag says: the storlink is its`] : []),
    ],
  }),
  result: ({ name }, _facts, view) => ({ id: view.storlinks().find((other) => other.name === name)?.id ?? null }),
  touches: () => [],
}

const deleteParams = z.object({ storlink: storlinkField })
type DeleteParams = z.infer<typeof deleteParams>

export const storlinkDelete = storlinkOperation<DeleteParams, { readonly before: Storlink & Json }>({
  name: 'storlink.delete',
  title: 'delete storlink',
  help: 'Forgets a storlink on which nothing lies; what is in the directory stays there.',
  danger: 'disrupts',
  params: deleteParams,
  locks: ({ storlink }) => [{ key: `storlink:${storlink}`, mode: 'exclusive' }],
  refuse: ({ storlink }, view) => saysWhatLiesOn(view.needStorlink(storlink).id, view),
  gather: async ({ storlink }, cx) => ({ before: { ...cx.view.needStorlink(storlink) } }),
  plan: ({ storlink }, { before }) => [
    {
      name: 'forget',
      async do(cx) {
        await cx.inventory.dropStorlink(storlink)
        return null
      },
      isApplied: async (cx) => cx.view.getStorlink(storlink) === undefined,
      async undo(cx) {
        if (!cx.view.getStorlink(storlink)) await cx.inventory.putStorlink(before)
      },
    },
  ],
  effects: (_p, { before: { uuid, link, level } }) => ({
    keeps:
      uuid === undefined
        ? []
        : [
            `its marker (${level === 'FL' ? markerPath(link) : markerTag(uuid)}): another pengx may know the storage by it`,
          ],
  }),
})
