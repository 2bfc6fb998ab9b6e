import { PengxError } from '../../../model/error.ts'
import type { FoundConfig, Pm } from '../../../model/pm.ts'
import type { Vm } from '../../../model/vm.ts'
import type { View } from '../../store/view.ts'

/** What is meant by what a person wants to adopt: a domain that was found, or a file that describes none. */

/** A domain that was found, and the file by which it was named, if it was. */
export interface FoundDomain {
  readonly kind: 'domain'
  readonly vm: Vm
  readonly path?: string
}

/** A file that describes nothing that runs. */
export interface FoundFile {
  readonly kind: 'config'
  readonly pm: Pm
  readonly path: string
  readonly name: string
  readonly uuid?: string
}

type Found = FoundDomain | FoundFile

export interface Wanted {
  readonly what: string
  readonly pm?: string | undefined
}

function pmNamed(text: string, view: View): Pm {
  const pm = view.pms().find((one) => one.uuid === text || one.name === text)
  if (pm) return pm
  throw new PengxError('notFound', `there is no PM "${text}"`)
}

/** Everything that `what` can mean: found domains by name or UUID, configuration files by path or the name in them. */
function matches({ what, pm }: Wanted, view: View): Found[] {
  const only = pm === undefined ? undefined : pmNamed(pm, view).uuid
  const uuid = what.toLowerCase()
  const domains = view
    .vms()
    .filter((vm) => vm.origin === 'found' && (vm.uuid === uuid || vm.name === what))
    .map((vm): Found => ({ kind: 'domain', vm }))
  const configs = view
    .pms()
    .flatMap((one) =>
      (one.seen.configs ?? [])
        .filter((file) => file.path === what || file.links?.includes(what) || file.name === what || file.uuid === uuid)
        .flatMap((file) => asFound(one, file, what, view)),
    )
  const here = (found: Found) => only === undefined || only === (found.kind === 'domain' ? found.vm.pm : found.pm.uuid)
  const all = [...domains, ...configs].filter(here)
  const running = new Set(all.flatMap((found) => (found.kind === 'domain' ? found.vm.uuid : [])))
  // A running domain and the file that names it are one VM, once.
  return [
    ...all.filter((found) => found.kind === 'config'),
    ...[...running].map((uuid) => all.findLast((found) => found.kind === 'domain' && found.vm.uuid === uuid)!),
  ]
}

/** A file that describes a domain which was found stands for that domain; one of a VM under care is nothing new. */
function asFound(pm: Pm, { path, name, uuid, vm: of }: FoundConfig, what: string, view: View): Found[] {
  const vm = of === undefined ? undefined : view.getVm(of)
  if (!vm) return [{ kind: 'config', pm, path, name, ...(uuid === undefined ? {} : { uuid }) }]
  if (vm.origin !== 'found') return []
  return [{ kind: 'domain', vm, ...(what.startsWith('/') ? { path } : {}) }]
}

/** The file that a domain was named by, as its configuration. */
export function configOf({ path }: FoundDomain): { readonly config?: string } {
  return path === undefined ? {} : { config: path }
}

function describe(found: Found, view: View): string {
  if (found.kind === 'config') return `${found.path} on ${found.pm.name}`
  return `${found.vm.name} (${found.vm.uuid}) on ${view.getPm(found.vm.pm)?.name}`
}

/**
 * What is to be adopted. Throws `invalid` where it is not one thing, `notFound` where it is nothing that was found,
 * `refused` where it is under care already.
 */
export function findOne(p: Wanted, view: View): Found {
  const found = matches(p, view)
  if (found.length === 1) return found[0]!
  if (found.length > 1) {
    throw new PengxError(
      'invalid',
      `"${p.what}" means more than one: ${found.map((one) => describe(one, view)).join(', ')}; name a PM or a UUID`,
    )
  }
  const known = view.vms().find((vm) => vm.origin !== 'found' && [vm.name, vm.uuid, vm.configPath].includes(p.what))
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
