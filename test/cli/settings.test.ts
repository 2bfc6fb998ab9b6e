import { describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { engineConfig, readConfig } from '../../src/config.ts'
import { DEFAULT_SETTINGS, formatSettings, parseSettings } from '../../src/settings.ts'

describe('the settings file', () => {
  test('is what formatSettings writes', () => {
    const settings = {
      site: { name: '서울 "1"', production: true, self: 'xen1' },
      terminal: { ascii: true, graph: 'block', motion: false },
      ssh: { config: '/etc/ssh/lab' },
      iso: { directories: '/srv/iso:/mnt' },
      vm: { configurations: '/srv/vms/*.cfg' },
      sanlock: { lockspace: 'pengx', leases: '/srv/leases' },
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

  /** What is set beyond the standard, and what is wrong. */
  const read = (...lines: readonly string[]) => {
    const { settings, problems } = parseSettings(lines.join('\n'))
    const standard = DEFAULT_SETTINGS as unknown as Record<string, Record<string, unknown>>
    const set = Object.entries(settings).flatMap(([section, values]) =>
      Object.entries(values as Record<string, unknown>)
        .filter(([key, value]) => value !== standard[section]![key])
        .map(([key, value]) => [`${section}.${key}`, value]),
    )
    return { set: Object.fromEntries(set), problems }
  }

  test.each<[string, readonly string[], Record<string, unknown>]>([
    ['nothing', [''], {}],
    ['dotted keys', ['site.name = "a"', 'site . production = true'], { 'site.name': 'a', 'site.production': true }],
    [
      'inline tables, over several lines too',
      ['site = { name = "a", self = "b" } # c', 'terminal = {', '  ascii = true, # }', '  graph = "block",', '}'],
      { 'site.name': 'a', 'site.self': 'b', 'terminal.ascii': true, 'terminal.graph': 'block' },
    ],
    [
      'arrays over several lines, with comments, brackets and signs of text in them',
      ['[keys] # all', 'start = [ # ]', '  "s", # "', "  ']', '[x]', '#',", '', '  "=",', ']', 'stop = ["x"]#y'],
      { 'keys.start': ['s', ']', '[x]', '#', '='], 'keys.stop': ['x'] },
    ],
    [
      'text over several lines that looks like settings',
      ['[iso]', 'directories = """', '/a:\\', '[site]', 'name = "x"', '"""', '[site]', "name = '''", "y'''"],
      { 'iso.directories': '/a:[site]\nname = "x"\n', 'site.name': 'y' },
    ],
    ['quoted names', ["['site']", '"name" = "a"', '[ keys ]', '"a.b" = "x"'], { 'site.name': 'a', 'keys.a.b': ['x'] }],
    [
      'quotes and escapes',
      ['[site]', `name = 'C:\\"#' # d`, 'self = "\\u0041#"'],
      { 'site.name': 'C:\\"#', 'site.self': 'A#' },
    ],
    [
      'line ends of another system, a mark at the beginning',
      ['\ufeff[site]\r', 'name = "a"\r', ''],
      { 'site.name': 'a' },
    ],
  ])('may hold %s', (_title, lines, set) => {
    expect(read(...lines)).toEqual({ set, problems: [] })
    // Nor does a slip elsewhere change how they are read.
    expect(read(...lines, 'oh')).toEqual({ set, problems: [expect.stringContaining(`${lines.length + 1}: expected`)] })
  })

  test('a value that is not closed leaves the others in force', () => {
    expect(read('[keys]', 'start = [', '  "s"', 'stop = "x"', '[site]', 'name = "a', 'self = "b"')).toEqual({
      set: { 'keys.stop': ['x'], 'site.self': 'b' },
      problems: ["2: expected ',' or ']' in an array but found end of file", '6: unterminated string'],
    })
    expect(read('[site]', 'name = """', 'x', 'self = "b"')).toEqual({
      set: { 'site.self': 'b' },
      problems: ['2: unterminated string'],
    })
    expect(read('[keys]', 'start = [', '  "s" "t",', '  "u",', ']', 'stop = "x"')).toEqual({
      set: { 'keys.stop': ['x'] },
      problems: ["2: expected ',' or ']' in an array but found '\"'"],
    })
  })

  test('each wrong line is named, also of several that stand together', () => {
    expect(read('[site]', 'foo', 'bar', 'name = yes', 'self = "b"')).toEqual({
      set: { 'site.self': 'b' },
      problems: [
        "2: expected '=' after a key but found end of file",
        "3: expected '=' after a key but found end of file",
        '4: strings must be quoted: "yes"',
      ],
    })
  })

  test('each wrong setting of several in a line is named', () => {
    expect(read('', 'site = { nam = "a", self = 3, name = "b" }', 'terminal.motoin = false')).toEqual({
      set: { 'site.name': 'b' },
      problems: [
        '2: unknown setting "nam"; did you mean name?',
        '2: self: a text in quotes is expected',
        '3: unknown setting "motoin"; did you mean motion?',
      ],
    })
  })

  test('what is given twice counts once', () => {
    expect(read('[site]', 'name = "a"', 'name = "b"', '[keys]', 'start = "s"', '[site]', 'self = "c"')).toEqual({
      set: { 'site.name': 'a', 'keys.start': ['s'] },
      problems: [
        "3: cannot redefine key 'name'",
        "6: cannot redefine table 'site'",
        '7: "self" is not used, because its section is wrong',
      ],
    })
  })

  test('what stands under a wrong header does not get into the section before it', () => {
    const under = read(
      '[site]',
      'self = "a"',
      '[ssh',
      'name = "b"',
      '[[site]]',
      'name = "c"',
      '[site.deep]',
      'name = ""',
    )
    expect(under).toEqual({
      set: { 'site.self': 'a' },
      problems: [
        "3: expected ']' to close a table header but found end of file",
        '4: "name" is not used, because its section is wrong',
        "5: cannot redefine table 'site' as an array of tables",
        '6: "name" is not used, because its section is wrong',
        '7: unknown setting "deep"; there are name, production, self',
        '8: "name" is not used, because its section is wrong',
      ],
    })
  })

  test('a section that is written as something else is named, and a date is no text', () => {
    expect(read('[[site]]', 'name = "c"', '[iso]', 'directories = 1979-05-27').problems).toEqual([
      '1: "site" is a section: [site]',
      '2: "name" is not used, because its section is wrong',
      '4: directories: a text in quotes is expected',
    ])
    expect(read('site = 3', 'day = 1979-05-27').problems).toEqual([
      '1: "site" is a section: [site]',
      expect.stringContaining('2: "day" stands before any section'),
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

describe('a lockspace of sanlock', () => {
  const configured = (section: string) => {
    const home = mkdtempSync(join(tmpdir(), 'pengx-lockspace-'))
    mkdirSync(join(home, '.config/pengx'), { recursive: true })
    writeFileSync(join(home, '.config/pengx/config.toml'), section)
    const site = { destinations: [], readOnly: false, ascii: false }
    const config = readConfig({}, { env: {}, uid: 1000, home })
    return engineConfig(config, site, { watch: 'never', recovers: false }).lockspace
  }

  test('is what the engine builds domains under', () => {
    expect(configured('')).toBeUndefined()
    const section = '[sanlock]\nlockspace = "pengx"\nleases = "/srv/leases/"\n'
    expect(configured(section)).toEqual({ name: 'pengx', leases: '/srv/leases' })
  })

  test.each([
    'lockspace = "pengx"',
    'leases = "/srv/leases"',
    'lockspace = "a:b"\nleases = "/srv/leases"',
    `lockspace = "${'a'.repeat(49)}"\nleases = "/srv/leases"`,
    'lockspace = "pengx"\nleases = "srv"',
    'lockspace = "pengx"\nleases = "/srv/a:b"',
  ])('is never half of one: %s', (lines) => {
    expect(() => configured(`[sanlock]\n${lines}\n`)).toThrow(/^\[sanlock\] of .*config\.toml: (lockspace|leases) = /)
  })
})
