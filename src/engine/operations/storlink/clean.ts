import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Level, Storlink } from '../../../model/storlink.ts'
import { run } from '../../host/run.ts'
import type { ChangingStep, Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import { claimPathOf } from '../../tools/claims.ts'
import { fileExists } from '../../tools/files.ts'
import { surveyStorlinks } from '../../verify/verify.ts'
import { clearClaims, readClaims } from '../../volumes/claims/claim.ts'
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

type Doomed = {
  readonly path: string
  readonly bytes: number
  readonly staged: boolean
  /** Of a claim, what it says. */
  readonly claim: string | null
  readonly reason: string
}
type Facts = { readonly pm: string; readonly level: Level; readonly doomed: readonly Doomed[] }

async function surveyed(cx: Context, { id }: Pick<Storlink, 'id'>) {
  await Promise.all(cx.view.pms().map((pm) => cx.look(pm.uuid).catch(() => undefined)))
  const { view, hypervisor, host } = cx
  const deps = { view, hypervisor, host, jobs: { factsOf: cx.jobFacts } }
  const all = await surveyStorlinks(deps, cx.clock.now(), cx.jobId, cx.signal)
  return new Map(all.filter(({ storlink }) => storlink === id).map((volume) => [volume.path, volume]))
}

async function gather({ storlink: id, paths }: Params, cx: Context): Promise<Facts> {
  const storlink = cx.view.needStorlink(id)
  const found = await surveyed(cx, storlink)
  const asked =
    paths.length > 0 ? [...new Set(paths)] : [...found.values()].flatMap((one) => (one.removable ? one.path : []))
  const pm = needAccessPm(storlink, cx.view).uuid
  const claims = new Map(
    (await readClaims(cx.host(pm), asked.flatMap(volumeOf), cx.signal)).map(({ path, text }) => [path, text]),
  )
  const doomed = asked.map((path) => {
    const volume = found.get(path)
    if (volume === undefined) throw new PengxError('refused', `${path} is not on storlink ${storlink.name}`)
    const { removable, reason, bytes, kind } = volume
    if (!removable) throw new PengxError('refused', `${path} stays: ${reason}`)
    const claim = volumeOf(path).map((one) => claims.get(one) ?? '')[0] ?? null
    return { path, bytes, reason, staged: kind === 'directory', claim }
  })
  if (doomed.length === 0)
    throw new PengxError('refused', `there is nothing on ${storlink.name} that may be taken away`)
  return { pm, level: storlink.level, doomed }
}

/** The volume whose claim that is, by its name. */
function volumeOf(path: string): string[] {
  const ending = claimPathOf('')
  return path.endsWith(ending) ? [path.slice(0, -ending.length)] : []
}

/** Room for an image that was to come is no volume yet, and a claim is taken away just as it was read. */
function isSetAside({ staged, claim }: Doomed): boolean {
  return !staged && claim === null
}

/** What has come to be needed since stays, with all else: it comes back under its name. */
function lookStep({ storlink: id }: Params, { doomed }: Facts): Step {
  return {
    name: 'see that nobody has come to need them',
    onlyReads: true,
    async do(cx) {
      const found = await surveyed(cx, { id })
      for (const one of doomed) {
        const { path } = one
        const volume = found.get(isSetAside(one) ? `${path}.aside` : path)
        if (volume && !volume.removable) throw new PengxError('refused', `${path} stays: ${volume.reason}`)
      }
      return null
    },
  }
}

function removeClaimStep(path: string, text: string, pm: string): Required<Pick<ChangingStep, 'do' | 'isApplied'>> {
  const held = volumeOf(path).map((volume) => ({ path: volume, text }))
  const stands = async (cx: Context) => {
    const now = await readClaims(cx.host(pm), volumeOf(path))
    return now.some((one) => one.text === text)
  }
  return {
    async do(cx) {
      const [left] = await clearClaims(cx.host(pm), held, { tag: cx.tag })
      if (left) throw new PengxError('commandFailed', `the claim ${path} could not be taken away`)
      return null
    },
    isApplied: async (cx) => !(await stands(cx)) || 'again',
  }
}

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
    const removals = doomed.map(({ path, staged, claim }): ChangingStep => {
      const ofOther = staged ? removeStagedStep(path, facts) : removeAside(pm, { path, level })
      const how = claim === null ? ofOther : removeClaimStep(path, claim, pm)
      return { name: `remove ${path}`, shows: [`remove ${path}`], ...how }
    })
    const [first, ...rest] = removals
    return [
      ...doomed.filter(isSetAside).map(
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
