import { type Command, mayBeEnded } from './host.ts'
import { ENDABLE_MARK, type Pid } from './lost.ts'

/**
 * How a command is dressed for the machine it runs on: it can be found again by its environment (`lost.ts`
 * says how), root's programs are on its path whatever the login says, and programs speak the language that
 * parsers read. Over SSH it greets first: a line that gives its pid, or 0 where the program is not there;
 * whatever a login shell's start-up files print comes before the greeting and is dropped.
 */
const EXTRA_PATH = '/usr/local/sbin:/usr/sbin:/sbin'
const UNTAGGED = 'untagged'

const identify = (command: Command) => `
{ read -r stat < /proc/$$/stat; } 2>/dev/null
twentieth() { start=\${20}; }
twentieth \${stat##*) }
PENGX_COMMAND=$1.$$.$start${mayBeEnded(command) ? ENDABLE_MARK : ''}
export PENGX_COMMAND
shift`

/** What may not be ended is not ended either by what it says to a reader that has gone; libxl gives its children the default. */
const GO_ON = `
trap '' PIPE`

const GREET = `
PATH=$PATH:${EXTRA_PATH}
export PATH
command -v -- "$1" >/dev/null 2>&1 || { printf '\\036pengx 0 0\\036'; exit 127; }
printf '\\036pengx %s %s\\036' $$ "$start" || exit 126`

const PLAIN_LANGUAGE = `
LC_ALL=C
export LC_ALL`

const GREETING = /\x1epengx (\d+) (\d*)\x1e/

/** Pure. Under which a command is looked for: its tag, or the name of all that have none. */
export function tagOf(command: Command): string {
  return command.tag ?? UNTAGGED
}

/**
 * Pure. A tagged command for this machine: sh(1) puts the tag, its pid and its start into the environment
 * (PENGX_COMMAND) and becomes the command. What may be ended half way carries a mark.
 */
export function wrapLocal(command: Command): [string, ...string[]] {
  return ['sh', '-c', `${identify(command)}${goOn(command)}\nexec "$@"`, 'sh', tagOf(command), ...command.argv]
}

/**
 * Pure. Any command for a machine behind SSH: tagged like one here, with root's programs on its path and LC_ALL=C
 * (not in a terminal), after a greeting.
 */
export function wrapRemote(command: Command): [string, ...string[]] {
  const script = `${identify(command)}${command.pty ? '' : PLAIN_LANGUAGE}${GREET}${goOn(command)}\nexec "$@"`
  return ['sh', '-c', script, 'sh', tagOf(command), ...command.argv]
}

function goOn(command: Command): string {
  return mayBeEnded(command) ? '' : GO_ON
}

/** The environment of a command on this machine. */
export function localEnvironment(command: Command): Record<string, string | undefined> {
  const path = `${process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'}:${EXTRA_PATH}`
  return { ...process.env, PATH: path, ...(command.pty ? {} : { LC_ALL: 'C' }) }
}

/** Looks for the greeting in what has come so far; `rest` is where the command's own output begins. */
export function findGreeting(bytes: Buffer): (Pid & { readonly rest: Buffer }) | undefined {
  const text = bytes.toString('latin1')
  const match = GREETING.exec(text)
  if (!match) return undefined
  return { pid: Number(match[1]), start: match[2]!, rest: bytes.subarray(match.index + match[0].length) }
}
