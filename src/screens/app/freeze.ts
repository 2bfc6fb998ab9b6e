import type { View } from '../../engine/store/view.ts'
import { isOver } from '../../model/job.ts'
import { NOUNS, type Noun, type Nouns, nounId, nounLists } from '../../model/noun.ts'

/** The view as it was at a moment: its lists are immutable, so holding them is enough; samples are cut at the moment. */
export function frozenView(view: View, at: number): View {
  const held = Object.fromEntries(NOUNS.map((noun) => [noun, view[`${noun}s`]()])) as Held
  const byId = Object.fromEntries(NOUNS.map((noun) => [noun, mapById<Nouns[Noun]>(held[noun])])) as unknown as ById
  const jobs = view.jobs()
  const jobBy = new Map(jobs.map((job) => [job.id, job]))
  const vmsOn = Map.groupBy(held.vm, (vm) => vm.pm)
  const history = (subject: string) => view.history(subject).filter((sample) => sample.at <= at)
  return {
    ...view,
    ...nounLists({ list: (noun) => held[noun], find: (noun, id) => byId[noun].get(id) }),
    revision: view.revision,
    jobs: () => jobs,
    getJob: (id) => jobBy.get(id),
    vmsOn: (pm) => vmsOn.get(pm) ?? [],
    vmsNamed: (name) => held.vm.filter((vm) => vm.name === name),
    backupsOf: (vm) => held.backup.filter((backup) => backup.vm === vm),
    jobOn: (kind, id) => jobs.find((job) => job.subject.kind === kind && job.subject.id === id && !isOver(job.state)),
    history,
    rates: (subject) => {
      const newest = view.rates(subject)
      return newest === undefined || newest.at <= at ? newest : history(subject).at(-1)
    },
  }
}

type Held = { readonly [N in Noun]: readonly Nouns[N][] }
type ById = { readonly [N in Noun]: ReadonlyMap<string, Nouns[N]> }

function mapById<T extends Nouns[Noun]>(rows: readonly T[]): ReadonlyMap<string, T> {
  return new Map(rows.map((row) => [nounId(row), row]))
}
