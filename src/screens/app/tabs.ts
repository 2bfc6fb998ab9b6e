import { type Line, type Span, span, widthOf } from '../../ui/line.ts'

/** Tabs of a screen: what it shows of one thing, or lists that belong together. */

/** Their names, the one that is shown in brackets; how one goes on to the next stands behind them where there is room. */
export function tabBar(titles: readonly string[], current: number, hint: string, width: number): Line {
  const pieces: Span[] = [{ text: ' ' }]
  for (const [at, title] of titles.entries())
    pieces.push(at === current ? span(`[${title}]`, 'accent') : { text: ` ${title} ` }, { text: '  ' })
  const all = [...pieces, span(`   ${hint}`, 'dim')]
  return widthOf(all) <= width ? all : pieces
}

/** The tab so many further on, around the end. */
export function tabBeside<T>(tabs: readonly T[], current: T, by: number): T {
  return tabs[(tabs.indexOf(current) + by + tabs.length) % tabs.length]!
}
