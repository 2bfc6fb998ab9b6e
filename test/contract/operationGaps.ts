import { expect } from 'bun:test'
import type { Job } from '../../src/model/job.ts'
import type { CrashPoint } from '../support/children/crashPoints.ts'
import { openWorld, pictureOf, type World } from '../support/sites/world.ts'
import type { OperationCase } from './operationCase.ts'
import { canStillBeDone } from './operationFailures.ts'
import { comesBack, hasDecidedPivot, isPast, lastUndone, type Steps } from './operationSteps.ts'
import type { Prepared } from './trials.ts'
import { type Living, livingOn, moveWorld, type WorldMove } from './worldMoves.ts'

/** Trials of an operation whose process was killed: the next start finishes or unwinds it. */

/** The next start, at once. */
export async function goOnAfter(
  one: OperationCase,
  steps: Steps,
  point: CrashPoint,
  { place, raw, before }: Prepared,
): Promise<void> {
  const { index, phase } = point
  const where = placeOf(one, steps, point)
  const world = await openWorld({ ...one.config }, place)
  try {
    const end = await endOf(one, world)
    const forward = isPast(steps, index) || (hasDecidedPivot(steps, index) && phase === 'after')
    expect({ where, state: end.state, message: end.message }).toMatchObject({
      where,
      state: forward ? 'done' : expect.stringMatching(/done|undone|cancelled/),
    })
    if (end.state === 'done') await one.check(world, raw)
    else if (comesBack(steps, index, phase === 'before' ? 'before' : 'after')) {
      expect({ where, picture: await pictureOf(world) }).toEqual({ where, picture: before })
      if (typeof phase !== 'number') await canStillBeDone(one, where, world, raw)
    }
  } finally {
    await world.close()
  }
}

/**
 * The next start, when the process was killed while it took the job back: it goes on taking it back, except where that would
 * take away what may have been used: that is left for a person, and done when one has said so.
 */
export async function goOnBack(
  one: OperationCase,
  steps: Steps,
  point: CrashPoint,
  { place, raw, before }: Prepared,
): Promise<void> {
  const where = placeOf(one, steps, point)
  const world = await openWorld({ ...one.config }, place)
  try {
    let end = await endOf(one, world)
    if (end.state === 'stuck') {
      expect({ where, message: end.message }).toEqual({ where, message: expect.stringContaining('used since') })
      await world.engine.retry(end.id)
      end = (await world.engine.finished(end.id)).job
    }
    expect({ where, state: end.state, message: end.message }).toMatchObject({ where, state: 'cancelled' })
    if (!comesBack(steps, lastUndone(steps), 'after')) return
    expect({ where, picture: await pictureOf(world) }).toEqual({ where, picture: before })
    await canStillBeDone(one, where, world, raw)
  } finally {
    await world.close()
  }
}

function placeOf(one: OperationCase, { names }: Steps, { index, phase }: CrashPoint): string {
  const when =
    typeof phase === 'number' ? `behind command ${phase} of` : phase === 'beforeUndo' ? 'before the undo of' : phase
  return `${one.operation}, killed ${when} "${names[index]}"`
}

async function endOf(one: OperationCase, world: World): Promise<Job> {
  const job = world.engine.view.jobs().find((one_) => one_.operation === one.operation)!
  return (await world.engine.finished(job.id)).job
}

/**
 * The next start, when the VM has moved on: what lives goes on living and keeps what it has written, nothing runs twice, and
 * a job that is not over says so and can be ended as it is. False where there was nothing to move.
 */
export async function goOnAfterMove(
  one: OperationCase,
  steps: Steps,
  point: CrashPoint,
  { place, raw }: Prepared,
  move: WorldMove,
): Promise<boolean> {
  const where = `${placeOf(one, steps, point)}, then ${move}`
  const vm = typeof raw.vm === 'string' ? raw.vm : undefined
  const lived = vm === undefined ? undefined : await moveWorld(place, vm, move)
  if (lived === undefined) return false
  const world = await openWorld({ ...one.config }, place)
  try {
    const end = await endOf(one, world)
    expect({ where, state: end.state }).toEqual({ where, state: expect.stringMatching(/done|undone|cancelled|stuck/) })
    const mayEnd = ENDS_DOMAINS.has(one.operation) && move === 'ran'
    if (!mayEnd) needLiving(where, lived, world)
    needOnce(where, livingOn(world.site))
    if (end.state !== 'stuck') needAgreement(where, vm!, world)
    if (end.state === 'stuck') {
      const left = await pictureOf(world)
      await world.engine.keep(end.id)
      expect({ where, picture: await pictureOf(world) }).toEqual({ where, picture: left })
    }
    expect({ where, open: world.engine.view.jobs().filter((job) => OPEN.has(job.state)).length }).toEqual({
      where,
      open: 0,
    })
    return true
  } finally {
    await world.close()
  }
}

const OPEN: ReadonlySet<string> = new Set(['queued', 'running', 'undoing', 'stuck'])

/** Whose work it is to end the domain that it had found. */
const ENDS_DOMAINS: ReadonlySet<string> = new Set(['vm.shutdown', 'vm.poweroff', 'vm.reboot', 'vm.reset'])

function needLiving(where: string, lived: readonly Living[], { site }: World): void {
  const now = livingOn(site)
  for (const { pm, uuid, domid, writes } of lived) {
    const same = now.find((domain) => domain.uuid === uuid && domain.domid === domid && domain.pm === pm)
    expect({ where, uuid, domid, lives: same !== undefined }).toEqual({ where, uuid, domid, lives: true })
    for (const { path, allocated } of writes) {
      const kept = same!.writes.find((one) => one.path === path)
      expect({ where, path, kept: kept !== undefined && kept.allocated >= allocated }).toEqual({
        where,
        path,
        kept: true,
      })
    }
  }
}

/** What the VM's domain writes to is written down for it. */
function needAgreement(where: string, vm: string, { engine, site }: World): void {
  const domain = livingOn(site).find(({ uuid }) => uuid === vm)
  const row = engine.view.getVm(vm)
  if (!domain || !row) return
  const known = new Set(row.disks.map((disk) => disk.path))
  const unknown = domain.writes.filter(({ path }) => !known.has(path))
  expect({ where, unknown }).toEqual({ where, unknown: [] })
}

function needOnce(where: string, living: readonly Living[]): void {
  const uuids = living.map(({ uuid }) => uuid)
  expect({ where, twice: uuids.filter((uuid, index) => uuids.indexOf(uuid) !== index) }).toEqual({ where, twice: [] })
}
