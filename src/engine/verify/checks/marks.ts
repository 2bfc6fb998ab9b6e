import { type Check, finding, isBusy, subjectOf } from '../facts.ts'

/** Markers of storlinks, as PMs see them. */
export const checkMarks: Check = ({ marks, view }) =>
  marks.flatMap(({ storlink: id, pm, state, found }) => {
    const storlink = view.storlinks().find((one) => one.id === id)
    if (storlink === undefined || state === 'its own') return []
    const subject = { kind: 'storlink' as const, id: String(id), name: storlink.name }
    const title = `storlink ${storlink.name} (${storlink.link} on ${view.getPm(pm)?.name ?? pm})`
    const where = { pm, path: storlink.link }
    if (state === 'none') {
      const repair = { operation: 'storlink.mark', params: { storlink: id } }
      return [finding('STORLINK_UNMARKED', subject, `${title} has no marker`, { ...where, repair })]
    }
    return [
      finding(
        'STORLINK_OTHER_DISK',
        subject,
        `${title} is another storage: its marker is ${found ?? 'not the storlink’s'}`,
        where,
      ),
    ]
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
    return [finding(state === 'stale' ? 'CLAIM_STALE' : 'CLAIM_FOREIGN', subject, text, where)]
  })
