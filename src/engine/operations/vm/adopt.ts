import { z } from 'zod'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { layersOf, snapshotsOf } from '../../../model/layer.ts'
import type { Pm } from '../../../model/pm.ts'
import { isUpkeep } from '../../../model/template.ts'
import { refuseName, type Vm, type VmSpec } from '../../../model/vm.ts'
import type { Context, Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { withSizes } from '../../volumes/sizes.ts'
import { adoptedVm, filesByDomain } from './adopted.ts'
import { isSameRow } from './change.ts'
import { isForgotten, joinSecret, putBack, splitSecret, type VmSecrets } from './secrets.ts'
import { type VmParams, vmOperation, vmParams } from './target.ts'

/**
 * Adopting takes a VM that somebody else made under pengx's care: a running domain, or a configuration file. Nothing on
 * the PM is changed by it; the file stays as it is until the first change of the VM's configuration.
 */
const params = z.object({
  what: field(z.string(), {
    title: 'VM or file',
    from: 'found',
    help: 'a name, a UUID, or the path of a configuration file',
  }),
  pm: field(z.string().optional(), { title: 'PM', from: 'pm' }),
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

type Found =
  | { readonly kind: 'domain'; readonly vm: Vm }
  | { readonly kind: 'config'; readonly pm: Pm; readonly path: string; readonly name: string; readonly uuid?: string }

function pmNamed(text: string, view: View): Pm {
  const pm = view.pms().find((one) => one.uuid === text || one.name === text)
  if (pm) return pm
  throw new PengxError('notFound', `there is no PM "${text}"`)
}

/** Everything that `what` can mean: found domains by name or UUID, configuration files by path or the name in them. */
function matches({ what, pm }: Params, view: View): Found[] {
  const only = pm === undefined ? undefined : pmNamed(pm, view).uuid
  const domains = view
    .vms()
    .filter((vm) => vm.origin === 'found' && (vm.uuid === what.toLowerCase() || vm.name === what))
    .map((vm): Found => ({ kind: 'domain', vm }))
  const configs = view
    .pms()
    .flatMap((one) =>
      (one.seen.configs ?? [])
        .filter((config) => config.path === what || config.name === what || config.uuid === what.toLowerCase())
        .map((config): Found => ({ kind: 'config', pm: one, ...config })),
    )
  const here = (found: Found) => only === undefined || only === (found.kind === 'domain' ? found.vm.pm : found.pm.uuid)
  // A running domain and the file that it was built from are one VM: the domain speaks for both.
  const running = new Set(domains.map((found) => (found.kind === 'domain' ? `${found.vm.pm} ${found.vm.name}` : '')))
  const stopped = configs.filter((found) => found.kind === 'config' && !running.has(`${found.pm.uuid} ${found.name}`))
  return [...domains, ...stopped].filter(here)
}

function describe(found: Found, view: View): string {
  if (found.kind === 'config') return `${found.path} on ${found.pm.name}`
  return `${found.vm.name} (${found.vm.uuid}) on ${view.getPm(found.vm.pm)?.name}`
}

function findOne(p: Params, view: View): Found {
  const found = matches(p, view)
  if (found.length === 1) return found[0]!
  if (found.length > 1) {
    throw new PengxError(
      'invalid',
      `"${p.what}" means more than one: ${found.map((one) => describe(one, view)).join(', ')}; name a PM or a UUID`,
    )
  }
  const known = view.vms().find((vm) => vm.origin !== 'found' && (vm.name === p.what || vm.uuid === p.what))
  if (known) throw new PengxError('refused', `${known.name} is under pengx's care already`)
  if (p.what.startsWith('/')) {
    const pm = p.pm === undefined ? view.pms()[0] : pmNamed(p.pm, view)
    if (pm && (p.pm !== undefined || view.pms().length === 1)) return { kind: 'config', pm, path: p.what, name: p.what }
    throw new PengxError('invalid', `pm is missing: on which PM is ${p.what}?`)
  }
  const there = view
    .vms()
    .filter((vm) => vm.origin === 'found')
    .map((vm) => vm.name)
  throw new PengxError(
    'notFound',
    `nothing named "${p.what}" was found${there.length > 0 ? `; not adopted are ${there.slice(0, 8).join(', ')}` : ''}`,
  )
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

/** A running domain tells what it is; the file it was built from, where there is one, is what it will be started from. */
async function lookAtDomain(cx: Context, vm: Vm): Promise<Adopted> {
  const host = cx.host(vm.pm)
  const domain = (await cx.look(vm.pm)).find((one) => one.uuid === vm.uuid)
  if (!domain) throw new PengxError('notFound', `${vm.name} is no longer on ${cx.view.needPm(vm.pm).name}`)
  const [detail] = await cx.hypervisor.details(host, [domain.domid], cx.signal)
  if (!detail) throw new PengxError('notFound', `${vm.name} went away while it was looked at`)
  const files = await cx.hypervisor.configFiles(host, cx.signal)
  const file = filesByDomain(files)({ uuid: vm.uuid, name: domain.name })
  if (!file) return { spec: detail.spec, uuid: vm.uuid, notUnderstood: detail.notUnderstood }
  const config = await cx.hypervisor.readConfig(host, file.path)
  return { spec: config.spec, uuid: vm.uuid, configPath: file.path, notUnderstood: config.notUnderstood }
}

async function lookAtConfig(cx: Context, found: Found & { kind: 'config' }): Promise<Adopted> {
  const config = await cx.hypervisor.readConfig(cx.host(found.pm.uuid), found.path)
  const uuid = config.uuid !== undefined && isUuid(config.uuid) ? config.uuid.toLowerCase() : newUuid()
  const known = cx.view.getVm(uuid)
  if (known && known.origin !== 'found')
    throw new PengxError('refused', `${found.path} is VM ${known.name}, which is under pengx's care already`)
  return { spec: config.spec, uuid, configPath: found.path, notUnderstood: config.notUnderstood }
}

async function gather(p: Params, cx: Context): Promise<Facts> {
  const found = findOne(p, cx.view)
  const adopted = found.kind === 'domain' ? await lookAtDomain(cx, found.vm) : await lookAtConfig(cx, found)
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
  for (const item of adopted.notUnderstood) cx.notice(`kept as it is, not interpreted: ${item}`)
  return { ...splitSecret(vm), before: (before ?? null) as (Vm & Json) | null, notUnderstood: adopted.notUnderstood }
}

export const vmAdopt: Operation<Params, Facts> = {
  name: 'vm.adopt',
  title: 'adopt',
  help: 'Takes a running domain or a configuration file that somebody else made under care; nothing on the PM changes.',
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
  ],
  result: (_p, { vm, notUnderstood }) => ({ uuid: vm.uuid, name: vm.name, notUnderstood }),
  touches: (p, view) => {
    const vm = view.vms().find((one) => one.uuid === p.what || one.name === p.what)
    return vm ? [vm.pm] : []
  },
}

type ForgetFacts = { readonly vm: Vm & Json; readonly secrets: VmSecrets }

export const vmForget = vmOperation<VmParams, ForgetFacts>({
  name: 'vm.forget',
  title: 'forget',
  help: 'Gives a VM out of care again: its domain, disks and configuration stay as they are.',
  danger: 'disrupts',
  params: vmParams,
  refuse({ vm }, view) {
    const row = view.needVm(vm)
    if (isUpkeep(row)) return 'it is the upkeep of a template: template.shutdown ends it'
    if (layersOf(row).length > 0)
      return `its ${snapshotsOf(row).length} snapshots are written down here alone: delete them first`
    return row.origin === 'found' ? 'it is not adopted' : undefined
  },
  gather: async ({ vm }, cx) => splitSecret(cx.view.needVm(vm)),
  plan: (_params, { vm, secrets }) => [
    {
      name: 'forget',
      async do(cx) {
        await cx.inventory.dropVm(vm.uuid)
        return null
      },
      isApplied: async (cx) => isForgotten(cx.view.getVm(vm.uuid)),
      undo: (cx) => putBack(cx, vm, secrets),
    },
  ],
  effects: (_params, { vm }) => ({
    keeps: [...vm.disks.map((disk) => disk.path), ...(vm.configPath ? [vm.configPath] : [])],
  }),
})
