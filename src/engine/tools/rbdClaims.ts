import type { RbdImage } from '../../model/storage/rbdImage.ts'
import { changes, type Program, reads } from './program.ts'

/**
 * A claim on an RBD image is a lock of its own, `pengx`, on the image's header, by rados(8); what it says is the lock's
 * cookie (of a partition's it is `pengxp1` and so on). Taking one is exclusive in the whole cluster, and it stays when who took
 * it has gone. `rados lock info` shows it.
 *
 * It is not the lock of rbd(8), `rbd lock add`: that has the name under which librbd and the kernel let one client write
 * at a time (feature exclusive-lock), and to them one that a person has taken is a foreign one, past which nobody writes.
 *
 * The kernel says of a device which image it is; of any other the pool does. Exit 9: the device is none of RBD's.
 */
const FIND = `d=$2 p=$3 n=$4 i=$5 before=$6 after=$7
q=
shift 7
command -v rados >/dev/null || exit 127
r() {
  rados --rados-mon-op-timeout 20 --rados-osd-op-timeout 20 -p "$p" "$@"
}
if [ -n "$d" ]; then
  f=$(readlink -f -- "$d") && k=\${f#/dev/rbd} && [ "$k" != "$f" ] || exit 9
  s=/sys/bus/rbd/devices/\${k%%p*} q=\${k#"\${k%%p*}"}
  p=$(cat "$s/pool" 2>/dev/null) || exit 9
  n=$(cat "$s/pool_ns" 2>/dev/null)
  u=$(sed -n 's/^[^ ]* \\([^ ]*,\\)\\{0,1\\}name=\\([^, ]*\\).*/\\2/p' "$s/config_info" 2>/dev/null)
  h=$(cat "$s/image_id")
  [ -z "$u" ] || set -- "$@" --id "$u"
fi
[ -z "$n" ] || set -- "$@" -N "$n"
[ -n "$d" ] || h=$(r "$@" get "rbd_id.$i" - | tail -c +5)
[ -n "$h" ] || exit 1
h=rbd_header.$h`

const SCRIPTS = {
  read: `${FIND}
r "$@" --format json lock info "$h" "pengx$q"`,
  make: `${FIND}
r "$@" lock get "$h" "pengx$q" --lock-type exclusive --lock-cookie "$before"`,
  swap: `${FIND}
l=$(r "$@" --format json lock info "$h" "pengx$q")
case $l in *"\\"cookie\\":\\"$before\\""*) ;; *) exit 4;; esac
l=$(printf '%s' "$l" | sed -n 's/.*"lockers":\\[{"name":"\\([^"]*\\)".*/\\1/p')
r "$@" lock break "$h" "pengx$q" "$l" --lock-cookie "$before" || exit 4
[ -z "$after" ] || r "$@" lock get "$h" "pengx$q" --lock-type exclusive --lock-cookie "$after"`,
} as const

/** An image by its names, or a device on which the kernel shows one. */
export type RbdPlace = RbdImage | string

function script(mode: keyof typeof SCRIPTS, place: RbdPlace, before = '', after = '') {
  const { pool, namespace, image, options } =
    typeof place === 'string' ? { pool: '', namespace: '', image: '', options: [] } : place
  const device = typeof place === 'string' ? place : ''
  const words = options.map(([name, value]) => `--${name}=${value}`)
  const head = ['sh', '-c', SCRIPTS[mode], 'pengx-rbd-claim', mode, device, pool, namespace, image] as const
  return [...head, before, after, ...words] as const
}

/** What has no claims: no Ceph on this PM, or a device that is not RBD's. */
export const NOT_RBD: readonly number[] = [9, 127]

/** What rados(8) tells of the lock, as JSON; exit 1: the image is not there, or the cluster does not answer. */
export function readRbdClaim(place: RbdPlace): Program {
  return { ...reads(...script('read', place)), okExits: ANSWERS }
}

/** A claim where none is; exit 1: it could not be made, most often since there is one. */
export function makeRbdClaim(place: RbdPlace, text: string): Program {
  return { ...changes(...script('make', place, text)), okExits: ANSWERS }
}

/** A claim in the place of the one that says just that, or none in its place. Exit 4: it says something else by now. */
export function swapRbdClaim(place: RbdPlace, before: string, after: string | undefined): Program {
  return { ...changes(...script('swap', place, before, after ?? '')), okExits: ANSWERS }
}

const ANSWERS: readonly number[] = [0, 1, 4, ...NOT_RBD]

interface LockInfo {
  readonly lockers?: readonly { readonly cookie?: string }[]
}

/** Pure. What the claim says, as `readRbdClaim` prints it; undefined where there is none. */
export function parseRbdClaim(stdout: string): string | undefined {
  try {
    return (JSON.parse(stdout) as LockInfo).lockers?.[0]?.cookie
  } catch {
    return undefined
  }
}
