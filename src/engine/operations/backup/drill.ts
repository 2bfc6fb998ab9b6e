import { z } from 'zod'
import { newUuid } from '../../../lib/ids.ts'
import { type Backup, isGood } from '../../../model/backup.ts'
import { PengxError, toPengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { ChangingStep, Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import { findDomain } from '../vm/domain.ts'
import { createStep, factsOf } from '../vm/domainSteps.ts'
import { gatherNew, type NewFacts, planNew, pmForNew } from './restoreNew.ts'
import { backupField, backupOperation, backupsLock, nameOf, refuseBackupAccess } from './target.ts'

/**
 * Boots a backup to see whether it comes up: as a VM of its own that nobody on the network can meet, since it has no
 * interface. No guest has a word that it must say, so what is looked at is what every guest does that boots: it stays,
 * and reads its disks, after its boot loader too. Then all of it is taken away.
 */
const params = z.object({
  backup: backupField,
  seconds: field(z.number().int().min(1).max(3600).default(60), {
    title: 'Watch',
    help: 'how long it must stay up and at work with its disks',
    unit: 's',
  }),
  storlink: field(z.number().int().optional(), {
    title: 'Storlink',
    from: 'storlink',
    help: 'where it is restored to for that; else where its disks lay',
    advanced: true,
  }),
  uuid: field(z.string().optional(), { title: 'UUID', help: 'of the VM that is booted', advanced: true }),
})
type Params = z.infer<typeof params>

interface Activity {
  readonly readBytes: number
  readonly cpuSeconds: number
}

const WATCH = 'watch it come up'

/** What is booted is for the watch alone, and is not missed when that is over. */
function forWatch(step: Step): Step {
  if (step.onlyReads) return step
  return { ...step, isApplied: async (cx) => cx.output(WATCH) !== undefined || (await step.isApplied(cx)) }
}

/** Looks once a while until the time is over; fails as soon as it is clear that it does not come up. */
function watchStep(p: Params, { vm, backup }: NewFacts): ChangingStep {
  return {
    name: WATCH,
    weight: 20,
    async do(cx) {
      try {
        return (await watch(p, vm, cx)) as Activity & Json
      } catch (error) {
        const { code, message } = toPengxError(error)
        if (code === 'commandFailed') await recordDrill(backup.uuid, message, cx)
        throw error
      }
    },
    isApplied: async () => 'again',
    /** What was found of it is so, whatever becomes of the job. */
    undo: async () => undefined,
  }
}

async function watch({ seconds }: Params, vm: { uuid: string; pm: string }, cx: Context): Promise<Activity> {
  const fails = (what: string) => new PengxError('commandFailed', `it did not come up: ${what}`)
  const began = cx.clock.now()
  let activity: Activity = { readBytes: 0, cpuSeconds: 0 }
  for (;;) {
    const domain = await findDomain(cx, vm)
    const passedS = (cx.clock.now() - began) / 1000
    if (!domain) throw fails(`its domain was gone after ${Math.round(passedS)} s`)
    if (domain.state === 'broken') throw fails(`its domain was broken after ${Math.round(passedS)} s`)
    if (domain.state === 'crashed' || domain.state === 'dying')
      throw fails(
        `its guest had ${domain.state === 'crashed' ? 'crashed' : 'shut down'} after ${Math.round(passedS)} s`,
      )
    const disks = await cx.hypervisor.diskCounters(cx.host(vm.pm), domain.domid, cx.signal)
    const readBytes = disks.reduce((sum, disk) => sum + disk.readBytes, 0)
    activity = { readBytes, cpuSeconds: domain.cpuSeconds }
    if (passedS >= seconds) break
    const readMib = (readBytes / (1024 * 1024)).toFixed(1)
    cx.progress(Math.min(0.99, passedS / seconds), `up for ${Math.floor(passedS)} s, ${readMib} MiB read`)
    await cx.clock.sleep(Math.min(2_000, seconds * 100), cx.signal)
  }
  if (activity.readBytes === 0) throw fails(`in ${seconds} s its guest has read nothing of its disks`)
  return activity
}

async function recordDrill(uuid: string, problem: string | undefined, cx: Context): Promise<void> {
  const { drillProblem: _old, ...row } = cx.view.needBackup(uuid)
  const drilledAt = cx.clock.now()
  await cx.inventory.putBackup({ ...row, drilledAt, ...(problem === undefined ? {} : { drillProblem: problem }) })
}

function takeAwayStep({ vm, restored }: NewFacts): ChangingStep {
  return {
    name: 'take it away',
    shows: [`xl destroy ${vm.domainName}`, ...restored.map(({ path }) => `remove ${path}`)],
    async do(cx) {
      const host = cx.host(vm.pm)
      const domain = await findDomain(cx, vm)
      if (domain) await cx.hypervisor.destroy(host, domain.domid, cx.tag)
      await cx.hypervisor.removeConfig(host, vm.configPath!, cx.tag)
      for (const { path, level } of restored) await cx.volumes(level).remove(host, path, cx.tag)
      await cx.inventory.dropVm(vm.uuid)
      return null
    },
    isApplied: async (cx) => cx.view.getVm(vm.uuid) === undefined || 'again',
    /** What is gone on the way back is gone: the steps before it take away the same. */
    undo: async () => undefined,
  }
}

export const backupDrill = backupOperation<Params, NewFacts & Json>(
  {
    name: 'backup.drill',
    title: 'drill backup',
    help: 'Boots a copy of a backup, away from the network, says whether it comes up, and takes it away again.',
    danger: 'safe',
    params,
    complete: (p) => ({ ...p, uuid: p.uuid ?? newUuid() }),
    refuse({ backup }, view) {
      const row = view.needBackup(backup)
      if (!isGood(row, view.backupsOf(row.vm))) return `it is ${row.state}, or what it lies on is: verify it first`
      return refuseBackupAccess(row, view)
    },
    async gather({ backup, storlink, uuid }, cx) {
      const row = cx.view.needBackup(backup)
      const name = `drill of ${row.vmName} ${uuid!.slice(0, 8)}`.slice(0, 100)
      return (await gatherNew({ uuid: uuid!, name, storlink, withoutNics: true }, row, cx)) as NewFacts & Json
    },
    plan: (p, facts) => [
      ...[...planNew(facts, { disposable: true }), createStep(factsOf(facts.vm, 0), { disposable: true })].map(
        forWatch,
      ),
      watchStep(p, facts),
      takeAwayStep(facts),
      {
        name: 'record',
        async do(cx) {
          await recordDrill(p.backup, undefined, cx)
          return null
        },
        async isApplied(cx) {
          const { drilledAt, drillProblem } = cx.view.needBackup(p.backup)
          return (drilledAt !== (facts.backup as Backup).drilledAt && drillProblem === undefined) || 'again'
        },
        undo: (cx) => cx.inventory.putBackup(facts.backup),
      },
    ],
    effects: (_params, { restored }) => ({ notices: [`needs room for ${restored.length} disks while it runs`] }),
    result: (p, _facts, view) => ({ drilled: nameOf(view.needBackup(p.backup)) }),
    touches: ({ uuid }, view) => {
      const pm = view.getVm(uuid ?? '')?.pm
      return pm === undefined ? [] : [pm]
    },
  },
  ({ backup, uuid, storlink }, view) => [
    { key: `pm:${pmForNew({ storlink }, view.needBackup(backup), view)}`, mode: 'shared' },
    backupsLock(view.needBackup(backup).vm, 'shared'),
    { key: `vm:${uuid}`, mode: 'exclusive' },
  ],
)
