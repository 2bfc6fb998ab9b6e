import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../../../src/engine/host/host.ts'
import { PengxError } from '../../../src/model/error.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { act, NEW_VM, pmNamed } from '../../support/sites/acts.ts'
import { openWorld, type WorldPlace } from '../../support/sites/world.ts'
import { joinPms } from '../operations/cases/migrateCases.ts'

/** A pengx that ends by itself leaves its jobs as one that is killed does: at work, for the next one to go on with. */
const dir = mkdtempSync(join(tmpdir(), 'pengx-closing-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** Loses its connection when it is closed, and such a command that is at work with it; that takes a moment, as it does over SSH. */
function losing(host: Host, isOne: (line: string) => boolean, onBegin: () => void): Host {
  const lost = Promise.withResolvers<never>()
  lost.promise.catch(() => undefined)
  let isLost = false
  return {
    ...host,
    async open(command, ...rest) {
      if (!isLost && !isOne(command.argv.join(' '))) return await host.open(command, ...rest)
      onBegin()
      return await lost.promise
    },
    async close() {
      isLost = true
      lost.reject(new PengxError('unreachable', `${host.name} was lost before the command began`))
      await Bun.sleep(300)
    },
  }
}

/** A VM that is shut down, on machines for another process. */
async function furnish(place: WorldPlace) {
  const before = await openWorld({}, place)
  const storlink = await joinPms(before)
  await act(before, 'vm.create', { ...NEW_VM, storlink, pm: pmNamed(before) })
  await before.close()
  const site = createSimSite({ vmCount: 8, pmCount: 3, seed: 7, pace: 0.2, statePath: place.state })
  return { site, vm: NEW_VM.uuid, storlink }
}

test('what fails because pengx lets go of a host says nothing of the job, which the next start takes up as after a kill', async () => {
  const place = { db: join(dir, 'pengx.db'), state: join(dir, 'site.json') }
  const { site, vm } = await furnish(place)
  const creates = Promise.withResolvers<void>()
  const host = (name: string) => losing(site.host(name), (line) => line.includes('xl create'), creates.resolve)
  const closing = await openWorld({ sim: { host, pmNames: site.pmNames.slice(0, 2) } }, place)
  const { id } = await closing.engine.start('vm.start', closing.engine.decode('vm.start', { vm }), 'http')
  await creates.promise
  await closing.close()

  const after = await openWorld({}, place)
  await after.engine.recovery.over
  expect(after.engine.view.getJob(id)).toMatchObject({
    state: 'cancelled',
    message: 'pengx ended while it was at work',
  })
  const { events } = await after.engine.jobDetail(id)
  expect(events.map(({ kind }) => kind)).toEqual(['started', 'undoStarted', 'undone'])
  await after.close()
}, 60_000)

test('nor of one that has waited for its turn and had not begun', async () => {
  const place = { db: join(dir, 'waits.db'), state: join(dir, 'waits.json') }
  const { site, vm, storlink } = await furnish(place)
  const asksForRoom = Promise.withResolvers<void>()
  const isQueued = Promise.withResolvers<void>()
  let first = ''
  const isTurn = () => closing.engine.view.getJob(first)?.state === 'done'
  const host = (name: string) =>
    losing(site.host(name), (line) => line.includes('df -P') && isTurn(), asksForRoom.resolve)
  const closing = await openWorld(
    { sim: { host, pmNames: site.pmNames.slice(0, 2) }, intercept: () => isQueued.promise },
    place,
  )
  const { engine } = closing
  first = (await engine.start('vm.edit', engine.decode('vm.edit', { vm, desc: 'the first' }), 'http')).id
  const { id, state } = await engine.start(
    'disk.create',
    engine.decode('disk.create', { vm, storlink, size: 8 }),
    'http',
  )
  expect(state).toBe('queued')
  isQueued.resolve()
  await asksForRoom.promise
  await closing.close()

  const after = await openWorld({}, place)
  expect((await after.engine.recovery.begun).map((job) => job.id)).toEqual([id])
  await after.engine.recovery.over
  expect(after.engine.view.getJob(id)).toMatchObject({
    state: 'undone',
    message: 'pengx ended before it began; nothing had been done',
  })
  await after.close()
}, 60_000)
