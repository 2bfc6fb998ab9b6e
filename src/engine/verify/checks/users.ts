import type { Finding, FindingSubject, Repair } from '../../../model/finding.ts'
import { isUpkeep } from '../../../model/template.ts'
import { hasDomain, type Vm } from '../../../model/vm.ts'
import { type Check, finding, globalKeys, isBusy, keysOf, type SiteFacts, subjectOf, writtenPaths } from '../facts.ts'

/** Who writes to which volume: VMs by what is written down, domains, and configurations from which one could be started. */
interface User {
  /** Users of one id are one guest. */
  readonly id: string
  readonly subject: FindingSubject
  /** `VM web01`, `domain 7 (old)`, `configuration /etc/xen/old.cfg`. */
  readonly title: string
  readonly pm: string
  readonly path: string
  readonly keys: readonly string[]
  /** A VM whose domain writes there, and not by what is written down: powering it off ends it. */
  readonly runs: boolean
  readonly isConfig: boolean
}

/** Volumes that nobody may write to, and those that two write to, told by what they are and not by what they are called. */
export const checkUsers: Check = (facts) => {
  const named = usersOf(facts)
  const known = new Set(named.flatMap(({ keys }) => keys))
  // a QEMU has more open than disks: its log, a kernel
  const users = [...named, ...holdersOf(facts).filter(({ keys }) => keys.some((key) => known.has(key)))]
  return [...onFrozen(facts, users), ...together(facts, users)]
}

function usersOf(facts: SiteFacts): User[] {
  const { view } = facts
  const users: User[] = []
  const add = (user: Omit<User, 'keys'>) => {
    const keys = globalKeys(facts, user.pm, user.path)
    if (keys.length > 0) users.push({ ...user, keys })
  }
  for (const vm of view.vms()) {
    if (vm.origin === 'found' || isUpkeep(vm)) continue
    const user = { id: vm.uuid, subject: subjectOf('vm', vm), title: `VM ${vm.name}`, pm: vm.pm, isConfig: false }
    for (const path of writtenPaths(vm)) add({ ...user, path, runs: false })
    for (const wrong of vm.seen.wrongVolumes ?? [])
      if (wrong.kind !== 'shared') add({ ...user, title: `the domain of VM ${vm.name}`, path: wrong.path, runs: true })
  }
  for (const { pm, built, configs } of facts.pms.values()) {
    for (const { domid, uuid, disks } of built) {
      const row = view.getVm(uuid)
      const name = row?.name ?? uuid
      const subject = row ? subjectOf('vm', row) : subjectOf('pm', pm)
      const user = { id: uuid, subject, title: `domain ${domid} (${name})`, pm: pm.uuid, runs: true, isConfig: false }
      for (const { path } of disks) add({ ...user, path })
    }
    const ownerOf = ownersAmong(view.vmsOn(pm.uuid))
    for (const config of configs) {
      const vm = ownerOf(config)
      if (vm !== undefined && isUpkeep(vm)) continue
      const title = `configuration ${config.path}`
      const subject = vm ? subjectOf('vm', vm) : subjectOf('pm', pm)
      const user = {
        id: vm?.uuid ?? config.uuid ?? config.path,
        subject,
        title,
        pm: pm.uuid,
        runs: false,
        isConfig: true,
      }
      for (const path of writtenPaths(config.spec)) add({ ...user, path })
    }
  }
  return users
}

/** Domains that have volumes open for writing, whatever their configurations say. */
function holdersOf({ pms, view }: SiteFacts): User[] {
  return [...pms.values()].flatMap(({ pm, holders, domains }) => {
    const vms = new Map(
      view.vmsOn(pm.uuid).flatMap((vm) => (hasDomain(vm.seen.state) ? [[vm.seen.domid, vm] as const] : [])),
    )
    return holders.flatMap(({ domid, path, writes, identity }): User[] => {
      const domain = domains.find((one) => one.domid === domid)
      const vm = vms.get(domid) ?? (domain && view.getVm(domain.uuid))
      if (!writes || !identity || (vm && isUpkeep(vm))) return []
      const name = vm?.name ?? domain?.name ?? (domid === 0 ? 'dom0' : 'of no name')
      return [
        {
          id: vm?.uuid ?? domain?.uuid ?? `${pm.uuid} domain ${domid}`,
          subject: vm ? subjectOf('vm', vm) : subjectOf('pm', pm),
          title: `domain ${domid} (${name})`,
          pm: pm.uuid,
          path,
          keys: keysOf(view, pm.uuid, path, identity),
          runs: true,
          isConfig: false,
        },
      ]
    })
  })
}

type Config = {
  readonly path: string
  readonly links: readonly string[]
  readonly name: string
  readonly uuid?: string
}

/** Gives the VM of a PM that a configuration is the file of, or that it describes. */
function ownersAmong(vms: readonly Vm[]): (config: Config) => Vm | undefined {
  // of two that share a name the first is meant, as everywhere
  const by = (keyOf: (vm: Vm) => string | undefined) => new Map(vms.toReversed().map((vm) => [keyOf(vm), vm]))
  const [byPath, byUuid, byName] = [by((vm) => vm.configPath), by((vm) => vm.uuid), by((vm) => vm.domainName)]
  return ({ path, links, name, uuid }) =>
    [path, ...links].map((one) => byPath.get(one)).find(Boolean) ??
    (uuid === undefined ? byName.get(name) : byUuid.get(uuid))
}

function onFrozen(facts: SiteFacts, users: readonly User[]): Finding[] {
  const frozen = new Map<string, { title: string; owner: FindingSubject }>()
  for (const { role, pm, path, title, owner } of facts.volumes) {
    if (role === 'disk' || role === 'manifest') continue
    for (const key of globalKeys(facts, pm, path)) frozen.set(key, { title, owner })
  }
  const told = new Set<string>()
  return users.flatMap((user) => {
    const volume = user.keys.map((key) => frozen.get(key)).find(Boolean)
    if (volume === undefined || isBusy(facts, user.subject)) return []
    // what is named and what is open is one domain's
    const once = [user.id, user.isConfig, volume.title].join('\n')
    if (told.has(once)) return []
    told.add(once)
    const verb = user.isConfig ? 'names' : 'writes to'
    const text = `${user.title} ${verb} ${user.path}, which is ${volume.title}, and nobody may write to that`
    const { pm, path } = user
    return [finding('VM_ON_FROZEN_LAYER', user.subject, text, { pm, path, repair: repairOf(facts, user) })]
  })
}

function together(facts: SiteFacts, users: readonly User[]): Finding[] {
  const byKey = new Map<string, User[]>()
  const volumes = new Set<User[]>()
  for (const user of users) {
    const all = user.keys.map((key) => byKey.get(key)).find(Boolean) ?? []
    volumes.add(all)
    for (const key of user.keys) if (!byKey.has(key)) byKey.set(key, all)
    if (all.every(({ id }) => id !== user.id)) all.push(user)
  }
  return [...volumes].flatMap((all) => {
    // Configurations alone start nothing; who owns the volume is told of the others.
    const first = all.find(({ isConfig }) => !isConfig)
    if (all.length < 2 || first === undefined || all.some(({ subject }) => isBusy(facts, subject))) return []
    return all
      .filter((user) => user !== first)
      .map((user) => {
        const called = user.path === first.path ? '' : `, which it calls ${user.path}`
        const text = `${first.title} and ${user.title} both have ${first.path}${called}: if both run, they ruin it`
        const { pm, path } = user
        return finding('VOLUME_TWO_USERS', user.subject, text, { pm, path, repair: repairOf(facts, user) })
      })
  })
}

/** What runs on a wrong volume is powered off; a file of a VM that lies under snapshots gets the VM's volumes again. */
function repairOf({ view }: SiteFacts, { subject, runs, isConfig }: User): Repair | undefined {
  const vm = subject.kind === 'vm' ? view.getVm(subject.id) : undefined
  if (vm === undefined || vm.origin === 'found') return undefined
  if (runs && hasDomain(vm.seen.state)) return { operation: 'vm.poweroff', params: { vm: vm.uuid } }
  const ownFile = vm.configPath
  const isLayered = (vm.layers ?? []).length > 0
  if (isConfig && isLayered && ownFile !== undefined)
    return { operation: 'vm.config', params: { vm: vm.uuid, config: ownFile } }
  return undefined
}
