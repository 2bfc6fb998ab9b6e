import type { Field } from '../../engine/jobs/params.ts'
import type { View } from '../../engine/store/view.ts'
import { formatDate } from '../../lib/age.ts'
import { formatMib } from '../../lib/bytes.ts'
import { snapshotsOf } from '../../model/layer.ts'
import type { IsoImage, Pm } from '../../model/pm.ts'
import { templateMib } from '../../model/template.ts'

export interface Choice {
  readonly value: string
  readonly label: string
}

/** What a field can be, where that is known: its own choices, or things of the site. `values` is the rest of the form. */
export function choicesOf(field: Field, view: View, values: Readonly<Record<string, string>>): readonly Choice[] {
  if (field.choices !== undefined) return field.choices.map((value) => ({ value, label: value }))
  if (field.kind === 'flag') {
    return [
      { value: 'true', label: 'yes' },
      { value: 'false', label: 'no' },
    ]
  }
  switch (field.from) {
    case 'pm':
      return view.pms().map((pm) => ({ value: pm.uuid, label: pm.name }))
    case 'vm':
      return view.vms().map((vm) => ({ value: vm.uuid, label: vm.name }))
    case 'storlink':
      return view.storlinks().map((storlink) => ({
        value: String(storlink.id),
        label: `${storlink.id} ${storlink.name} on ${view.getPm(storlink.pm)?.name ?? '?'}, ${formatMib(storlink.freeMib)} free`,
      }))
    case 'template':
      return view.templates().map((template) => ({
        value: template.uuid,
        label: `${template.name} on ${view.getPm(template.pm)?.name ?? '?'}, ${formatMib(templateMib(template))}`,
      }))
    case 'disk':
      return (view.getVm(values.vm ?? '')?.disks ?? []).map((disk) => ({
        value: disk.uuid,
        label: disk.sizeMib === undefined ? disk.vdev : `${disk.vdev}, ${formatMib(disk.sizeMib)}`,
      }))
    case 'nic':
      return (view.getVm(values.vm ?? '')?.nics ?? []).map((nic) => ({
        value: String(nic.id),
        label: `${nic.name} on ${nic.bridge}`,
      }))
    case 'snapshot': {
      const vm = view.getVm(values.vm ?? '')
      return (vm ? snapshotsOf(vm) : []).map(({ uuid, name, createdAt }) => ({
        value: uuid,
        label: `${name}, ${formatDate(createdAt)}`,
      }))
    }
    case 'backup':
      return view.backups().map(({ uuid, name, vmName, createdAt }) => ({
        value: uuid,
        label: `${name} of ${vmName}, ${formatDate(createdAt)}`,
      }))
    case 'schedule':
      return view.schedules().map(({ uuid, vmName, cron }) => ({ value: uuid, label: `${vmName}, ${cron}` }))
    case 'iso':
      return isos(view, values).map(({ path, sizeMib }) => ({ value: path, label: `${path}, ${formatMib(sizeMib)}` }))
    case 'bridge':
      return bridges(view, values).map((name) => ({ value: name, label: name }))
    case 'config':
      return configsOf(view, values.vm || values.what || '').map((path) => ({ value: path, label: path }))
    case 'found':
      return foundOn(view)
  }
  return []
}

/** The PM that the form means, else all. */
function pmsMeant(view: View, values: Readonly<Record<string, string>>): Pm[] {
  const storlink = values.storlink ? view.getStorlink(Number(values.storlink)) : undefined
  const template = storlink ? undefined : view.getTemplate(values.template ?? '')
  const uuid =
    values.pm || view.getVm(values.vm ?? '')?.pm || template?.pm || (storlink?.shared ? undefined : storlink?.pm)
  return view.pms().filter((pm) => uuid === undefined || pm.uuid === uuid)
}

function bridges(view: View, values: Readonly<Record<string, string>>): string[] {
  return [...new Set(pmsMeant(view, values).flatMap((pm) => pm.seen.bridges ?? []))].sort()
}

/** CD images; one path may lie on several PMs. */
function isos(view: View, values: Readonly<Record<string, string>>): IsoImage[] {
  const found = new Map(pmsMeant(view, values).flatMap((pm) => (pm.seen.isos ?? []).map((iso) => [iso.path, iso])))
  return [...found.values()]
}

/** The files that describe a VM beside its own; its own first, where it has one. */
function configsOf(view: View, uuid: string): string[] {
  const vm = view.getVm(uuid)
  const files = (vm && view.getPm(vm.pm)?.seen.configs) ?? []
  const own = vm?.configPath === undefined ? [] : [vm.configPath]
  return [...own, ...files.flatMap((file) => (file.vm === uuid ? file.path : []))]
}

/** Domains and configuration files that nobody has taken under care yet. */
function foundOn(view: View): Choice[] {
  const vms = view
    .vms()
    .filter((vm) => vm.origin === 'found')
    .map((vm) => ({ value: vm.uuid, label: `${vm.name} on ${view.getPm(vm.pm)?.name ?? '?'}` }))
  const configs = view
    .pms()
    .flatMap((pm) =>
      (pm.seen.configs ?? [])
        .filter(({ vm }) => vm === undefined)
        .map(({ path, name }) => ({ value: path, label: `${name}: ${path} on ${pm.name}` })),
    )
  return [...vms, ...configs]
}
