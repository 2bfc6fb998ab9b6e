/** Waits for a state, not a clock: resolves when `look` gives something true. */
export async function until<T>(look: () => T | Promise<T>, what = 'the state waited for'): Promise<T> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const found = await look()
    if (found) return found
    if (performance.now() > deadline) throw new Error(`${what} did not come about`)
    await Bun.sleep(10)
  }
}
