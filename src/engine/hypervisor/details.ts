import { turns } from '../../lib/turns.ts'
import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host, Output } from '../host/host.ts'
import { runBatch, runMany } from '../host/run.ts'
import type { Program } from '../tools/program.ts'
import { listStore, parseStoreList } from '../tools/xenstore.ts'
import { explainXl } from '../tools/xl/error.ts'
import { type DomainConfig, parseConfigurations } from '../tools/xl/json/domains.ts'
import { listConfigurations } from '../tools/xl/xl.ts'
import type { DomainDetail } from './domain.ts'
import { xlFailure } from './xlFailure.ts'

const LIMITS = { timeoutMs: 120_000 }

/**
 * What guests were built from: `xl list -l`, with the VNC port and the time of building from XenStore
 * (`/local/domain/DOMID/console/vnc-port`, `/vm/UUID/start_time`). Looks only. xl takes one domain or all, so several
 * are several parts of one batch. A domain that is gone by then is left out; `commandFailed`
 * where xl tells nothing of one that is there, or writes no JSON.
 */
export async function details(host: Host, domids: readonly number[], signal?: AbortSignal): Promise<DomainDetail[]> {
  const guests = domids.filter((domid) => domid !== 0)
  if (domids.length === 0) return await ofAll(host, signal)
  if (guests.length === 0) return []
  const parts = [...guests.map(listConfigurations), listStore('/vm'), ...guests.map(listConsole)]
  const outputs = await runBatch(host, batch(parts, LIMITS), signal)
  const configured: DomainConfig[] = []
  for (const [index, output] of outputs.slice(0, guests.length).entries()) {
    if (output.exit === 0) configured.push(...(await parse(host, output.stdout)))
    else if (explainXl(output.stderr)?.kind !== 'unknownDomain')
      throw xlFailure(`cannot read what domain ${guests[index]} of ${host.name} was built from`, output)
  }
  return withStore(configured, outputs.slice(guests.length))
}

/** A domain's tree in XenStore has dozens of nodes, so a port is asked for only where there is a display. */
async function ofAll(host: Host, signal?: AbortSignal): Promise<DomainDetail[]> {
  const [listed, tree] = await runMany(host, [listConfigurations(), listStore('/vm')], LIMITS, signal)
  if (listed!.exit !== 0) throw xlFailure(`cannot read what domains of ${host.name} were built from`, listed!)
  const configured = await parse(host, listed!.stdout)
  const shown = configured.filter(({ spec }) => spec.vnc)
  const consoles = await runMany(
    host,
    shown.map(({ domid }) => listConsole(domid)),
    LIMITS,
    signal,
  )
  return withStore(configured, [tree!, ...consoles])
}

function listConsole(domid: number): Program {
  return listStore(`/local/domain/${domid}/console`)
}

async function parse(host: Host, stdout: string): Promise<DomainConfig[]> {
  const configured: DomainConfig[] = []
  try {
    for (const one of parseConfigurations(stdout)) {
      configured.push(one)
      await turns.take()
    }
    return configured
  } catch (error) {
    throw new PengxError('commandFailed', `xl list -l on ${host.name} wrote no JSON that pengx can read`, {
      cause: error,
    })
  }
}

function withStore(configured: readonly DomainConfig[], trees: readonly Output[]): DomainDetail[] {
  const store = new Map(trees.flatMap((output) => [...parseStoreList(output.stdout, ['vnc-port', 'start_time'])]))
  return configured.map((one) => {
    const vncPort = positive(store.get(`/local/domain/${one.domid}/console/vnc-port`))
    const startedAt = positive(store.get(`/vm/${one.uuid}/start_time`))
    return {
      ...one,
      ...(vncPort === undefined ? {} : { vncPort }),
      ...(startedAt === undefined ? {} : { startedAt }),
    }
  })
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text)
  return text !== undefined && Number.isFinite(value) && value > 0 ? value : undefined
}
