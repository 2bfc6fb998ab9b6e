import { formatTime } from '../../lib/age.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { wrapCells } from '../../lib/text.ts'
import { toPengxError } from '../../model/error.ts'
import type { Finding, VerifyReport } from '../../model/finding.ts'
import type { Subject } from '../../model/job.ts'
import { isNoun, nounName } from '../../model/noun.ts'
import { type Line, line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { Tone } from '../../ui/theme.ts'
import type { AppContext } from '../app/context.ts'
import { cursorRow, drawList, type ListDef, listTitle } from '../app/list.ts'
import { drawListWithPane, type Pane, paneName } from '../app/pane.ts'
import { handleScrollKey } from '../app/scroll.ts'
import { ask } from '../ask/ask.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { count } from '../words.ts'

/** What differs on the site, what it means, and what repairs it. The site is compared when somebody comes here, and when asked. */

interface Comparison {
  report?: VerifyReport
  /** Why there is none. */
  problem?: string
  atWork: boolean
  /** Plans of repairs that somebody wanted to see. */
  readonly plans: Map<Finding, readonly string[]>
}

const comparisons = new WeakMap<AppContext, Comparison>()
const NOTHING: readonly Finding[] = []

const comparisonOf = (app: AppContext) =>
  getOrMake(comparisons, app, (): Comparison => ({ atWork: false, plans: new Map() }))

function compare(app: AppContext): void {
  const comparison = comparisonOf(app)
  if (comparison.atWork) return
  comparison.atWork = true
  app.attempt(async () => {
    try {
      comparison.report = await app.engine.verify()
      comparison.plans.clear()
      delete comparison.problem
    } catch (error) {
      comparison.problem = toPengxError(error).message
      throw error
    } finally {
      comparison.atWork = false
      app.repaint()
    }
  })
}

const TONES: Record<Finding['severity'], Tone> = { danger: 'bad', wrong: 'warn', note: 'dim' }

const findingList: ListDef<Finding> = {
  name: 'verify',
  // the worst first, as they come
  sort: { column: '', down: false },
  empty: 'all is as it is written down',
  columns: [
    {
      name: 'code',
      title: 'CODE',
      width: 20,
      kind: 'text',
      cell: ({ code, severity }) => span(code, TONES[severity]),
      sort: ({ code }) => code,
    },
    {
      name: 'on',
      title: 'ON',
      width: 12,
      grow: 24,
      kind: 'text',
      cell: ({ subject }) => subject.name,
      sort: ({ subject }) => subject.name,
    },
    {
      name: 'pm',
      title: 'PM',
      width: 6,
      kind: 'text',
      drop: 2,
      cell: ({ pm }, app) => (pm === undefined ? '' : (app.view().getPm(pm)?.name ?? '?')),
    },
    {
      name: 'repair',
      title: 'REPAIR',
      width: 14,
      kind: 'text',
      drop: 3,
      cell: ({ repair }) => repair?.operation ?? '',
    },
    { name: 'text', title: 'WHAT', width: 20, grow: 200, kind: 'text', drop: 1, cell: ({ text }) => text },
  ],
  rows: (app) => comparisonOf(app).report?.findings ?? NOTHING,
  id: ({ code, subject, path, text }) => `${code} ${subject.id} ${path ?? text}`,
  words: ({ code, subject, text, severity }) => `${code} ${severity} ${subject.name} ${text}`,
  filters: {
    code: ({ code }) => code,
    severity: ({ severity }) => severity,
    on: ({ subject }) => subject.name,
    pm: ({ pm }, app) => (pm === undefined ? '' : (app.view().getPm(pm)?.name ?? '')),
  },
  copies: ({ text, path, code }) => [
    ['text', text],
    ...(path === undefined ? [] : [['path', path] as const]),
    ['code', code],
  ],
}

const chosen = (app: AppContext) => cursorRow(app, findingList)

/** The operation that repairs it, and on what; undefined where none is proposed, or this version has no such. */
function repairOf(app: AppContext, finding: Finding | undefined) {
  const { repair } = finding ?? {}
  const operation = repair && app.engine.operations.get(repair.operation)
  if (repair === undefined || operation === undefined) return undefined
  const { param, kind } = operation.target
  const { [param]: target, ...extra } = repair.params
  if (!isNoun(kind)) return undefined
  const thing = app.view().find(kind, String(target))
  const subject: Subject = { kind, id: String(target), name: thing ? nounName(thing) : String(target) }
  return { operation, params: repair.params, subject, extra }
}

/** Looks how it would be repaired now; nothing is changed. */
function lookAtPlan(app: AppContext): void {
  app.set({ focus: 'pane' })
  const finding = chosen(app)
  const repair = repairOf(app, finding)
  if (finding === undefined || repair === undefined) return
  const { plans } = comparisonOf(app)
  app.attempt(async () => {
    try {
      const params = app.engine.decode(repair.operation.name, repair.params)
      const { steps } = await app.engine.preview(repair.operation.name, params)
      plans.set(
        finding,
        steps.map(({ name }, at) => `${at + 1}. ${name}`),
      )
    } catch (error) {
      plans.set(finding, [`not now: ${toPengxError(error).message}`])
    }
    app.repaint()
  })
}

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'read',
    help: 'what it means, and the plan of its repair',
    refuse: (app) => (chosen(app) === undefined ? 'nothing was found' : undefined),
    act: lookAtPlan,
  },
  {
    key: 'R',
    title: 'repair',
    help: 'runs the operation that the finding proposes, with its plan and its question',
    refuse: (app) => (repairOf(app, chosen(app)) === undefined ? 'no repair of it is safe to offer' : undefined),
    act(app) {
      const { operation, subject, extra } = repairOf(app, chosen(app))!
      ask(app, operation.name, [subject], extra)
    },
  },
  { key: 'c', title: 'compare', help: 'looks at the whole site again', act: compare },
]

function paneLines(app: AppContext, finding: Finding, width: number): Line[] {
  const { report, plans } = comparisonOf(app)
  const row = report?.codes.find(({ code }) => code === finding.code)
  const text = (words: string) => wrapCells(words, Math.max(width - 2, 10)).map((one) => line(` ${one}`))
  const titled = (title: string, words: readonly string[]) => [
    line(span(` ${title}`, 'strong')),
    ...words.flatMap((one) => text(one)),
  ]
  const repair = repairOf(app, finding)
  const plan = plans.get(finding) ?? (repair ? ['enter shows its plan, R runs it'] : [])
  return [
    ...text(finding.text),
    ...(row ? titled('Means', [row.means]) : []),
    ...(row ? titled('What to do', [row.help]) : []),
    ...(repair ? titled(`Repair: ${repair.operation.name} ${repair.subject.name}`, plan) : []),
  ]
}

function summary(app: AppContext): string {
  const { report, atWork } = comparisonOf(app)
  if (atWork) return '   comparing …'
  if (report === undefined) return ''
  const { pms, vms, images } = report.counts
  return `   ${formatTime(report.at)}: ${count(pms, 'PM')}, ${count(vms, 'VM')}, ${count(images, 'image')}`
}

export const verifyScreen: Screen = {
  name: 'verify',
  title: 'Verify',
  also: 'compare findings drift',
  place: true,
  list: () => findingList,
  keys,
  parts: () => ['list', 'pane'],
  heading: (app) => [span(' Verify', 'strong'), ...listTitle(app, findingList), span(summary(app), 'dim')],
  subjects(app) {
    const { kind, id, name } = chosen(app)?.subject ?? { kind: 'job' as const, id: '', name: '' }
    return kind === 'job' ? [] : [{ kind, id, name }]
  },
  handleKey: (app, key) => app.state().focus === 'pane' && handleScrollKey(app, paneName('verify'), key),
  draw(app, width, height) {
    const { report, problem, atWork } = comparisonOf(app)
    if (report === undefined) {
      if (!atWork && problem === undefined) compare(app)
      const said = problem === undefined || atWork ? 'comparing the whole site …' : `it was not compared: ${problem}`
      return panel([[], line('   ', span(said, 'dim'))], width, height)
    }
    const pane: Pane<Finding> = {
      share: 0.4,
      least: 44,
      title: ({ code, severity }) => `${code} (${severity})`,
      lines: (finding, inner) => paneLines(app, finding, inner),
    }
    if (report.findings.length === 0) return panel(drawList(app, findingList, width - 2, height - 2), width, height)
    return drawListWithPane(app, findingList, pane, width, height, 0.4)
  },
}
