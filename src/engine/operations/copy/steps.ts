import type { Vm } from '../../../model/vm.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import {
  checkMomentSteps,
  type GuestMoment,
  momentStep,
  releaseMomentStep,
  scratchSteps,
  sourceIn,
} from '../disk/moment.ts'
import { newConfigStep } from '../vm/configFile.ts'
import { takeNameStep } from '../vm/newVm.ts'
import { joinSecret } from '../vm/secrets.ts'
import { isSeed, seedStep } from '../vm/seed.ts'
import { copySteps, isCopied, type VolumeCopy } from '../volume/copies.ts'
import type { CopyFacts } from './facts.ts'

/**
 * Names first, then the disks of the first copy: from the moment, or from disks that nobody writes to. What more copies
 * there are is made of that one, before anybody can start it; the configurations come last.
 */
export function planCopy(facts: CopyFacts): Step[] {
  const { rows, secrets } = facts
  const [first, ...others] = rows
  const moment = momentOf(facts)
  return [
    ...rows.map((row) => takeNameStep(row.uuid, row.name, () => joinSecret(row, { vncPassword: secrets[row.uuid] }))),
    ...(moment ? [...scratchSteps(moment), momentStep(moment)] : []),
    ...copySteps('copy', volumesOf(first!, facts, moment), { owner: first! }),
    ...(moment ? [...checkMomentSteps(moment), releaseMomentStep(moment)] : []),
    ...others.flatMap((row) => copySteps('copy', again(row, facts), { owner: row })),
    ...rows.flatMap((row, index) => seedSteps(row, index, facts)),
    ...rows.map((row, index) => configStep(row, index, facts)),
  ]
}

function configStep(row: Vm, index: number, facts: CopyFacts): Step {
  const textOf = (cx: Context) => cx.hypervisor.formatConfig(row.uuid, cx.view.needVm(row.uuid))
  const name = `write the configuration${nameIn(row, facts)}`
  const step = newConfigStep(facts.target, row.configPath!, textOf, name)
  // Behind the first there is a copy that others may use: the rest is finished, not taken back.
  return index === 0 ? step : { ...step, isApplied: async (cx) => (await step.isApplied(cx)) || 'again' }
}

/** Which of several copies a step is about. */
function nameIn(row: Vm, { rows }: CopyFacts): string {
  return rows.length === 1 ? '' : ` of ${row.name}`
}

function momentOf(facts: CopyFacts): GuestMoment | null {
  const { moment, rows } = facts
  if (!moment) return null
  const isRead = (cx: Context) =>
    volumesOf(rows[0]!, facts, { ...moment, isRead: () => false }).every((copy) => isCopied(cx, 'copy', copy))
  return { ...moment, isRead }
}

/** The disks of a copy, each beside that of the VM. */
function pairsOf(row: Vm, { disks, rows }: CopyFacts) {
  const made = row.disks.filter(({ owned }) => owned).filter((disk) => !isSeed(disk))
  return disks.map((disk, index) => ({ disk, made: made[index]!, first: rows[0]!.disks }))
}

function volumesOf(row: Vm, facts: CopyFacts, moment: GuestMoment | null): VolumeCopy[] {
  const { pm, target, disks } = facts
  const written = disks.filter(({ isWritten }) => isWritten)
  return pairsOf(row, facts).map(({ disk, made }) => {
    const { vdev, sizeMib, level, targetLevel } = disk
    const source =
      moment && disk.isWritten
        ? sourceIn(moment, written.indexOf(disk))
        : { path: disk.source.path, format: disk.source.format, level }
    return {
      vdev: `${vdev}${nameIn(row, facts)}`,
      sizeMib,
      source: { ...source, pm },
      target: { path: made.path, format: made.format, pm: target, level: targetLevel },
    }
  })
}

/** Of a copy after the first. */
function again(row: Vm, facts: CopyFacts): VolumeCopy[] {
  const { target } = facts
  const firsts = pairsOf(facts.rows[0]!, facts)
  return pairsOf(row, facts).map(({ disk, made }, index) => {
    const { path, format } = firsts[index]!.made
    const { vdev, sizeMib, targetLevel: level } = disk
    return {
      vdev: `${vdev}${nameIn(row, facts)}`,
      sizeMib,
      source: { path, format, pm: target, level },
      target: { path: made.path, format: made.format, pm: target, level },
    }
  })
}

function seedSteps(row: Vm, index: number, facts: CopyFacts): Step[] {
  const seed = facts.seeds[index]
  const disk = row.disks.find(isSeed)
  const level = facts.seedLevel
  if (!seed || !disk || !level) return []
  return [seedStep(disk, seed, { pm: facts.target, level }, `make the cloud-init seed${nameIn(row, facts)}`)]
}
