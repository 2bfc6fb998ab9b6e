import type { Finding, FindingSubject, Repair } from '../../../model/finding.ts'
import { isUpkeep } from '../../../model/template.ts'
import { hasDomain, type Vm } from '../../../model/vm.ts'
import { type Check, finding, globalKey, isBusy, type SiteFacts, subjectOf, writtenPaths } from '../facts.ts'

/** Who writes to which volume: VMs by what is written down, domains, and configurations from which one could be started. */
interface User {
  /** Users of one id are one guest. */
  readonly id: string
  readonly subject: FindingSubject
  /** `VM web01`, `domain 7 (old)`, `configuration /etc/xen/old.cfg`. */
  readonly title: string
  readonly pm: string
  readonly path: string
  readonly key: string
  /** A VM whose domain writes there, and not by what is written down: powering it off ends it. */
  readonly runs: boolean
  readonly isConfig: boolean
}

/** Volumes that nobody may write to, and those that two write to, told by what they are and not by what they are called. */
export const checkUsers: Check = (facts) => {
  const users = usersOf(facts)
  return [...onFrozen(facts, users), ...together(facts, users)]
}

function usersOf(facts: SiteFacts): User[] {
  const { view } = facts
  const users: User[] = []
  const add = (user: Omit<User, 'key'>) => {
    const key = user.path === '' ? undefined : globalKey(facts, user.pm, user.path)
    if (key !== undefined) users.push({ ...user, key })
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
    const key = globalKey(facts, pm, path)
    if (key !== undefined) frozen.set(key, { title, owner })
  }
  return users.flatMap((user) => {
    const volume = frozen.get(user.key)
    if (volume === undefined || isBusy(facts, user.subject)) return []
    const verb = user.isConfig ? 'names' : 'writes to'
    const text = `${user.title} ${verb} ${user.path}, which is ${volume.title}, and nobody may write to that`
    const { pm, path } = user
    return [finding('VM_ON_FROZEN_LAYER', user.subject, text, { pm, path, repair: repairOf(facts, user) })]
  })
}

function together(facts: SiteFacts, users: readonly User[]): Finding[] {
  const byKey = new Map<string, User[]>()
  for (const user of users) {
    const there = byKey.get(user.key)
    if (there === undefined) byKey.set(user.key, [user])
    else if (there.every(({ id }) => id !== user.id)) there.push(user)
  }
  return [...byKey.values()].flatMap((all) => {
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
