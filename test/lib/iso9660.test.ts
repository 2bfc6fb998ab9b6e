import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type IsoFile, writeIso } from '../../src/lib/iso9660.ts'

/** Read back by programs that others wrote: isoinfo reads both trees, blkid says what a udev of a guest would. */
const dir = mkdtempSync(join(tmpdir(), 'pengx-iso-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const AT = Date.UTC(2026, 10, 23, 9, 8, 7)
const FILES: readonly IsoFile[] = [
  { name: 'user-data', content: new TextEncoder().encode('#cloud-config\n{}\n') },
  { name: 'meta-data', content: new Uint8Array() },
  { name: 'network-config', content: new Uint8Array(5_000).map((_, index) => (index * 7) % 251) },
]

async function run(...argv: [string, ...string[]]): Promise<Uint8Array> {
  const child = Bun.spawn(argv, { stdout: 'pipe', stderr: 'pipe' })
  const [out, err, exit] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (exit !== 0) throw new Error(`${argv.join(' ')} exited with ${exit}: ${err}`)
  return out
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

async function written(files = FILES): Promise<string> {
  const path = join(dir, `${crypto.randomUUID()}.iso`)
  await Bun.write(path, writeIso('cidata', files, AT))
  return path
}

test('every file is read back whole, by its own name and by its plain one', async () => {
  const path = await written()
  const names = text(await run('isoinfo', '-f', '-J', '-i', path))
    .trim()
    .split('\n')
  expect(names.sort()).toEqual(['/meta-data', '/network-config', '/user-data'])
  expect(
    text(await run('isoinfo', '-f', '-i', path))
      .trim()
      .split('\n')
      .sort(),
  ).toEqual(['/META_DATA.;1', '/NETWORK_CONFIG.;1', '/USER_DATA.;1'])
  for (const { name, content } of FILES) {
    expect(await run('isoinfo', '-J', '-x', `/${name}`, '-i', path)).toEqual(content)
  }
  expect(await run('isoinfo', '-x', '/NETWORK_CONFIG.;1', '-i', path)).toEqual(FILES[2]!.content)
})

test('it is known by its label, in both trees', async () => {
  const path = await written()
  expect(text(await run('blkid', '-p', '-o', 'value', '-s', 'TYPE', '-s', 'LABEL', path))).toBe('cidata\niso9660\n')
  const said = text(await run('isoinfo', '-d', '-i', path))
  expect(said).toContain('Volume id: cidata')
  expect(said).toContain('Joliet with UCS level 3 found')
  expect(said).toContain('Volume size is: 29')
  expect(text(await run('isoinfo', '-l', '-J', '-i', path))).toContain('Nov 23 2026')
})

test('the same files at the same time are the same bytes; too many files are refused', () => {
  expect(writeIso('cidata', FILES, AT)).toEqual(writeIso('cidata', FILES, AT))
  expect(writeIso('cidata', FILES, AT).length % 2048).toBe(0)
  const many = Array.from({ length: 100 }, (_, index) => ({ name: `file-${index}`, content: new Uint8Array(1) }))
  expect(() => writeIso('cidata', many, AT)).toThrow('too many')
})
