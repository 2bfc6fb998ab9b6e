import { run } from '../../src/engine/host/run.ts'
import { createDomain, destroyDomain, rebootDomain } from '../../src/engine/tools/xl/xl.ts'
import { findNode, setAllocated } from '../../src/sim/machine/files.ts'
import type { Domain, PmState } from '../../src/sim/machine/state.ts'
import { createSimSite, type SimSite } from '../../src/sim/site.ts'
import { lastDueIn, type WorldPlace } from '../support/sites/world.ts'
import { createSkippingClock } from '../support/skippingClock.ts'

/**
 * What becomes of a VM while nobody is there: its guest writes to its disks, somebody has it rebooted, destroys it, starts
 * it by hand from the file that lies there, or has it migrated to another PM that sees its disks.
 */
export type WorldMove = 'ran' | 'rebooted' | 'destroyed' | 'started' | 'moved'

const MOVES: Readonly<Record<WorldMove, (site: SimSite, pm: PmState, uuid: string) => Promise<boolean>>> = {
  async ran(_site, pm, uuid) {
    const domain = findDomain(pm, uuid)
    if (domain?.phase !== 'up' || domain.paused) return false
    domain.counters.cpu += 60
    for (const path of writtenBy(domain)) {
      const node = findNode(pm, path)
      if (node?.kind === 'file' && node.image) setAllocated(pm, path, node, node.allocated + WRITTEN_BYTES)
    }
    return true
  },
  /** One that is paused hears of it when it is let go on, and is another domain then: nothing that lived has gone. */
  rebooted: async (site, pm, uuid) =>
    findDomain(pm, uuid)?.paused !== true && (await onDomain(site, pm, uuid, rebootDomain)),
  destroyed: (site, pm, uuid) => onDomain(site, pm, uuid, destroyDomain),
  async started(site, pm, uuid) {
    const path = `/etc/xen/pengx/${uuid}.cfg`
    if (site.pmNames.some((name) => findDomain(site.pm(name), uuid)) || !findNode(pm, path)) return false
    const output = await run(site.host(pm.name), { ...createDomain(path, uuid), okExits: [0, 1, 3] })
    return output.exit === 0
  },
  async moved(site, pm, uuid) {
    const domain = findDomain(pm, uuid)
    if (domain?.phase !== 'up' || domain.paused) return false
    const to = site.pmNames.find((name) => name !== pm.name && sees(site.pm(name), domain))
    return to !== undefined && moveDomain(site, pm.name, to, uuid)
  },
}

function sees(pm: PmState, domain: Domain): boolean {
  return domain.config.disks.every((disk) => findNode(pm, disk.livePath ?? disk.path) !== undefined)
}

/** As `xl migrate` by hand leaves it: gone here, and there under another number; false where there is none. */
export function moveDomain(site: SimSite, from: string, to: string, uuid: string): boolean {
  const [here, there] = [site.pm(from), site.pm(to)]
  const domain = findDomain(here, uuid)
  if (!domain) return false
  here.domains = here.domains.filter((one) => one !== domain)
  there.domains.push({ ...domain, domid: there.nextDomid++ })
  site.save()
  return true
}

export const WORLD_MOVES = Object.keys(MOVES) as readonly WorldMove[]

const WRITTEN_BYTES = 4 * 1024 * 1024

/** A domain that lives, and what it writes to. */
export interface Living {
  readonly pm: string
  readonly uuid: string
  readonly domid: number
  readonly writes: readonly { readonly path: string; readonly allocated: number }[]
}

/** Moves a VM on, in files that nobody has open; undefined where there is nothing to move. Gives what lives then. */
export async function moveWorld(
  place: WorldPlace,
  vm: string,
  move: WorldMove,
): Promise<readonly Living[] | undefined> {
  let moved = false
  await atSite(place, async (site) => {
    for (const name of site.pmNames) moved ||= await MOVES[move](site, site.pm(name), vm)
  })
  if (!moved) return undefined
  // One thing leads to another: a guest stops, is built again, and boots.
  for (let round = 0; round < 6; round++) await atSite(place, async () => undefined)
  let living: readonly Living[] = []
  await atSite(place, async (site) => {
    living = livingOn(site)
  })
  return living
}

/** The site as it lies there, when all that was about to happen has happened. */
async function atSite(place: WorldPlace, use: (site: SimSite) => Promise<void>): Promise<void> {
  const clock = createSkippingClock(lastDueIn(place.state))
  const site = createSimSite({ statePath: place.state, clock, pace: 0.2 })
  await use(site)
  for (const name of site.pmNames) site.pm(name)
  site.save()
  site.close()
}

/** All domains of a site but those on their way out. */
export function livingOn(site: SimSite): readonly Living[] {
  return site.pmNames.flatMap((name) => {
    const pm = site.pm(name)
    return pm.domains
      .filter((domain) => domain.domid !== 0 && (domain.phase === 'up' || domain.phase === 'building'))
      .map((domain) => ({
        pm: name,
        uuid: domain.uuid,
        domid: domain.domid,
        writes: writtenBy(domain).map((path) => ({ path, allocated: allocatedOf(pm, path) })),
      }))
  })
}

function allocatedOf(pm: PmState, path: string): number {
  const node = findNode(pm, path)
  return node?.kind === 'file' ? node.allocated : 0
}

function findDomain(pm: PmState, uuid: string): Domain | undefined {
  return pm.domains.find((domain) => domain.uuid === uuid)
}

function writtenBy(domain: Domain): string[] {
  return domain.config.disks.filter((disk) => !disk.readOnly).map((disk) => disk.livePath ?? disk.path)
}

async function onDomain(
  site: SimSite,
  pm: PmState,
  uuid: string,
  program: (domid: number) => ReturnType<typeof rebootDomain>,
): Promise<boolean> {
  const domain = findDomain(pm, uuid)
  if (!domain) return false
  const output = await run(site.host(pm.name), { ...program(domain.domid), okExits: [0, 1, 255] })
  return output.exit === 0
}
