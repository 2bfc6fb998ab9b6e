import { run } from '../../../src/engine/host/run.ts'
import type { Job } from '../../../src/model/job.ts'
import { findNode } from '../../../src/sim/machine/files.ts'
import { createSimSite, type SimSite } from '../../../src/sim/site.ts'
import { openKills } from '../../contract/kills.ts'
import type { OperationCase } from '../../contract/operationCase.ts'
import { openTrials } from '../../contract/trials.ts'
import { lastDueIn, openWorld, type World } from '../../support/sites/world.ts'
import { createSkippingClock } from '../../support/skippingClock.ts'

/** A job that is cut off by a SIGKILL, what happens on the site meanwhile, and what becomes of it at the next start. */
export interface Gap extends Pick<OperationCase, 'operation' | 'prepare'> {
  /** At which of its steps, by the beginning of the name. */
  readonly step: string
  readonly phase: 'before' | 'after'
  /** By others, while no pengx runs. */
  readonly meanwhile?: (site: SimSite, raw: Readonly<Record<string, unknown>>) => Promise<void> | void
}

/** What the killed process had set going on the site is over by then. */
const PASSED_MS = 60_000

export async function afterGap(
  gap: Gap,
  look: (world: World, job: Job, raw: Readonly<Record<string, unknown>>) => Promise<void> | void,
): Promise<void> {
  const one: OperationCase = { ...gap, check: () => undefined }
  const trials = openTrials(one)
  try {
    let index = -1
    await trials.inWorld({}, async ({ engine }, raw) => {
      const { steps } = await engine.preview(gap.operation, engine.decode(gap.operation, raw))
      index = steps.findIndex(({ name }) => name.startsWith(gap.step))
      if (index < 0) throw new Error(`${gap.operation} has no step ${gap.step}: ${steps.map(({ name }) => name)}`)
    })
    const point = { index, phase: gap.phase }
    const { place, raw } = await openKills(one, trials, point).at(point)
    const site = createSimSite({
      clock: createSkippingClock(lastDueIn(place.state) + PASSED_MS),
      statePath: place.state,
      pace: 0,
    })
    for (const name of site.pmNames) site.pm(name)
    await gap.meanwhile?.(site, raw)
    site.save()
    site.close()
    const world = await openWorld({}, place)
    try {
      const { id } = world.engine.view.jobs().find((job) => job.operation === gap.operation)!
      const { job } = await world.engine.finished(id)
      await world.engine.look()
      await look(world, job, raw)
    } finally {
      await world.close()
    }
  } finally {
    trials.close()
  }
}

/** As an administrator does, from a configuration that lies there. */
export async function startByHand(site: SimSite, pm: string, uuid: string): Promise<void> {
  const argv = ['xl', 'create', `/etc/xen/pengx/${uuid}.cfg`] as const
  const said = await run(site.host(pm), { argv, effect: 'change', okExits: [0, 1, 2, 3] })
  if (said.exit !== 0) throw new Error(said.stderr)
}

/** The domains of a VM go, as with a power cut of the guest. */
export async function destroyByHand(site: SimSite, pm: string, uuid: string): Promise<void> {
  for (const { domid } of site.pm(pm).domains.filter((domain) => domain.uuid === uuid))
    await run(site.host(pm), { argv: ['xl', 'destroy', String(domid)], effect: 'change' })
}

/** What an image holds, as far as the simulated qemu-img tells two apart. */
export function fill(site: SimSite, pm: string, path: string, text: string): void {
  const node = findNode(site.pm(pm), path)
  if (node?.kind !== 'file') throw new Error(`there is no file ${path} on ${pm}`)
  node.text = text
}
