import type { Call, Program } from '../machine/program.ts'

const LEAVE = '\x1d'

/** `sh` with a terminal: prints a prompt, echoes, knows `exit`. */
export const loginShell: Program = async (call) => {
  const prompt = `root@${call.pm.name}:~# `
  call.out(prompt)
  return await readLines(call, (line) => {
    const words = line.trim().split(/\s+/)
    if (words[0] === 'exit' || words[0] === 'logout') return undefined
    const answer =
      words[0] === '' ? '' : words[0] === 'hostname' ? `${call.pm.name}\r\n` : `sh: 1: ${words[0]}: not found\r\n`
    return `\r\n${answer}${prompt}`
  })
}

/** Echoes what is typed and answers each line, until ctrl-], the end of input, or an answer that ends it. */
export async function readLines(call: Call, answer: (line: string) => string | undefined): Promise<number> {
  let line = ''
  for (;;) {
    const typed = await call.read()
    if (typed === undefined) return 0
    for (const key of typed) {
      if (key === LEAVE || (key === '\x04' && line === '')) return 0
      if (key === '\r' || key === '\n') {
        const words = answer(line)
        if (words === undefined) {
          call.out('\r\n')
          return 0
        }
        call.out(words)
        line = ''
      } else if (key === '\x7f' || key === '\b') {
        if (line !== '') call.out('\b \b')
        line = line.slice(0, -1)
      } else if (key >= ' ') {
        line += key
        call.out(key)
      }
    }
  }
}
