import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine } from '../../../src/engine/engine.ts'
import type { Host } from '../../../src/engine/host/host.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { act, pmNamed } from './acts.ts'
import type { World } from './world.ts'

/**
 * A world whose PM is simulated and whose disks are real: what names something in its directories runs on this machine,
 * with its programs. The guests are pretended, so what they would write is written by whoever tests.
 */
export interface RealDisks extends World {
  /** A storlink of the PM's, and its directory. */
  readonly storlink: number
  readonly dir: string
  /** A directory of the PM's that is no storlink. */
  readonly elsewhere: string
  /** This machine. */
  readonly host: Host
}

export async function openRealDisks(): Promise<RealDisks> {
  const root = mkdtempSync(join(tmpdir(), 'pengx-disks-'))
  const [dir, elsewhere] = [join(root, 'disks'), join(root, 'elsewhere')] as const
  for (const path of [dir, elsewhere]) mkdirSync(path)
  const host = openLocalHost('xen1')
  const site = createSimSite({ vmCount: 1, pmCount: 1, seed: 7, pace: 0 })
  const beside = (sim: Host): Host => ({
    ...sim,
    open: (command, signal) => (command.argv.some((word) => word.includes(root)) ? host : sim).open(command, signal),
  })
  const engine = await createEngine({
    store: 'memory',
    destinations: [],
    local: false,
    readOnly: false,
    knownHostsPath: '/nonexistent/known_hosts',
    watch: 'once',
    recovers: true,
    sim: { host: (name) => beside(site.host(name)), pmNames: site.pmNames },
  })
  const world: World = {
    engine,
    site,
    async close() {
      await engine.close()
      site.close()
      await host.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
  await act(world, 'storlink.create', { name: 'real', link: dir, type: 'LO', level: 'FL', pm: pmNamed(world) })
  return { ...world, host, dir, elsewhere, storlink: engine.view.storlinks()[0]!.id }
}
