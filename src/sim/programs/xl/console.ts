import type { Program } from '../../machine/program.ts'
import { readLines } from '../terminal.ts'
import { needDomain, splitOptions } from './words.ts'

/** A guest's console: enough to type at and to leave. */
export const xlConsole: Program = async (call) => {
  const { words } = splitOptions(call.argv, 'tn')
  const domain = needDomain(call, words[0])
  if (typeof domain === 'number') return domain
  const name = domain.name ?? 'guest'
  const prompt = `\r\nDebian GNU/Linux 12 ${name} hvc0\r\n\r\n${name} login: `
  if (domain.phase === 'up') call.out(prompt)
  return await readLines(call, (line) => (line === '' ? prompt : `\r\nPassword: \r\nLogin incorrect\r\n${prompt}`))
}
