import { changes, type Program, reads } from './program.ts'

/**
 * sanlock(8): leases on storage that several hosts see. A host's administrator joins the lockspace; a VM's lease is a file
 * of 1 MiB in a directory on the same file system, named after its UUID.
 */
export interface Lockspace {
  readonly name: string
  /** The directory of the leases, on every host. */
  readonly leases: string
}

/**
 * A lease belongs to a connection to the daemon, which whatever is run under it inherits: xl, its process that stays for as
 * long as the domain, and QEMU. When the last of them has ended, the lease is free, a moment later (`REM`), which is waited
 * for here. A program that ends all at once was not run: sanlock exits with 0 too where it has no connection (3.8.5).
 *
 * Where nothing is mounted on the directory a lease would be this host's own, and keep nobody away: it has to be on the
 * file system of the lockspace, which sanlock writes to all the time. A lease is made under another name first, for one that
 * is made anew while another host holds it would be free there.
 */
const SCRIPT = `ls=$1 vm=$2 at=$3
shift 3
say() { echo "pengx-lease: $*" >&2; exit 1; }
i=0
while :; do
  s=$(sanlock client status 2>/dev/null) || say down
  f=$(printf '%s\\n' "$s" | sed -n "s/^s $ls:[0-9]*:\\(.*\\):[0-9]*\\( .*\\)\\{0,1\\}$/\\1/p")
  [ -n "$f" ] || say apart
  printf '%s\\n' "$s" | grep -q "^r $ls:$vm:" && [ $i -lt 60 ] || break
  i=$((i+1))
  sleep 0.5
done
d=$(stat -c %d -- "$at") && [ "$d" = "$(stat -c %d -- "$f")" ] || say elsewhere "$f"
if ! [ -e "$at/$vm" ]; then
  t=$(mktemp "$at/$vm.XXXXXX") && truncate -s 1M "$t" && chmod 660 "$t" && chown --reference="$at" "$t" &&
    sanlock client init -r "$ls:$vm:$t:0" >&2 && ln -T "$t" "$at/$vm"
  [ -z "$t" ] || rm -f "$t"
  [ -e "$at/$vm" ] || say unmade
fi
exec sanlock client command -r "$ls:$vm:$at/$vm:0" -c /usr/bin/env "$@"`

/** Runs a program under the VM's lease, which is made where it is not there yet. Its exit is the program's own. */
export function underLease({ name, leases }: Lockspace, vm: string, program: Program): Program {
  return { ...program, ...changes('sh', '-c', SCRIPT, 'pengx-lease', name, vm, leases, ...program.argv) }
}

export type LeaseProblem =
  | { readonly kind: 'down' | 'apart' | 'held' | 'heldHere' | 'ending' }
  | { readonly kind: 'elsewhere'; readonly lockspacePath: string }
  | { readonly kind: 'unmade'; readonly words: string }
  | { readonly kind: 'failed'; readonly error: number }

/** Errors of sanlock_rv.h and errno.h: another host has it, and lives. */
const HELD: readonly number[] = [-243, -244, -245, -247]
const HERE = -17
const ENDING = -11
const APART = -28

/** Pure. Why the program was not run; undefined where it was. */
export function leaseProblem({ stdout, stderr }: { stdout: string; stderr: string }): LeaseProblem | undefined {
  const [, kind, rest = ''] = /^pengx-lease: (\w+) ?(.*)$/m.exec(stderr) ?? []
  if (kind === 'down' || kind === 'apart') return { kind }
  if (kind === 'elsewhere') return { kind, lockspacePath: rest }
  if (kind === 'unmade')
    return {
      kind,
      words: stderr.split('\n').findLast((line) => /\S/.test(line) && !line.startsWith('pengx-lease')) ?? '',
    }
  // What it says of a lease that it has is lost when it becomes the program.
  const [, of, code] = /^(register|acquire) done (-\d+)$/m.exec(stdout) ?? []
  const error = Number(code)
  if (of === undefined) return undefined
  if (of === 'register') return { kind: 'down' }
  if (HELD.includes(error)) return { kind: 'held' }
  if (error === HERE) return { kind: 'heldHere' }
  if (error === ENDING) return { kind: 'ending' }
  return error === APART ? { kind: 'apart' } : { kind: 'failed', error }
}

/** What stands in the lease itself: the host that has it, by its number. */
export function readLease({ name, leases }: Lockspace, vm: string): Program {
  return reads('sanlock', 'direct', 'read_leader', '-r', `${name}:${vm}:${leases}/${vm}:0`)
}

/** The hosts of a lockspace, as this one has seen them last. */
export function lockspaceHosts({ name }: Lockspace): Program {
  return reads('sanlock', 'client', 'host_status', '-s', name, '-D')
}

/**
 * Pure. The number of the host that has a lease, with the name that it calls itself by, as both print them; undefined where
 * the lease could not be read, of which it prints whatever was in its memory.
 */
export function leaseOwner(leader: string, hosts: string): string | undefined {
  const id = /^read_leader done 0\n[\s\S]*^owner_id (\d+)$/m.exec(leader)?.[1]
  if (id === undefined) return undefined
  const host = hosts.split(/^(?=\d+ timestamp)/m).find((part) => part.startsWith(`${id} `))
  const name = /owner_name=(\S+)/.exec(host ?? '')?.[1]
  return name === undefined ? `host ${id}` : `host ${id} (${name})`
}
