import { describe, expect, test } from 'bun:test'
import { createTurns } from '../../src/lib/turns.ts'

async function quiet(): Promise<void> {
  for (let tick = 0; tick < 100; tick++) await null
}

/** An event loop of which the test turns every round, and a time of its own. */
function createLoop() {
  let due: (() => void)[] = []
  let ends: (() => void)[] = []
  let at = 0
  const turns = createTurns({
    longestMs: 3,
    now: () => at,
    nextRound: (go) => void due.push(go),
    roundOver: (go) => void ends.push(go),
  })
  const log: string[] = []
  return {
    turns,
    log,
    /** Takes turns for pieces of `ms` each. */
    async work(name: string, pieces: number, ms: number, awaited?: 'awaited') {
      for (let piece = 0; piece < pieces; piece++) {
        await turns.take(awaited)
        at += ms
        log.push(name)
      }
      log.push(`${name} done`)
    },
    /** What was done in this round; then the next one begins. */
    async round() {
      await quiet()
      const said = log.splice(0).join(' ')
      const [now, over] = [due, ends]
      due = []
      ends = []
      for (const end of over) end()
      for (const go of now) {
        go()
        await quiet()
      }
      return said
    },
    get isIdle() {
      return due.length === 0
    },
  }
}

describe('turns', () => {
  test('what is short goes on at once', async () => {
    const { turns } = createLoop()
    expect(turns.take()).toBeUndefined()
    await quiet()
    expect(turns.take()).toBeUndefined()
  })

  test('long work ends the round, and each round gives it a slice again', async () => {
    const loop = createLoop()
    void loop.work('a', 7, 2)
    expect(await loop.round()).toBe('a a')
    expect(await loop.round()).toBe('a a')
    expect(await loop.round()).toBe('a a')
    expect(await loop.round()).toBe('a a done')
    expect(loop.isIdle).toBe(true)
  })

  test('hundreds that work at once share one slice of a round, in the order in which they asked', async () => {
    const loop = createLoop()
    for (let index = 0; index < 200; index++) void loop.work(String(index), 1, 2)
    const rounds: string[] = []
    for (;;) {
      const said = await loop.round()
      if (said === '') break
      rounds.push(said.replace(/ ?\d+ done/g, ''))
    }
    expect(rounds.every((said) => said.split(' ').length <= 2)).toBe(true)
    expect(rounds.join(' ').split(' ').map(Number)).toEqual(Array.from({ length: 200 }, (_, index) => index))
  })

  test('a piece longer than a round leaves the next one to others', async () => {
    const loop = createLoop()
    void loop.work('long', 2, 50)
    void loop.work('short', 2, 1)
    expect(await loop.round()).toBe('long')
    expect(await loop.round()).toBe('short long long done')
    expect(await loop.round()).toBe('short short done')
  })

  test('what somebody waits for comes before what nobody does, and not at once either', async () => {
    const loop = createLoop()
    for (const name of ['a', 'b', 'c']) void loop.work(name, 1, 5)
    void loop.work('answer', 2, 2, 'awaited')
    expect(await loop.round()).toBe('a a done')
    expect(await loop.round()).toBe('answer answer answer done')
    expect(await loop.round()).toBe('b b done')
    expect(await loop.round()).toBe('c c done')
  })
})
