// Guests' consoles, read from the log that xenconsoled keeps in dom0, and typed at through their terminal. What a lab
// guest says there stands at the top of guest/init.sh.
import { type LabHost, sh, sshArgv } from './ssh.ts'

const consoleLog = (guest: string): string => `/var/log/xen/console/guest-${guest}.log`

/**
 * How much guests of that name have said until now; waits can begin there. A log goes on from one guest to the next of its
 * name, whichever suite had it: who waits for `READY` of a name that another uses takes a mark first.
 */
export async function consoleMark(host: LabHost, guest: string): Promise<number> {
  return Number(await sh(host, `stat -c %s ${consoleLog(guest)} 2>/dev/null || echo 0`))
}

/** All that the guest has said from a mark on, as it said it: with a carriage return at the end of each line. */
export async function consoleText(host: LabHost, guest: string, mark = 0): Promise<string> {
  return await sh(host, `tail -c +${mark + 1} ${consoleLog(guest)} 2>/dev/null || :`)
}

export interface Wait {
  readonly mark?: number
  readonly timeoutMs?: number
}

/** Follows a guest's console until a line matches, and gives that match. */
export async function waitConsole(
  host: LabHost,
  guest: string,
  line: RegExp,
  wait: Wait = {},
): Promise<RegExpExecArray> {
  const { mark = 0, timeoutMs = 180_000 } = wait
  const script = `tail -c +${mark + 1} -F ${consoleLog(guest)} 2>/dev/null`
  const child = Bun.spawn(sshArgv(host, script), { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' })
  const timer = setTimeout(() => child.kill(), timeoutMs)
  const decoder = new TextDecoder()
  const tail: string[] = []
  let rest = ''
  try {
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).replaceAll('\r', '').split('\n')
      rest = lines.pop()!
      for (const text of lines) {
        const match = line.exec(text)
        if (match) return match
        tail.push(text)
      }
    }
  } finally {
    clearTimeout(timer)
    child.kill()
  }
  const said = [...tail, rest].slice(-15).join('\n')
  throw new Error(`${guest} on ${host.name} did not say ${line} in ${timeoutMs / 1000} s; its console:\n${said}`)
}

/**
 * Does what makes a guest boot, and waits until it says so. `says`: the name that its command line gives it, where that is
 * not the domain's.
 */
export async function booting(host: LabHost, guest: string, act: () => Promise<unknown>, says = guest): Promise<void> {
  const mark = await consoleMark(host, guest)
  await act()
  await waitConsole(host, guest, new RegExp(`^READY name=${says} `), { mark, timeoutMs: 300_000 })
}

/**
 * From now on what a guest says that comes here from another host goes to the log of its name, too: xenconsoled opens that of
 * the name that it has on its way.
 */
export async function logArrivals(host: LabHost, guest: string): Promise<void> {
  await sh(host, `ln -sfn guest-${guest}.log ${consoleLog(`${guest}--incoming`)}`)
}

/** Types a command for the guest's shell and gives what it printed, not what it tells meanwhile; throws when it fails. */
export async function askGuest(host: LabHost, guest: string, command: string, timeoutMs = 60_000): Promise<string> {
  const id = crypto.randomUUID().slice(0, 8)
  const mark = await consoleMark(host, guest)
  await sh(host, `cat >"$(xenstore-read "/local/domain/$(xl domid ${guest})/console/tty")"`, {
    stdin: `${id} echo BEGIN ${id}; ${command}\n`,
  })
  const [, exit] = await waitConsole(host, guest, new RegExp(`^ANSWER ${id} (\\d+)$`), { mark, timeoutMs })
  const text = (await consoleText(host, guest, mark)).replaceAll('\r', '')
  const begin = `BEGIN ${id}\n`
  const answer = text
    .slice(text.indexOf(begin) + begin.length, text.indexOf(`ANSWER ${id}`))
    .split('\n')
    .filter((line) => !/^(DISKS|NICS|COUNT|RESUME|LONGEST)( |$)/.test(line))
    .join('\n')
    .trimEnd()
  if (exit !== '0') throw new Error(`${guest}: ${command}: exit ${exit}\n${answer}`)
  return answer
}
