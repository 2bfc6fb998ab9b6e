/**
 * Looking as often as is needed and no more: one look at a time, and all that ask while it is under way are answered by
 * the next, which begins after they have asked. `isStrict`: one of them asks for more, which holds for all of them then.
 */
export function sharedLook<T>(look: (isStrict: boolean) => Promise<T>): (isStrict: boolean) => Promise<T> {
  let current: Promise<unknown> = Promise.resolve()
  let next: { isStrict: boolean; readonly answer: Promise<T> } | undefined

  async function afterCurrent(): Promise<T> {
    await current.catch(() => undefined)
    const { isStrict, answer } = next!
    next = undefined
    current = answer
    return await look(isStrict)
  }

  return (isStrict) => {
    next ??= { isStrict, answer: afterCurrent() }
    next.isStrict ||= isStrict
    return next.answer
  }
}
