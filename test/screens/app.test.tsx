import { afterEach, describe, expect, test } from 'bun:test'
import { cleanup, render } from 'ink-testing-library'
import { type AppContext, createApp } from '../../src/screens/app/context.ts'
import { App } from '../../src/screens/shell/App.tsx'
import { aliasesOf } from '../../src/screens/shell/aliases.ts'
import { paint } from '../../src/screens/shell/frame.ts'
import { formatPreferences, parsePreferences } from '../../src/screens/shell/preferences.ts'
import { emptyList } from '../../src/ui/list.ts'
import { createScreenEngine, NOW } from '../support/sites/screenSite.ts'

let app: AppContext

function mount(keys: Readonly<Record<string, readonly string[]>> = {}) {
  const engine = createScreenEngine()
  const theme = { colour: false, ascii: false, graph: 'block' } as const
  const options = {
    siteName: 'seoul',
    production: false,
    theme,
    now: () => NOW,
    aliases: aliasesOf(keys),
    copy: async () => 'nowhere',
  }
  app = createApp(
    engine,
    options,
    { columns: 100, rows: 30 },
    { paint, handOver: async (work) => work(), leave: () => undefined },
  )
  paint(app)
  return { engine, ...render(<App app={app} placeholders={{ of: (_, text) => text }} lend={() => undefined} />) }
}

afterEach(() => {
  cleanup()
  app.dispose()
})

const text = (frame: string | undefined) => Bun.stripANSI(frame ?? '')
const settle = () => Bun.sleep(5)

describe('the one ear for keys', () => {
  test('hears a burst, and not what a terminal answers by itself', async () => {
    const { stdin, lastFrame } = mount()
    stdin.write('3jj')
    await settle()
    expect(text(lastFrame())).toContain('▸  mail02')
    stdin.write('\x1b[24;80R')
    stdin.write('\x1b]11;rgb:0000/0000/0000\x07')
    stdin.write('/')
    stdin.write('\x1b[?62;22c')
    await settle()
    expect(text(lastFrame())).toContain('VMs  10')
  })

  test('nothing is drawn when nothing visible has changed', async () => {
    const { engine, frames, stdin } = mount()
    stdin.write('3')
    await settle()
    const before = frames.length
    engine.set({}, [{ kind: 'setting', id: 'x' }])
    await Bun.sleep(400)
    expect(frames.length).toBe(before)
  })

  test('keys of one’s own mean what they are told, and take nothing away', async () => {
    const { stdin, lastFrame } = mount({ freeze: ['!', 'j'], 'vm.start': ['ctrl-s'], nonsense: ['%'] })
    stdin.write('!')
    await settle()
    expect(text(lastFrame())).toContain('‖ frozen')
    stdin.write('3')
    stdin.write('j')
    await settle()
    expect(text(lastFrame())).toContain('▸  db02')
    expect(text(lastFrame())).toContain('‖ frozen')
  })
})

describe('what is kept', () => {
  test('the order and the columns come back, filters and marks do not', () => {
    const vms = {
      ...emptyList,
      sort: { column: 'cpu', down: true },
      wide: true,
      hidden: new Set(['pm']),
      filter: 'web',
      marks: new Set(['x']),
    }
    expect(parsePreferences(formatPreferences({ vms, pms: emptyList }))).toEqual({
      vms: { ...emptyList, sort: { column: 'cpu', down: true }, wide: true, hidden: new Set(['pm']) },
    })
  })
  test('what cannot be read is as if it were not there', () => {
    expect(parsePreferences(undefined)).toEqual({})
    expect(parsePreferences('{"lists":')).toEqual({})
    expect(parsePreferences('[]')).toEqual({})
  })
})
