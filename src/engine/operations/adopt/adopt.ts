import { z } from 'zod'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import { describes } from '../../../model/described.ts'
import { PengxError, toPengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { refuseName, type Vm, type VmSpec } from '../../../model/vm.ts'
import type { ConfigFile, DomainDetail, DomainSeen } from '../../hypervisor/domain.ts'
import type { Context, Operation, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { lossLines } from '../../tools/xl/json/loss.ts'
import { withSizes } from '../../volumes/sizes.ts'
import { isSameRow } from '../vm/change.ts'
import { findDomain, lives } from '../vm/domain.ts'
import { joinSecret, splitSecret, type VmSecrets } from '../vm/secrets.ts'
import { usedBy } from '../volume/asked.ts'
import { claimVolumes, releaseVolumes } from '../volume/claims.ts'
import { needSoleUse } from '../volume/users.ts'
import { adoptedVm, candidatesFor, needDescribes, refuseAgreement } from './adopted.ts'
import { configOf, type FoundFile, findOne } from './find.ts'

/**
 * Adopting takes a VM that somebody else made under pengx's care: a running domain, or a configuration file. Nothing on
 * the PM is changed by it. The file that agrees with what runs is the VM's from then on; where none or several do, it asks.
 */
const params = z.object({
  what: field(z.string(), {
    title: 'VM or file',
    from: 'found',
    help: 'a name, a UUID, or the path of a configuration file',
  }),
  pm: field(z.string().optional(), { title: 'PM', from: 'pm' }),
  config: field(z.string().startsWith('/', 'is not an absolute path').optional(), {
    title: 'Configuration',
    from: 'config',
    help: 'the file that describes it; none given: the one that agrees with what runs',
  }),
  acceptLoss: field(z.boolean().default(false), {
    title: 'Without a file',
    help: 'adopt it although no file describes it, and what is LOST is lost',
    advanced: true,
  }),
  name: field(z.string().optional(), { title: 'Name', help: 'another name for it here', advanced: true }),
})
type Params = z.infer<typeof params>
type Facts = {
  readonly vm: Vm & Json
  /** The row as it was, for a domain that had been found. */
  readonly before: (Vm & Json) | null
  readonly secrets: VmSecrets
  readonly notUnderstood: readonly string[]
}

function needFreeName(name: string, uuid: string, view: View): void {
  const reason = refuseName(name)
  if (reason) throw new PengxError('invalid', `name: ${reason}`)
  const other = view.vmsNamed(name).find((vm) => vm.uuid !== uuid && vm.origin !== 'found')
  if (other)
    throw new PengxError(
      'refused',
      `the name ${name} is taken by VM ${other.uuid} on ${view.getPm(other.pm)?.name}: adopt it under another --name`,
    )
}

type Adopted = {
  readonly spec: VmSpec
  readonly uuid: string
  readonly configPath?: string
  readonly notUnderstood: readonly string[]
}

/** A running domain tells what it is; the file that agrees with it is what it was built from, and what it will be. */
async function lookAtDomain(cx: Context, vm: Vm, { config: named, acceptLoss }: Params): Promise<Adopted> {
  const host = cx.host(vm.pm)
  const domain = (await cx.look(vm.pm)).find((one) => one.uuid === vm.uuid)
  if (!domain) throw new PengxError('notFound', `${vm.name} is no longer on ${cx.view.needPm(vm.pm).name}`)
  const [detail] = await cx.hypervisor.details(host, [domain.domid], cx.signal)
  if (!detail) throw new PengxError('notFound', `${vm.name} went away while it was looked at`)
  if (named !== undefined) return await asNamed(cx, vm, detail, named)
  const candidates = candidatesFor(asBuilt(vm, detail), await cx.hypervisor.configFiles(host, cx.signal))
  const agreeing = candidates.filter(({ spec }) => refuseAgreement(detail.spec, spec) === undefined)
  if (agreeing.length === 1) return await asNamed(cx, vm, detail, agreeing[0]!.path)
  if (candidates.length > 0) throw new PengxError('invalid', whichOf(vm, detail, candidates))
  const losses = lossLines(detail)
  if (!acceptLoss)
    throw new PengxError(
      'refused',
      `${vm.name}: ${['no configuration file of it was found', ...losses, LOSS_HINT].join('; ')}`,
    )
  for (const line of losses) cx.notice(line)
  return { spec: detail.spec, uuid: vm.uuid, notUnderstood: [] }
}

const LOSS_HINT = 'name its file (--config PATH), or insist (--accept-loss)'

function whichOf(vm: Vm, detail: DomainDetail, candidates: readonly ConfigFile[]): string {
  const said = candidates.map(
    ({ path, spec }) => `${path} (${refuseAgreement(detail.spec, spec) ?? 'agrees with what runs'})`,
  )
  return `config: which of these describes ${vm.name}? ${said.join(', ')}: name it (--config PATH)`
}

/** As it was called when it was built, which is what its file says. */
function asBuilt(vm: Vm, { spec: { domainName } }: DomainDetail): Pick<Vm, 'uuid' | 'name' | 'domainName'> {
  return { uuid: vm.uuid, name: vm.name, domainName }
}

async function asNamed(cx: Context, vm: Vm, detail: DomainDetail, path: string): Promise<Adopted> {
  const config = await cx.hypervisor.readConfig(cx.host(vm.pm), path)
  const { spec } = config
  needDescribes(config, asBuilt(vm, detail))
  const differs = refuseAgreement(detail.spec, spec)
  if (differs !== undefined)
    cx.notice(`${vm.name} runs otherwise than ${path} says, which counts from its next start: ${differs}`)
  return { spec, uuid: vm.uuid, configPath: config.target, notUnderstood: config.notUnderstood }
}

async function lookAtConfig(cx: Context, found: FoundFile, { config: named }: Params): Promise<Adopted> {
  if (named !== undefined && named !== found.path)
    throw new PengxError('invalid', `config: two files are named: ${found.path} and ${named}`)
  const config = await cx.hypervisor.readConfig(cx.host(found.pm.uuid), found.path)
  const { spec, target } = config
  const uuid = config.uuid !== undefined && isUuid(config.uuid) ? config.uuid : newUuid()
  const known = cx.view.vmsOn(found.pm.uuid).find((vm) => vm.origin !== 'found' && describes(config, vm))
  if (known) {
    const from =
      known.configPath === undefined || known.configPath === target
        ? ''
        : `, from ${known.configPath}: vm.config chooses between files`
    throw new PengxError('refused', `${found.path} is VM ${known.name}, which is under pengx's care already${from}`)
  }
  const domain = (await cx.look(found.pm.uuid)).find((one) => one.uuid === uuid || one.name === spec.domainName)
  if (domain) return await asRunning(cx, found, domain, spec)
  return { spec, uuid, configPath: target, notUnderstood: config.notUnderstood }
}

/** A file that describes what runs: the domain and the file are one VM, where the two agree. */
async function asRunning(cx: Context, { pm, path }: FoundFile, domain: DomainSeen, spec: VmSpec): Promise<Adopted> {
  const which = `domain ${domain.domid} on ${pm.name}, ${domain.name}`
  const vm = cx.view.getVm(domain.uuid)
  if (vm?.origin !== 'found') throw new PengxError('refused', `${path} describes ${which}, which is another VM already`)
  const [detail] = await cx.hypervisor.details(cx.host(pm.uuid), [domain.domid], cx.signal)
  if (!detail) throw new PengxError('notFound', `${vm.name} went away while it was looked at`)
  const differs = refuseAgreement(detail.spec, spec)
  if (differs === undefined) return await asNamed(cx, vm, detail, path)
  const text = `${path} has the name of ${which}, and is not what that runs from: ${differs}`
  throw new PengxError('refused', `${text}: adopt ${vm.uuid}, and name its file (--config PATH)`)
}

async function gather(p: Params, cx: Context): Promise<Facts> {
  const found = findOne(p, cx.view)
  const adopted =
    found.kind === 'domain'
      ? await lookAtDomain(cx, found.vm, { ...p, ...configOf(found) })
      : await lookAtConfig(cx, found, p)
  const { spec, uuid, configPath } = adopted
  const name = p.name ?? spec.name
  needFreeName(name, uuid, cx.view)
  const pm = found.kind === 'domain' ? found.vm.pm : found.pm.uuid
  const before = cx.view.getVm(uuid)
  const row = adoptedVm({
    spec,
    uuid,
    pm,
    name,
    now: cx.clock.now(),
    ...(before ? { before } : {}),
    ...(configPath === undefined ? {} : { configPath }),
  })
  const vm = { ...row, disks: await withSizes(cx.host(pm), row.disks, cx.signal) }
  await needSoleUse(cx, vm, usedBy(vm, cx.view), { use: 'write', silence: 'ignored' })
  for (const item of adopted.notUnderstood) cx.notice(`kept as it is, not interpreted: ${item}`)
  return { ...splitSecret(vm), before: (before ?? null) as (Vm & Json) | null, notUnderstood: adopted.notUnderstood }
}

/** Of a VM that runs. It does so whether or not others can see it, so what is in the way of that is told. */
function claimStep(vm: Pick<Vm, 'uuid' | 'pm' | 'name'>): Step {
  return {
    name: 'claim its disks',
    async do(cx) {
      const domain = await findDomain(cx, vm)
      if (!lives(domain)) return null
      const claimed = claimVolumes(cx, cx.view.needVm(vm.uuid), { domid: domain.domid })
      await claimed.catch((error: unknown) => cx.notice(toPengxError(error).message))
      return null
    },
    isApplied: async () => 'again',
    undo: (cx) => releaseVolumes(cx, vm),
  }
}

export const vmAdopt: Operation<Params, Facts> = {
  name: 'vm.adopt',
  title: 'adopt',
  help: 'Takes a running domain or a configuration file that somebody else made under care; on the PM only its disks get a claim, where it runs.',
  danger: 'safe',
  subjectKind: 'vm',
  target: { param: 'what', kind: 'text' },
  params,
  subject(p, view) {
    const found = findOne(p, view)
    return found.kind === 'domain'
      ? { kind: 'vm', id: found.vm.uuid, name: found.vm.name }
      : { kind: 'vm', id: found.uuid ?? found.path, name: found.name }
  },
  locks(p, view) {
    const found = findOne(p, view)
    const pm = found.kind === 'domain' ? found.vm.pm : found.pm.uuid
    const key = found.kind === 'domain' ? found.vm.uuid : (found.uuid ?? `${pm}:${found.path}`)
    return [
      { key: `vm:${key}`, mode: 'exclusive' },
      { key: `pm:${pm}`, mode: 'shared' },
    ]
  },
  refuse(p, view) {
    findOne(p, view)
    return undefined
  },
  gather,
  plan: (_p, facts) => [
    {
      name: 'record',
      async do(cx) {
        const seen = cx.view.getVm(facts.vm.uuid)?.seen
        await cx.inventory.putVm({ ...joinSecret(facts.vm, facts.secrets), ...(seen ? { seen } : {}) })
        return null
      },
      async isApplied(cx) {
        const row = cx.view.getVm(facts.vm.uuid)
        return (row !== undefined && isSameRow(row, joinSecret(facts.vm, facts.secrets))) || 'again'
      },
      async undo(cx) {
        if (facts.before) await cx.inventory.putVm(facts.before)
        else await cx.inventory.dropVm(facts.vm.uuid)
      },
    },
    claimStep(facts.vm),
  ],
  result: (_p, { vm, notUnderstood }) => ({ uuid: vm.uuid, name: vm.name, notUnderstood }),
  touches: (p, view) => {
    const vm = view.vms().find((one) => one.uuid === p.what || one.name === p.what)
    return vm ? [vm.pm] : []
  },
}
