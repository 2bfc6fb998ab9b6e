import type { Engine } from '../engine/engine.ts'
import { quoteArgv } from '../lib/quote.ts'
import { stripControl } from '../lib/text.ts'
import { PengxError } from '../model/error.ts'
import type { Finding, FindingCode, Repair, VerifyReport } from '../model/finding.ts'
import { EXIT } from './exit.ts'
import { kebab } from './flags.ts'
import { formatJson, type Io } from './io.ts'
import { iso, pmName } from './listing.ts'
import { formatTable } from './table.ts'

interface VerifyArgs {
  readonly json: boolean
  readonly deep: boolean
  /** Names or ids of what is asked about, or codes; none: all. */
  readonly targets: readonly string[]
}

/** `pengx verify`: compares, prints what is found, by code, and gives 1 where something is. */
export async function printFindings(engine: Engine, { json, deep, targets }: VerifyArgs, io: Io): Promise<number> {
  const report = await engine.verify({ deep })
  const findings = meant(report, targets, engine)
  const codes = report.codes.filter(({ code }) => findings.some((one) => one.code === code))
  if (json) await io.out(formatJson(objectOf({ ...report, findings, codes }, engine)))
  else
    await io.out(
      findings.length === 0 ? clean(report) : codes.map((code) => section(code, findings, engine)).join('\n'),
    )
  return findings.length === 0 ? EXIT.done : EXIT.failed
}

/** Of those that are named; a name that nothing on the site has, and no code, is refused: nothing found would be no answer. */
function meant({ findings }: VerifyReport, targets: readonly string[], engine: Engine): readonly Finding[] {
  if (targets.length === 0) return findings
  const { view } = engine
  const lists = [view.pms(), view.vms(), view.storlinks(), view.templates(), view.backups()]
  const things = lists.flatMap((list) => list.map((one) => [one.name, 'uuid' in one ? one.uuid : String(one.id)]))
  for (const target of targets) {
    const isKnown = /^[A-Z_]+$/.test(target) || target.startsWith('/') || things.some((names) => names.includes(target))
    if (!isKnown)
      throw new PengxError('notFound', `nothing is called "${target}": give a name, a UUID, a path, or a code`)
  }
  return findings.filter(({ code, subject, path, pm }) => {
    const names = [code, subject.name, subject.id, path, pm, pm === undefined ? undefined : view.getPm(pm)?.name]
    return targets.some((target) => names.includes(target))
  })
}

function clean({ counts: { pms, vms, volumes, images } }: VerifyReport): string {
  return `all is as it is written down: ${pms} PMs, ${vms} VMs, ${volumes} volumes in storlinks, ${images} images\n`
}

function section(row: FindingCode, findings: readonly Finding[], engine: Engine): string {
  const table = formatTable<Finding>(
    [
      { title: 'ON', text: ({ subject }) => `${subject.kind} ${subject.name}` },
      { title: 'PM', text: ({ pm }) => (pm === undefined ? '' : pmName(engine, pm)) },
      { title: 'WHAT', text: ({ text }) => text },
    ],
    findings.filter(({ code }) => code === row.code),
  )
  const lines = findings.flatMap(({ code, repair }) => (code === row.code && repair ? repairLine(engine, repair) : []))
  const repairs = [...new Set(lines)].map((line) => `  repair: ${stripControl(line)}\n`).join('')
  return `${row.code} (${row.severity}): ${row.means}\n  ${row.help}\n${repairs}${table}`
}

/** The command that repairs it, with its plan and its questions; none where this version has no such operation. */
function repairLine(engine: Engine, { operation, params }: Repair): string[] {
  const target = engine.operations.get(operation)?.target.param
  if (target === undefined) return []
  const rest = Object.entries(params).filter(([name]) => name !== target)
  const flags = rest.flatMap(([name, value]) => {
    const values = Array.isArray(value) ? value : [value]
    return values.flatMap((one) => [`--${kebab(name)}`, String(one)])
  })
  const first = params[target] === undefined ? [] : [String(params[target])]
  return [quoteArgv(['pengx', 'run', operation, ...first, ...flags])]
}

function objectOf(report: VerifyReport, engine: Engine): object {
  return {
    at: iso(report.at),
    clean: report.findings.length === 0,
    counts: report.counts,
    findings: report.findings.map(({ pm, repair, ...finding }) => ({
      ...finding,
      ...(pm === undefined ? {} : { pm: pmName(engine, pm), pmUuid: pm }),
      ...(repair ? { repair: { ...repair, line: repairLine(engine, repair)[0] } } : {}),
    })),
    codes: report.codes,
  }
}
