import type { Finding, StoredVolume, VerifyReport } from '../../model/finding.ts'
import { checkVolumes } from './checks/images.ts'
import { checkClaims, checkMarks } from './checks/marks.ts'
import { checkBackups, checkDrafts, checkJobs, checkPlaces, checkPms } from './checks/site.ts'
import { checkUsers } from './checks/users.ts'
import { checkConfigs, checkDomains } from './checks/vms.ts'
import { classify } from './classify.ts'
import { CODES } from './codes.ts'
import { type Check, finding, type SiteFacts } from './facts.ts'
import { type GatherOptions, gatherSite, type VerifyDeps } from './gather.ts'

const CHECKS: readonly Check[] = [
  checkUsers,
  checkVolumes,
  checkMarks,
  checkClaims,
  checkPlaces,
  checkPms,
  checkJobs,
  checkConfigs,
  checkDomains,
  checkBackups,
  checkDrafts,
]

/**
 * Compares the whole site as it is now: what is written down, images' headers, configurations, and what domains write to.
 * Changes nothing and takes no locks; what a running job is at work on is left out. Fails as `gatherSite` does.
 */
export async function verifySite(deps: VerifyDeps, at: number, options: GatherOptions = {}): Promise<VerifyReport> {
  return reportOf(await gatherSite(deps, at, options), at)
}

/**
 * Pure. What there is to say of what was seen; the worst first.
 *
 * @internal Exported for the test that gives it facts of its own.
 */
export function reportOf(facts: SiteFacts, at: number): VerifyReport {
  const volumes = classify(facts)
  const order = new Map(CODES.map(({ code }, index) => [code as string, index]))
  const all = [...CHECKS.flatMap((check) => check(facts)), ...storedFindings(facts, volumes)]
  const findings = distinct(all).sort((a, b) => order.get(a.code)! - order.get(b.code)!)
  const images = [...facts.pms.values()].reduce((sum, { headers }) => sum + headers.size, 0)
  return {
    at,
    findings,
    codes: CODES.filter(({ code }) => findings.some((one) => one.code === code)),
    volumes,
    counts: { pms: facts.pms.size, vms: facts.view.vms().length, volumes: volumes.length, images },
  }
}

function storedFindings({ places }: SiteFacts, volumes: readonly StoredVolume[]): Finding[] {
  const placeOf = new Map(places.map((place) => [place.storlink.id, place]))
  return volumes.flatMap(({ storlink: id, path, of, reason }) => {
    const { storlink, pm } = placeOf.get(id)!
    const subject = { kind: 'storlink' as const, id: String(id), name: storlink.name }
    if (of === 'unknown') return [finding('VOLUME_UNKNOWN', subject, `${path}: ${reason}`, { pm, path })]
    if (of !== 'leftover') return []
    const repair = { operation: 'storlink.clean', params: { storlink: id, paths: [path] } }
    return [finding('LEFTOVER', subject, `${path}: ${reason}`, { pm, path, repair })]
  })
}

/**
 * What lies in all storlinks, and why each stays or may go; `apartFrom`: a job, by id, whose own hands do not count. Looks only, and
 * fails as `gatherSite` does.
 */
export async function surveyStorlinks(
  deps: VerifyDeps,
  at: number,
  apartFrom: string,
  signal: AbortSignal,
): Promise<readonly StoredVolume[]> {
  const facts = await gatherSite(deps, at, { signal })
  return classify({ ...facts, journal: facts.journal.filter(({ job }) => job.id !== apartFrom) })
}

/** One drift may be seen in several ways: once of each code, subject and path. */
function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Map<string, Finding>()
  for (const one of findings) {
    const key = [one.code, one.subject.id, one.path ?? one.text].join('\n')
    const before = seen.get(key)
    if (before === undefined || (before.repair === undefined && one.repair !== undefined)) seen.set(key, one)
  }
  return [...seen.values()]
}
