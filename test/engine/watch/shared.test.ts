import { describe, expect, test } from 'bun:test'
import { sharedLook } from '../../../src/engine/watch/shared.ts'

/** A look that ends when the test says so, and what each was asked for. */
function createLooks() {
  const begun: { isStrict: boolean; end: PromiseWithResolvers<string> }[] = []
  const look = sharedLook((isStrict) => {
    const end = Promise.withResolvers<string>()
    begun.push({ isStrict, end })
    return end.promise
  })
  return { begun, look }
}

async function quiet(): Promise<void> {
  for (let tick = 0; tick < 20; tick++) await null
}

describe('looks that many ask for', () => {
  test('200 at once are one look, and those that come meanwhile one more', async () => {
    const { begun, look } = createLooks()
    const first = Array.from({ length: 200 }, () => look(false))
    await quiet()
    expect(begun).toHaveLength(1)
    const second = Array.from({ length: 200 }, () => look(false))
    await quiet()
    expect(begun).toHaveLength(1)
    begun[0]!.end.resolve('one')
    expect(new Set(await Promise.all(first))).toEqual(new Set(['one']))
    await quiet()
    expect(begun).toHaveLength(2)
    begun[1]!.end.resolve('two')
    expect(new Set(await Promise.all(second))).toEqual(new Set(['two']))
  })

  test('none is answered by a look that had begun before it asked', async () => {
    const { begun, look } = createLooks()
    void look(false)
    await quiet()
    const late = look(false)
    begun[0]!.end.resolve('before')
    await quiet()
    begun[1]!.end.resolve('after')
    expect(await late).toBe('after')
  })

  test('one that fails fails for those who asked for it, and not for the next', async () => {
    const { begun, look } = createLooks()
    const failing = look(false).catch((error: Error) => error.message)
    await quiet()
    const next = look(false)
    begun[0]!.end.reject(new Error('no route to host'))
    expect(await failing).toBe('no route to host')
    await quiet()
    begun[1]!.end.resolve('there')
    expect(await next).toBe('there')
  })

  test('what one of them needs to know for sure, all get for sure', async () => {
    const { begun, look } = createLooks()
    void look(false)
    await quiet()
    void look(false)
    void look(true)
    void look(false)
    begun[0]!.end.resolve('')
    await quiet()
    expect(begun.map(({ isStrict }) => isStrict)).toEqual([false, true])
  })
})
