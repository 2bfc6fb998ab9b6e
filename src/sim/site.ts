/**
 * A whole site in memory: machines that answer the commands of a real Xen host, for `--demo` and for tests
 * that make every step fail. What only this has seen is not done: the lab has the last word.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Host } from '../engine/host/host.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { PengxError } from '../model/error.ts'
import { createSimHost } from './host.ts'
import { freeBytes, mountOf } from './machine/files.ts'
import { joinGroups, makeSharedGroup } from './machine/groups.ts'
import { remove, settle, stopGuest } from './machine/guests.ts'
import { leaveHalfBuilt, leaveHalfTorn } from './machine/halves.ts'
import type { SimWorld } from './machine/program.ts'
import { joinShares, makeShare, mountAnother, remount, unmount, withoutShared } from './machine/shares.ts'
import type { Domain, PmState, SiteState, VolumeGroup } from './machine/state.ts'
import { type ArmedFault, createFaultTable, type Fault } from './stage/faults.ts'
import { type DomainPicture, pictureDomains, pictureFiles } from './stage/picture.ts'
import { populate } from './stage/populate.ts'

export interface SimSiteOptions {
  /** VMs over all machines; 40 where nothing is said. */
  readonly vmCount?: number
  readonly pmCount?: number
  readonly seed?: number
  readonly clock?: Clock
  /** The state's file: read at the beginning, written before a change is answered. */
  readonly statePath?: string
  /** The file is only read: for a site that nobody opens again. */
  readonly forgets?: boolean
  /** Simulated durations are multiplied by this; 0: everything is over at once. */
  readonly pace?: number
  /** The machines see directories in common and log in to each other. */
  readonly joined?: boolean
  /** Machines that do not answer. */
  readonly unreachable?: readonly string[]
}

interface SimFaults {
  add(fault: Fault): ArmedFault
  clear(): void
  /** The guest crashes now. */
  crashDomain(name: string): void
  /** The domain is gone, as if somebody else had destroyed it. */
  vanishDomain(name: string): void
  /** Xen loses its name: `(null)`. */
  nullDomain(name: string): void
  /** An xl create of the domain is cut off, or its xl destroy, or its QEMU is killed. */
  leaveHalfBuilt(name: string): void
  leaveHalfTorn(name: string): void
  killQemu(name: string): void
  /** The guest does not hear shutdown and reboot, or hears them again. */
  ignoreShutdown(name: string, ignores?: boolean): void
  /** A PM does not answer for so long; 0: it answers again. */
  unreachable(pm: string, ms: number): void
  /** Pulls the wire between two PMs, or plugs it: pengx itself has other ways to both. */
  cutWire(one: string, other: string, plugged?: boolean): void
  /** Fills the mount under a path to so many free bytes. */
  fillDisk(pm: string, path: string, freeBytes?: number): void
  /** Unmounts what is mounted under a path, mounts it again, or mounts another, empty disk in its place. */
  mount(pm: string, path: string, how: 'away' | 'again' | 'another'): void
}

export interface SimSite {
  readonly pmNames: readonly string[]
  /** Fails with `notFound` for a PM that there is not. */
  host(pmName: string): Host
  readonly faults: SimFaults
  /** As it is now; a test may look at it and change it. */
  readonly state: SiteState
  /** A PM's state, with everything that is due by now done. */
  pm(name: string): PmState
  /** A domain by name, with everything that is due by now done. */
  domain(name: string): Domain | undefined
  /** Its domains as a person would tell them apart, by name: without domids, times and counters. */
  domainsOn(pmName: string): DomainPicture[]
  /** Its files, directories and links by path: what an undo has to leave as it was. */
  filesOn(pmName: string): Record<string, string>
  /** Gives machines a directory in common, under the same path. */
  share(path: string, pmNames: readonly string[]): void
  /** Gives machines a volume group in common, as on one SAN. */
  shareGroup(group: VolumeGroup, pmNames: readonly string[]): void
  /** Writes the state down after a test has changed it by hand. */
  save(): void
  close(): void
}

export function createSimSite(options: SimSiteOptions = {}): SimSite {
  const clock = options.clock ?? systemClock
  const state =
    readState(options.statePath) ??
    populate({
      vmCount: options.vmCount ?? 40,
      pmCount: options.pmCount ?? 4,
      seed: options.seed ?? 1,
      now: clock.now(),
      joined: options.joined ?? false,
    })
  const faults = createFaultTable()
  const world: SimWorld = {
    state,
    clock,
    pace: options.pace ?? 1,
    save: () => {
      if (options.statePath !== undefined && !options.forgets) writeState(options.statePath, state)
    },
  }
  for (const name of options.unreachable ?? []) {
    const pm = state.pms.find((one) => one.name === name)
    if (pm) pm.unreachableUntil = Number.MAX_SAFE_INTEGER
  }
  world.save()

  const needPm = (name: string): PmState => {
    const pm = state.pms.find((one) => one.name === name)
    if (pm === undefined) throw new PengxError('notFound', `there is no PM ${name} on the simulated site`)
    settle(world, pm)
    return pm
  }
  const findDomain = (name: string) => {
    for (const pm of state.pms) {
      settle(world, pm)
      const domain = pm.domains.find((one) => one.name === name)
      if (domain) return { pm, domain }
    }
    return undefined
  }
  const change = (name: string, act: (pm: PmState, domain: Domain) => void) => {
    const found = findDomain(name)
    if (found === undefined) throw new PengxError('notFound', `there is no domain ${name} on the simulated site`)
    act(found.pm, found.domain)
    world.save()
  }

  return {
    pmNames: state.pms.map((pm) => pm.name),
    host: (name) => createSimHost({ world, pm: needPm(name), faults }),
    state,
    pm: needPm,
    domain: (name) => findDomain(name)?.domain,
    domainsOn: (name) => pictureDomains(needPm(name)),
    filesOn: (name) => pictureFiles(needPm(name)),
    share: (path, pmNames) => {
      makeShare(state, path, pmNames, clock.now())
      world.save()
    },
    shareGroup: (group, pmNames) => {
      makeSharedGroup(state, group, pmNames)
      world.save()
    },
    save: world.save,
    close: world.save,
    faults: {
      add: faults.add,
      clear: faults.clear,
      crashDomain: (name) => change(name, (pm, domain) => stopGuest(world, pm, domain, 3, clock.now())),
      vanishDomain: (name) => change(name, remove),
      nullDomain: (name) =>
        change(name, (_, domain) => {
          domain.name = undefined
        }),
      leaveHalfBuilt: (name) =>
        change(name, (pm, domain) => {
          Object.assign(domain, { phase: 'building', memoryMib: 0, populatedAt: clock.now() })
          leaveHalfBuilt(pm, domain)
        }),
      leaveHalfTorn: (name) => change(name, (pm, domain) => leaveHalfTorn(world, pm, domain)),
      killQemu: (name) =>
        change(name, (_, domain) => {
          domain.qemuKilled = true
        }),
      ignoreShutdown: (name, ignores = true) =>
        change(name, (_, domain) => {
          domain.stubborn = ignores ? true : undefined
        }),
      unreachable: (name, ms) => {
        needPm(name).unreachableUntil = ms === 0 ? undefined : clock.now() + ms
        world.save()
      },
      cutWire: (one, other, plugged = false) => {
        for (const [name, far] of [
          [one, other],
          [other, one],
        ] as const) {
          const pm = needPm(name)
          pm.cutFrom = [...(pm.cutFrom ?? []).filter((cut) => cut !== far), ...(plugged ? [] : [far])]
        }
        world.save()
      },
      fillDisk: (name, path, free = 0) => {
        const mount = mountOf(needPm(name), path)
        mount.usedBytes += freeBytes(mount) - free
        world.save()
      },
      mount: (name, path, how) => {
        if (how === 'again') remount(state, needPm(name), path)
        else if (how === 'away') unmount(needPm(name), path)
        else mountAnother(needPm(name), path)
        world.save()
      },
    },
  }
}

function readState(path: string | undefined): SiteState | undefined {
  if (path === undefined) return undefined
  try {
    const state: SiteState = JSON.parse(readFileSync(path, 'utf8'))
    joinShares(state)
    joinGroups(state)
    return state
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new PengxError('internal', `cannot read the simulated site's state ${path}`, { cause: error })
  }
}

/** Whole or not at all: a process that is killed while writing leaves the state before. */
function writeState(path: string, state: SiteState): void {
  writeFileSync(`${path}.new`, JSON.stringify(state, state.shares ? withoutShared : undefined))
  renameSync(`${path}.new`, path)
}
