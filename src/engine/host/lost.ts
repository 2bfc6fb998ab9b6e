import { PengxError } from '../../model/error.ts'
import type { Command, Host } from './host.ts'
import { run } from './run.ts'

/**
 * Commands that outlived their channel (pengx died, the connection broke) are found again by their
 * environment and ended, so that nothing undoes a disk while a lost copy still writes to it.
 *
 * A tagged command runs with PENGX_COMMAND=TAG.PID.START, where PID is its own and START the clock tick at
 * which the kernel started it. Its children inherit the variable but not the pid, so what `xl create` leaves
 * behind (its monitor, the guest's QEMU) carries the name and is never touched, not even where a pid comes
 * round again. Where the command is a shell, what runs in the shell is meant too: its children by parentage,
 * through further shells, in the same session; whatever called setsid() is a daemon and is let be.
 */
export interface EndedCommand {
  readonly pid: number
  readonly tag: string
  readonly program: string
}

/** `sh`'s $0 for the script below, so that a simulated host can tell it. */
export const END_SCRIPT_NAME = 'pengx-end'

/**
 * Ends every command there whose tag is `tagPrefix` or begins with `tagPrefix.`: SIGTERM, after 10 s SIGKILL;
 * resolves when all are gone, with what they were. None is done. `unreachable` where one does not end, or the machine
 * does not answer.
 */
export async function endLost(host: Host, tagPrefix: string, signal?: AbortSignal): Promise<EndedCommand[]> {
  const prefix = tagPrefix.replace(/\.$/, '')
  if (prefix === '') throw new PengxError('internal', 'ending lost commands needs a tag')
  const argv = endArgv(prefix, END_GRACE_MS)
  const command: Command = { argv, effect: 'change', timeoutMs: END_GRACE_MS + 30_000 }
  const output = await run(host, command, signal)
  const { ended, left } = parseEnd(output.stdout)
  if (left.length > 0) throw stillThere(host.name, left)
  return ended
}

/** How long a command that changes something has between SIGTERM and SIGKILL. */
export const END_GRACE_MS = 10_000

/** A process that cannot be mistaken for another: its pid, and the clock tick at which the kernel started it. */
export interface Pid {
  readonly pid: number
  readonly start: string
}

/**
 * Pure. The script below, for all that it finds by the tag, or for one process that is known; SIGKILL comes after
 * `graceMs`.
 */
export function endArgv(prefix: string, graceMs: number, only?: Pid): [string, ...string[]] {
  const ticks = String(Math.max(1, Math.round(graceMs / 100)))
  const known = only ? [String(only.pid), only.start] : []
  return ['sh', '-c', END_SCRIPT, END_SCRIPT_NAME, prefix, ticks, ...known]
}

/** Pure. What the script says of each: that it has ended, or is left. */
export function parseEnd(stdout: string): { ended: EndedCommand[]; left: EndedCommand[] } {
  const ended: EndedCommand[] = []
  const left: EndedCommand[] = []
  for (const line of stdout.split('\n')) {
    const match = /^(ended|left) (\d+) (.*)\t(.*)$/.exec(line)
    if (!match) continue
    const command = { pid: Number(match[2]), tag: match[3]!, program: match[4]! }
    ;(match[1] === 'ended' ? ended : left).push(command)
  }
  return { ended, left }
}

/**
 * The error for commands that SIGKILL did not end, not thrown here: `unreachable`, since nobody knows what they still
 * do.
 */
export function stillThere(name: string, left: readonly EndedCommand[]): PengxError {
  const what = left.map((command) => `${command.program} (pid ${command.pid})`).join(', ')
  return new PengxError('unreachable', `${what} on ${name} does not end, not even by SIGKILL; look at its storage`)
}

/**
 * A shell is stopped before its children are looked up: else it could start the next one in between. `proc`
 * sets STATE PARENT SESSION START from /proc/PID/stat, whose second field may hold blanks and brackets. An
 * environment is text between NULs, hence `grep -z`: without it BusyBox looks at the first variable alone.
 */
const END_SCRIPT = `
prefix=$1 ticks=$2 pid=$3 start=$4
proc() {
  { read -r line < "/proc/$1/stat"; } 2>/dev/null || return 1
  fields \${line##*) }
}
fields() { STATE=$1 PARENT=$2 SESSION=$4 START=\${20}; }
program() { { read -r NAME < "/proc/$1/comm"; } 2>/dev/null || NAME=?; }
here() { proc "$1" && [ "$START" = "$2" ] && [ "$STATE" != Z ]; }
take() {
  proc "$1" || return 0
  program "$1"
  printf '%s %s %s\\t%s\\n' "$1" "$START" "$2" "$NAME"
  case $NAME in sh|dash|bash|ash|ksh) ;; *) return 0 ;; esac
  kill -STOP "$1" 2>/dev/null
  children "$1" "$SESSION" "$2"
}
children() {
  for entry in /proc/[0-9]*; do
    child=\${entry#/proc/}
    proc "$child" && [ "$PARENT" = "$1" ] && [ "$SESSION" = "$2" ] && ( take "$child" "$3" )
  done
}
search() {
  grep -lszF "PENGX_COMMAND=$prefix." /proc/[0-9]*/environ 2>/dev/null | while read -r file; do
    pid=\${file#/proc/}; pid=\${pid%/environ}
    [ "$pid" = $$ ] && continue
    value=$( { tr '\\000' '\\n' < "$file"; } 2>/dev/null | sed -n 's/^PENGX_COMMAND=//p')
    proc "$pid" || continue
    case $value in "$prefix.$pid.$START" | "$prefix."*".$pid.$START") take "$pid" "\${value%.*.*}" ;; esac
  done
}
if [ -z "$pid" ]; then list=$(search)
elif here "$pid" "$start"; then list=$(take "$pid" "$prefix")
else list=; fi
[ -n "$list" ] || exit 0
signal() {
  printf '%s\\n' "$list" | while read -r pid start rest; do
    here "$pid" "$start" && kill "-$1" "$pid" 2>/dev/null && kill -CONT "$pid" 2>/dev/null
  done
}
remain() {
  printf '%s\\n' "$list" | { while read -r pid start rest; do here "$pid" "$start" && exit 0; done; exit 1; }
}
await() {
  count=$1
  while [ "$count" -gt 0 ]; do
    remain || return 0
    sleep 0.1 2>/dev/null || sleep 1
    count=$((count - 1))
  done
}
signal TERM; await "$ticks"
if remain; then signal KILL; await 50; fi
printf '%s\\n' "$list" | while read -r pid start rest; do
  if here "$pid" "$start"; then echo "left $pid $rest"; else echo "ended $pid $rest"; fi
done
`
