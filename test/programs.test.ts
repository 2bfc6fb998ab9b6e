import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { leftOut, missingFor, PROGRAMS, packagesOf, programsOf } from './support/programs/programs.ts'
import { openShelf } from './support/programs/shelf.ts'

/** A test that starts a program which no table names must fail everywhere, also where the program happens to be. */
const dir = mkdtempSync(join(tmpdir(), 'pengx-shelf-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('what tests may start is there, and nothing else', () => {
  const shelf = openShelf('tests', join(dir, 'shelf'))
  if (shelf === undefined) return expect(Bun.which('dpkg-query')).toBeNull()
  const find = (program: string) => Bun.which(program, { PATH: shelf })
  for (const program of ['sh', 'cat', 'awk', 'mount', 'setpriv']) expect([program, find(program)]).not.toContain(null)
  const missing = missingFor('tests')
  for (const program of programsOf('tests'))
    expect([program, find(program) === null]).toEqual([program, missing.includes(program)])
  // These are on many machines, and on this one too while the tests run; no test needs them.
  const others = ['node', 'npm', 'git', 'python3', 'gcc', 'dpkg-buildpackage', 'mmdebstrap', 'cpio']
  expect(others.filter((program) => find(program) !== null)).toEqual([])
})

test('a shelf is made anew', async () => {
  const place = join(dir, 'again')
  openShelf('tests', place)
  await Bun.write(join(place, 'left'), '')
  const isMade = openShelf('tests', place) !== undefined
  expect([isMade, await Bun.file(join(place, 'left')).exists()]).toEqual([Bun.which('dpkg-query') !== null, !isMade])
})

test('each program is brought by one package, named once', () => {
  expect(packagesOf(['ssh', 'ssh-keygen', 'isoinfo'])).toEqual(['openssh-client', 'genisoimage'])
  for (const { package: name, users } of Object.values(PROGRAMS)) {
    expect(name).toMatch(/^[a-z0-9][a-z0-9.+-]+$/)
    expect(users.length).toBeGreaterThan(0)
  }
})

test('a test file is left out for what it or its imports lack, and for nothing else', () => {
  const file = (path: string, text: string, ...targets: string[]) => {
    return { path, text, imports: targets.map((target) => ({ target })) }
  }
  const server = file('test/support/server.ts', "spawn(['sshd'])", 'test/a.test.ts')
  const direct = file('test/a.test.ts', "run('isoinfo')")
  const far = file('test/b.test.ts', '', 'test/support/between.ts')
  const between = file('test/support/between.ts', '', 'test/support/server.ts', 'src/lib/ids.ts')
  const free = file('test/c.test.ts', "'sshdish'")
  const all = [server, direct, far, between, free]
  const tests = [direct, far, free]
  expect(leftOut(tests, all, ['isoinfo'])).toEqual([
    { path: 'test/a.test.ts', program: 'isoinfo' },
    { path: 'test/b.test.ts', program: 'isoinfo' },
  ])
  expect(leftOut(tests, all, ['sshd'])).toEqual([{ path: 'test/b.test.ts', program: 'sshd' }])
  expect(leftOut(tests, all, [])).toEqual([])
})
