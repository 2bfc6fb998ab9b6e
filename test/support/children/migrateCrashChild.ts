import { pmNamed } from '../sites/acts.ts'
import { openWorld } from '../sites/world.ts'

/** A pengx that is killed (SIGKILL, no farewell) in the middle of a migration. Started by migrate.test.ts. */
const { place, moment, vm } = JSON.parse(process.argv[2]!)
const world = await openWorld({}, place)
const find = (pm: string) => world.site.state.pms.find((one) => one.name === pm)!.domains.find((one) => one.uuid === vm)
const away = () => find('xen1')?.name?.endsWith('--migratedaway')
const MOMENTS: Record<string, () => boolean | undefined> = {
  arriving: () => find('xen2')?.name?.endsWith('--incoming'),
  suspended: () => find('xen1')?.shutdownReason === 2,
  sentAway: away,
  whole: () => away() && find('xen2')?.name === 'fresh',
}
const params = world.engine.decode('vm.migrate', { vm, pm: pmNamed(world, 'xen2') })
const job = await world.engine.start('vm.migrate', params, 'cli')
setInterval(() => {
  if (MOMENTS[moment]!()) process.kill(process.pid, 'SIGKILL')
}, 1)
await world.engine.finished(job.id)
console.error(`the migration ended as ${world.engine.view.getJob(job.id)?.state} and was not killed`)
process.exit(1)
