import { makeLink, readLink } from './files.ts'
import { changes, type Program } from './program.ts'

/**
 * A claim on a file is a symbolic link beside it that leads nowhere: what it says is what it would lead to (symlink(7)).
 * Making one is exclusive on every file system, NFS among them, needs no standard input, and a link is never there without
 * what it says, as a file is that was cut short. `ls -l` shows it to a person.
 */

/** Where the claim on a file is. */
export function claimPathOf(path: string): string {
  return `${path}.claim`
}

/** Pure. Whether that is the name of a claim, or of one that is about to take its place: no image. */
export function isClaimName(name: string): boolean {
  return /\.claim(\.next)?$/.test(name)
}

/** What it says, and a line feed; exit 1: there is none. */
export function readClaim(path: string): Program {
  return readLink(claimPathOf(path))
}

/** A claim where none is; exit 1: it could not be made, most often since there is one. What is there afterwards counts. */
export function makeClaim(path: string, text: string): Program {
  return { ...makeLink(text, claimPathOf(path)), okExits: [0, 1] }
}

/**
 * Of several who do this at once one makes `.next`; and what it then finds to be there still is what nobody else can
 * replace. An empty text takes the claim away.
 */
const SWAP = `ln -s -T "\${3:-gone}" "$1.next" || exit 3
if [ "$(readlink "$1")" != "$2" ]; then rm -f "$1.next"; exit 4; fi
if [ -n "$3" ]; then mv -T "$1.next" "$1"; else rm -f "$1" && rm -f "$1.next"; fi`

/**
 * A claim in the place of the one that says just that, or none in its place. Exit 3: somebody else is at it, or was and was
 * cut off; 4: it says something else by now.
 */
export function swapClaim(path: string, before: string, after: string | undefined): Program {
  return {
    ...changes('sh', '-c', SWAP, 'pengx-claim', claimPathOf(path), before, after ?? ''),
    okExits: [0, 1, 3, 4],
  }
}

/** Takes away what one that was cut off has left. */
export function clearClaim(path: string): Program {
  return changes('rm', '-f', `${claimPathOf(path)}.next`)
}
