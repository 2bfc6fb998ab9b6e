import type { View } from '../../engine/store/view.ts'
import { formatAge, formatTime } from '../../lib/age.ts'
import { formatGib, formatMib } from '../../lib/bytes.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { describesToo } from '../../model/described.ts'
import { copyOf } from '../../model/twin.ts'
import { type Line, line, span } from '../../ui/line.ts'
import type { Tone } from '../../ui/theme.ts'
import type { AppContext } from '../app/context.ts'
import type { Route } from '../app/state.ts'
import { FULL, memoryShare, percent, usedShare, wrongVolumeLine } from '../words.ts'

/** Something that a person should see: what it is about, why, and where it opens. */
export interface Attention {
  /** The same trouble has the same id, so it stays acknowledged; another trouble of the same thing has another. */
  readonly id: string
  readonly glyph: string
  readonly tone: Tone
  readonly about: string
  readonly text: string
  readonly pm?: string
  readonly job?: string
  readonly opens: Route
}

/** All there is, worst first, without what was acknowledged. */
export function attentionOf(app: AppContext): readonly Attention[] {
  const view = app.view()
  const now = app.now()
  const { acknowledged } = app.state()
  const all = [
    ...storeTroubles(app.engine.view),
    ...stuckJobs(view),
    ...machines(view, now),
    ...spaces(view),
    ...vmTroubles(view),
    ...brokenBackups(view),
    ...failingSchedules(view),
    ...failedJobs(view),
  ]
  return all.filter(({ id }) => !acknowledged.has(id)).sort((a, b) => rankOf(a) - rankOf(b))
}

/** What ruins data, then what is broken, then close to it, then what was undone and is over. */
function rankOf({ glyph }: Attention): number {
  return { '!': 0, '✗': 1, '▲': 2 }[glyph] ?? 3
}

function storeTroubles({ storeTrouble }: View): Attention[] {
  if (!storeTrouble) return []
  const text = `cannot be written since ${formatTime(storeTrouble.since)}: ${storeTrouble.why}; jobs wait for it`
  const base = { glyph: '✗', tone: 'bad', about: 'store', opens: { screen: 'jobs' } } as const
  return [{ ...base, id: `store ${storeTrouble.since}`, text }]
}

function machines(view: View, now: number): Attention[] {
  const items: Attention[] = []
  for (const pm of view.pms()) {
    const base = { about: pm.name, pm: pm.uuid, opens: { screen: 'perf', id: pm.uuid } as const }
    if (pm.seen.reach === 'down') {
      const why = pm.seen.problem ?? 'it does not answer'
      const isTwin = pm.seen.twinOf !== undefined
      const text = isTwin ? why : `unreachable for ${formatAge(now - pm.seen.since)}: ${why}`
      items.push({ ...base, id: `down ${pm.uuid} ${pm.seen.since}`, glyph: '✗', tone: 'bad', text })
    }
    for (const twin of view.pms()) {
      if (twin.seen.twinOf !== pm.uuid) continue
      items.push({ ...base, id: `twin ${pm.uuid} ${twin.uuid}`, glyph: '▲', tone: 'warn', text: copyOf(twin) })
    }
    for (const also of pm.seen.alsoAt ?? []) {
      const text = `named twice: ${also} is the same machine as ${pm.destination}; it is shown once`
      items.push({ ...base, id: `also ${pm.uuid} ${also}`, glyph: '▲', tone: 'warn', text })
    }
    const share = memoryShare(pm)
    if (pm.seen.reach === 'up' && share !== undefined && share >= FULL) {
      const text = `memory ${percent(share)}: ${formatGib(pm.seen.freeMib!)} GiB free`
      items.push({ ...base, id: `memory ${pm.uuid}`, glyph: '▲', tone: 'warn', text })
    }
    for (const file of pm.seen.configs ?? []) {
      const vm = file.vm === undefined ? undefined : view.getVm(file.vm)
      if (!vm || vm.origin === 'found' || !describesToo(file, vm)) continue
      const text = `${file.path} describes it too, beside ${vm.configPath}: choose one (vm.config)`
      const opens = { screen: 'vm', id: vm.uuid } as const
      items.push({
        id: `file ${pm.uuid} ${file.path}`,
        glyph: '▲',
        tone: 'warn',
        about: vm.name,
        pm: pm.uuid,
        text,
        opens,
      })
    }
    for (const stray of pm.seen.strays ?? []) {
      const text = `domain ${stray.domid} ${stray.name} (${stray.state}) belongs to no VM`
      items.push({ ...base, id: `stray ${pm.uuid} ${stray.domid}`, glyph: '▲', tone: 'warn', text })
    }
  }
  return items
}

function spaces(view: View): Attention[] {
  return view.storlinks().flatMap((storlink): Attention[] => {
    const used = usedShare(storlink)
    if (used === undefined || used < FULL) return []
    const share = percent(used)
    const pm = view.getPm(storlink.pm)?.name ?? '?'
    const text = `storlink ${storlink.id} (${storlink.level}, ${pm}) ${share} full: ${formatMib(storlink.freeMib)} free`
    return [
      {
        id: `space ${storlink.id}`,
        glyph: '▲',
        tone: 'warn',
        about: storlink.name,
        text,
        opens: { screen: 'storage', id: String(storlink.id) },
      },
    ]
  })
}

const troublesOf = new WeakMap<object, readonly Attention[]>()

/** Looked for once for each state of the list: there may be 10,000 of them. */
function vmTroubles(view: View): readonly Attention[] {
  const vms = view.vms()
  const known = troublesOf.get(vms)
  if (known !== undefined) return known
  const items: Attention[] = []
  for (const vm of vms) {
    const base = { about: vm.name, pm: vm.pm, opens: { screen: 'vm', id: vm.uuid } as const }
    for (const wrong of vm.seen.wrongVolumes ?? []) {
      const text = wrongVolumeLine(vm, wrong)
      items.push({ ...base, id: `volume ${vm.uuid} ${wrong.path} ${wrong.since}`, glyph: '!', tone: 'bad', text })
    }
    if (vm.seen.state === 'crashed') {
      items.push({
        ...base,
        id: `crashed ${vm.uuid} ${vm.seen.since}`,
        glyph: '✗',
        tone: 'bad',
        text: 'crashed; its domain is still there',
      })
    }
    if (vm.seen.state === 'broken') {
      items.push({
        ...base,
        id: `broken ${vm.uuid} ${vm.seen.since}`,
        glyph: '✗',
        tone: 'bad',
        text: 'half built or half torn down: power it off',
      })
    }
    if (vm.origin === 'found') continue
    const { fileSays } = vm.seen
    for (const drift of [...vm.seen.drift, ...(fileSays === undefined ? [] : [fileSays])]) {
      items.push({ ...base, id: `drift ${vm.uuid} ${drift}`, glyph: '▲', tone: 'warn', text: drift })
    }
  }
  troublesOf.set(vms, items)
  return items
}

/** Those of which somebody has found that they are not what they were. */
function brokenBackups(view: View): readonly Attention[] {
  const backups = view.backups()
  return getOrMake(troublesOf, backups, () =>
    backups
      .filter(({ state }) => state === 'failed')
      .map(({ uuid, name, vmName, checkedAt, problem = 'it is not what it was' }) => ({
        id: `backup ${uuid} ${checkedAt}`,
        glyph: '✗',
        tone: 'bad',
        about: vmName,
        text: `its backup ${name} is broken: ${problem}`,
        opens: { screen: 'backups', id: uuid },
      })),
  )
}

function failingSchedules(view: View): readonly Attention[] {
  const schedules = view.schedules()
  return getOrMake(troublesOf, schedules, () =>
    schedules.flatMap(({ uuid, vmName, enabled, problem }): Attention[] => {
      if (!enabled || problem === undefined) return []
      const text = `was not backed up when it was due: ${problem}`
      const opens = { screen: 'backups', id: uuid } as const
      return [{ id: `schedule ${uuid} ${problem}`, glyph: '✗', tone: 'bad', about: vmName, text, opens }]
    }),
  )
}

function stuckJobs(view: View): Attention[] {
  return view
    .jobs()
    .filter((job) => job.state === 'stuck')
    .map((job) => ({
      id: `stuck ${job.id} ${job.message}`,
      glyph: '✗',
      tone: 'bad',
      about: `job ${job.number}`,
      text: `stuck: ${job.operation} of ${job.subject.name}: ${job.message}`,
      job: job.id,
      opens: { screen: 'job', id: job.id },
    }))
}

function failedJobs(view: View): Attention[] {
  return view
    .jobs()
    .filter((job) => job.state === 'undone' && !job.acknowledged)
    .slice(0, 50)
    .map((job) => ({
      id: `undone ${job.id}`,
      glyph: '↩',
      tone: 'bad',
      about: `job ${job.number}`,
      text: `${job.operation} of ${job.subject.name} undone: ${job.message}`,
      job: job.id,
      opens: { screen: 'job', id: job.id },
    }))
}

export function attentionLine(item: Attention): Line {
  return line(span(item.glyph, item.tone), ' ', span(item.about.padEnd(8), 'strong'), ` ${item.text}`)
}

/** Seen: a job's failure for good, the rest for this session. */
export function acknowledge(app: AppContext, items: readonly Attention[]): void {
  if (items.length === 0) return
  app.set({ acknowledged: new Set([...app.state().acknowledged, ...items.map(({ id }) => id)]) })
  for (const { job } of items) {
    if (job !== undefined) app.attempt(() => app.engine.acknowledge(job))
  }
}
