import { identifyDisks } from '../../../model/disk.ts'
import { isSame, type Json } from '../../../model/json.ts'
import type { Vm, VmSpec } from '../../../model/vm.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { hasConfig, saysConfig } from './configFile.ts'
import { configPathFor, findDomain, lives, livingDomain, refuseState } from './domain.ts'
import { joinSecret, splitSecret, type VmSecrets } from './secrets.ts'

/**
 * A change of what a VM is configured to be goes to three places: its row, which a start by pengx counts on; its file,
 * which a person's `xl create` counts on; and, while it runs, the domain (`xl config-update`), which the guest's own reboot
 * counts on. An adopted VM's first change is written to a file of pengx's own, with all that its file holds at
 * that moment; the file itself stays as it is.
 */
export interface ChangeFacts {
  readonly [key: string]: Json | undefined
  /** The row as it was. */
  readonly before: Vm & Json
  /** What the change starts from: the row, or, for a VM with a file of its owner's, what that says now. */
  readonly base: Vm & Json
  /** Passwords of the two, where they differ. */
  readonly secrets: VmSecrets
  /** A file stood already where pengx keeps its own. */
  readonly hadConfig: boolean
  /** Its domain when the change was planned. */
  readonly domid: number | null
}

/** Why the configuration of a VM cannot be changed, whatever the change is, or undefined. */
export function refuseChange(vm: Vm, view: View): string | undefined {
  if (vm.origin === 'found') return 'it is not adopted: adopt it first'
  return refuseState(vm, view, ['running', 'paused', 'shutdown'], {
    crashed: 'power it off first',
    dying: 'wait until it is gone',
    starting: 'wait until it runs',
  })
}

/**
 * What a change of a VM starts from. Looks at its PM's domains, at the file of its owner where it has one (xl.cfg(5)),
 * and whether pengx's own is there; changes nothing. Throws `notFound` for no such VM, `refused` where its domain is
 * neither running nor paused nor gone.
 */
export async function gatherChange(uuid: string, cx: Context): Promise<ChangeFacts> {
  const row = cx.view.needVm(uuid)
  const domain = await livingDomain(cx, row)
  const base = await refreshed(cx, row)
  const old = splitSecret(row)
  const now = splitSecret(base)
  return {
    before: old.vm,
    base: now.vm,
    secrets: {
      ...now.secrets,
      ...(old.secrets.vncPassword === now.secrets.vncPassword ? {} : { before: old.secrets.vncPassword ?? '' }),
    },
    hadConfig: await hasConfig(cx, row.pm, configPathFor(uuid)),
    domid: domain?.domid ?? null,
  }
}

/** The row with what its owner's file says now; a file that is gone or cannot be read any more leaves the row as it is. */
async function refreshed(cx: Context, row: Vm): Promise<Vm> {
  if (!row.configForeign || row.configPath === undefined) return row
  const config = await cx.hypervisor.readConfig(cx.host(row.pm), row.configPath).catch(() => undefined)
  return config === undefined ? row : mergeSpec(row, config.spec)
}

/** A row with another specification, keeping what only pengx knows of it: ids, sizes, descriptions. */
function mergeSpec(row: Vm, spec: VmSpec): Vm {
  const disks = identifyDisks(row.uuid, spec.disks, row.createdAt).map((disk) => {
    const known = row.disks.find((one) => one.vdev === disk.vdev && one.path === disk.path)
    if (!known) return disk
    const { uuid, sizeMib, storlink, base, owned, desc, createdAt } = known
    return { ...disk, ...defined({ sizeMib, storlink, base }), uuid, owned, desc, createdAt }
  })
  const nics = spec.nics.map((nic) => {
    const known = row.nics.find((one) => one.mac === nic.mac && nic.mac !== '')
    return known ? { ...nic, id: known.id, ip: nic.ip || known.ip } : nic
  })
  const { vnc: _vnc, ...rest } = row
  return { ...rest, ...spec, name: row.name, disks, nics }
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}

/** A change of what a VM is configured to be, as a function of the row; done twice it must come to the same. */
export type Change = (vm: Vm) => Vm

function changed(facts: ChangeFacts, change: Change): Vm {
  const after = change(joinSecret(facts.base, facts.secrets))
  return { ...after, configPath: configPathFor(after.uuid), configForeign: false }
}

function original(facts: ChangeFacts): Vm {
  const { before } = facts.secrets
  return joinSecret(facts.before, before === undefined ? facts.secrets : before === '' ? {} : { vncPassword: before })
}

/**
 * Writes the changed row into the store, with what was seen since; the undo writes the row as it was. `name` and `pivot`
 * are the step's.
 */
export function recordStep(
  facts: ChangeFacts,
  change: Change,
  more: { name?: string; pivot?: true } = {},
): ChangingStep {
  const put = async (cx: Context, vm: Vm) => {
    const { seen, bootedAt } = cx.view.needVm(vm.uuid)
    await cx.inventory.putVm({ ...vm, seen, ...(bootedAt === undefined ? {} : { bootedAt }) })
  }
  return {
    name: more.name ?? 'record',
    ...(more.pivot ? { pivot: true } : {}),
    async do(cx) {
      await put(cx, changed(facts, change))
      return null
    },
    async isApplied(cx) {
      return isSameRow(cx.view.needVm(facts.before.uuid), changed(facts, change)) || 'again'
    },
    undo: (cx) => put(cx, original(facts)),
  }
}

/** What a person has written down of a VM; what was seen of it, and the numbers of its interfaces, are the store's. */
export function isSameRow(one: Vm, other: Vm): boolean {
  const told = ({ seen: _seen, bootedAt: _bootedAt, nics, ...row }: Vm) => ({
    ...row,
    nics: nics.map(({ id: _id, ...nic }) => nic),
  })
  return isSame(told(one), told(other))
}

/**
 * Writes pengx's own file of the VM, and gives it to the running domain for its next reboot (`xl config-update`, xl(1)).
 * The undo writes what the change started from, or removes a file that was not there before.
 */
export function configStep(facts: ChangeFacts, change: Change): ChangingStep {
  const { uuid, pm } = facts.before
  const path = configPathFor(uuid)
  const write = async (cx: Context, vm: Vm) => {
    await cx.hypervisor.writeConfig(cx.host(pm), path, cx.hypervisor.formatConfig(uuid, vm), cx.tag)
    const domain = facts.domid === null ? undefined : await findDomain(cx, { uuid, pm })
    if (lives(domain)) await cx.hypervisor.updateConfig(cx.host(pm), domain.domid, path, cx.tag)
  }
  return {
    name: 'write the configuration',
    onward: true,
    shows: [`write ${path}`, ...(facts.domid === null ? [] : [`xl config-update ${facts.domid} ${path}`])],
    async do(cx) {
      await write(cx, changed(facts, change))
      return null
    },
    /** Of what a domain was told for its next reboot the file says nothing: it is told again. */
    async isApplied(cx) {
      const text = cx.hypervisor.formatConfig(uuid, changed(facts, change))
      if (!(await saysConfig(cx, pm, path, text))) return false
      return (await findDomain(cx, { uuid, pm })) === undefined || 'again'
    },
    async undo(cx) {
      await write(cx, joinSecret(facts.base, facts.secrets))
      if (!facts.hadConfig) await cx.hypervisor.removeConfig(cx.host(pm), path, cx.tag)
    },
  }
}
