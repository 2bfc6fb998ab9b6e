import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const CHILD = resolve(import.meta.dir, 'endingChild.ts')
const directory = mkdtempSync(join(tmpdir(), 'pengx-ending-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function end(how: string, options: { signal?: NodeJS.Signals; log?: string } = {}) {
  const argv = [process.execPath, CHILD, how, ...(options.log ? [options.log] : [])]
  const child = Bun.spawn(argv, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  let out = ''
  const decoder = new TextDecoder()
  for await (const part of child.stdout) {
    out += decoder.decode(part, { stream: true })
    if (options.signal && out === 'ready\n') child.kill(options.signal)
  }
  return { out, err: await new Response(child.stderr).text(), exit: await child.exited }
}

const CLOSED = 'closed last opened\nclosed first opened\n'

describe('the end of a process', () => {
  test('closes in reverse and gives its status', async () => {
    expect(await end('done')).toEqual({ out: CLOSED, err: '', exit: 3 })
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s closes too', async (signal, exit) => {
    expect(await end('waits', { signal })).toEqual({ out: `ready\n${CLOSED}`, err: '', exit })
  })

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('a server that %s asks to end ends well', async (signal) => {
    expect(await end('serves', { signal })).toEqual({ out: `ready\nasked by ${signal}\n${CLOSED}`, err: '', exit: 0 })
  })

  test.each(['throws', 'rejects'])('a defect (%s) gives the terminal back, then one line and the log', async (how) => {
    const log = join(directory, `${how}.log`)
    expect(await end(how, { log })).toEqual({
      out: 'restored\n',
      err: `pengx: internal: a defect; the log has more: ${log}\n`,
      exit: 1,
    })
    expect(JSON.parse(readFileSync(log, 'utf8'))).toMatchObject({
      msg: 'a defect',
      stack: expect.stringContaining('endingChild.ts'),
    })
    expect(statSync(log).mode & 0o777).toBe(0o600)
  })

  test('a log that cannot be written is not named', async () => {
    const { err } = await end('throws', { log: join(directory, 'nowhere/pengx.log') })
    expect(err).toBe('pengx: internal: a defect\n')
  })

  test('what fails while closing is written down and keeps nothing else open', async () => {
    const log = join(directory, 'closing.log')
    expect(await end('fails closing', { log })).toEqual({ out: CLOSED, err: '', exit: 0 })
    expect(readFileSync(log, 'utf8')).toContain('cannot close')
  })
})
