/** Small programs that tell of the machine, and one that runs others. */
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

/** `ps -C xl -o pid=,ppid=,sid=,args=`: the xl that builds a domain, and the one that waits for each domain's end. */
export const ps: Program = (call) => {
  const lines = call.pm.domains.flatMap(({ domid, uuid, phase, unfinished, name }) => {
    if (unfinished) return []
    const pid = 10_000 + domid
    const [parent, session] = phase === 'building' ? [900, 900] : [1, pid]
    const ids = [pid, parent, session].map((id) => String(id).padStart(7)).join(' ')
    return [`${ids} /usr/lib/xen-4.17/bin/xl create /etc/xen/${name ?? domid}.cfg uuid="${uuid}"`]
  })
  if (lines.length === 0) return 1
  call.out(`${lines.join('\n')}\n`)
  return 0
}

export const quiet: Program = () => 0
export const no: Program = () => 1

/** flock(1): nobody else holds a lock here; its options and the lock's file, then the program. */
export const flock: Program = (call) => {
  let at = 1
  while (call.argv[at]?.startsWith('-')) at += /^-[wE]$/.test(call.argv[at]!) ? 2 : 1
  const rest = call.argv.slice(at + 1)
  return rest.length === 0 ? 0 : call.run(rest)
}

function say(call: Call, text: string): number {
  call.out(`${text}\n`)
  return 0
}
