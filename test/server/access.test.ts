import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRateLimiter } from '../../src/server/rateLimit.ts'
import { ROWS } from '../../src/server/routes/routes.ts'
import { startServer } from '../../src/server/serve.ts'
import { readOrCreateToken } from '../../src/server/token.ts'
import { createSite, type Served, serveSite, WEB } from './site.ts'

/** Who may ask, and where. */
const folder = mkdtempSync(join(tmpdir(), 'pengx-access-'))
const tokenFile = join(folder, 'token')
const quiet = { info: () => undefined, error: () => undefined }
afterAll(() => rmSync(folder, { recursive: true }))

describe('with a token', () => {
  let served: Served
  let token: string
  beforeAll(async () => {
    served = await serveSite(undefined, { noAuth: false, tokenFile })
    token = readFileSync(tokenFile, 'utf8').trim()
  })
  afterAll(() => served.server.stop())

  const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

  test('every row but /healthz asks for it', async () => {
    for (const row of ROWS) {
      const response = await served.ask(row.method, row.path.replace(/:\w+/g, WEB))
      expect(`${row.method} ${row.path} ${response.status}`).toBe(
        `${row.method} ${row.path} ${row.path === '/healthz' ? 200 : 401}`,
      )
      await response.body?.cancel()
    }
    const unknown = await served.ask('GET', '/nothing/')
    expect([unknown.status, unknown.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('Bearer')])
    expect(served.engine.started).toEqual([])
  })

  test('the right one is let in, any other is not', async () => {
    const ask = async (authorization: string) => {
      const response = await served.ask('GET', '/vms/', { headers: { Authorization: authorization } })
      return response.status
    }
    for (const right of [`Bearer ${token}`, `bearer ${token}`, basic(`anybody:${token}`), basic(`:${token}`)]) {
      expect(await ask(right)).toBe(200)
    }
    const wrong = [
      'Bearer',
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Bearer ${token} x`,
      token,
      `Token ${token}`,
    ]
    for (const other of [
      ...wrong,
      basic(token),
      basic(`${token}:`),
      'Basic %%%',
      'Bearer undefined',
      `Bearer ${token.toLowerCase()}`,
    ]) {
      expect(`${other} ${await ask(other)}`).toBe(`${other} 401`)
    }
  })

  test('the answer never holds it', async () => {
    const response = await served.ask('GET', '/nothing/', { headers: { Authorization: `Bearer ${token}` } })
    expect(await response.text()).not.toContain(token)
  })
})

describe('the token’s file', () => {
  test('is made once, whole, and for its owner alone', async () => {
    const path = join(folder, 'deep', 'er', 'token')
    const tokens = await Promise.all(Array.from({ length: 8 }, () => readOrCreateToken(path)))
    expect(new Set(tokens).size).toBe(1)
    expect(tokens[0]).toMatch(/^\w{40}$/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'deep')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(path, '..'))).toEqual(['token'])
    expect(await readOrCreateToken(path)).toBe(tokens[0]!)
  })

  test.each<[string, string, number, string]>([
    ['that others can read', 'a-token-of-enough-length', 0o644, 'chmod 600'],
    ['that is empty', '', 0o600, 'has no token'],
    ['that is too short', 'secret', 0o600, 'has no token'],
    ['of several words', 'one two three four five six', 0o600, 'has no token'],
  ])('one %s is refused', async (title, text, mode, message) => {
    const path = join(folder, title.replaceAll(' ', '-'))
    writeFileSync(path, text)
    chmodSync(path, mode)
    await expect(readOrCreateToken(path)).rejects.toThrow(message)
    expect(readFileSync(path, 'utf8')).toBe(text)
  })
})

describe('where without a token', () => {
  test.each(['0.0.0.0:0', '[::]:0', '192.0.2.1:8080', 'example.org:80', '127.evil.example:80'])(
    'not on %s',
    async (listen) => {
      await expect(startServer(createSite(), { listen, noAuth: true, log: quiet })).rejects.toThrow(
        'would let everybody in',
      )
    },
  )

  test.each(['127.0.0.1:0', 'localhost:0', '0', ':0'])('on %s', async (listen) => {
    const server = await startServer(createSite(), { listen, noAuth: true, log: quiet })
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    await server.stop()
  })

  test.each(['', 'x', '127.0.0.1', '127.0.0.1:65536', 'a:b:1', 'unix:', `unix:/${'a'.repeat(200)}`])(
    '%p is no place',
    async (listen) => {
      await expect(startServer(createSite(), { listen, noAuth: true, log: quiet })).rejects.toThrow('cannot listen on')
    },
  )

  test('a port that is taken says so', async () => {
    const { server } = await serveSite()
    const listen = server.url.slice('http://'.length)
    await expect(startServer(createSite(), { listen, noAuth: true, log: quiet })).rejects.toThrow(
      `cannot listen on ${listen}`,
    )
    await server.stop()
  })
})

describe('a page in a browser cannot drive it', () => {
  let served: Served
  let host: string
  beforeAll(async () => {
    served = await serveSite()
    host = served.server.url.slice('http://'.length)
  })
  afterAll(() => served.server.stop())

  test.each<[string, Record<string, string>]>([
    ['of another site', { Origin: 'https://evil.example' }],
    ['of a file', { Origin: 'null' }],
    ['on another port', { Origin: 'http://127.0.0.1:1' }],
    ['that hides where it is from', { 'Sec-Fetch-Site': 'cross-site' }],
    ['under a name of its own (DNS rebinding)', { Host: 'evil.example' }],
    ['under a name that looks like ours', { Host: '127.0.0.1.evil.example' }],
  ])('%s', async (_title, headers) => {
    const response = await served.ask('POST', `/vms/${WEB}/poweroff/`, { headers })
    expect(response.status).toBe(403)
    expect(served.engine.started).toEqual([])
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  test('its own page may', async () => {
    const port = host.split(':')[1]
    for (const name of [host, `localhost:${port}`, `[::1]:${port}`]) {
      const response = await served.ask('GET', '/vms/', { headers: { Host: name, Origin: `http://${name}` } })
      expect(response.status).toBe(200)
    }
  })
})

describe('a Unix socket', () => {
  const path = join(folder, 'pengx.sock')
  const ask = (to = path) => fetch('http://localhost/pms/all/', { unix: to })
  const listen = `unix:${path}`

  test('is its owner’s, and gone at the end', async () => {
    const server = await startServer(createSite(), { listen, noAuth: true, log: quiet })
    expect(server.url).toBe(listen)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect((await ask()).status).toBe(200)
    await expect(startServer(createSite(), { listen, noAuth: true, log: quiet })).rejects.toThrow(
      'somebody is listening',
    )
    expect((await ask()).status).toBe(200)
    await server.stop()
    expect(existsSync(path)).toBe(false)
  })

  test('that is stale is replaced, and a file is not', async () => {
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    await Bun.spawn([process.execPath, '-e', script]).exited
    expect(statSync(path).isSocket()).toBe(true)
    const server = await startServer(createSite(), { listen, noAuth: true, log: quiet })
    expect((await ask()).status).toBe(200)
    await server.stop()
    writeFileSync(path, 'precious')
    await expect(startServer(createSite(), { listen, noAuth: true, log: quiet })).rejects.toThrow('is no socket')
    expect(readFileSync(path, 'utf8')).toBe('precious')
    rmSync(path)
  })

  test('of somebody else who answers stays', async () => {
    const other = createServer((socket) => socket.end())
    await new Promise<void>((resolve) => other.listen(path, resolve))
    await expect(startServer(createSite(), { listen, noAuth: true, log: quiet })).rejects.toThrow(
      'somebody is listening',
    )
    expect(existsSync(path)).toBe(true)
    await new Promise((resolve) => other.close(resolve))
  })
})

describe('one client cannot starve the others', () => {
  test('its bucket empties and fills again', () => {
    let now = 0
    const mayAsk = createRateLimiter({ perSecond: 2, burst: 3 }, () => now)
    expect([1, 2, 3, 4].map(() => mayAsk('a'))).toEqual([true, true, true, false])
    expect(mayAsk('b')).toBe(true)
    now = 500
    expect([mayAsk('a'), mayAsk('a')]).toEqual([true, false])
    now = 1_000_000
    expect([1, 2, 3, 4].map(() => mayAsk('a'))).toEqual([true, true, true, false])
  })

  test('429 with Retry-After', async () => {
    const served = await serveSite(undefined, { rate: { perSecond: 0, burst: 2 } })
    const answers = []
    for (let index = 0; index < 3; index += 1) answers.push(await served.ask('GET', '/healthz'))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(answers[2]!.headers.get('retry-after')).toBe('10')
    await served.server.stop()
  })
})
