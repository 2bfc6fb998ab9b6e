import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Vm } from '../../src/model/vm.ts'
import { readUntil } from '../support/readUntil.ts'
import { createSite, DB, JOB, type Served, serveSite, WEB } from './site.ts'

/** What happens on the connection itself: odd bytes, callers who leave, many at once, answers that take long. */
let served: Served
beforeAll(async () => {
  served = await serveSite()
})
afterAll(() => served.server.stop())

function open(to: Served = served): Socket {
  return connect(Number(new URL(to.server.url).port), '127.0.0.1')
}

/** Sends bytes as they are and gives everything that comes back until the connection ends or is said to be enough. */
function exchange(
  bytes: string | readonly string[],
  enough: (answer: string) => boolean = () => false,
): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = open()
    const finish = () => {
      socket.destroy()
      resolve(answer)
    }
    socket.on('data', (part) => {
      answer += part
      if (enough(answer)) finish()
    })
    socket.on('close', finish)
    socket.on('error', finish)
    for (const part of typeof bytes === 'string' ? [bytes] : bytes) socket.write(part)
  })
}

const head = (lines: readonly string[]) => `${[...lines, 'Host: 127.0.0.1'].join('\r\n')}\r\n\r\n`
const hasRoot = (answer: string) => answer.includes('</root>')
const BIG = `<vm><desc>${'x'.repeat(2 * 1024 * 1024)}</desc></vm>`

describe('a body that is too long', () => {
  test('by its length: refused before it is sent', async () => {
    const lines = ['POST /vms/ HTTP/1.1', 'Content-Type: application/xml', `Content-Length: ${BIG.length}`]
    const answer = await exchange(head(lines), hasRoot)
    expect(answer).toStartWith('HTTP/1.1 413')
    expect(answer).toContain('a body has at most 1048576 bytes')
  })

  test('in chunks: refused when it has come too far', async () => {
    const lines = ['POST /vms/ HTTP/1.1', 'Content-Type: application/xml', 'Transfer-Encoding: chunked']
    const chunk = 'x'.repeat(64 * 1024)
    const chunks = Array.from({ length: 20 }, () => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
    const answer = await exchange([head(lines), ...chunks], hasRoot)
    expect(answer).toStartWith('HTTP/1.1 413')
    expect(answer).toContain('a body has at most')
  })

  test('one byte less is read, in chunks too', async () => {
    const room = 1024 * 1024 - '<vm><desc></desc></vm>'.length
    const body = `<vm><desc>${'x'.repeat(room)}</desc></vm>`
    const lines = ['POST /vms/ HTTP/1.1', 'Content-Type: application/xml', 'Transfer-Encoding: chunked']
    const answer = await exchange([head(lines), `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`], hasRoot)
    expect(answer).toStartWith('HTTP/1.1 400')
    expect(answer).toContain('name is missing')
  })

  test('the next caller is served', async () => {
    expect((await served.ask('GET', '/vms/')).status).toBe(200)
  })
})

describe('bytes that are no request', () => {
  test.each<[string, string]>([
    ['nonsense', 'hello\r\n\r\n'],
    ['two lengths', head(['POST /vms/ HTTP/1.1', 'Content-Length: 1', 'Content-Length: 5'])],
    ['a length and chunks', head(['POST /vms/ HTTP/1.1', 'Content-Length: 5', 'Transfer-Encoding: chunked'])],
    ['a negative length', head(['POST /vms/ HTTP/1.1', 'Content-Length: -1'])],
    ['a huge header', head(['GET /vms/ HTTP/1.1', `X-A: ${'a'.repeat(200_000)}`])],
  ])('%s: refused, and nothing is started', async (_title, bytes) => {
    const answer = await exchange(bytes, (text) => text.includes('\r\n\r\n'))
    expect(answer === '' || /^HTTP\/1\.1 4\d\d/.test(answer)).toBe(true)
    expect(answer).not.toContain('    at ')
    expect((await served.ask('GET', '/healthz')).status).toBe(200)
    expect(served.engine.started).toEqual([])
  })

  test('a body that ends before its length leaves nothing behind', async () => {
    const lines = ['POST /vms/ HTTP/1.1', 'Content-Type: application/xml', 'Content-Length: 1000']
    await new Promise<void>((resolve) => {
      const socket = open()
      socket.write(`${head(lines)}<vm><name>half</name>`, () => socket.end())
      socket.on('close', () => resolve())
      socket.on('error', () => undefined)
      socket.resume()
    })
    expect((await served.ask('GET', '/healthz')).status).toBe(200)
    expect(served.engine.started).toEqual([])
  })
})

describe('callers who wait and callers who leave', () => {
  /** An operation that ends when the test says so. */
  function hold(own: Served, operation: string): { begun: Promise<void>; release: () => void } {
    const begun = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    own.engine.onRun(operation, async () => {
      begun.resolve()
      await released.promise
      return {}
    })
    return { begun: begun.promise, release: released.resolve }
  }

  test('a caller who hangs up changes nothing for the job', async () => {
    const own = await serveSite()
    const { begun, release } = hold(own, 'vm.shutdown')
    const socket = open(own)
    socket.write(head([`POST /vms/${WEB}/shutdown/ HTTP/1.1`, 'Content-Length: 0']))
    await begun
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.destroy()
    await closed
    release()
    const jobId = own.engine.site.jobs[0]!.id
    const { job } = await own.engine.finished(jobId)
    expect(job.state).toBe('done')
    expect((await own.ask('GET', `/jobs/${jobId}/`)).status).toBe(200)
    await own.server.stop()
  })

  test('others are answered while one waits', async () => {
    const own = await serveSite()
    const { begun, release } = hold(own, 'vm.shutdown')
    const waiting = own.ask('POST', `/vms/${WEB}/shutdown/`)
    await begun
    const others = await Promise.all(Array.from({ length: 100 }, () => own.ask('GET', '/vms/')))
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set([200]))
    release()
    expect((await waiting).status).toBe(200)
    await own.server.stop()
  })

  test('respond-async answers while it is at work', async () => {
    const own = await serveSite()
    const { release } = hold(own, 'vm.shutdown')
    const response = await own.ask('POST', `/vms/${WEB}/shutdown/?format=json`, {
      headers: { Prefer: 'respond-async' },
    })
    const { job } = (await response.json()) as { job: { id: string; state: string } }
    expect([response.status, job.state]).toEqual([202, 'running'])
    expect(response.headers.get('location')).toBe(`/jobs/${job.id}/`)
    release()
    await own.engine.finished(job.id)
    const after = (await (await own.ask('GET', `/jobs/${job.id}?format=json`)).json()) as { job: { state: string } }
    expect(after.job.state).toBe('done')
    await own.server.stop()
  })

  test('an answer may take longer than an idle connection may, over TCP and over a Unix socket', async () => {
    const path = join(tmpdir(), `pengx-wire-${process.pid}.sock`)
    const answered = async (listen: string) => {
      const own = await serveSite(undefined, { idleSeconds: 1, listen })
      own.engine.onRun('vm.shutdown', async () => {
        // Bun looks for idle connections every four seconds.
        await Bun.sleep(6_000)
        return {}
      })
      const [url, way] = listen.startsWith('unix:') ? ['http://localhost', { unix: path }] : [own.server.url, {}]
      const response = await fetch(`${url}/vms/${WEB}/shutdown/`, { method: 'POST', ...way })
      await own.server.stop()
      return response.status
    }
    expect(await Promise.all(['127.0.0.1:0', `unix:${path}`].map(answered))).toEqual([200, 200])
  }, 30_000)

  test('a stop does not wait for a job', async () => {
    const own = await serveSite()
    const { begun, release } = hold(own, 'vm.shutdown')
    const waiting = own.ask('POST', `/vms/${WEB}/shutdown/`).catch(() => undefined)
    await begun
    await own.server.stop()
    await waiting
    await expect(fetch(`${own.server.url}/healthz`)).rejects.toThrow()
    expect(own.engine.site.jobs[0]!.state).toBe('running')
    release()
  })
})

test('three hundred callers at once, reading and changing', async () => {
  const own = await serveSite()
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, index) =>
      index % 3 === 0 ? own.ask('POST', `/vms/${DB}/start/`) : own.ask('GET', index % 3 === 1 ? '/vms/' : '/jobs/'),
    ),
  )
  const started = answers.filter((answer) => answer.headers.has('pengx-job'))
  expect(started.length).toBe(own.engine.started.length)
  expect(new Set(started.map((answer) => answer.headers.get('pengx-job'))).size).toBe(started.length)
  expect(answers.every(({ status }) => status === 200 || status === 400)).toBe(true)
  await own.server.stop()
})

test('ten thousand VMs come from memory, and a change is seen at once', async () => {
  const own = await serveSite()
  const [first] = own.engine.site.vms
  const copies = Array.from({ length: 10_000 }, (_, index): Vm => {
    const uuid = `0b000000-0000-4000-8000-${String(index).padStart(12, '0')}`
    return { ...first!, uuid, name: `vm${index}` }
  })
  own.engine.set({ vms: copies })
  for (const format of ['xml', 'json']) {
    const [one, two] = [await own.ask('GET', `/vms/?format=${format}`), await own.ask('GET', `/vms/?format=${format}`)]
    const text = await one.text()
    expect(text.match(/vm9999\b/g)).toHaveLength(1)
    expect(await two.text()).toBe(text)
  }
  own.engine.set({ vms: copies.map((vm, index) => (index === 9_999 ? { ...vm, name: 'renamed' } : vm)) })
  expect(await (await own.ask('GET', '/vms/')).text()).toContain('<name>renamed</name>')
  await own.server.stop()
})

describe('events', () => {
  test('tell what changes, a job whole', async () => {
    const own = await serveSite()
    const response = await own.ask('GET', '/events/')
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const reader = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>
    expect(await readUntil(reader, 'hello')).toContain('data: {"revision":1}')
    own.engine.set({}, [
      { kind: 'perf', id: WEB },
      { kind: 'backup', id: 'gone' },
      { kind: 'vm', id: WEB },
      { kind: 'vm', id: 'gone' },
    ])
    const text = await readUntil(reader, 'vm')
    expect(text).toContain(`data: {"id":"${WEB}","there":true}`)
    expect(text).toContain('event: vm\ndata: {"id":"gone","there":false}')
    expect(text).toContain('event: backup\ndata: {"id":"gone","there":false}')
    expect(text).not.toContain('perf')
    await own.engine.cancel(JOB)
    expect(await readUntil(reader, 'job')).toContain('"state":"cancelled"')
    await reader.cancel()
    await own.server.stop()
  })

  test('end when the server stops', async () => {
    const own = await serveSite()
    const response = await own.ask('GET', '/events/')
    const reader = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>
    await readUntil(reader, 'hello')
    const stopped = own.server.stop()
    expect((await reader.read()).done).toBe(true)
    await stopped
  })

  test('stop listening when the reader is gone', async () => {
    const engine = createSite()
    let listening = 0
    const left = Promise.withResolvers<void>()
    const subscribe: typeof engine.subscribe = (listener) => {
      const stop = engine.subscribe(listener)
      listening += 1
      return () => {
        stop()
        listening -= 1
        left.resolve()
      }
    }
    const own = await serveSite({ ...engine, subscribe })
    const socket = open(own)
    socket.write(head(['GET /events/ HTTP/1.1']))
    await new Promise((resolve) => socket.once('data', resolve))
    expect(listening).toBe(1)
    socket.destroy()
    await left.promise
    expect(listening).toBe(0)
    await (await own.ask('HEAD', '/events/')).text()
    expect(listening).toBe(0)
    await own.server.stop()
  })
})
