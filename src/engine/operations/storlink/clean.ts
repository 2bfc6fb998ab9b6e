import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Level, Storlink } from '../../../model/storlink.ts'
import { run } from '../../host/run.ts'
import type { ChangingStep, Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import { fileExists } from '../../tools/files.ts'
import { surveyStorlinks } from '../../verify/verify.ts'
import { needAccessPm, refuseAccess } from './access.ts'
import { removeAside, setAside } from './asideVolume.ts'
import { storlinkField, storlinkOperation } from './target.ts'

/**
 * Takes away what jobs of this store have left on a storlink. Each path is judged anew when the job begins, and once more when all
 * are out of the way: what a chain, a job or anybody unknown might need stays (verify/classify.ts).
 */
const params = z.object({
  storlink: storlinkField,
  paths: field(z.array(z.string().startsWith('/', 'is not an absolute path')).default([]), {
    title: 'Paths',
    help: 'what is taken away, of what pengx gc shows as removable; none given: all of that',
  }),
})
type Params = z.infer<typeof params>

type Doomed = { readonly path: string; readonly bytes: number; readonly staged: boolean; readonly reason: string }
type Facts = { readonly pm: string; readonly level: Level; readonly doomed: readonly Doomed[] }

async function surveyed(cx: Context, { id }: Pick<Storlink, 'id'>) {
  await Promise.all(cx.view.pms().map((pm) => cx.look(pm.uuid).catch(() => undefined)))
  const { view, hypervisor, host } = cx
  const all = await surveyStorlinks({ view, hypervisor, host, jobs: { factsOf: cx.jobFacts } }, cx.jobId, cx.signal)
  return new Map(all.filter(({ storlink }) => storlink === id).map((volume) => [volume.path, volume]))
}

async function gather({ storlink: id, paths }: Params, cx: Context): Promise<Facts> {
  const storlink = cx.view.needStorlink(id)
  const found = await surveyed(cx, storlink)
  const asked =
    paths.length > 0 ? [...new Set(paths)] : [...found.values()].flatMap((one) => (one.removable ? one.path : []))
  const doomed = asked.map((path) => {
    const volume = found.get(path)
    if (volume === undefined) throw new PengxError('refused', `${path} is not on storlink ${storlink.name}`)
    const { removable, reason, bytes, kind } = volume
    if (!removable) throw new PengxError('refused', `${path} stays: ${reason}`)
    return { path, bytes, reason, staged: kind === 'directory' }
  })
  if (doomed.length === 0)
    throw new PengxError('refused', `there is nothing on ${storlink.name} that may be taken away`)
  return { pm: needAccessPm(storlink, cx.view).uuid, level: storlink.level, doomed }
}

/** What has come to be needed since stays, with all else: it comes back under its name. */
function lookStep({ storlink: id }: Params, { doomed }: Facts): Step {
  return {
    name: 'see that nobody has come to need them',
    onlyReads: true,
    async do(cx) {
      const found = await surveyed(cx, { id })
      for (const { path, staged } of doomed) {
        const volume = found.get(staged ? path : `${path}.aside`)
        if (volume && !volume.removable) throw new PengxError('refused', `${path} stays: ${volume.reason}`)
      }
      return null
    },
  }
}

/** Room for an image that was to come is no volume yet, and is not set aside. */
function removeStagedStep(path: string, { pm, level }: Facts): Required<Pick<ChangingStep, 'do' | 'isApplied'>> {
  return {
    async do(cx) {
      await cx.volumes(level).clearStaged(cx.host(pm), path.replace(/\.parts$/, ''), cx.tag)
      return null
    },
    isApplied: async (cx) => (await run(cx.host(pm), fileExists(path), cx.signal)).exit === 1 || 'again',
  }
}

export const storlinkClean = storlinkOperation<Params, Facts>({
  name: 'storlink.clean',
  title: 'clean storlink',
  help: 'Takes away what jobs of this store that are over have left on a storlink, and nothing else.',
  danger: 'destroys',
  params,
  locks: ({ storlink }, view) => [
    { key: `storlink:${storlink}`, mode: 'exclusive' },
    { key: `pm:${needAccessPm(view.needStorlink(storlink), view).uuid}`, mode: 'shared' },
  ],
  refuse: ({ storlink }, view) => refuseAccess(view.needStorlink(storlink), view),
  gather,
  plan(p, facts) {
    const { pm, level, doomed } = facts
    const removals = doomed.map(({ path, staged }): ChangingStep => {
      const how = staged ? removeStagedStep(path, facts) : removeAside(pm, { path, level })
      return { name: `remove ${path}`, shows: [`remove ${path}`], ...how }
    })
    const [first, ...rest] = removals
    return [
      ...doomed
        .filter(({ staged }) => !staged)
        .map(
          ({ path }): Step => ({
            name: `set ${path} aside`,
            shows: [`set aside ${path}`],
            ...setAside(pm, { path, level }),
          }),
        ),
      lookStep(p, facts),
      { ...first!, pivot: true },
      ...rest,
    ]
  },
  effects: (_params, { doomed }) => ({
    frees: doomed.map(({ path, bytes, reason }) => `${path} (${Math.ceil(bytes / (1024 * 1024))} MiB): ${reason}`),
  }),
  result: (_params, { doomed }) => ({ removed: doomed.length }),
})
