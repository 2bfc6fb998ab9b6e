import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Moment } from '../../src/engine/jobs/context.ts'
import { adoptRunning, makeVm } from '../support/sites/acts.ts'
import { openWorld, type WorldPlace } from '../support/sites/world.ts'
import { until } from '../support/until.ts'

/** A new job while this process goes on with what another has left. */
test('waits for what was taken over only where both need the same', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-taken-'))
  const place: WorldPlace = { db: join(dir, 'pengx.db'), state: join(dir, 'site.json') }
  const never = new Promise<void>(() => undefined)
  const reached = Promise.withResolvers<void>()
  const open = Promise.withResolvers<void>()
  try {
    let isArmed = false
    const before = await openWorld(
      {
        async intercept({ operation, phase }: Moment) {
          if (!isArmed || operation !== 'vm.suspend' || phase !== 'before') return
          reached.resolve()
          await never
        },
      },
      place,
    )
    const left = await adoptRunning(before)
    const other = await makeVm(before)
    isArmed = true
    const job = await before.engine.start('vm.suspend', { vm: left.uuid }, 'cli')
    await reached.promise
    await before.close()

    const world = await openWorld({ watch: 'beat', intercept: ({ operation }) => waitFor(operation) }, place)
    const { engine } = world
    expect((await engine.recovery.begun).map(({ id }) => id)).toEqual([job.id])
    expect(engine.atWork().map(({ id }) => id)).toEqual([job.id])
    const { id } = await engine.start('vm.start', { vm: other.uuid }, 'cli')
    expect((await engine.finished(id)).job.state).toBe('done')
    const second = await engine.start('vm.reboot', { vm: left.uuid }, 'cli')
    expect(second.state).toBe('queued')
    open.resolve()
    await engine.recovery.over
    expect((await engine.finished(second.id)).job.state).toBe('done')
    await until(() => engine.atWork().length === 0)
    await world.close()
  } finally {
    open.resolve()
    rmSync(dir, { recursive: true, force: true })
  }

  async function waitFor(operation: string): Promise<void> {
    if (operation === 'vm.suspend') await open.promise
  }
}, 30_000)
