import type { AppContext } from '../app/context.ts'
import { setList, sortBeside, turnSort } from '../app/list.ts'
import { listOf } from '../app/state.ts'
import { suspend } from '../app/terminal.ts'
import { screenOf } from '../catalog.ts'
import type { KeyRow } from '../screen.ts'
import { openColumns, openCopy } from './menus.ts'
import { openActions, openHelp, openPalette } from './palette.ts'
import { openQuit } from './quit.ts'

/** The keys that mean the same on every screen. */

const noList = (app: AppContext) => (screenOf(app).list?.(app) === undefined ? 'there is no list here' : undefined)

function toggleFreeze(app: AppContext) {
  const { frozenAt } = app.state()
  app.set({ frozenAt: frozenAt === undefined ? app.now() : undefined })
  app.say(frozenAt === undefined ? 'frozen: f goes on' : 'live again', 'busy')
}

function toggleMouse(app: AppContext) {
  const mouse = !app.state().mouse
  app.set({ mouse })
  app.options.listenToMouse?.(mouse)
  app.say(mouse ? 'mouse on: shift selects text, ctrl-o is off again' : 'mouse off', 'busy')
}

/** One step back: out of the pane, out of a range, marks, the filter, the screen. */
function stepBack(app: AppContext) {
  const state = app.state()
  const list = screenOf(app).list?.(app)
  const listState = list && listOf(state, list.name)
  if (state.focus !== 'list') return app.set({ focus: 'list' })
  if (list && listState?.range) return setList(app, list, { range: undefined })
  if (list && listState && listState.marks.size > 0) return setList(app, list, { marks: new Set() })
  if (list && listState && listState.filter !== '') return setList(app, list, { filter: '' })
  app.back()
}

function nextPart(app: AppContext, by: number) {
  const parts = screenOf(app).parts?.(app) ?? ['list']
  const at = parts.indexOf(app.state().focus)
  app.set({ focus: parts[(at + by + parts.length) % parts.length]! })
}

export const EVERYWHERE: readonly KeyRow[] = [
  {
    key: ':',
    title: 'go',
    help: 'places, things, actions: one list to type in',
    act: (app) => openPalette(app, EVERYWHERE),
  },
  {
    key: '/',
    title: 'filter',
    help: 'words, a|b, !not, key:value, /re/; esc clears',
    refuse: noList,
    act: (app) => app.set({ filtering: true, focus: 'list' }),
  },
  {
    key: '?',
    title: 'help',
    help: 'every key here, and why it does nothing now',
    act: (app) => openHelp(app, EVERYWHERE),
  },
  {
    key: 'x',
    title: 'all actions',
    help: 'every action on what is chosen, with its plan',
    act: (app) => openActions(app),
  },
  {
    key: 'y',
    title: 'copy',
    help: 'the id of what is chosen; the screen says where it went',
    act: (app) => openCopy(app, true),
  },
  { key: 'Y', title: 'copy …', help: 'a menu of what can be copied', act: (app) => openCopy(app, false) },
  {
    key: 'r',
    title: 'look now',
    help: 'looks at the machines at once',
    act: (app) => {
      app.say('looking …', 'busy')
      app.attempt(async () => {
        await app.engine.look()
        app.say('looked', 'ok')
      })
    },
  },
  { key: 'f', title: 'freeze', help: 'stops the picture; nothing else stops', act: toggleFreeze },
  {
    key: '<',
    title: 'sort by the column before',
    refuse: noList,
    act: (app) => sortBeside(app, screenOf(app).list!(app)!, -1),
  },
  {
    key: '>',
    title: 'sort by the column after',
    refuse: noList,
    act: (app) => sortBeside(app, screenOf(app).list!(app)!, 1),
  },
  { key: 'O', title: 'turn the order', refuse: noList, act: (app) => turnSort(app, screenOf(app).list!(app)!) },
  {
    key: 'w',
    title: 'wide',
    help: 'more columns; a list takes the room of the pane beside it',
    refuse: noList,
    act: (app) => {
      const list = screenOf(app).list!(app)!
      app.set({ focus: 'list' })
      setList(app, list, { wide: !listOf(app.state(), list.name).wide })
    },
  },
  { key: 'W', title: 'choose columns', refuse: noList, act: (app) => openColumns(app, screenOf(app).list!(app)!) },
  { key: 'tab', title: 'next pane', act: (app) => nextPart(app, 1) },
  { key: 'shift-tab', title: 'pane before', act: (app) => nextPart(app, -1) },
  { key: 'esc', title: 'back', help: 'one step: pane, range, marks, filter, screen', act: stepBack },
  { key: 'q', title: 'quit', help: 'asks while jobs run', act: (app) => openQuit(app) },
  {
    key: 'ctrl-o',
    title: 'mouse',
    help: 'on or off: click, double click, wheel, titles of columns; while it is on, shift selects text',
    refuse: (app) => (app.options.listenToMouse ? undefined : 'there is nothing here to click at'),
    act: toggleMouse,
  },
  { key: 'ctrl-z', title: 'suspend', help: 'to the shell; fg comes back', act: (app) => suspend(app) },
]
