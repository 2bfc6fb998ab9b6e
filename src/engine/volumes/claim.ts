import { hostname } from 'node:os'
import {
  CLAIMED_TAG,
  type Claim,
  claimTag,
  formatClaim,
  isClaimTag,
  parseClaim,
  parseClaimTag,
} from '../../model/storage/claim.ts'
import { canonicalPath } from '../../model/storage/volumePath.ts'
import type { Host, Output } from '../host/host.ts'
import { clearClaim, makeClaim, readClaim, swapClaim } from '../tools/claims.ts'
import { parseTags, retagVolumes, showTags } from '../tools/lvmTags.ts'
import type { Program } from '../tools/program.ts'
import { type ClaimWrite, changeClaims, LOOK, type Retagging } from './claimChange.ts'
import { runRescanning } from './rescan.ts'
import { isLv, placeOf as volumeOf } from './volumeGroup.ts'

/**
 * Claims on volumes, as they stand on the storage: beside a file as a link, on a logical volume as a tag. What is neither
 * (a multipath or DRBD device) can have none. Some dozens of volumes are one round trip.
 */

/** A claim as it was read. */
export interface HeldClaim {
  readonly path: string
  /** Just what stands there: by that it is replaced. */
  readonly text: string
  /** Undefined: nobody understands it. */
  readonly claim?: Claim
}

/** What a volume's claim is after one was to be put. */
export interface PutClaim {
  readonly path: string
  /** Absent: there is none, and `problem` says why, or it can have none. */
  readonly held?: HeldClaim
  /** It is the one that was to be put. */
  readonly isPut: boolean
  readonly problem?: string
}

interface Lv {
  readonly group: string
  readonly name: string
}

type Place = { readonly file: string } | Lv | undefined

/** By either of LVM's two names; `/dev/disk/by-id/…` and the like have three parts. */
function placeOf(path: string): Place {
  if (!path.startsWith('/')) return undefined
  if (!path.startsWith('/dev/')) return { file: path }
  const device = canonicalPath(path)
  return isLv(device) ? volumeOf(device) : undefined
}

function isOnLv(place: Place): place is Lv {
  return place !== undefined && 'group' in place
}

function isFile(path: string): boolean {
  const place = placeOf(path)
  return place !== undefined && !isOnLv(place)
}

function wordOf({ group, name }: Lv): string {
  return `${group}/${name}`
}

/** The questions that read claims of those paths, and how their answers are read. */
function reading(paths: readonly string[]): {
  readonly parts: readonly Program[]
  read(outputs: readonly Output[]): HeldClaim[]
} {
  const files = paths.filter(isFile)
  const lvs = paths.flatMap((path) => {
    const place = placeOf(path)
    return isOnLv(place) ? [{ path, word: wordOf(place) }] : []
  })
  const words = [...new Set(lvs.map(({ word }) => word))]
  return {
    parts: [...files.map(readClaim), ...(words.length === 0 ? [] : [showTags(words)])],
    read(outputs) {
      const links = files.flatMap((path, at) => {
        const { exit, stdout } = outputs[at] ?? { exit: 1, stdout: '' }
        return exit === 0 ? [heldOf(path, stdout.replace(/\n$/, ''), parseClaim)] : []
      })
      const shown = outputs[files.length]
      const tags = shown && shown.exit <= 5 ? parseTags(shown.stdout) : new Map<string, readonly string[]>()
      const tagged = lvs.flatMap(({ path, word }) => {
        const tag = tags.get(word)?.find(isClaimTag)
        return tag === undefined ? [] : [heldOf(path, tag, parseClaimTag)]
      })
      return [...links, ...tagged]
    },
  }
}

function heldOf(path: string, text: string, parse: (text: string) => Claim | undefined): HeldClaim {
  const claim = parse(text)
  return { path, text, ...(claim ? { claim } : {}) }
}

/** The claims that stand on volumes, by their paths; what has none has no line. Fails as the host does. */
export async function readClaims(host: Host, paths: readonly string[], signal?: AbortSignal): Promise<HeldClaim[]> {
  return await inTurn([...new Set(paths)], READ_AT_ONCE, async (some) => {
    const { parts, read } = reading(some)
    return parts.length === 0 ? [] : read(await runRescanning(host, parts, LOOK, signal))
  })
}

/** So many that the text of one batch stays under what a shell takes as one word (128 KiB); a claim is half a KiB. */
const READ_AT_ONCE = 200
const WRITTEN_AT_ONCE = 50

async function inTurn<T, R>(all: readonly T[], most: number, act: (some: readonly T[]) => Promise<R[]>): Promise<R[]> {
  const results: R[] = []
  for (let at = 0; at < all.length; at += most) results.push(...(await act(all.slice(at, at + most))))
  return results
}

/**
 * A claim that is to stand on a volume; `instead`: in the place of one that says just that, and not where none is. Without
 * one the volume is only asked.
 */
export interface ClaimRequest {
  readonly path: string
  readonly claim?: Claim
  readonly instead?: string
}

/** Who writes claims in this process: its host, and the store by its own id. */
export function controllerHere(storeId: string | undefined): Pick<Claim, 'controller' | 'store'> {
  return { controller: hostname(), store: storeId ?? '' }
}

/** Pure. Whether that is whose claim it is: the host's and the store's. */
export function isWrittenBy(claim: Claim, here: Pick<Claim, 'controller' | 'store'>): boolean {
  return here.store !== '' && claim.store === here.store && claim.controller === here.controller
}

/** Pure. What stands on that volume where the claim does. */
export function claimText(path: string, claim: Claim): string {
  return isFile(path) ? formatClaim(claim) : claimTag(claim)
}

/**
 * Puts claims on volumes: of two who do that at once one succeeds. What stands there then is told, in the order of the
 * requests. Fails as the host does, and for nothing else.
 */
export async function putClaims(
  host: Host,
  requests: readonly ClaimRequest[],
  how: ClaimWrite = {},
): Promise<PutClaim[]> {
  return await inTurn(requests, WRITTEN_AT_ONCE, (some) => putSome(host, some, how))
}

async function putSome(host: Host, requests: readonly ClaimRequest[], how: ClaimWrite): Promise<PutClaim[]> {
  const puts = requests.flatMap(({ path, claim, instead }) => {
    const after = claim && claimText(path, claim)
    return after === undefined || after === instead ? [] : [{ path, before: instead, after }]
  })
  const files = puts.filter(({ path }) => isFile(path))
  const makes = files.map(({ path, before, after }) =>
    before === undefined ? makeClaim(path, after) : swapClaim(path, before, after),
  )
  const tags = retagging(puts)
  const { parts, read } = reading(requests.map(({ path }) => path))
  if (parts.length === 0) return requests.map(({ path }) => ({ path, isPut: false }))
  const outputs = await changeClaims(host, { files: makes, tags, reads: parts }, how)
  const held = new Map(read(outputs.slice(makes.length + tags.length)).map((one) => [one.path, one]))
  return requests.map(({ path, claim }) => {
    const there = held.get(path)
    const isPut = claim !== undefined && there?.text === claimText(path, claim)
    if (isPut || claim === undefined || placeOf(path) === undefined)
      return { path, isPut, ...(there ? { held: there } : {}) }
    const at = isFile(path)
      ? files.findIndex((one) => one.path === path)
      : makes.length + tags.findIndex(({ paths }) => paths.includes(path))
    const said = outputs[at]?.stderr.trim() ?? ''
    // A device of another kind, by a name as LVM's are.
    if (!there && /Volume group "[^"]*" not found/.test(said)) return { path, isPut }
    const problem = said.split('\n').at(-1)!.trim() || 'it does not say why'
    return { path, isPut, problem, ...(there ? { held: there } : {}) }
  })
}

/**
 * Takes claims away that say just what was read; one that is another's by now stays. Gives those that still stand and should
 * not. Fails as the host does.
 */
export async function dropClaims(host: Host, held: readonly HeldClaim[], how: ClaimWrite = {}): Promise<HeldClaim[]> {
  return await inTurn(held, WRITTEN_AT_ONCE, (some) => dropSome(host, some, how))
}

async function dropSome(host: Host, held: readonly HeldClaim[], how: ClaimWrite): Promise<HeldClaim[]> {
  const tags = retagging(held.map(({ path, text }) => ({ path, before: text })))
  const swaps = held.filter(({ path }) => isFile(path)).map(({ path, text }) => swapClaim(path, text, undefined))
  const { parts, read } = reading(held.map(({ path }) => path))
  if (parts.length === 0) return []
  const outputs = await changeClaims(host, { files: swaps, tags, reads: parts }, how)
  const left = new Map(read(outputs.slice(swaps.length + tags.length)).map((one) => [one.path, one.text]))
  return held.filter(({ path, text }) => left.get(path) === text)
}

/**
 * As `dropClaims`, and takes away what was left of replacing one of them: for a person who knows that nobody is at it.
 * Fails as the host does.
 */
export async function clearClaims(host: Host, held: readonly HeldClaim[], how: ClaimWrite = {}): Promise<HeldClaim[]> {
  const files = held.filter(({ path }) => isFile(path))
  await inTurn(files, WRITTEN_AT_ONCE, async (some) => {
    const clears = some.map(({ path }) => clearClaim(path))
    return await changeClaims(host, { files: clears, tags: [], reads: [] }, how)
  })
  return await dropClaims(host, held, how)
}

interface Retag {
  readonly path: string
  readonly before?: string | undefined
  readonly after?: string
}

/** One lvchange for all volumes of a group of which the same is to become: each locks the group and writes all of it anew. */
function retagging(retags: readonly Retag[]): Retagging[] {
  const lvs = retags.flatMap(({ path, before, after }) => {
    const place = placeOf(path)
    return isOnLv(place) ? [{ path, ...place, before, after }] : []
  })
  const alike = Map.groupBy(lvs, ({ group, before, after }) => [group, before, after].join(' '))
  return [...alike.values()].map((some) => {
    const { group, before, after } = some[0]!
    const both = (tag: string | undefined) => (tag === undefined ? [] : [CLAIMED_TAG, tag])
    const isSwap = before !== undefined && after !== undefined
    const how = isSwap ? { add: [after], drop: [before] } : { add: both(after), drop: both(before) }
    const where = before === undefined ? { lacks: CLAIMED_TAG } : { has: before }
    const names = some.map(({ name }) => name)
    return { paths: some.map(({ path }) => path), group, program: retagVolumes(group, names, { ...where, ...how }) }
  })
}
