import { type Autostart, domainNameFor, type Vm } from './vm.ts'

/**
 * Guests that start with their PM: Xen's xendomains, and Debian's own, start every file of a directory by `xl create`, in the
 * order of their names. All but dotfiles: whatever a name ends in, and wherever a link leads.
 */
export const AUTOSTART_DIRECTORY = '/etc/xen/auto'

/** A link in the directory: where it is, and what is written in it. */
export interface AutostartLink {
  readonly path: string
  readonly target: string
}

export interface AutostartEntry {
  readonly path: string
  /** What is written in it, where it is a link. */
  readonly target?: string
  /** Configurations that it is, or leads to, of those that were asked for. */
  readonly configs: readonly string[]
}

/** What there is in the directory, by name. */
export interface AutostartLook {
  /** Where the directory itself is, when it is a link. */
  readonly directory: string
  readonly entries: readonly AutostartEntry[]
  /** A service starts them when the PM boots. */
  readonly enabled: boolean
}

/** How the VM of a configuration starts with its PM, or undefined. */
export function autostartOf(
  look: AutostartLook,
  vm: Pick<Vm, 'uuid' | 'domainName' | 'configPath'>,
): Autostart | undefined {
  const paths = entriesOf(look, vm.configPath).map(({ path }) => path)
  if (paths.length === 0) return undefined
  const order = orderOf(paths[0]!, vm)
  return { ...(order === undefined ? {} : { order }), paths, ...(look.enabled ? {} : { disabled: true }) }
}

/** What stands for a configuration, first the one that starts it. */
export function entriesOf({ entries }: AutostartLook, configPath: string | undefined): readonly AutostartEntry[] {
  return entries.filter(({ configs }) => configPath !== undefined && configs.includes(configPath))
}

/** A name of letters, digits and `_.+-` alone: the scripts split what they are given at blanks. */
function baseOf({ domainName, uuid }: Pick<Vm, 'uuid' | 'domainName'>): string {
  return `${domainNameFor(domainName, uuid)}.cfg`
}

/** Where the link of a VM is, with its order, 0 to 99, or without one. */
export function linkPath(vm: Pick<Vm, 'uuid' | 'domainName'>, order?: number): string {
  const first = order === undefined ? '' : `${String(order).padStart(2, '0')}-`
  return `${AUTOSTART_DIRECTORY}/${first}${baseOf(vm)}`
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The number that a name begins with; a VM's own name may begin with one, too. */
export function orderOf(path: string, vm: Pick<Vm, 'uuid' | 'domainName'>): number | undefined {
  const name = nameOf(path)
  const digits = name === baseOf(vm) ? undefined : /^(\d{1,4})[-_.]/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** It has the name that pengx gives the VM's link, whatever its order. */
export function isNamedAfter(path: string, vm: Pick<Vm, 'uuid' | 'domainName'>): boolean {
  const name = nameOf(path)
  return (
    name === baseOf(vm) ||
    (name.endsWith(`-${baseOf(vm)}`) && /^\d\d-/.test(name) && name.length === baseOf(vm).length + 3)
  )
}
