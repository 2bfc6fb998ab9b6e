import type { Host } from '../host/host.ts'
import { destroyDomain, pauseDomain, rebootDomain, shutdownDomain, unpauseDomain } from '../tools/xl/xl.ts'
import { changeDomain, type Effect } from './change.ts'
import type { DomainSeen } from './domain.ts'

/** What ends a domain, holds it or lets it go on: done when it is so, whatever xl said of it. */

/** The letters of `xl list`: shut down, or being taken away by Xen itself, which nothing stops. */
const isOver = (domain: DomainSeen) => domain.rawState[3] === 's' || domain.rawState[5] === 'd'

/**
 * `xl shutdown -F`, which asks: it returns when the guest has been asked, not when it has gone. `notFound` where the
 * domain was not there; one that is over, or leaves while xl still waits for its answer, is done.
 */
export async function shutdown(host: Host, domid: number, tag: string): Promise<void> {
  await changeDomain(host, domid, shutdownDomain(domid), tag, `shut down domain ${domid}`, HEARD)
}

/** As `shutdown`, by `xl reboot -F`: the old domain goes, another comes. */
export async function reboot(host: Host, domid: number, tag: string): Promise<void> {
  await changeDomain(host, domid, rebootDomain(domid), tag, `reboot domain ${domid}`, HEARD)
}

const HEARD: Effect = {
  isThere: (domain, failure) => (domain === undefined ? failure?.code !== 'notFound' : isOver(domain)),
  takesTime: true,
}

/**
 * `xl destroy`. Done where the domain is gone or Xen itself takes the rest of it away, be it that it was gone before or
 * that xl could not find a QEMU to end. Fails with `commandFailed` where it is still there.
 */
export async function destroy(host: Host, domid: number, tag: string): Promise<void> {
  await changeDomain(host, domid, destroyDomain(domid), tag, `destroy domain ${domid}`, {
    isThere: (domain) => domain === undefined || domain.rawState[5] === 'd',
  })
}

/** `xl pause`; done where it is paused. `notFound` where it is gone. */
export async function pause(host: Host, domid: number, tag: string): Promise<void> {
  await changeDomain(host, domid, pauseDomain(domid), tag, `pause domain ${domid}`, {
    isThere: (domain) => domain?.rawState[2] === 'p',
  })
}

/** Xen counts how often a domain was paused; somebody has paused it at most so often. */
const PAUSES = 8

/**
 * `xl unpause` until it goes on, since Xen counts the pauses; done where it is not paused, or already over. `notFound`
 * where it is gone, `commandFailed` where it stays paused, as one that is half torn down does.
 */
export async function unpause(host: Host, domid: number, tag: string): Promise<void> {
  const goesOn = (domain: DomainSeen | undefined) =>
    domain !== undefined && (isOver(domain) || (domain.rawState[2] !== 'p' && domain.state !== 'broken'))
  for (let turn = 1; turn <= PAUSES; turn++) {
    const isLast = turn === PAUSES
    const domain = await changeDomain(host, domid, unpauseDomain(domid), tag, `unpause domain ${domid}`, {
      isThere: (now, failure) => goesOn(now) || (!isLast && failure === undefined && now?.state === 'paused'),
    })
    if (domain === undefined || goesOn(domain)) return
  }
}
