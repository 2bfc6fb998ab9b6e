import { copyWorld, openWorld } from '../sites/world.ts'
import { type CrashOrder, placeAt } from './crashPoints.ts'

/**
 * A pengx that is killed (SIGKILL, no farewell) at one point of one operation, and copies its world at each that comes
 * before: whoever is killed leaves what his files hold then. Started by the operation suite.
 */
async function main(): Promise<void> {
  const { place, config, operation, raw, index, phase } = JSON.parse(process.argv[2]!) as CrashOrder
  const { engine } = await openWorld(
    {
      ...config,
      intercept(moment) {
        if (moment.operation !== operation || (moment.phase !== 'before' && moment.phase !== 'after')) return
        if (moment.step === index && moment.phase === phase) process.kill(process.pid, 'SIGKILL')
        copyWorld(place, placeAt(place, { index: moment.step, phase: moment.phase }))
      },
    },
    place,
  )
  const job = await engine.start(operation, engine.decode(operation, raw), 'cli')
  await engine.finished(job.id)
  const { state, message } = engine.view.getJob(job.id)!
  console.error(`${operation} ended as ${state} and was not killed: ${message}`)
  process.exit(1)
}

// Bytecode knows no await outside a function.
main().catch((error) => {
  console.error(error)
  process.exit(2)
})
