import { plainText } from '../../ui/plain.ts'
import type { Desk } from '../app/context.ts'
import { listOf } from '../app/state.ts'
import { screenOf } from '../catalog.ts'
import { contentSentences, headingSentence, overlaySentences, rowSentence } from './speech.ts'

/**
 * The interface for those who hear it. What is new is said once and stays above: where one has come, what opens, what
 * is answered, that a job is over. The line at the end is where one is, and is written anew only when a key moves it:
 * numbers that change by themselves say nothing.
 */
export interface Speaker {
  /** After a key: says where that has led. */
  moved(): void
  /** At any time: what has to be said without being asked. */
  news(): void
}

export function createSpeaker(desk: Desk): Speaker {
  let place = ''
  let view = ''
  /** What the place has said, numbers aside: those change by themselves. */
  let content: ReadonlySet<string> = new Set()
  let overlay: { name: string; said: ReadonlySet<string> } | undefined
  let toast: string | undefined
  let lastEvent = desk.commands.at(-1)?.seq ?? 0
  let saidLast: readonly string[] = []

  const say = (texts: readonly string[]) => {
    const fresh = texts.filter((text) => text !== '' && !saidLast.includes(text))
    if (fresh.length === 0) return
    saidLast = fresh
    desk.store.setState({ said: [...desk.state().said, ...fresh] })
  }

  const news = () => {
    const now = desk.state().toast?.text
    if (now !== undefined && now !== toast) say([plainText(now)])
    toast = now
    const events = desk.commands.filter(({ seq, host }) => seq > lastEvent && host === '')
    lastEvent = desk.commands.at(-1)?.seq ?? lastEvent
    say(events.map(({ line }) => plainText(line)))
    sayOverlay()
  }

  const sayOverlay = () => {
    const top = overlaySentences(desk)
    if (top === undefined) {
      overlay = undefined
      return
    }
    const known = overlay?.name === top.name ? overlay.said : new Set<string>()
    say(top.all.filter((text) => !known.has(text)))
    overlay = { name: top.name, said: new Set(top.all) }
  }

  const sayPlace = () => {
    const { trail, choices, focus, frozenAt } = desk.state()
    const list = screenOf(desk).list?.(desk)
    const nowPlace = JSON.stringify([trail, choices['vm.tab'], focus])
    const { filter, sort, marks, wide } = listOf(desk.state(), list?.name ?? '')
    const nowView = JSON.stringify([list?.name, filter, sort, marks.size, wide, frozenAt])
    saidLast = []
    const sentences = contentSentences(desk)
    if (nowPlace !== place) say([headingSentence(desk), ...sentences])
    else if (nowView !== view && !desk.state().filtering) say([headingSentence(desk)])
    else say(sentences.filter((text) => !content.has(withoutNumbers(text))))
    content = new Set(sentences.map(withoutNumbers))
    if (!desk.state().filtering) view = nowView
    place = nowPlace
  }

  const here = () => {
    const { filtering } = desk.state()
    const list = screenOf(desk).list?.(desk)
    const row = overlay ? (overlaySentences(desk)?.here ?? '') : rowSentence(desk)
    if (!filtering || list === undefined || overlay) return row
    return `Filter: ${listOf(desk.state(), list.name).filter}. ${row}`
  }

  return {
    news,
    moved() {
      sayPlace()
      news()
      if (desk.state().here !== here()) desk.store.setState({ here: here() })
    },
  }
}

function withoutNumbers(text: string): string {
  return text.replace(/\d+/g, '#')
}
