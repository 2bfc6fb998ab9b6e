import { describe, expect, test } from 'bun:test'
import { parseCommandLine } from '../../src/args.ts'

const parse = (line: string) => parseCommandLine(line === '' ? [] : line.split(' '))
const refusal = (line: string) => {
  try {
    parse(line)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error(`"${line}" was taken`)
}

describe('a command line', () => {
  test('without a word is the terminal interface', () => {
    expect(parse('')).toEqual({
      subcommand: { kind: 'terminal' },
      site: { destinations: [], readOnly: false, ascii: false },
    })
  })

  test('takes PMs', () => {
    expect(parse('root@xen1 root@xen2:2222').site.destinations).toEqual(['root@xen1', 'root@xen2:2222'])
    expect(parse('xen1.example').site.destinations).toEqual(['xen1.example'])
  })

  test('takes PMs before and after a command', () => {
    expect(parse('vms root@xen1').site.destinations).toEqual(['root@xen1'])
    expect(parse('root@xen1 vms --json')).toMatchObject({
      subcommand: { kind: 'list', list: 'vms', json: true },
      site: { destinations: ['root@xen1'] },
    })
  })

  test('takes --demo with and without a number', () => {
    expect(parse('--demo').site.demo).toEqual({})
    expect(parse('--demo=100').site.demo).toEqual({ vmCount: 100 })
    expect(parse('--demo vms').subcommand).toEqual({ kind: 'list', list: 'vms', json: false })
  })

  test('lists what one VM has, whatever its name looks like', () => {
    expect(parse('disks web01 --json').subcommand).toEqual({ kind: 'list', list: 'disks', json: true, of: 'web01' })
    expect(parse('root@xen1 nics odd@name root@xen2')).toMatchObject({
      subcommand: { kind: 'list', list: 'nics', of: 'odd@name' },
      site: { destinations: ['root@xen1', 'root@xen2'] },
    })
    expect(refusal('disks')).toContain('disks needs a VM')
    expect(refusal('nics web01 web02')).toContain('web02')
  })

  test('compares all or what is named, and collects garbage only where that is said', () => {
    expect(parse('verify').subcommand).toEqual({ kind: 'verify', json: false, deep: false, targets: [] })
    expect(parse('root@xen1 verify web01 IMAGE_CORRUPT --deep --json')).toMatchObject({
      subcommand: { kind: 'verify', json: true, deep: true, targets: ['web01', 'IMAGE_CORRUPT'] },
      site: { destinations: ['root@xen1'] },
    })
    expect(parse('gc').subcommand).toEqual({ kind: 'gc', yes: false, json: false })
    expect(parse('gc --dry-run --storlink data').subcommand).toMatchObject({ yes: false, storlink: 'data' })
    expect(parse('gc --yes').subcommand).toMatchObject({ yes: true })
  })

  test('words in place of frames are for the terminal interface', () => {
    expect(parse('--demo --screen-reader').site.screenReader).toBe(true)
    expect(refusal('vms --screen-reader')).toContain('the terminal interface')
  })

  test('serves where it is told', () => {
    expect(parse('--serve').subcommand).toMatchObject({ listen: '127.0.0.1:8000', auth: true })
    expect(parse('--serve --listen unix:/run/x --no-auth --token-file /t').subcommand).toEqual({
      kind: 'serve',
      listen: 'unix:/run/x',
      auth: false,
      tokenFile: '/t',
    })
  })

  test('import and export are words for operations that take more than one', () => {
    expect(parse('import /a.qcow2 /b.raw --storlink data --plan').subcommand).toEqual({
      kind: 'run',
      operation: 'vm.import',
      words: ['/a.qcow2', '/b.raw', '--storlink', 'data'],
      further: 'disks',
      yes: false,
      json: false,
      plan: true,
      help: false,
    })
    expect(parse('root@xen1 export web01 /srv/out --json')).toMatchObject({
      subcommand: { kind: 'run', operation: 'vm.export', words: ['web01', '/srv/out'], further: 'to', json: true },
      site: { destinations: ['root@xen1'] },
    })
  })

  test('keeps the words of an operation as they are and takes out its own flags', () => {
    const { subcommand, site } = parse('run vm.create web9 --memory 512 --yes --db /f --copy-image --json')
    expect(subcommand).toEqual({
      kind: 'run',
      operation: 'vm.create',
      words: ['web9', '--memory', '512', '--copy-image'],
      yes: true,
      json: true,
      plan: false,
      help: false,
    })
    expect(site.dbPath).toBe('/f')
  })

  test('leaves --read-only after an operation to the operation, before it to the site', () => {
    expect(parse('run pm.add root@x --read-only')).toMatchObject({
      subcommand: { words: ['root@x', '--read-only'] },
      site: { readOnly: false },
    })
    expect(parse('--read-only run pm.add root@x').site.readOnly).toBe(true)
  })
})

describe('what is wrong is named', () => {
  test.each([
    ['--jsn vms', 'unknown flag --jsn; did you mean --json?'],
    ['--zzzzzz', 'unknown flag --zzzzzz'],
    ['vsm', 'unknown command "vsm"; did you mean vms? (a host of that name is written root@vsm)'],
    ['vms web01', 'vms takes no further word but hosts written user@host, got "web01"'],
    ['xen1 vms', '"vms" is a command, so only hosts written user@host or host:port stand before it'],
    ['--listen 1:2 vms', '--listen goes with --serve'],
    ['vms --yes', '--yes goes with gc or run'],
    ['vms --deep', '--deep goes with verify'],
    ['verify --storlink data', '--storlink goes with gc'],
    ['gc --dry-run --yes', '--dry-run takes nothing away, so --yes cannot stand beside it'],
    ['gc data', 'gc takes no further word but hosts written user@host, got "data"'],
    ['--serve vms', '--serve runs the API server, so the command vms cannot stand beside it'],
    ['--demo=x', '--demo=x: the number of VMs is a whole number from 1 to 100000'],
    ['--demo root@xen1', '--demo shows a simulated site and reaches no machine, so root@xen1 cannot stand beside it'],
    ['--demo --db /f', '--demo keeps its store in memory, so --db cannot stand beside it'],
    ['--db', '--db needs a value'],
    ['--db --json vms', '--db needs a value, got the flag --json'],
    ['--serve=1', '--serve takes no value, got "1"'],
    ['run vm.start web01 --json=1', '--json takes no value, got "1"'],
    ['/etc/passwd', '"/etc/passwd" is neither a command nor a host; a host is written [user@]host[:port]'],
    ['completion tcsh', 'completion is for one of bash, zsh, fish'],
  ])('%s', (line, message) => {
    expect(refusal(line)).toBe(message)
  })
})
