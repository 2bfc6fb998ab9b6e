// What a soak has counted, and how that is written down.
import type { JobFacts, StoreFacts } from './store.ts'

export interface Run {
  readonly at: Date
  readonly version: string
  readonly commit: string
  readonly seed: number
  readonly minutes: number
  readonly xen: string
  readonly qemu: string
  readonly cores: number
}

export interface Figures {
  rounds: number
  killedCommands: number
  killedServers: number
  longestS: number
  comparedBytes: number
  restored: number
  verified: number
  /** Everything that was not as it has to be. */
  failures: string[]
  durationMs: number
  /** Jobs by their id, as they were last seen. */
  readonly jobs: Map<string, JobFacts>
  /** Of jobs that the end of their process cut off. */
  readonly cut: Set<string>
  /** UUIDs of all backups that were ever seen, and of those that were there last. */
  readonly backups: Set<string>
  keptBackups: number
}

export const emptyFigures = (): Figures => ({
  ...{ rounds: 0, killedCommands: 0, killedServers: 0, longestS: 0, comparedBytes: 0, restored: 0, verified: 0 },
  ...{ failures: [], durationMs: 0, keptBackups: 0 },
  ...{ jobs: new Map(), cut: new Set(), backups: new Set() },
})

export function note(figures: Figures, { jobs, backups }: Pick<StoreFacts, 'jobs' | 'backups'>): void {
  for (const job of jobs) figures.jobs.set(job.id, job)
  for (const { uuid } of backups) figures.backups.add(uuid)
  figures.keptBackups = backups.length
}

const MOST_CHARACTERS = 600

const KINDS = ['done', 'cut', 'finished', 'undone', 'failed'] as const
type Counts = Record<(typeof KINDS)[number], number>

/** `finished` and `undone` are of those that were cut off; `failed` ended otherwise than done, and nobody cut them off. */
function countsOf({ jobs, cut }: Figures): Map<string, Counts> {
  const counts = new Map<string, Counts>()
  for (const { id, operation, state } of jobs.values()) {
    const row = counts.get(operation) ?? { done: 0, cut: 0, finished: 0, undone: 0, failed: 0 }
    counts.set(operation, row)
    if (!cut.has(id)) row[state === 'done' ? 'done' : 'failed'] += 1
    else {
      row.cut += 1
      row[state === 'done' ? 'finished' : 'undone'] += 1
    }
  }
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!
const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`

/** One section of the page. */
export function formatRun(run: Run, figures: Figures): string {
  const jobs = [...figures.jobs.values()]
  const moved = jobs.filter(
    ({ operation, state, id }) => operation === 'vm.migrate' && state === 'done' && !figures.cut.has(id),
  )
  const times = moved.map(({ startedAt, finishedAt }) => finishedAt! - startedAt!)
  const migrations =
    times.length === 0
      ? 'none'
      : `${times.length}, median ${seconds(median(times))}, longest ${seconds(Math.max(...times))}`
  const pruned = figures.backups.size - figures.keptBackups
  const rows: readonly (readonly [string, string])[] = [
    ['pengx', `${run.version}, commit ${run.commit}`],
    ['Asked for', `${run.minutes} minutes, seed ${run.seed}`],
    ['Took', `${Math.round(figures.durationMs / 60_000)} minutes, ${figures.rounds} rounds`],
    ['Machine', `${run.cores} cores; Xen ${run.xen} and QEMU ${run.qemu} in two emulated hosts`],
    ['SIGKILLs', `${figures.killedCommands} of commands, ${figures.killedServers} of the server`],
    ['Jobs', `${jobs.length}, of which ${figures.cut.size} were cut off`],
    [
      'Backups',
      `${figures.backups.size} made, ${pruned} pruned, ${figures.verified} verified at the end, ${figures.restored} restored and started`,
    ],
    ['Migrations not cut off', migrations],
    ['Longest time at one number', `${figures.longestS} s by the guest’s own clock`],
    ['Bytes compared', `${Math.round(figures.comparedBytes / 1024 / 1024)} MiB`],
    ['Failures', String(figures.failures.length)],
  ]
  const counts = [...countsOf(figures)].map(
    ([operation, row]) => `| ${operation} | ${KINDS.map((kind) => row[kind]).join(' | ')} |`,
  )
  return [
    `### ${run.at.toISOString().slice(0, 16).replace('T', ' ')} UTC: ${figures.failures.length === 0 ? 'passed' : 'FAILED'}`,
    '',
    '| | |',
    '|---|---|',
    ...rows.map(([name, value]) => `| ${name} | ${value} |`),
    '',
    '| operation | done, not cut off | cut off | then finished | then taken back | failed |',
    '|---|---:|---:|---:|---:|---:|',
    ...counts,
    '',
    ...figures.failures.flatMap((failure) => [`- ${failure.replaceAll(/\s+/g, ' ').slice(0, MOST_CHARACTERS)}`]),
    ...(figures.failures.length > 0 ? [''] : []),
  ].join('\n')
}

const HEADING = '## Runs\n'

/** Puts a section first among the runs of the page. */
export function insertRun(page: string, section: string): string {
  const at = page.indexOf(HEADING)
  if (at < 0) throw new Error(`the page has no heading ${HEADING.trim()}`)
  const end = at + HEADING.length
  return `${page.slice(0, end)}\n${section}${page.slice(end)}`
}
