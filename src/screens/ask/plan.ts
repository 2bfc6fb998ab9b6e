import type { Preview } from '../../engine/jobs/operation.ts'
import { cellWidth, padCells, wrapCells } from '../../lib/text.ts'
import { type Line, line, span } from '../../ui/line.ts'

/** An operation's own plan, as every dialog shows it: what it frees and keeps, its steps, and where it stops being undoable. */
export function drawPlan(previews: readonly Preview[], showCommands: boolean, width: number): Line[] {
  const lines: Line[] = []
  const first = previews[0]
  if (first === undefined) return lines
  lines.push(...labelled('frees', unique(previews.flatMap(({ frees }) => frees)), width))
  lines.push(...labelled('keeps', unique(previews.flatMap(({ keeps }) => keeps)), width))
  lines.push(...labelled('note', unique(previews.flatMap(({ notices }) => notices)), width))
  if (lines.length > 0) lines.push([])
  lines.push(line(span(previews.length === 1 ? 'It will' : 'For each it will', 'dim')))
  const longest = Math.min(Math.max(...first.steps.map(({ name }) => cellWidth(name)), 0), Math.max(width - 30, 10))
  for (const [index, step] of first.steps.entries()) {
    const mark = step.pivot
      ? span('◆ from here on it cannot be undone', 'warn')
      : span(step.undoable ? 'can be undone' : '', 'dim')
    lines.push(line(` ${index + 1} ${padCells(step.name, longest)}   `, mark))
    if (showCommands) {
      for (const command of step.shows) {
        for (const part of wrapCells(command, width - 7)) lines.push(line('     ', span(part, 'dim')))
      }
      if (step.shows.length === 0) lines.push(line('     ', span('runs nothing that changes a machine', 'dim')))
    }
  }
  return lines
}

function labelled(label: string, texts: readonly string[], width: number): Line[] {
  return texts.flatMap((text, index) =>
    wrapCells(text, width - 10).map((part, at) =>
      line(span((index === 0 && at === 0 ? label : '').padEnd(10), 'dim'), part),
    ),
  )
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}
