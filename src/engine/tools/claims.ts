import { changes, type Program, reads } from './program.ts'

/**
 * A claim on a file is a symbolic link beside it that leads nowhere: what it says is what it would lead to (symlink(7)).
 * Making one is exclusive on every file system, NFS among them, needs no standard input, and a link is never there without
 * what it says, as a file is that was cut short. `ls -l` shows it to a person.
 *
 * It stands beside the file itself, by whatever links that was reached, and nowhere where there is no file: of a storage that
 * is not mounted. A client of NFS believes for a minute that a name is not there: it is made to ask again before it reads
 * (stat(1), `--cached`). Of several who replace one at once one makes `.next`; and what it then finds to be there still is
 * what nobody else can replace.
 */
const FILE = 'f=$(readlink -f -- "$2") || f=$2'

/** One of its own for each: of many a batch is made, whose text has a limit. */
const SCRIPTS = {
  read: `${FILE}
stat --cached=never -- "\${f%/*}" >/dev/null 2>&1
readlink -- "$f.claim"`,
  make: `${FILE}
[ -e "$f" ] || { echo "$f is not there" >&2; exit 1; }
ln -s -T -- "$3" "$f.claim"`,
  swap: `${FILE}
c=$f.claim
ln -s -T -- "\${4:-gone}" "$c.next" || exit 3
if [ "$(readlink -- "$c")" != "$3" ]; then rm -f -- "$c.next"; exit 4; fi
if [ -n "$4" ]; then mv -T -- "$c.next" "$c"; else rm -f -- "$c" && rm -f -- "$c.next"; fi`,
  clear: `${FILE}
rm -f -- "$f.claim.next"`,
  orphan: `${FILE}
[ -e "$f" ] || rm -f -- "$f.claim" "$f.claim.next"`,
} as const

const script = (mode: keyof typeof SCRIPTS, ...words: readonly string[]) =>
  ['sh', '-c', SCRIPTS[mode], 'pengx-claim', mode, ...words] as const

/** Pure. Where the claim on a file is, of one that no link leads to. */
export function claimPathOf(path: string): string {
  return `${path}.claim`
}

/** Pure. Whether that is the name of a claim, or of one that is about to take its place: no image. */
export function isClaimName(name: string): boolean {
  return /\.claim(\.next)?$/.test(name)
}

/** What it says, and a line feed; exit 1: there is none. */
export function readClaim(path: string): Program {
  return { ...reads(...script('read', path)), okExits: [0, 1] }
}

/** A claim where none is; exit 1: it could not be made, most often since there is one. What is there afterwards counts. */
export function makeClaim(path: string, text: string): Program {
  return { ...changes(...script('make', path, text)), okExits: [0, 1] }
}

/**
 * A claim in the place of the one that says just that, or none in its place. Exit 3: somebody else is at it, or was and was
 * cut off; 4: it says something else by now.
 */
export function swapClaim(path: string, before: string, after: string | undefined): Program {
  return { ...changes(...script('swap', path, before, after ?? '')), okExits: [0, 1, 3, 4] }
}

/** Takes away what one that was cut off has left. */
export function clearClaim(path: string): Program {
  return changes(...script('clear', path))
}

/** Takes away the claim on a file that is gone. */
export function clearOrphan(path: string): Program {
  return changes(...script('orphan', path))
}
