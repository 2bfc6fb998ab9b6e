import type { Clock } from '../lib/clock.ts'
import type { Pm } from '../model/pm.ts'
import { groupPlaces } from './groupPlaces.ts'
import type { Host } from './host/host.ts'
import type { Hosts } from './host/hosts.ts'
import { endLost } from './host/lost.ts'
import type { Hypervisor } from './hypervisor/hypervisor.ts'
import { tellAway, told } from './jobs/away.ts'
import type { EngineDeps, JobRecord } from './jobs/context.ts'
import { withRecord } from './jobs/recorded.ts'
import { CATALOG } from './operations/catalog.ts'
import type { Store } from './store/store.ts'
import { needDriver } from './volumes/drivers.ts'
import { markedVolumes } from './volumes/marked.ts'
import type { Observer } from './watch/observe.ts'
import { knownStorlinks } from './watch/storlinks.ts'

export interface JobDepsParts {
  readonly store: Store
  readonly hypervisor: Hypervisor
  readonly hosts: Hosts
  hostOf(pm: Pm): Host
  readonly observer: Observer
  readonly clock: Clock
  readonly config: Pick<EngineDeps, 'readOnly' | 'intercept'>
}

/** The rest of the engine as jobs see it. Which PM did not answer a job is kept with it. */
export function jobDeps({ store, hypervisor, hosts, hostOf, observer, clock, config }: JobDepsParts): EngineDeps {
  const { view } = store
  const away = (record: JobRecord | undefined, pm: string) => () => {
    if (record) store.jobs.progress(record.jobId, { away: pm })
  }
  return {
    store,
    operations: CATALOG,
    hypervisor,
    clock,
    readOnly: config.readOnly,
    host: (pm, record) => tellAway(withRecord(hostOf(view.needPm(pm)), store.jobs, record), away(record, pm)),
    hostAt: (destination, record) =>
      withRecord(hosts.get(destination.replace(/^ssh:/, ''), destination), store.jobs, record),
    hostKey: (destination) => hosts.scanKey(destination),
    trustKey: async (destination, fingerprint) => void (await hosts.trust(destination, fingerprint)),
    distrustKey: (destination, fingerprint) => hosts.distrust(destination, fingerprint),
    volumes: (level, at) => markedVolumes(needDriver(level, at), knownStorlinks(store, at)),
    groupPlaces: (beside) => groupPlaces(view, beside),
    look: (pm, authoritative, record) => told(observer.quick(pm, authoritative), away(record, pm)),
    saw: (pm, domains) => observer.saw(pm, domains),
    async endLost(pm, jobId) {
      const tell = (why: string | undefined) => why && store.jobs.progress(jobId, { step: why })
      const ended = endLost(hostOf(view.needPm(pm)), jobId, undefined, tell)
      await told(ended, away({ jobId, lookOnly: false }, pm))
    },
    ...(config.intercept ? { intercept: config.intercept } : {}),
  }
}
