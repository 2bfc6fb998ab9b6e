import { hostname } from 'node:os'
import { CLAIMED_TAG, type Claim, claimTag, isClaimTag, parseClaimTag } from '../../../model/storage/claim.ts'
import type { Host, Output } from '../../host/host.ts'
import { parseTags, retagVolumes, showTags } from '../../tools/lvmTags.ts'
import type { Program } from '../../tools/program.ts'
import { runRescanning } from '../rescan.ts'
import { type ClaimWrite, changeClaims, LOOK, type Retagging } from './change.ts'
import { isOfOtherKind, type OwnPlace, placeOf } from './place.ts'

/**
 * Claims on volumes, as they stand on the storage: beside a file as a link, on a logical volume as a tag, on an RBD image as
 * a lock. What is none of these (a multipath or DRBD device) can have none. Some dozens of volumes are one round trip.
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

/** Those whose claims are read and written each for itself. */
function withOwnPlace<T extends { readonly path: string }>(all: readonly T[]): (T & { readonly place: OwnPlace })[] {
  return all.flatMap((one) => {
    const place = placeOf(one.path)
    return place?.kind === 'own' ? [{ ...one, place }] : []
  })
}

/** The questions that read claims of those paths, and how their answers are read. */
function reading(paths: readonly string[]): {
  readonly parts: readonly Program[]
  read(outputs: readonly Output[]): HeldClaim[]
} {
  const own = withOwnPlace(paths.map((path) => ({ path })))
  const lvs = paths.flatMap((path) => {
    const place = placeOf(path)
    return place?.kind === 'lv' ? [{ path, word: `${place.group}/${place.name}` }] : []
  })
  const words = [...new Set(lvs.map(({ word }) => word))]
  return {
    parts: [...own.map(({ place }) => place.read), ...(words.length === 0 ? [] : [showTags(words)])],
    read(outputs) {
      const single = own.flatMap(({ path, place }, at) => {
        const text = outputs[at] && place.said(outputs[at])
        return text === undefined ? [] : [heldOf(path, text, place.parse)]
      })
      const shown = outputs[own.length]
      const tags = shown && shown.exit <= 5 ? parseTags(shown.stdout) : new Map<string, readonly string[]>()
      const tagged = lvs.flatMap(({ path, word }) => {
        const tag = tags.get(word)?.find(isClaimTag)
        return tag === undefined ? [] : [heldOf(path, tag, parseClaimTag)]
      })
      return [...single, ...tagged]
    },
  }
}

function heldOf(path: string, text: string, parse: (text: string) => Claim | undefined): HeldClaim {
  const claim = parse(text)
  return { path, text, ...(claim ? { claim } : {}) }
}

/** The claims that stand on volumes, by their paths; what has none has no line. Fails as the host does. */
export async function readClaims(host: Host, paths: readonly string[], signal?: AbortSignal): Promise<HeldClaim[]> {
  return await inTurn([...new Set(paths)], sizeOf, async (some) => {
    const { parts, read } = reading(some)
    return parts.length === 0 ? [] : read(await runRescanning(host, parts, LOOK, signal))
  })
}

/** Under what a shell takes as one word (128 KiB), in which quotes are longer than they are here. */
const MOST_TEXT = 80 * 1024

/** As many of them at once as one batch has room for: the text of each is so long. */
async function inTurn<T, R>(
  all: readonly T[],
  size: (one: T) => number,
  act: (some: readonly T[]) => Promise<R[]>,
): Promise<R[]> {
  const batches: T[][] = []
  let room = 0
  for (const one of all) {
    room -= size(one)
    if (room >= 0) batches.at(-1)!.push(one)
    else {
      batches.push([one])
      room = MOST_TEXT - size(one)
    }
  }
  const results: R[] = []
  for (const batch of batches) results.push(...(await act(batch)))
  return results
}

/** Of what reads the claim on it, with what a batch says around that, and of what writes it. */
function sizeOf(path: string, ...texts: readonly string[]): number {
  const place = placeOf(path)
  const [before = '', after = ''] = texts
  const programs =
    place?.kind !== 'own' ? [] : texts.length > 0 ? [place.read, place.swap(before, after)] : [place.read]
  const text = programs.flatMap(({ argv }) => argv.map((word) => word.length))
  return text.reduce((sum, length) => sum + length, 256 + path.length + before.length + after.length)
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
  const place = placeOf(path)
  return place?.kind === 'own' ? place.write(claim) : claimTag(claim)
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
  const size = ({ path, claim, instead = '' }: ClaimRequest) =>
    claim ? sizeOf(path, instead, claimText(path, claim)) : sizeOf(path)
  return await inTurn(requests, size, (some) => putSome(host, some, how))
}

async function putSome(host: Host, requests: readonly ClaimRequest[], how: ClaimWrite): Promise<PutClaim[]> {
  const puts = requests.flatMap(({ path, claim, instead }) => {
    const after = claim && claimText(path, claim)
    return after === undefined || after === instead ? [] : [{ path, before: instead, after }]
  })
  const singles = withOwnPlace(puts)
  const makes = singles.map(({ place, before, after }) =>
    before === undefined ? place.make(after) : place.swap(before, after),
  )
  const tags = retagging(puts)
  const { parts, read } = reading(requests.map(({ path }) => path))
  if (parts.length === 0) return requests.map(({ path }) => ({ path, isPut: false }))
  const outputs = await changeClaims(host, { single: makes, tags, reads: parts }, how)
  const held = new Map(read(outputs.slice(makes.length + tags.length)).map((one) => [one.path, one]))
  return requests.map(({ path, claim }) => {
    const there = held.get(path)
    const isPut = claim !== undefined && there?.text === claimText(path, claim)
    if (isPut || claim === undefined || placeOf(path) === undefined)
      return { path, isPut, ...(there ? { held: there } : {}) }
    const single = singles.findIndex((one) => one.path === path)
    const output = outputs[single >= 0 ? single : makes.length + tags.findIndex(({ paths }) => paths.includes(path))]
    const said = output?.stderr.trim() ?? ''
    if (!there && output && isOfOtherKind(placeOf(path)!, output)) return { path, isPut }
    const problem = said.split('\n').at(-1)!.trim() || 'it does not say why'
    return { path, isPut, problem, ...(there ? { held: there } : {}) }
  })
}

/**
 * Takes claims away that say just what was read; one that is another's by now stays. Gives those that still stand and should
 * not. Fails as the host does.
 */
export async function dropClaims(host: Host, held: readonly HeldClaim[], how: ClaimWrite = {}): Promise<HeldClaim[]> {
  return await inTurn(held, sizeOfHeld, (some) => dropSome(host, some, how))
}

const sizeOfHeld = ({ path, text }: HeldClaim) => sizeOf(path, text)

async function dropSome(host: Host, held: readonly HeldClaim[], how: ClaimWrite): Promise<HeldClaim[]> {
  const tags = retagging(held.map(({ path, text }) => ({ path, before: text })))
  const swaps = withOwnPlace(held).map(({ place, text }) => place.swap(text, undefined))
  const { parts, read } = reading(held.map(({ path }) => path))
  if (parts.length === 0) return []
  const outputs = await changeClaims(host, { single: swaps, tags, reads: parts }, how)
  const left = new Map(read(outputs.slice(swaps.length + tags.length)).map((one) => [one.path, one.text]))
  return held.filter(({ path, text }) => left.get(path) === text)
}

/**
 * As `dropClaims`, and takes away what was left of replacing one of them: for a person who knows that nobody is at it.
 * Fails as the host does.
 */
export async function clearClaims(host: Host, held: readonly HeldClaim[], how: ClaimWrite = {}): Promise<HeldClaim[]> {
  await inTurn(held, sizeOfHeld, async (some) => {
    const single = withOwnPlace(some).flatMap(({ place }) => place.clear ?? [])
    return await changeClaims(host, { single, tags: [], reads: [] }, how)
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
    return place?.kind === 'lv' ? [{ path, ...place, before, after }] : []
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
