import { PengxError, toPengxError } from '../../../model/error.ts'
import { isProvisional } from '../../../model/provisional.ts'
import { canonicalPath } from '../../../model/storage/volumePath.ts'
import type { DomainSeen } from '../../hypervisor/domain.ts'
import type { Context } from '../../jobs/operation.ts'
import { readClaims } from '../../volumes/claims/claim.ts'
import { type HeldVolumes, isSameVolume, readHeld, type VolumeHolder } from '../../volumes/identity.ts'
import { type AskedVolume, isSeenElsewhere, type Owner, type Use, withChains } from './asked.ts'
import { needUnclaimed } from './claims.ts'
import { needNothingLying } from './lying.ts'
import { refuseRows, rowVolumes } from './rows.ts'

/**
 * One volume, one writer. Whoever is about to start a VM, or to write to a volume, freeze or remove it, asks here first: all
 * PMs that can see the volume, by what it is and not by what it is called. Image locks do not help, since QEMU takes none
 * for Xen's guests.
 */

export interface SoleUse {
  readonly use: Use
  /** Goes on although a PM cannot be asked; undefined: the operation has no such word. */
  readonly force?: boolean | undefined
  /** PMs (UUIDs) where a domain of its own is no stranger; none given: on its PM alone. */
  readonly ends?: readonly string[]
  /**
   * Of PMs that cannot be asked; `ignored`: nothing is written yet, and they are asked before that is; `told`: what is read
   * may not be of one moment, which is said. None given: they are in the way.
   */
  readonly silence?: 'ignored' | 'told'
  /** Nobody writes to them as yet, so what lies on them would be ruined: asked as for `rewrite`, but `force` goes past it. */
  readonly begins?: true
}

interface Answer extends HeldVolumes {
  readonly domains: readonly DomainSeen[]
}

/** What one question is about, from the look at the owner's PM on. */
interface Question {
  readonly vm: Owner
  readonly volumes: readonly AskedVolume[]
  /** Of those, what other PMs can see too. */
  readonly seen: readonly AskedVolume[]
  readonly options: SoleUse
  readonly here: Answer
}

/**
 * Throws `refused` where somebody else has one of the volumes: a domain of another VM, on any PM that can see it, has it as
 * its disk or lies on it; another VM that is written down with it has a domain, or is in state `unknown`; where more than
 * writing is meant, any VM or template that has it, or lies on it, does. So does a domain of the VM itself on another PM. Of
 * volumes that are only read, those who write to them count. A PM that can see them and cannot be asked counts too, unless
 * `force`. One round trip to each PM, all but the own at once; two where images have to be read for what they lie on.
 */
export async function needSoleUse(
  cx: Context,
  vm: Owner,
  asked: readonly AskedVolume[],
  options: SoleUse,
): Promise<void> {
  const volumes = await withChains(cx, vm, asked)
  if (volumes.length === 0) return
  const { force } = options
  const rows = rowVolumes(cx.view, vm, volumes, options.use)
  const paths = volumes.map(({ path }) => path)
  const [here, claims] = await Promise.all([
    ask(cx, vm.pm, [...paths, ...rows.map(({ path }) => path)]),
    readClaims(cx.host(vm.pm), paths, cx.signal),
  ])
  const seen = volumes.filter((one) => isSeenElsewhere(cx.view, vm.pm, one, here.identities.get(one.path)))
  if (options.use === 'write') await needThere(cx, vm, volumes, here)
  const question = { vm, volumes, seen, options, here }
  needNoHolder(cx, question, vm.pm, here)
  const refusal = refuseRows(cx.view, { volumes, seen, rows, identities: here.identities, use: options.use })
  if (refusal && !refusal.isGuess) throw new PengxError('refused', refusal.text)
  await needUnclaimed(cx, vm, claims, options)
  if (refusal && !force) throw new PengxError('refused', `${refusal.text}: ${hintFor(options)}`)
  if (refusal) cx.notice(`${refusal.text}; it was done all the same`)
  await needNoneElsewhere(cx, question)
  if (options.use === 'remove' || options.use === 'rewrite' || options.begins)
    await needNothingLying(cx, vm, volumes, here.identities, options.begins ? { begins: true, force } : {})
}

/** Throws `refused` for a volume on a storlink that is not there, which may not be mounted: that the driver tells by its marker. */
async function needThere(cx: Context, vm: Owner, volumes: readonly AskedVolume[], here: Answer): Promise<void> {
  for (const { path, vdev, storlink, readOnly } of volumes) {
    const row = readOnly || storlink === undefined ? undefined : cx.view.getStorlink(storlink)
    if (!row || here.identities.has(path)) continue
    if ((await cx.volumes(row.level).isWritable(cx.host(vm.pm), path)) !== undefined) continue
    const what = vdev === undefined ? path : `disk ${vdev} (${path})`
    throw new PengxError('refused', `${what} of ${vm.name} is not there on ${cx.view.needPm(vm.pm).name}`)
  }
}

async function ask(cx: Context, pm: string, paths: readonly string[]): Promise<Answer> {
  const [domains, held] = await Promise.all([cx.look(pm), readHeld(cx.host(pm), paths, cx.signal)])
  return { ...held, domains }
}

/** Asks the other PMs, all at once, where one of the volumes is to be seen there too. */
async function needNoneElsewhere(cx: Context, question: Question): Promise<void> {
  const { vm, options, seen: volumes } = question
  if (volumes.length === 0) return
  const others = cx.view.pms().filter((pm) => pm.uuid !== vm.pm && !isProvisional(pm))
  const silent = await Promise.all(
    others.map(async (pm) => {
      const answer = await ask(cx, pm.uuid, []).catch((error: unknown) => toPengxError(error))
      if (answer instanceof PengxError) return `${pm.name} (${answer.message})`
      const own = answer.domains.find((one) => one.uuid === vm.uuid)
      if (own && !options.ends?.includes(pm.uuid)) throw runsElsewhere(cx, vm, pm.name, own)
      needNoHolder(cx, { ...question, volumes }, pm.uuid, answer)
      return undefined
    }),
  )
  const unasked = silent.filter((one) => one !== undefined)
  if (unasked.length === 0 || options.silence === 'ignored' || isHeldAlready(question, volumes)) return
  const text = `its disks are seen by ${unasked.join(' and ')}, which cannot be asked whether they are in use there`
  if (options.force || options.silence === 'told') return cx.notice(`${text}; it was done all the same`)
  throw new PengxError('refused', `${vm.name}: ${text}: ${hintFor(options)}`)
}

/** What helps where a PM cannot be asked. */
function hintFor({ force }: SoleUse): string {
  if (force === undefined) return 'try again when it can'
  return '--force does it all the same: make sure first that it is off, or that nothing there has them open'
}

/** Its domain has them open: whether anybody else had was asked when it was started. */
function isHeldAlready({ vm, here }: Question, volumes: readonly AskedVolume[]): boolean {
  const domids = new Set(here.domains.filter((one) => isOwn(vm, one)).map(({ domid }) => domid))
  const held = here.holders.filter(({ domid }) => domids.has(domid))
  if (domids.size === 0) return false
  return volumes.every((volume) => volume.readOnly || held.some((holder) => isHeld(volume, holder, here, true)))
}

function isOwn(vm: Owner, domain: DomainSeen): boolean {
  // `-dm`: the stub domain in which its QEMU runs
  return domain.uuid === vm.uuid || (vm.domainName !== undefined && domain.name === `${vm.domainName}-dm`)
}

/** By what it is; by its path where that cannot be told, as on a file system of which nobody knows that others see it. */
function isHeld(volume: AskedVolume, holder: VolumeHolder, here: Answer, isHere: boolean): boolean {
  const [own, other] = [here.identities.get(volume.path), holder.identity]
  const isTold = own && other && (isHere || own.site.length > 0 || other.site.length > 0)
  if (isTold) return isSameVolume(own, other, isHere)
  return canonicalPath(holder.path) === canonicalPath(volume.path)
}

function needNoHolder(cx: Context, { vm, volumes, options, here }: Question, pm: string, answer: Answer): void {
  const ends = options.ends ?? [vm.pm]
  const domains = new Map(answer.domains.map((domain) => [domain.domid, domain]))
  for (const volume of volumes) {
    for (const holder of answer.holders) {
      if (volume.readOnly && !holder.writes && options.use !== 'remove' && options.use !== 'rewrite') continue
      const domain = domains.get(holder.domid)
      if (domain && ends.includes(pm) && isOwn(vm, domain)) continue
      if (isHeld(volume, holder, here, pm === vm.pm)) throw inUse(cx, volume, holder, pm, domain)
    }
  }
}

function inUse(cx: Context, volume: AskedVolume, holder: VolumeHolder, pm: string, domain?: DomainSeen): PengxError {
  const { vdev, path } = volume
  const name = (domain && (cx.view.getVm(domain.uuid)?.name ?? domain.name)) ?? 'a domain'
  const as = canonicalPath(holder.path) === canonicalPath(path) ? '' : `, as ${holder.path}`
  const who = `${name} (domain ${holder.domid} on ${cx.view.needPm(pm).name}${as})`
  const why = holder.writes ? 'two guests writing one disk ruin it' : 'it reads what is changed under it'
  return new PengxError('refused', `${vdev ? `disk ${vdev} (${path})` : path} is in use by ${who}: ${why}`)
}

function runsElsewhere(cx: Context, vm: Owner, pmName: string, { domid, name }: DomainSeen): PengxError {
  const text = `${vm.name} has a domain on ${pmName}: domid ${domid}, ${name}`
  const here = cx.view.needPm(vm.pm).name
  return new PengxError('refused', `${text}; starting it on ${here} too would run it twice, and its disks are that’s`)
}
