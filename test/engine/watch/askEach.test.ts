import { expect, test } from 'bun:test'
import { markPart } from '../../../src/engine/host/batch.ts'
import type { Command, Host } from '../../../src/engine/host/host.ts'
import { createAsker } from '../../../src/engine/watch/askEach.ts'
import { PengxError } from '../../../src/model/error.ts'
import { createTurnedClock } from '../../support/turnedClock.ts'

/** Places that hang, asked of a host on which a test says which do. */
const PATIENCE_MS = 10_000

function slowHost() {
  const hanging = new Map<string, PromiseWithResolvers<void>>()
  const asked: string[][] = []
  let turn = Promise.resolve()
  let isAway = false
  const host: Host = {
    name: 'xen1',
    async open(command: Command) {
      await turn
      if (isAway) throw new PengxError('unreachable', 'no route to host')
      const places = (command.parts ?? []).map((part) => part.argv[1]!)
      asked.push(places)
      const out = new TransformStream<Uint8Array, Uint8Array>()
      const writer = out.writable.getWriter()
      const exited = (async () => {
        for (const place of places) {
          await hanging.get(place)?.promise
          void writer.write(new TextEncoder().encode(markPart({ exit: 0, stdout: `of ${place}`, stderr: '' }).stdout))
        }
        void writer.close()
        return 0
      })()
      const stderr = new Blob([]).stream()
      return { stdin: new WritableStream(), stdout: out.readable, stderr, exited }
    },
    connect: () => Promise.reject(new Error('nobody connects')),
    close: async () => undefined,
  }
  return {
    host,
    asked,
    hang: (place: string) => void hanging.set(place, Promise.withResolvers()),
    release(place: string) {
      hanging.get(place)?.resolve()
      hanging.delete(place)
    },
    goAway() {
      isAway = true
    },
    /** Its places for commands are taken until then. */
    busyUntil(free: Promise<void>) {
      turn = free
    },
  }
}

const questions = (...places: string[]) =>
  places.map((place) => ({
    place,
    parts: [{ argv: ['look', place] as const, effect: 'read' as const }],
    read: ([output]: readonly { readonly stdout: string }[]) => output!.stdout,
  }))

test('all in one command, in any number', async () => {
  const { host, asked } = slowHost()
  const places = Array.from({ length: 450 }, (_, index) => `/${index}`)
  const answers = await createAsker(createTurnedClock()).ask(host, questions(...places))
  expect([...answers]).toEqual(places.map((place) => [place, `of ${place}`]))
  expect(asked.map((some) => some.length)).toEqual([200, 200, 50])
})

test('one that hangs is left out until it has ended, and then asked again', async () => {
  const clock = createTurnedClock()
  const { host, asked, hang, release } = slowHost()
  const asker = createAsker(clock)
  const ask = async () => {
    const asking = asker.ask(host, questions('/a', '/b', '/c'))
    await clock.advance(PATIENCE_MS)
    return [...(await asking).keys()]
  }
  hang('/b')
  expect(await ask()).toEqual(['/a', '/c'])
  expect(await ask()).toEqual(['/a', '/c'])
  expect(asked).toEqual([['/a', '/b', '/c'], ['/c'], ['/a', '/c']])
  release('/b')
  await clock.advance(0)
  expect(await ask()).toEqual(['/a', '/b', '/c'])
})

test('with two that hang nothing more is asked: they keep places that others need', async () => {
  const clock = createTurnedClock()
  const { host, asked, hang } = slowHost()
  const asker = createAsker(clock)
  for (const place of ['/a', '/b']) hang(place)
  const asking = asker.ask(host, questions('/a', '/b', '/c'))
  await clock.advance(2 * PATIENCE_MS)
  expect((await asking).size).toBe(0)
  expect((await asker.ask(host, questions('/c'))).size).toBe(0)
  expect(asked).toEqual([
    ['/a', '/b', '/c'],
    ['/b', '/c'],
  ])
})

test('who waits for a turn does not hang, and of a host that is away there are no answers', async () => {
  const clock = createTurnedClock()
  const { host, busyUntil, goAway } = slowHost()
  const free = Promise.withResolvers<void>()
  busyUntil(free.promise)
  const asking = createAsker(clock).ask(host, questions('/a'))
  await clock.advance(10 * PATIENCE_MS)
  free.resolve()
  await clock.advance(0)
  expect([...(await asking).keys()]).toEqual(['/a'])
  goAway()
  expect((await createAsker(clock).ask(host, questions('/a'))).size).toBe(0)
})
