import { run } from '../../../src/engine/host/run.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import type { FaultEffect } from '../../../src/sim/stage/faults.ts'

/** Gives one command to a simulated PM and is killed by it, before or after the command has done its work. */
const [statePath, kind, ...argv] = process.argv.slice(2) as [string, FaultEffect['kind'], ...string[]]
const site = createSimSite({ statePath, vmCount: 4, pmCount: 1, pace: 0 })
site.faults.add({ effect: { kind } as FaultEffect })
await run(site.host('xen1'), { argv: argv as [string, ...string[]], effect: 'change' })
