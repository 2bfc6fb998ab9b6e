import { PengxError, toPengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host, Output } from '../host/host.ts'
import { run, runBatch } from '../host/run.ts'
import { ANY_EXIT, type Program } from '../tools/program.ts'
import type { DomainSeen } from './domain.ts'
import { LISTING, readListing } from './listing.ts'
import { domains, toDomains } from './look.ts'
import { xlFailure } from './xlFailure.ts'

const CHANGE_PATIENCE_MS = 120_000

/**
 * Runs one xl(1) that changes something, to its end: it is never ended half way, and after 2 minutes whoever hears of waits
 * hears so. `doing` says what, for the error: `pause domain 3`.
 * Fails as `xlFailure` says: `notFound` where the domain is gone, else mostly `commandFailed`. xl may have done it
 * all the same.
 */
export async function change(host: Host, program: Program, tag: string, doing: string): Promise<void> {
  const command: Command = { ...program, tag, timeoutMs: CHANGE_PATIENCE_MS, okExits: ANY_EXIT }
  const output = await run(host, command)
  if (complains(output)) throw xlFailure(`cannot ${doing} on ${host.name}`, output, program.secrets)
}

/** xl pause and unpause end with 0 whatever libxl told them. */
const complains = ({ exit, stderr }: Output) => exit !== 0 || /^libxl: error: /m.test(stderr)

export interface Effect {
  /** By the domain as it is afterwards (undefined: it is gone), and what xl complained of, if it did. */
  readonly isThere: (domain: DomainSeen | undefined, failure: PengxError | undefined) => boolean
  /** The guest does it in its own time: where xl does not complain it has been asked, and nothing is looked for. */
  readonly takesTime?: true
}

/**
 * As `change`, and looks at the domain in the same round trip: what is there is what is said. Where the effect is there
 * it is done, whatever xl said, also where its connection was lost; where it is not, it fails although xl was content.
 * Gives the domain as it is then.
 */
export async function changeDomain(
  host: Host,
  domid: number,
  program: Program,
  tag: string,
  doing: string,
  effect: Effect,
): Promise<DomainSeen | undefined> {
  const parts = [{ ...program, okExits: ANY_EXIT }, ...LISTING]
  const command: Command = { ...batch(parts, { timeoutMs: CHANGE_PATIENCE_MS }), tag }
  let outputs: Output[]
  try {
    outputs = await runBatch(host, command)
  } catch (error) {
    // nobody knows how far it came: what there is tells, where it can be looked at
    const lost = toPengxError(error)
    const now = lost.code === 'unreachable' ? await domains(host).catch(() => undefined) : undefined
    if (now === undefined || !effect.isThere(find(now, domid), lost)) throw error
    return find(now, domid)
  }
  const [said, ...listed] = outputs as [Output, ...Output[]]
  const failure = complains(said) ? xlFailure(`cannot ${doing} on ${host.name}`, said) : undefined
  if (listed[0]?.exit !== 0) {
    if (failure) throw failure
    return undefined
  }
  const domain = find(toDomains(await readListing(host, listed), []), domid)
  if (effect.isThere(domain, failure) || (effect.takesTime && !failure)) return domain
  if (failure) throw failure
  const what = `cannot ${doing} on ${host.name}`
  if (domain === undefined) throw new PengxError('notFound', `${what}: there is no such domain any more`)
  throw new PengxError('commandFailed', `${what}: xl was content, and it is ${domain.state} (${domain.rawState})`)
}

const find = (all: readonly DomainSeen[], domid: number) => all.find((domain) => domain.domid === domid)
