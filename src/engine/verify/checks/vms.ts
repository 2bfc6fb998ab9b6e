import { formatDate } from '../../../lib/age.ts'
import { disksApart, saysOtherwise } from '../../../model/described.ts'
import type { Finding } from '../../../model/finding.ts'
import { layersOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import { wrongVolumeText } from '../../../model/wrongVolume.ts'
import { type Check, finding, GONE, isBusy, type SeenConfig, subjectOf } from '../facts.ts'

/** Files that describe VMs, against what is written down of them. */
export const checkConfigs: Check = (facts) =>
  [...facts.pms.values()].flatMap(({ pm, configs, unread }) => {
    const byPath = new Map<string, SeenConfig>()
    for (const config of configs) for (const path of [config.path, ...config.links]) byPath.set(path, config)
    return facts.view.vmsOn(pm.uuid).flatMap((vm): Finding[] => {
      const { configPath: path } = vm
      const subject = subjectOf('vm', vm)
      if (vm.origin === 'found' || path === undefined || isBusy(facts, subject)) return []
      const where = { pm: pm.uuid, path }
      const config = byPath.get(path)
      if (config === undefined) {
        const why = unread.get(path)
        if (why === GONE && isWrittenAnew(vm)) return []
        const text = `the configuration of ${vm.name}, ${path}: ${why ?? 'xl would not take it'}`
        return [finding('CONFIG_MISSING', subject, text, where)]
      }
      const says = otherwise(vm, config)
      return says === undefined
        ? []
        : [finding('CONFIG_DIFFERS', subject, says, { ...where, repair: repairOf(vm, config) })]
    })
  })

/** pengx's own file is printed at each start, so it is missed only by what starts with its PM, or where it was made with the VM. */
function isWrittenAnew({ configForeign, origin, seen }: Vm): boolean {
  return !configForeign && origin !== 'created' && seen.autostart === undefined
}

function otherwise(vm: Vm, { path, uuid, spec }: SeenConfig): string | undefined {
  if (uuid !== undefined && uuid !== vm.uuid) return `${path} is the configuration of another VM now (UUID ${uuid})`
  const says = saysOtherwise(vm, spec)
  return says === undefined ? undefined : `${vm.name}: ${says} (${path})`
}

function repairOf(vm: Vm, { path, uuid, spec }: SeenConfig) {
  const isOther = uuid !== undefined && uuid !== vm.uuid
  if (isOther || layersOf(vm).length === 0 || disksApart(vm, spec) === undefined) return undefined
  return { operation: 'vm.config', params: { vm: vm.uuid, config: path } }
}

/** Domains, against what is written down of their VMs, as the last look saw them. */
export const checkDomains: Check = (facts) => {
  const vms = facts.view.vms().flatMap((vm): Finding[] => {
    const subject = subjectOf('vm', vm)
    if (!facts.pms.has(vm.pm) || isBusy(facts, subject)) return []
    const where = { pm: vm.pm }
    const drift = vm.seen.drift.map((line) => finding('DOMAIN_DIFFERS', subject, `${vm.name}: ${line}`, where))
    // what it writes to of others, and others of it, is told by who uses what
    const foreign = (vm.seen.wrongVolumes ?? []).filter(({ kind }) => kind === 'foreign')
    const volumes = foreign.map((wrong) => {
      const text = `${vm.name}: ${wrongVolumeText(wrong, formatDate(vm.bootedAt ?? wrong.since))}`
      return finding('DOMAIN_DIFFERS', subject, text, { ...where, path: wrong.path })
    })
    if (vm.seen.state !== 'broken') return [...drift, ...volumes]
    const repair = vm.origin === 'found' ? undefined : { operation: 'vm.poweroff', params: { vm: vm.uuid } }
    const text = `the domain of ${vm.name} is broken (domid ${vm.seen.domid})`
    return [finding('DOMAIN_BROKEN', subject, text, { ...where, repair }), ...drift, ...volumes]
  })
  const strays = [...facts.pms.values()].flatMap(({ pm }) =>
    (facts.view.getPm(pm.uuid)?.seen.strays ?? []).map(({ domid, name, uuid, state }) =>
      finding('DOMAIN_DIFFERS', subjectOf('pm', pm), `domain ${domid} (${name}, ${uuid}) is ${state}, and no VM’s`, {
        pm: pm.uuid,
      }),
    ),
  )
  return [...vms, ...strays]
}
