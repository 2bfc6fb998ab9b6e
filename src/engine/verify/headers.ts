import { turns } from '../../lib/turns.ts'
import { hasDomain } from '../../model/vm.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { runBatch, runMany } from '../host/run.ts'
import { checkImage, imageInfo, parseCheck, parseImageInfo } from '../tools/qemuImg.ts'
import type { Entry, Header, KnownVolume, PlaceFacts, PmFacts, SiteFacts } from './facts.ts'

/** Images' headers, many in a round trip. */

/** A look at a header takes QEMU some 10 ms; a batch shall not hold others up for long. */
const HEADERS_A_BATCH = 100

interface Asked {
  readonly volumes: readonly KnownVolume[]
  readonly listed: readonly Entry[]
  readonly ids: PmFacts['ids']
  readonly places: readonly PlaceFacts[]
}

/**
 * The headers of all images on a PM that may lie on another: those that are written down as qcow2, and what has the name of
 * one. Raw images are not asked: a guest has written what stands at their beginning. Looks only, also while guests have
 * them open.
 */
export async function readHeaders(
  host: Host,
  { volumes, listed, ids }: Asked,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Header>> {
  const raw = new Set(volumes.filter(({ format }) => format !== 'qcow2').map(({ path }) => path))
  const known = volumes.filter(({ format }) => format === 'qcow2').map(({ path }) => path)
  const others = listed.filter(({ path, kind }) => !raw.has(path) && mayBeImage(path, kind)).map(({ path }) => path)
  const paths = [...new Set([...known, ...others])].filter((path) => ids.has(path))
  const headers = new Map<string, Header>()
  for (let at = 0; at < paths.length; at += HEADERS_A_BATCH) {
    const some = paths.slice(at, at + HEADERS_A_BATCH)
    const parts = some.map((path) => ({ ...imageInfo(path, 'qcow2'), okExits: [0, 1] }))
    const outputs = await runBatch(host, batch(parts), signal)
    for (const [index, path] of some.entries()) {
      await turns.take()
      const output = outputs[index]
      if (output?.exit !== 0) {
        const why = output?.stderr
          .trim()
          .split('\n')
          .at(-1)
          ?.replace(/^qemu-img: /, '')
        headers.set(path, { problem: why || 'it was not reached' })
        continue
      }
      const { sizeMib, corrupt, backingPath } = parseImageInfo(output.stdout)
      headers.set(path, { sizeMib, corrupt, ...(backingPath === undefined ? {} : { backing: backingPath }) })
    }
  }
  return headers
}

/** By its name; a logical volume's says nothing. */
function mayBeImage(path: string, kind: Entry['kind']): boolean {
  return kind === 'volume' || (kind === 'file' && /\.qcow2(\.|$)/.test(path))
}

/**
 * The same headers with what `qemu-img check` says of images that no guest can have open: it reads all of an image's tables, and
 * finds damage where somebody writes to it meanwhile. One after the other.
 */
export async function checkImages(
  host: Host,
  facts: Pick<PmFacts, 'pm' | 'headers' | 'built'>,
  volumes: readonly KnownVolume[],
  view: SiteFacts['view'],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Header>> {
  const { headers, built } = facts
  const isLive = ({ owner }: KnownVolume) => {
    const vm = owner.kind === 'vm' ? view.getVm(owner.id) : undefined
    return vm !== undefined && (hasDomain(vm.seen.state) || vm.seen.state === 'unknown')
  }
  const open = new Set([
    ...volumes.filter((one) => one.written && isLive(one)).map(({ path }) => path),
    ...built.flatMap(({ disks }) => disks.map(({ path }) => path)),
  ])
  const checked = new Map(headers)
  for (const { path } of volumes) {
    const header = headers.get(path)
    if (header === undefined || 'problem' in header || open.has(path)) continue
    const [output] = await runMany(host, [checkImage(path, 'qcow2')], {}, signal)
    if (output === undefined || ![0, 2, 3].includes(output.exit)) {
      const why = output?.stderr.trim().split('\n').at(-1) || 'qemu-img check failed'
      checked.set(path, { ...header, damage: why })
      continue
    }
    const { errors, corruptions } = parseCheck(output.stdout)
    if (errors + corruptions > 0) checked.set(path, { ...header, damage: `${errors + corruptions} errors` })
  }
  return checked
}
