import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { runBatch } from '../host/run.ts'
import { listStore, parseStoreList } from '../tools/xenstore.ts'
import { listConfigurations } from '../tools/xl.ts'
import { type Configured, parseConfigurations } from '../tools/xlJson.ts'
import type { DomainDetail } from './hypervisor.ts'
import { xlFailure } from './xlFailure.ts'

const DETAILS_TIMEOUT_MS = 120_000

/** xl takes one domain or all, so several are several parts of one batch. A domain that is gone by then is left out. */
export async function details(host: Host, domids: readonly number[], signal?: AbortSignal): Promise<DomainDetail[]> {
  const guests = domids.filter((domid) => domid !== 0)
  if (domids.length > 0 && guests.length === 0) return []
  const configurations = guests.length === 0 ? [listConfigurations()] : guests.map((domid) => listConfigurations(domid))
  const stores =
    guests.length === 0
      ? [listStore('/local/domain')]
      : guests.map((domid) => listStore(`/local/domain/${domid}/console`))
  const parts = [...configurations, listStore('/vm'), ...stores]
  const outputs = await runBatch(host, batch(parts, { timeoutMs: DETAILS_TIMEOUT_MS }), signal)
  const listed = outputs.slice(0, configurations.length)
  const refused = listed.find((output) => output.exit !== 0)
  if (guests.length === 0 && refused)
    throw xlFailure(`cannot read what domains of ${host.name} were built from`, refused)
  const store = new Map(outputs.slice(configurations.length).flatMap((output) => [...parseStoreList(output.stdout)]))
  return listed
    .filter((output) => output.exit === 0)
    .flatMap((output) => parse(host, output.stdout))
    .map((configured) => withStore(configured, store))
}

function parse(host: Host, stdout: string): Configured[] {
  try {
    return parseConfigurations(stdout)
  } catch (error) {
    throw new PengxError('commandFailed', `xl list -l on ${host.name} wrote no JSON that pengx can read`, {
      cause: error,
    })
  }
}

function withStore(configured: Configured, store: ReadonlyMap<string, string>): DomainDetail {
  const vncPort = positive(store.get(`/local/domain/${configured.domid}/console/vnc-port`))
  const startedAt = positive(store.get(`/vm/${configured.uuid}/start_time`))
  return {
    ...configured,
    ...(vncPort === undefined ? {} : { vncPort }),
    ...(startedAt === undefined ? {} : { startedAt }),
  }
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text)
  return text !== undefined && Number.isFinite(value) && value > 0 ? value : undefined
}
