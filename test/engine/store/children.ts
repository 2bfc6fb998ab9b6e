import { join } from 'node:path'

export function startChild(act: string, path: string, times: number | string = 1) {
  return Bun.spawn([process.execPath, join(import.meta.dir, 'storeChild.ts'), act, path, String(times)], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  })
}

/** Reads what a child says until it has said `word`, or to its end. */
export async function hear(child: ReturnType<typeof startChild>, word?: string): Promise<string[]> {
  let text = ''
  const reader = child.stdout.getReader()
  const decoder = new TextDecoder()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
    if (word !== undefined && text.includes(`${word}\n`)) break
  }
  reader.releaseLock()
  // A killed child's last line may be half said.
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
}
