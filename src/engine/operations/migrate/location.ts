import { PengxError, toPengxError } from '../../../model/error.ts'
import type { DomainSeen } from '../../hypervisor/domain.ts'
import type { Hypervisor } from '../../hypervisor/hypervisor.ts'
import type { Context } from '../../jobs/operation.ts'

/**
 * Where a VM is, found by looking at both PMs, whatever a tool has said. A migration leaves the guest paused on the target
 * and only pengx lets it go on there; so as long as a domain that can go on is on the source, the VM is there.
 */
export interface Move {
  readonly uuid: string
  readonly name: string
  readonly source: string
  readonly target: string
  /** By which xl sends it. */
  readonly migrationConfig: string
}

type GuestLocation = 'source' | 'target' | 'nowhere' | 'both'

export interface Located {
  readonly location: GuestLocation
  readonly source?: DomainSeen
  readonly target?: DomainSeen
}

/** What xl calls the domain that it is building on the target; it gets its name when all of it is there. */
const INCOMING = '--incoming'
/** What xl calls the domain on the source when it has given the other one permission to go on. */
const AWAY = '--migratedaway'

function isIncoming(domain: { readonly name: string }): boolean {
  return domain.name.endsWith(INCOMING)
}

export function isSentAway(domain: { readonly name: string }): boolean {
  return domain.name.endsWith(AWAY)
}

type DomainTest = (domain: DomainSeen) => boolean

/** Not a guest that could go on. */
const HALF: readonly DomainSeen['state'][] = ['starting', 'dying', 'broken']

/** The meaning of what both sides show of a VM. */
function judgeLocation(
  here: readonly DomainSeen[],
  there: readonly DomainSeen[],
  uuid: string,
  isSuspended: DomainTest,
): Located {
  const [source, target] = [here, there].map((domains) => domains.findLast((one) => one.uuid === uuid))
  const both = { ...(source ? { source } : {}), ...(target ? { target } : {}) }
  const isWhole = target !== undefined && !isIncoming(target) && !HALF.includes(target.state)
  const isGone = source === undefined || source.state === 'dying'
  if (isGone) return { location: isWhole ? 'target' : 'nowhere', ...both }
  if (isWhole && target.state !== 'paused') return { location: isSuspended(source) ? 'target' : 'both', ...both }
  return { location: isWhole && isSuspended(source) ? 'target' : 'source', ...both }
}

/** A domain that is torn down takes moments; one that is not gone by then does not go. */
const DYING_MS = 90_000
const POLL_MS = 500

/** Looks at both until nothing is on its way any more. */
export async function locateGuest(cx: Context, move: Move): Promise<Located> {
  const { hypervisor, clock } = cx
  const until = clock.now() + DYING_MS
  for (;;) {
    const here = await lookAt(cx, move, move.source)
    const there = await lookAt(cx, move, move.target)
    const found = judgeLocation(here, there, move.uuid, hypervisor.isSuspended)
    const dying = [found.source, found.target].find((domain) => domain?.state === 'dying')
    const isMoving = await hypervisor.isMigrating(cx.host(move.source), move.migrationConfig)
    if (!isMoving && !dying) return found
    if (!isMoving && clock.now() >= until) {
      const pm = cx.view.needPm(dying === found.source ? move.source : move.target).name
      throw new PengxError(
        'commandFailed',
        `${move.name}: domain ${dying!.domid} on ${pm} is being torn down and does not go; it may still write to its disks`,
      )
    }
    await clock.sleep(POLL_MS)
  }
}

/** The one that cannot be asked is named with what the other one shows. */
async function lookAt(cx: Context, move: Move, pm: string): Promise<readonly DomainSeen[]> {
  try {
    return await cx.look(pm)
  } catch (error) {
    const { code, message } = toPengxError(error)
    const other = pm === move.source ? move.target : move.source
    const seen = await cx.look(other).catch(() => undefined)
    throw new PengxError(code, `${message}; ${saysOf(cx, move, other, seen)}`, { cause: error })
  }
}

function saysOf(cx: Context, { uuid, name }: Move, pm: string, seen: readonly DomainSeen[] | undefined): string {
  const { name: pmName } = cx.view.needPm(pm)
  if (seen === undefined) return `nor ${pmName}`
  const domain = seen.find((one) => one.uuid === uuid)
  if (!domain) return `${name} has no domain on ${pmName}`
  return `on ${pmName} ${name} is domain ${domain.domid}, ${stateOf(domain, cx.hypervisor)}`
}

function stateOf(domain: DomainSeen, hypervisor: Hypervisor): string {
  if (isIncoming(domain)) return 'half of it, and never let go on'
  return hypervisor.isSuspended(domain) ? 'suspended' : domain.state
}

/** For the one case that only a person can decide. */
export function runsTwice(cx: Context, { name, source, target }: Move, found: Located): PengxError {
  const [here, there] = [cx.view.needPm(source).name, cx.view.needPm(target).name]
  return new PengxError(
    'refused',
    `${name} runs twice: as domain ${found.source?.domid} on ${here} and as domain ${found.target?.domid} on ${there}. Both write to its disks: end the one that is wrong with xl destroy, then try again`,
  )
}
