/** Reads server-sent events until one of a kind has come, and gives all of them. */
export async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, kind: string): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  while (!new RegExp(`event: ${kind}\ndata: .*\n\n`).test(text)) {
    const { value, done } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
  }
  return text
}
