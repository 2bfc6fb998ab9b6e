import type { Engine } from '../engine/engine.ts'
import { stripControl } from '../lib/text.ts'
import type { Io } from './io.ts'

type Preview = Awaited<ReturnType<Engine['preview']>>

/** The operation's own plan, as a person reads it before allowing it. */
export function formatPlan(preview: Preview): string {
  const { subject } = preview
  const lines = [`${preview.title} ${subject.name} (${subject.kind} ${subject.id})`]
  for (const text of preview.frees) lines.push(`  frees  ${text}`)
  for (const text of preview.keeps) lines.push(`  keeps  ${text}`)
  for (const text of preview.notices) lines.push(`  note   ${text}`)
  preview.steps.forEach((step, index) => {
    lines.push(`  ${index + 1}. ${step.name}${step.pivot ? '   (from here on it cannot be undone)' : ''}`)
    for (const command of step.shows) lines.push(`       ${command}`)
  })
  return `${lines.map(stripIndented).join('\n')}\n`
}

/** Indentation is ours; what follows it may come from a host. */
function stripIndented(line: string): string {
  const blanks = /^ */.exec(line)![0]
  return blanks + stripControl(line.slice(blanks.length))
}

/** Asks as hard as the operation is dangerous: `y` for a disruption, the subject's name for a destruction. */
export async function isAllowed(preview: Preview, io: Io): Promise<boolean> {
  io.err(formatPlan(preview))
  if (preview.danger === 'destroys') {
    const answer = await io.ask(`type ${stripControl(preview.subject.name)} to allow it: `)
    return answer === preview.subject.name
  }
  const answer = await io.ask(`${preview.title} ${stripControl(preview.subject.name)}? [y/N] `)
  return answer?.trim().toLowerCase() === 'y'
}
