import { type Claim, claimTag, formatClaim, parseClaim, parseClaimTag } from '../../../model/storage/claim.ts'
import { rbdImageOf } from '../../../model/storage/rbdImage.ts'
import { canonicalPath } from '../../../model/storage/volumePath.ts'
import type { Output } from '../../host/host.ts'
import { clearClaim, makeClaim, readClaim, swapClaim } from '../../tools/claims.ts'
import type { Program } from '../../tools/program.ts'
import {
  makeRbdClaim,
  NOT_RBD,
  parseRbdClaim,
  type RbdPlace,
  readRbdClaim,
  swapRbdClaim,
} from '../../tools/rbdClaims.ts'
import { isLv, placeOf as volumeOf } from '../volumeGroup.ts'

/** Where the claim on a volume stands, as its path tells. */

/** One that is read and written for itself. */
export interface OwnPlace {
  readonly kind: 'own'
  readonly read: Program
  make(text: string): Program
  swap(before: string, after: string | undefined): Program
  /** Takes away what one that was cut off has left. */
  readonly clear?: Program
  write(claim: Claim): string
  parse(text: string): Claim | undefined
  /** What stands there, by what `read` has given. */
  said(output: Output): string | undefined
  /** By what `make` has given: nothing of that kind is there. */
  isOther(output: Output): boolean
}

/** A tag, which is read and written with those of others. */
interface LvPlace {
  readonly kind: 'lv'
  readonly group: string
  readonly name: string
}

type ClaimPlace = OwnPlace | LvPlace

/** Pure. Undefined: it can have none. By either of LVM's two names; `/dev/disk/by-id/…` and the like have three parts. */
export function placeOf(path: string): ClaimPlace | undefined {
  const image = rbdImageOf(path)
  if (image) return onRbd(image)
  if (!path.startsWith('/')) return undefined
  if (!path.startsWith('/dev/')) return besideFile(path)
  const device = canonicalPath(path)
  // The kernel's name, and those that Ceph's rule for udev gives it: `/dev/rbd/POOL/[NAMESPACE/]IMAGE`.
  if (/^\/dev\/rbd(\d+(p\d+)?|(\/[^/]+){2,3})$/.test(device)) return onRbd(device)
  return isLv(device) ? { kind: 'lv', ...volumeOf(device) } : undefined
}

/** Pure. Whether a claim could not be put since it is a device of another kind, by a name as those have. */
export function isOfOtherKind(place: ClaimPlace, output: Output): boolean {
  return place.kind === 'own' ? place.isOther(output) : /Volume group "[^"]*" not found/.test(output.stderr)
}

function besideFile(path: string): OwnPlace {
  return {
    kind: 'own',
    read: readClaim(path),
    make: (text) => makeClaim(path, text),
    swap: (before, after) => swapClaim(path, before, after),
    clear: clearClaim(path),
    write: formatClaim,
    parse: parseClaim,
    said: ({ exit, stdout }) => (exit === 0 ? stdout.replace(/\n$/, '') : undefined),
    isOther: () => false,
  }
}

function onRbd(place: RbdPlace): OwnPlace {
  return {
    kind: 'own',
    read: readRbdClaim(place),
    make: (text) => makeRbdClaim(place, text),
    swap: (before, after) => swapRbdClaim(place, before, after),
    write: claimTag,
    parse: parseClaimTag,
    said: ({ exit, stdout }) => (exit === 0 ? parseRbdClaim(stdout) : undefined),
    isOther: ({ exit }) => NOT_RBD.includes(exit),
  }
}
