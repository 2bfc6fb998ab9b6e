import { describe, expect, test } from 'bun:test'
import { readSources } from '../support/sources.ts'

/**
 * Inside `src/screens`: which part may import which, types counted. A part knows those in its row alone; what stands in
 * front (the palette knows every screen) never stands behind.
 */
const UNDER_SCREENS = ['words.ts', 'app', 'screen.ts']
const UNDER_SUBJECTS = [...UNDER_SCREENS, 'ask']
const SCREENS: Record<string, readonly string[]> = {
  'words.ts': [],
  app: ['words.ts'],
  'screen.ts': ['app'],
  ask: UNDER_SCREENS,
  job: UNDER_SUBJECTS,
  storage: UNDER_SUBJECTS,
  verify: UNDER_SUBJECTS,
  backup: UNDER_SUBJECTS,
  vm: [...UNDER_SUBJECTS, 'job', 'backup'],
  template: [...UNDER_SUBJECTS, 'vm'],
  perf: [...UNDER_SUBJECTS, 'vm'],
  pm: [...UNDER_SUBJECTS, 'vm'],
  'catalog.ts': ['app', 'screen.ts', 'job', 'storage', 'backup', 'verify', 'vm', 'template', 'perf', 'pm'],
  screenReader: ['app', 'catalog.ts'],
  shell: [...UNDER_SUBJECTS, 'catalog.ts', 'screenReader'],
}

const ROOT = 'src/screens/'
const partOf = (path: string) => path.slice(ROOT.length).split('/')[0]!
const screens = readSources('src/screens/**/*.{ts,tsx}')

describe('the screens', () => {
  test('every part has its row', () => {
    expect([...new Set(screens.map(({ path }) => partOf(path)))].sort()).toEqual(Object.keys(SCREENS).sort())
  })

  test('every part knows only what it stands on', () => {
    const wrong = screens.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => target.startsWith(ROOT) && partOf(target) !== partOf(path))
        .filter(({ target }) => !SCREENS[partOf(path)]?.includes(partOf(target)))
        .map(({ target }) => `${path} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })
})
