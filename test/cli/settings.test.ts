import { describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { DEFAULT_SETTINGS, formatSettings, parseSettings } from '../../src/settings.ts'

describe('the settings file', () => {
  test('is what formatSettings writes', () => {
    const settings = {
      site: { name: '서울 "1"', production: true, self: 'xen1' },
      terminal: { ascii: true, graph: 'block', motion: false },
      ssh: { config: '/etc/ssh/lab' },
      iso: { directories: '/srv/iso:/mnt' },
      keys: { start: ['s', 'f2'] },
    }
    expect(parseSettings(formatSettings(settings))).toEqual({ settings, problems: [] })
  })

  test('a graph of a kind that there is not is named', () => {
    expect(parseSettings('[terminal]\ngraph = "blocks"').problems).toEqual([
      '2: graph: one of braille, block, ascii is expected',
    ])
    expect(parseSettings(formatSettings(DEFAULT_SETTINGS)).problems).toEqual([])
  })

  test('names every wrong line and uses the rest', () => {
    const text = [
      '# a comment',
      'name = "too early"',
      '[site]',
      'nam = "x"',
      'name = "seoul" # kept',
      'production = "yes"',
      'production = ',
      '[terminl]',
      'ascii = true',
      '[keys]',
      'start = [',
      '  "s", "[",',
      ']',
      'stop = 3',
      '[__proto__]',
    ].join('\n')
    const { settings, problems } = parseSettings(text)
    const sections = Object.keys(DEFAULT_SETTINGS).join(', ')
    expect(settings).toEqual({
      ...DEFAULT_SETTINGS,
      site: { name: 'seoul', production: false, self: '' },
      keys: { start: ['s', '['] },
    })
    expect(problems).toEqual([
      `2: "name" stands before any section; sections are ${sections}`,
      '4: unknown setting "nam"; did you mean name?',
      '6: production: a true or false is expected',
      "7: missing value after '='",
      '8: unknown section "terminl"; did you mean terminal?',
      '9: "ascii" is not used, because its section is not known',
      '14: stop: a list of keys is expected',
      `15: unknown section "__proto__"; there are ${sections}`,
    ])
  })
})

describe('where things lie', () => {
  const paths = (env: Record<string, string>, uid: number, dbPath?: string) => {
    const config = readConfig(dbPath ? { dbPath } : {}, { env, uid, home: '/home/kim' })
    return [config.storePath, config.tokenPath, config.settingsPath]
  }

  test('root, a person, XDG, and a store that is named', () => {
    expect(paths({}, 0)).toEqual([
      '/var/lib/pengx/pengx.db',
      '/var/lib/pengx/token',
      '/home/kim/.config/pengx/config.toml',
    ])
    expect(paths({}, 1000)[0]).toBe('/home/kim/.local/state/pengx/pengx.db')
    expect(paths({ XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: '/c' }, 1000)).toEqual([
      '/s/pengx/pengx.db',
      '/s/pengx/token',
      '/c/pengx/config.toml',
    ])
    expect(paths({ XDG_STATE_HOME: 'relative' }, 1000)[0]).toBe('/home/kim/.local/state/pengx/pengx.db')
    expect(paths({}, 0, '/x/a.db').slice(0, 2)).toEqual(['/x/a.db', '/x/token'])
  })

  test('a settings file that cannot be read is named and pengx goes on', () => {
    const home = mkdtempSync(join(tmpdir(), 'pengx-settings-'))
    mkdirSync(join(home, 'pengx/config.toml'), { recursive: true })
    const config = readConfig({}, { env: { XDG_CONFIG_HOME: home }, uid: 1000, home })
    expect(config.settings).toEqual(DEFAULT_SETTINGS)
    expect(config.problems[0]).toStartWith(`${home}/pengx/config.toml cannot be read`)
  })

  test('a wrong line is named with its file', () => {
    const home = mkdtempSync(join(tmpdir(), 'pengx-settings-'))
    mkdirSync(join(home, 'pengx'))
    writeFileSync(join(home, 'pengx/config.toml'), '[site]\nname = 3\n')
    chmodSync(join(home, 'pengx/config.toml'), 0o600)
    const config = readConfig({}, { env: { XDG_CONFIG_HOME: home }, uid: 1000, home })
    expect(config.problems).toEqual([`${home}/pengx/config.toml:2: name: a text in quotes is expected`])
  })
})
