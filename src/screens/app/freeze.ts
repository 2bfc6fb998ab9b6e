import type { View } from '../../engine/store/view.ts'

/** The view as it was at a moment: its lists are immutable, so holding them is enough; samples are cut at the moment. */
export function frozenView(view: View, at: number): View {
  const pms = view.pms()
  const vms = view.vms()
  const storlinks = view.storlinks()
  const templates = view.templates()
  const jobs = view.jobs()
  const pmBy = new Map(pms.map((pm) => [pm.uuid, pm]))
  const vmBy = new Map(vms.map((vm) => [vm.uuid, vm]))
  const jobBy = new Map(jobs.map((job) => [job.id, job]))
  const vmsOn = Map.groupBy(vms, (vm) => vm.pm)
  const history = (subject: string) => view.history(subject).filter((sample) => sample.at <= at)
  return {
    ...view,
    revision: view.revision,
    pms: () => pms,
    vms: () => vms,
    storlinks: () => storlinks,
    templates: () => templates,
    jobs: () => jobs,
    getPm: (uuid) => pmBy.get(uuid),
    getVm: (uuid) => vmBy.get(uuid),
    getStorlink: (id) => storlinks.find((storlink) => storlink.id === id),
    getTemplate: (uuid) => templates.find((template) => template.uuid === uuid),
    getJob: (id) => jobBy.get(id),
    vmsOn: (pm) => vmsOn.get(pm) ?? [],
    jobOn: (kind, id) =>
      jobs.find(
        (job) =>
          job.subject.kind === kind &&
          job.subject.id === id &&
          (job.state === 'running' || job.state === 'queued' || job.state === 'undoing' || job.state === 'stuck'),
      ),
    history,
    rates: (subject) => {
      const newest = view.rates(subject)
      return newest === undefined || newest.at <= at ? newest : history(subject).at(-1)
    },
  }
}
