import { expect, test } from 'bun:test'
import { startVm } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'

test('a cancel that comes when a step is about to begin has it begin nothing', async () => {
  const world: World = await openWorld({
    async intercept({ name, phase, jobId }) {
      if (name === 'ask the guest' && phase === 'before') await world.engine.cancel(jobId)
    },
  })
  const { engine } = world
  const { uuid } = await startVm(world)
  const { id } = await engine.start('vm.shutdown', engine.decode('vm.shutdown', { vm: uuid }), 'cli')
  expect((await engine.finished(id)).job).toMatchObject({ state: 'cancelled' })
  expect((await engine.jobDetail(id)).commands).toEqual([])
  await world.close()
})
