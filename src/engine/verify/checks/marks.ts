import { type Check, finding, isBusy, subjectOf } from '../facts.ts'

/** Markers of storlinks, as PMs see them. */
export const checkMarks: Check = (facts) =>
  facts.marks.flatMap(({ storlink: id, pm, state, why }) => {
    const { view } = facts
    const storlink = view.storlinks().find((one) => one.id === id)
    const subject = { kind: 'storlink' as const, id: String(id), name: storlink?.name ?? String(id) }
    if (storlink === undefined || state === 'its own' || isBusy(facts, subject)) return []
    const title = `storlink ${storlink.name} (${storlink.link} on ${view.getPm(pm)?.name ?? pm})`
    const where = { pm, path: storlink.link }
    if (state === 'another')
      return [finding('STORLINK_OTHER_DISK', subject, `${title} is another storage: ${why}`, where)]
    if (state === 'away') return [finding('STORLINK_AWAY', subject, `${title} is not there: ${why}`, where)]
    if (why !== undefined) return [finding('STORLINK_UNMARKED', subject, `${title} has no marker, and ${why}`, where)]
    const repair = { operation: 'storlink.mark', params: { storlink: id } }
    return [finding('STORLINK_UNMARKED', subject, `${title} has no marker`, { ...where, repair })]
  })

/** Claims on volumes of VMs. */
export const checkClaims: Check = (facts) =>
  facts.claims.flatMap(({ vm: uuid, pm, path, state, whose }) => {
    const vm = facts.view.getVm(uuid)
    if (vm === undefined || state === 'its own' || isBusy(facts, subjectOf('vm', vm))) return []
    const [subject, where] = [subjectOf('vm', vm), { pm, path }]
    if (state === 'missing')
      return [finding('CLAIM_MISSING', subject, `${vm.name} runs, and ${path} carries no claim of it`, where)]
    const text = `${path} of ${vm.name} carries a claim of ${whose ?? 'somebody else'}`
    if (state === 'foreign') return [finding('CLAIM_FOREIGN', subject, text, where)]
    // of one that runs the look takes away what is its own, and a start what is not
    const isOff = vm.seen.state === 'shutdown'
    const repair = isOff ? { operation: 'vm.release', params: { vm: uuid } } : undefined
    return [finding('CLAIM_STALE', subject, text, { ...where, repair })]
  })
