import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import { claimablePaths } from '../../../model/storage/claim.ts'
import type { Context } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import { clearClaims, readClaims } from '../../volumes/claims/claim.ts'
import { judgeClaims, refuseClaims, writingClaims } from '../volume/claims.ts'
import { findDomain, refuseState } from './domain.ts'
import { vmField, vmOperation } from './target.ts'

/** Claims that nobody stands behind any more are taken away by hand: what a start does by itself where it can tell. */
const params = z.object({
  vm: vmField,
  force: field(z.boolean().default(false), {
    title: 'Although not all can be asked',
    help: 'although the PM that is named cannot be asked: be sure that it is off, or that no guest there writes to the disks',
    advanced: true,
  }),
})
type Params = z.infer<typeof params>

type Facts = {
  readonly pm: string
  readonly stale: readonly { readonly path: string; readonly text: string; readonly says: string }[]
}

async function gather({ vm, force }: Params, cx: Context): Promise<Facts> {
  const row = cx.view.needVm(vm)
  const domain = await findDomain(cx, row)
  if (domain)
    throw new PengxError('refused', `${row.name} has domain ${domain.domid}: its claims are right, and go with that`)
  const judged = await judgeClaims(cx, await readClaims(cx.host(row.pm), claimablePaths(row), cx.signal))
  refuseClaims(cx, row, judged, { force })
  if (judged.length === 0) throw new PengxError('refused', `nobody has a claim on a disk of ${row.name}`)
  const stale = judged.map(({ held: { path, text }, text: says }) => ({ path, text, says }))
  return { pm: row.pm, stale }
}

/** Another's by now is none of those. */
async function stillHeld(cx: Context, pm: string, stale: Facts['stale']): Promise<Facts['stale']> {
  const paths = stale.map(({ path }) => path)
  const held = await readClaims(cx.host(pm), paths)
  return stale.filter(({ path, text }) => held.some((one) => one.path === path && one.text === text))
}

export const vmRelease = vmOperation<Params, Facts>({
  name: 'vm.release',
  title: 'release the disks of',
  help: 'Takes claims that are stale away from the disks of a VM that is shut down; refused while a domain stands behind one.',
  danger: 'disrupts',
  params,
  refuse: ({ vm }, view) => refuseState(view.needVm(vm), view, ['shutdown'], { running: 'its claims are right' }),
  gather,
  plan: (_params, { pm, stale }) => [
    {
      name: 'take the claims away',
      pivot: true,
      shows: stale.map(({ path }) => `remove the claim on ${path}`),
      async do(cx) {
        const [left] = await clearClaims(cx.host(pm), stale, writingClaims(cx, pm))
        if (left) throw new PengxError('commandFailed', `the claim on ${left.path} could not be taken away`)
        return null
      },
      isApplied: async (cx) => (await stillHeld(cx, pm, stale)).length === 0 || 'again',
    },
  ],
  effects: (_params, { stale }) => ({ frees: stale.map(({ path, says }) => `${path} ${says}`) }),
})
