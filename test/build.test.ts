import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** The build of the executable, done as `npm run build` does it. */
const root = resolve(import.meta.dir, '..')
const directory = mkdtempSync(join(tmpdir(), 'pengx-build-'))
const first = join(directory, 'one/pengx')
const second = join(directory, 'two/pengx')

async function build(outfile: string, ...words: string[]) {
  const child = Bun.spawn([process.execPath, 'build.ts', '--outfile', outfile, ...words], {
    cwd: root,
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [said, exit] = await Promise.all([new Response(child.stderr).text(), child.exited])
  return { said, exit }
}

const digest = async (path: string) =>
  new Bun.CryptoHasher('sha256').update(await Bun.file(path).arrayBuffer()).digest('hex')

beforeAll(async () => {
  expect(await build(first)).toEqual({ said: '', exit: 0 })
  expect(await build(second)).toEqual({ said: '', exit: 0 })
}, 60_000)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('the same sources give the same bytes, wherever they are put', async () => {
  expect(await digest(second)).toBe(await digest(first))
})

test('a build leaves one file', () => {
  expect(readdirSync(join(directory, 'one'))).toEqual(['pengx'])
})

test('no part of the machine that built it is in it', async () => {
  const text = Buffer.from(await Bun.file(first).arrayBuffer())
  expect(text.includes('react-devtools-core is left out')).toBe(false)
  expect(text.includes(`${root}/src/`)).toBe(false)
  expect(text.includes('cpu-features is left out of the executable')).toBe(true)
})

test('what cannot be built leaves nothing old behind', async () => {
  const { exit } = await build(second, '--target', 'bun-nowhere-x64')
  expect(exit).not.toBe(0)
  expect(readdirSync(join(directory, 'two'))).toEqual([])
})
