import { PengxError } from '../../../src/model/error.ts'
import { copyWorld, openWorld } from '../sites/world.ts'
import { type CrashOrder, placeAt } from './crashPoints.ts'

/**
 * A pengx that is killed (SIGKILL, no farewell) at one point of one operation, and copies its world at each that comes
 * before: whoever is killed leaves what his files hold then. Started by the operation suite.
 */
async function main(): Promise<void> {
  const { place, config, operation, raw, index, phase, cancelledAt } = JSON.parse(process.argv[2]!) as CrashOrder
  /** The step at work, and how many commands it has begun that change something. */
  let at: { readonly step: number; commands: number } | undefined
  const { engine, site } = await openWorld(
    {
      ...config,
      intercept(moment) {
        const { step, phase: now } = moment
        if (moment.operation !== operation || now === 'afterUndo') return
        at = now === 'before' ? { step, commands: 0 } : undefined
        if (step === index && now === phase) process.kill(process.pid, 'SIGKILL')
        copyWorld(place, placeAt(place, { index: step, phase: now }))
        if (step === cancelledAt && now === 'after') throw new PengxError('cancelled', 'injected')
      },
    },
    place,
  )
  site.faults.add({
    of: 'change',
    match() {
      if (at && at.commands > 0) copyWorld(place, placeAt(place, { index: at.step, phase: at.commands }))
      if (at) at.commands++
      return false
    },
    effect: { kind: 'lie' },
  })
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
