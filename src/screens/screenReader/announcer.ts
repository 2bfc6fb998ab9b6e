import { plainText } from '../../ui/plain.ts'
import type { AppContext } from '../app/context.ts'
import { listOf } from '../app/state.ts'
import { screenOf } from '../catalog.ts'
import { contentSentences, headingSentence, overlaySentences, rowSentence } from './sentences.ts'

/**
 * The interface for those who hear it. What is new is said once and stays above: where one has come, what opens, what
 * is answered, that a job is over. The line at the end is where one is, and is written anew only when a key moves it:
 * numbers that change by themselves say nothing.
 */
export interface Announcer {
  /** After a key: says where that has led. */
  afterKey(): void
  /** At any time: what has to be said without being asked. */
  announce(): void
}

export function createAnnouncer(app: AppContext): Announcer {
  let place = ''
  let view = ''
  /** What the place has said, numbers aside: those change by themselves. */
  let content: ReadonlySet<string> = new Set()
  let overlay: { name: string; said: ReadonlySet<string> } | undefined
  let toast: string | undefined
  let lastEvent = app.commands.at(-1)?.seq ?? 0
  let saidLast: readonly string[] = []

  const say = (texts: readonly string[]) => {
    const fresh = texts.filter((text) => text !== '' && !saidLast.includes(text))
    if (fresh.length === 0) return
    saidLast = fresh
    app.store.setState({ said: [...app.state().said, ...fresh] })
  }

  const announce = () => {
    const now = app.state().toast?.text
    if (now !== undefined && now !== toast) say([plainText(now)])
    toast = now
    const events = app.commands.filter(({ seq, host }) => seq > lastEvent && host === '')
    lastEvent = app.commands.at(-1)?.seq ?? lastEvent
    say(events.map(({ line }) => plainText(line)))
    sayOverlay()
  }

  const sayOverlay = () => {
    const top = overlaySentences(app)
    if (top === undefined) {
      overlay = undefined
      return
    }
    const known = overlay?.name === top.name ? overlay.said : new Set<string>()
    say(top.all.filter((text) => !known.has(text)))
    overlay = { name: top.name, said: new Set(top.all) }
  }

  const sayPlace = () => {
    const { trail, choices, focus, frozenAt } = app.state()
    const list = screenOf(app).list?.(app)
    const nowPlace = JSON.stringify([trail, choices['vm.tab'], choices['backups.tab'], focus])
    const { filter, sort, marks, wide } = listOf(app.state(), list?.name ?? '')
    const nowView = JSON.stringify([list?.name, filter, sort, marks.size, wide, frozenAt])
    saidLast = []
    const sentences = contentSentences(app)
    if (nowPlace !== place) say([headingSentence(app), ...sentences])
    else if (nowView !== view && !app.state().filtering) say([headingSentence(app)])
    else say(sentences.filter((text) => !content.has(withoutNumbers(text))))
    content = new Set(sentences.map(withoutNumbers))
    if (!app.state().filtering) view = nowView
    place = nowPlace
  }

  const here = () => {
    const { filtering } = app.state()
    const list = screenOf(app).list?.(app)
    const row = overlay ? (overlaySentences(app)?.here ?? '') : rowSentence(app)
    if (!filtering || list === undefined || overlay) return row
    return `Filter: ${listOf(app.state(), list.name).filter}. ${row}`
  }

  return {
    announce,
    afterKey() {
      sayPlace()
      announce()
      if (app.state().here !== here()) app.store.setState({ here: here() })
    },
  }
}

function withoutNumbers(text: string): string {
  return text.replace(/\d+/g, '#')
}
