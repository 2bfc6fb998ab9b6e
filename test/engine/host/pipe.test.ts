import { describe, expect, test } from 'bun:test'
import type { Command, Host } from '../../../src/engine/host/host.ts'
import { limitHost } from '../../../src/engine/host/limited.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { pipe } from '../../../src/engine/host/pipe.ts'

const says = (script: string): Command => ({ argv: ['sh', '-c', script], effect: 'read', bulk: true })
const takes = (script: string): Command => ({ argv: ['sh', '-c', script], effect: 'change', endable: true })
const [here, there] = [openLocalHost('here'), openLocalHost('there')]

async function carried(from: Command, to: Command, signal?: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  await pipe({ host: here, command: from }, { host: there, command: to }, (chunk) => void chunks.push(chunk), signal)
  return Buffer.concat(chunks).toString()
}

describe('a pipe between two hosts', () => {
  test('carries all of it', async () => {
    const text = await carried(says('seq 1 100000'), takes('[ "$(sha256sum)" = "$(seq 1 100000 | sha256sum)" ]'))
    expect(text.trimEnd().split('\n').length).toBe(100_000)
  })

  test('says which end failed, and in its words', async () => {
    await expect(carried(says('echo some; echo broken cable >&2; exit 3'), takes('cat'))).rejects.toMatchObject({
      code: 'commandFailed',
      message: 'sh -c on here exited with 3: broken cable',
    })
    const full = takes('head -c 1000 >&2; echo write error: No space left on device >&2; exit 1')
    await expect(carried(says('head -c 50000000 /dev/zero'), full)).rejects.toMatchObject({
      code: 'noSpace',
      message: expect.stringMatching(/^sh -c on there exited with 1: .*No space left on device$/),
    })
  })

  test('is cancelled at both ends', async () => {
    const stop = new AbortController()
    const pids: number[] = []
    const tell = (host: Host): Host => ({
      ...host,
      async open(command, signal) {
        const process = await host.open(command, signal)
        void process.exited.then(
          () => pids.push(0),
          () => pids.push(1),
        )
        return process
      },
    })
    const work = pipe(
      { host: tell(here), command: says('cat /dev/zero') },
      { host: tell(there), command: takes('cat >/dev/null') },
      () => stop.abort(new Error('enough')),
      stop.signal,
    )
    expect(
      await work.then(
        () => 'done',
        (error) => error.code,
      ),
    ).toBe('cancelled')
    expect(pids).toEqual([1, 1])
  })

  test('ends where nobody listens any more, though who talks says nothing', async () => {
    const work = pipe(
      { host: here, command: says('printf word; sleep 1000') },
      { host: there, command: takes('head -c 4 >/dev/null; exit 3') },
      () => undefined,
    )
    await expect(work).rejects.toMatchObject({ code: 'commandFailed', message: expect.stringContaining('3') })
  })

  test('does not wait for one in the other direction where only one command may run', async () => {
    const limits = { copies: 1, arrivals: 1 }
    const [one, two] = [limitHost(here, limits), limitHost(there, limits)]
    const send = (from: Host, to: Host, bytes = 90_000_000) =>
      pipe(
        { host: from, command: { ...says(`head -c ${bytes} /dev/zero`), queue: 'copies' } },
        { host: to, command: { ...takes('cat'), queue: 'arrivals' } },
        () => undefined,
      )
    // Those that wait for each other never end, which the bound on a test notices.
    await Promise.all([send(one, two), send(two, one), send(one, two), send(two, one)])
    await Promise.all(Array.from({ length: 3 }, () => send(one, one, 9_000_000)))
  })
})
