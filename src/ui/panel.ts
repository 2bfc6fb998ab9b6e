import { cellWidth, cutCells } from '../lib/text.ts'
import { fill, fit, type Line, type Span, span } from './line.ts'
import type { Tone } from './theme.ts'

export interface PanelOptions {
  readonly title?: string
  /** On the lower edge, at the right. */
  readonly note?: string
  /** Has the keys: its upper edge stands out. The sides stay dim, so that a changed row costs few bytes. */
  readonly focused?: boolean
  readonly tone?: Tone
}

/** A box of exactly this size around lines. */
export function panel(lines: readonly Line[], width: number, height: number, options: PanelOptions = {}): Line[] {
  const tone: Tone = options.focused ? 'accent' : (options.tone ?? 'dim')
  const inner = Math.max(width - 2, 0)
  const body = fill(lines, Math.max(height - 2, 0)).map((content) => [
    span('│', 'dim'),
    ...fit(content, inner),
    span('│', 'dim'),
  ])
  return [topEdge(inner, tone, options.title), ...body, bottomEdge(inner, tone, options.note)]
}

function topEdge(inner: number, tone: Tone, title: string | undefined): Line {
  if (title === undefined || title === '') return [span(`╭${'─'.repeat(inner)}╮`, tone)]
  const text = cutCells(title, Math.max(inner - 4, 0))
  const rest = Math.max(inner - cellWidth(text) - 3, 0)
  return [span('╭─ ', tone), span(text, 'strong'), span(` ${'─'.repeat(rest)}╮`, tone)]
}

function bottomEdge(inner: number, tone: Tone, note: string | undefined): Line {
  if (note === undefined || note === '') return [span(`╰${'─'.repeat(inner)}╯`, tone)]
  const text = cutCells(note, Math.max(inner - 4, 0))
  const rest = Math.max(inner - cellWidth(text) - 3, 0)
  const pieces: Span[] = [span(`╰${'─'.repeat(rest)} `, tone), span(text, 'dim'), span(' ─╯', tone)]
  return pieces
}

/** Names and values in two columns: what a detail pane mostly is. */
export function facts(rows: readonly (readonly [string, string | Span] | undefined)[], nameWidth = 10): Line[] {
  const lines: Line[] = []
  for (const row of rows) {
    if (row === undefined) continue
    const [name, value] = row
    lines.push([span(` ${name.padEnd(nameWidth)}`, 'dim'), typeof value === 'string' ? { text: value } : value])
  }
  return lines
}
