/** Small programs that tell of the machine, and those that run others. */
import type { Call, Program } from '../machine/program.ts'

export const hostname: Program = (call) => say(call, call.pm.name)

export const uname: Program = (call) => {
  const flags = call.argv.slice(1).join('')
  if (flags.includes('a')) return say(call, `Linux ${call.pm.name} 6.1.0-50-amd64 #1 SMP x86_64 GNU/Linux`)
  if (flags.includes('r')) return say(call, '6.1.0-50-amd64')
  if (flags.includes('m')) return say(call, 'x86_64')
  if (flags.includes('n')) return say(call, call.pm.name)
  return say(call, 'Linux')
}

export const date: Program = (call) => {
  const format = call.argv.find((word) => word.startsWith('+')) ?? ''
  const now = new Date(call.now())
  if (format === '') return say(call, now.toUTCString())
  const seconds = Math.floor(now.getTime() / 1000)
  const nanoseconds = String((now.getTime() % 1000) * 1_000_000).padStart(9, '0')
  return say(
    call,
    format
      .slice(1)
      .replaceAll('%s', String(seconds))
      .replaceAll('%N', nanoseconds)
      .replaceAll('%F', now.toISOString().slice(0, 10))
      .replaceAll('%T', now.toISOString().slice(11, 19)),
  )
}

export const sleep: Program = async (call) => {
  await call.pass(Number.parseFloat(call.argv[1] ?? '0') * 1000)
  return 0
}

export const echo: Program = (call) => say(call, call.argv.slice(1).join(' '))

/** printf(1): `%s`, `%d`, `%%` and the escapes; the format is used again for what is left. */
export const printf: Program = (call) => {
  const words = [...call.argv.slice(1)]
  const format = words.shift() ?? ''
  do {
    call.out(
      format.replace(/%%|%[sdbq]|\\(\d{1,3}|x[0-9a-fA-F]{1,2}|.)/g, (found, code?: string) => {
        if (found === '%%') return '%'
        if (code === undefined) return words.shift() ?? (found === '%d' ? '0' : '')
        if (/^\d/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
        if (/^x/.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
        return ({ n: '\n', t: '\t', r: '\r', e: '\x1b', '\\': '\\' } as Record<string, string>)[code] ?? found
      }),
    )
  } while (words.length > 0 && /%[sdbq]/.test(format))
  return 0
}

export const quiet: Program = () => 0
export const no: Program = () => 1

/** No process of ours is ever found again here: what it did is done. */
export const kill: Program = (call) => {
  const target = call.argv.findLast((word) => /^-?\d+$/.test(word)) ?? ''
  call.err(`sh: 1: kill: No such process\n`)
  return target === '' ? 2 : 1
}

/** `nice`, `ionice`, `setsid`, `nohup`, `timeout`, `env`, `flock`: their options, then the program. */
export function wrapper(optionsWithValue: string, leadingWords: number): Program {
  return (call) => {
    let at = 1
    let skipped = 0
    for (; at < call.argv.length; at++) {
      const word = call.argv[at]!
      if (word === '--') {
        at++
        break
      }
      if (word.startsWith('-') && !/^-\d/.test(word)) {
        if (word.length === 2 && optionsWithValue.includes(word[1]!)) at++
      } else if (word.startsWith('-')) continue
      else if (/^[A-Za-z_]\w*=/.test(word) && call.argv[0]!.endsWith('env')) continue
      else if (skipped < leadingWords) skipped++
      else break
    }
    const rest = call.argv.slice(at)
    return rest.length === 0 ? 0 : call.run(rest)
  }
}

function say(call: Call, text: string): number {
  call.out(`${text}\n`)
  return 0
}
