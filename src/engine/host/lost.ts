import { PengxError } from '../../model/error.ts'
import type { Command, Host, OnWait } from './host.ts'
import { run } from './run.ts'

/**
 * Commands that outlived their channel (pengx died, the connection broke) are found again by their environment, so
 * that nothing undoes a disk while a lost copy still writes to it. What may be ended half way is ended, anything else
 * is waited for.
 *
 * A tagged command runs with PENGX_COMMAND=TAG.PID.START, and `.endable` behind that where it may be ended; PID is its
 * own and START the clock tick at which the kernel started it. Its children inherit the variable but not the pid, so
 * what `xl create` leaves behind (its monitor, the guest's QEMU) carries the name and is never touched, not even where
 * a pid comes round again. Where the command is a shell, what runs in the shell is meant too: its children by
 * parentage, through further shells, in the same session; whatever called setsid() is a daemon and is let be.
 */
export interface LostCommand {
  readonly pid: number
  readonly tag: string
  readonly program: string
  /** It may not be ended, and has come to its own end. */
  readonly waited?: true
}

export const ENDABLE_MARK = '.endable'

/** `sh`'s $0 for the script below, so that a simulated host can tell it. */
export const END_SCRIPT_NAME = 'pengx-end'

/** So long one script waits, and so often it is run again, for what may not be ended: a quarter of an hour. */
const PATIENCE_MS = 20_000
const MOST_ROUNDS = 45

/**
 * Every command there whose tag is `tagPrefix` or begins with `tagPrefix.`: those that may be ended half way get
 * SIGTERM and after 10 s SIGKILL, the others are waited for, up to 15 min. Resolves when all are gone, with what they
 * were. None is done. `unreachable`, naming it, where one does not end, or where the machine does not answer.
 */
export async function endLost(
  host: Host,
  tagPrefix: string,
  signal?: AbortSignal,
  onWait?: OnWait,
): Promise<LostCommand[]> {
  const found: LostCommand[] = []
  for (let round = 1; ; round++) {
    const { ended, left, atWork } = await endTagged(host, tagPrefix, 'lost', signal)
    found.push(...ended)
    if (left.length > 0) throw stillThere(host.name, left)
    onWait?.(
      atWork.length === 0 ? undefined : `waits for ${named(atWork)} on ${host.name}, which is never ended half way`,
    )
    if (atWork.length === 0) return found
    if (round === MOST_ROUNDS) throw stillAtWork(host.name, atWork)
    signal?.throwIfAborted()
  }
}

/**
 * Ends every command of that tag, whether it says that it may be or not: for who knows that this one may be, now. As
 * `endLost` else.
 */
export async function endNow(host: Host, tagPrefix: string): Promise<LostCommand[]> {
  const { ended, left } = await endTagged(host, tagPrefix, 'now')
  if (left.length > 0) throw stillThere(host.name, left)
  return ended
}

async function endTagged(host: Host, tagPrefix: string, which: Which, signal?: AbortSignal): Promise<Ending> {
  const prefix = tagPrefix.replace(/\.$/, '')
  if (prefix === '') throw new PengxError('internal', 'ending lost commands needs a tag')
  const argv = endArgv(prefix, { graceMs: END_GRACE_MS, which })
  const timeoutMs = END_GRACE_MS + PATIENCE_MS + 30_000
  const command: Command = { argv, effect: 'change', endable: true, queue: 'none', timeoutMs }
  return parseEnd((await run(host, command, signal)).stdout)
}

/** How long a command that changes something has between SIGTERM and SIGKILL. */
export const END_GRACE_MS = 10_000

/** A process that cannot be mistaken for another: its pid, and the clock tick at which the kernel started it. */
export interface Pid {
  readonly pid: number
  readonly start: string
}

/** `lost`: what may be ended of all that is found by the tag, the rest is waited for; `now`: all of it. */
type Which = 'lost' | 'now'

/**
 * Pure. The script below, for what it finds by the tag, or for one process that is known, which is ended; SIGKILL
 * comes after `graceMs`.
 */
export function endArgv(
  prefix: string,
  { graceMs, which, only }: { readonly graceMs: number; readonly which: Which; readonly only?: Pid },
): [string, ...string[]] {
  const ticks = (ms: number) => String(Math.max(1, Math.round(ms / 100)))
  const known = only ? [String(only.pid), only.start] : []
  return ['sh', '-c', END_SCRIPT, END_SCRIPT_NAME, prefix, which, ticks(graceMs), ticks(PATIENCE_MS), ...known]
}

interface Ending {
  /** Gone, by a signal or by themselves. */
  readonly ended: LostCommand[]
  /** Not even SIGKILL ended them. */
  readonly left: LostCommand[]
  /** Still waited for. */
  readonly atWork: LostCommand[]
}

/** Pure. What the script says of each. */
export function parseEnd(stdout: string): Ending {
  const ending: Ending = { ended: [], left: [], atWork: [] }
  for (const line of stdout.split('\n')) {
    const match = /^(ended|waited|left|atWork) (\d+) (.*)\t(.*)$/.exec(line)
    if (!match) continue
    const command = { pid: Number(match[2]), tag: match[3]!, program: match[4]! }
    if (match[1] === 'waited') ending.ended.push({ ...command, waited: true })
    else ending[match[1] as keyof Ending].push(command)
  }
  return ending
}

/**
 * The error for commands that SIGKILL did not end, not thrown here: `unreachable`, since nobody knows what they still
 * do.
 */
export function stillThere(name: string, left: readonly LostCommand[]): PengxError {
  return new PengxError(
    'unreachable',
    `${named(left)} on ${name} does not end, not even by SIGKILL; look at its storage`,
  )
}

function stillAtWork(name: string, atWork: readonly LostCommand[]): PengxError {
  const text = `is still at work on ${name} and is never ended half way; look there what it waits for, then try again`
  return new PengxError('unreachable', `${named(atWork)} ${text}`)
}

function named(commands: readonly LostCommand[]): string {
  return commands.map((command) => `${command.program} (pid ${command.pid})`).join(', ')
}

/**
 * A shell is stopped before its children are looked up: else it could start the next one in between. `proc`
 * sets STATE PARENT SESSION START from /proc/PID/stat, whose second field may hold blanks and brackets. An
 * environment is text between NULs, hence `grep -z`: without it BusyBox looks at the first variable alone.
 */
const END_SCRIPT = `
prefix=$1 which=$2 ticks=$3 patience=$4 pid=$5 start=$6
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
  printf '%s %s end %s\\t%s\\n' "$1" "$START" "$2" "$NAME"
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
at_work() {
  program "$1"
  case $NAME in sh|dash|bash|ash|ksh)
    for entry in /proc/[0-9]*; do
      proc "\${entry#/proc/}" && [ "$PARENT" = "$1" ] && program "\${entry#/proc/}"
    done ;;
  esac
  printf %s "$NAME"
}
search() {
  grep -lszF "PENGX_COMMAND=$prefix." /proc/[0-9]*/environ 2>/dev/null | while read -r file; do
    pid=\${file#/proc/}; pid=\${pid%/environ}
    [ "$pid" = $$ ] && continue
    value=$( { tr '\\000' '\\n' < "$file"; } 2>/dev/null | sed -n 's/^PENGX_COMMAND=//p')
    proc "$pid" || continue
    case $value in *.endable) value=\${value%.endable} ends=y ;; *) ends= ;; esac
    case $value in "$prefix.$pid.$START" | "$prefix."*".$pid.$START") ;; *) continue ;; esac
    if [ -n "$ends" ] || [ "$which" = now ]; then take "$pid" "\${value%.*.*}"
    else printf '%s %s wait %s\\t%s\\n' "$pid" "$START" "\${value%.*.*}" "$(at_work "$pid")"; fi
  done
}
if [ -z "$pid" ]; then list=$(search)
elif here "$pid" "$start"; then list=$(take "$pid" "$prefix")
else list=; fi
[ -n "$list" ] || exit 0
signal() {
  printf '%s\\n' "$list" | while read -r pid start how rest; do
    [ "$how" = end ] && here "$pid" "$start" && kill "-$1" "$pid" 2>/dev/null && kill -CONT "$pid" 2>/dev/null
  done
}
remain() {
  printf '%s\\n' "$list" | {
    while read -r pid start how rest; do [ "$how" = "$1" ] && here "$pid" "$start" && exit 0; done
    exit 1
  }
}
await() {
  count=$2
  while [ "$count" -gt 0 ]; do
    remain "$1" || return 0
    sleep 0.1 2>/dev/null || sleep 1
    count=$((count - 1))
  done
}
signal TERM; await end "$ticks"
if remain end; then signal KILL; await end 50; fi
await wait "$patience"
printf '%s\\n' "$list" | while read -r pid start how rest; do
  case $how in end) there=left gone=ended ;; *) there=atWork gone=waited ;; esac
  if here "$pid" "$start"; then echo "$there $pid $rest"; else echo "$gone $pid $rest"; fi
done
`
