import { z } from 'zod'
import type { Json } from '../../../model/json.ts'
import { pathsOn } from '../../../model/storage/onStorlink.ts'
import type { Storlink } from '../../../model/storlink.ts'
import { doubtOf } from '../../volumes/doubt.ts'
import { needDriver } from '../../volumes/drivers.ts'
import { refuseAccess } from './access.ts'
import { type ChangerFacts, changerStep, lookToName } from './changerStep.ts'
import { lookToMark, type MarkFacts, markedUuid, markStep } from './markStep.ts'
import { storlinkField, storlinkOperation } from './target.ts'

/**
 * A person says that what lies under a storlink's link now is its storage: one whose first marker could not be put without
 * a doubt, one whose marker was lost, or another disk that takes its place.
 */
const params = z.object({ storlink: storlinkField })
type Params = z.infer<typeof params>
type Facts = {
  readonly before: Storlink & Json
  readonly mark: MarkFacts
  readonly changer: ChangerFacts | null
  /** What speaks against it, as a clause. */
  readonly doubt: string | null
  readonly pm: string
}

export const storlinkMark = storlinkOperation<Params, Facts>({
  name: 'storlink.mark',
  title: 'mark storlink',
  help: 'Says that what lies under the link of a storlink now is its storage, and marks it.',
  danger: 'disrupts',
  params,
  locks: ({ storlink }, view) => [
    { key: `storlink:${storlink}`, mode: 'exclusive' },
    { key: `pm:${view.needStorlink(storlink).pm}`, mode: 'shared' },
  ],
  refuse: ({ storlink }, view) => refuseAccess({ ...view.needStorlink(storlink), shared: false }, view),
  async gather({ storlink }, cx) {
    const before = cx.view.needStorlink(storlink)
    const host = cx.host(before.pm)
    // Not by the job's own driver, which asks for the marker first.
    await needDriver(before.level).inspect(host, before.link)
    const paths = pathsOn(storlink, cx.view)
    const doubt = await doubtOf(host, before, paths)
    // Where all is there that was there it is still the same storage; another one gets an identity of its own.
    const mark = await lookToMark(cx, before, before, doubt === undefined && paths.length > 0 ? before.uuid : undefined)
    const { name: changer } = await lookToName(cx, before)
    return { before: { ...before }, mark, changer, doubt: doubt ?? null, pm: host.name }
  },
  plan: ({ storlink }, { before, mark, changer }) => [
    ...(changer ? [changerStep(before, changer)] : []),
    markStep(before, mark),
    {
      name: 'record',
      async do(cx) {
        const { [before.pm]: _seen, ...problems } = cx.view.needStorlink(storlink).problems ?? {}
        const row = { ...cx.view.needStorlink(storlink), problems, uuid: await markedUuid(cx, before, mark) }
        return await cx.inventory.putStorlink(row)
      },
      isApplied: async (cx) => {
        const { uuid, problems = {} } = cx.view.needStorlink(storlink)
        return (uuid === (await markedUuid(cx, before, mark)) && !(before.pm in problems)) || 'again'
      },
      async undo(cx) {
        await cx.inventory.putStorlink(before)
      },
    },
  ],
  effects: (_p, { before, mark, doubt, pm }) => ({
    notices: [
      doubt === null ? `nothing that was found on ${pm} speaks against it` : `found on ${pm}: ${doubt}`,
      saysMarker(before, mark),
    ],
  }),
})

function saysMarker({ uuid }: Storlink, mark: MarkFacts): string {
  if (mark.found === null)
    return uuid === mark.uuid ? 'its marker is not there: it is written again' : 'it gets a marker'
  return mark.found === uuid
    ? 'it has its marker'
    : `it has the marker of another storage (${mark.found}), which is taken over`
}
