import {
  AUTOSTART_DIRECTORY,
  type AutostartEntry,
  type AutostartLink,
  type AutostartLook,
  autostartOf,
  entriesOf,
  isNamedAfter,
  linkPath,
  orderOf,
} from '../../../model/autostart.ts'
import { PengxError } from '../../../model/error.ts'
import type { Vm } from '../../../model/vm.ts'
import type { ChangingStep, Context, Step } from '../../jobs/operation.ts'
import { hasConfig } from './configFile.ts'

/**
 * Whether a VM starts with its PM, as links in xendomains' directory that lead to its configuration. Looked at before an
 * operation begins, and changed by steps of their own: the operations that change what a configuration is called, or where
 * it is, put them where the VM is never started twice, and never from what is not there any more.
 */

/** Links that an operation takes away and makes; none of both: nothing is done. */
export type LinkChanges = {
  readonly removes: readonly (AutostartLink & { readonly [key: string]: string })[]
  readonly makes: readonly (AutostartLink & { readonly [key: string]: string })[]
}

/** What is to become of it; what is not given stays. */
export interface Wish {
  readonly autostart?: 'yes' | 'no' | undefined
  readonly order?: number | undefined
}

type Named = Pick<Vm, 'uuid' | 'pm' | 'name' | 'domainName' | 'configPath'>

const refused = (text: string) => new PengxError('refused', text)

/** What starts the VM now, with what else there is in the directory of its PM. Looks, and changes nothing. */
async function look(
  cx: Context,
  vm: Named,
): Promise<{
  readonly all: AutostartLook
  readonly links: readonly AutostartLink[]
  readonly files: readonly AutostartEntry[]
}> {
  const configs = vm.configPath === undefined ? [] : [vm.configPath]
  const all = await cx.hypervisor.autostart(cx.host(vm.pm), configs, cx.signal)
  const own = entriesOf(all, vm.configPath)
  const links = own.flatMap(({ path, target }) => (target === undefined ? [] : [{ path, target }]))
  return { all, links, files: own.filter(({ target }) => target === undefined) }
}

/** Why a file that stands in the directory itself is not for pengx to take out, with what would help. */
function whyStays(file: AutostartEntry, { directory }: AutostartLook, pm: string): string {
  if (directory !== AUTOSTART_DIRECTORY)
    return `${AUTOSTART_DIRECTORY} on ${pm} is a link to ${directory}, so every file there is started: make it a directory of its own, with links to what is to start`
  return `${file.path} on ${pm} is its configuration itself, and no link: move the file out of ${AUTOSTART_DIRECTORY} first`
}

function needFree(path: string, { entries }: AutostartLook, own: readonly AutostartLink[], pm: string): void {
  const other = entries.find((entry) => entry.path === path)
  if (!other || own.some((link) => link.path === path)) return
  const what = other.target === undefined ? 'another file' : `a link to ${other.target}`
  throw refused(`${path} on ${pm} is ${what}, and is not replaced: take it away first`)
}

/**
 * What has to be done so that the VM, called as `after` says, starts with its PM as is wished. A link that its owner has
 * named as he likes keeps its name. Throws `refused` where that is not pengx's to do.
 */
export async function gatherLinks(cx: Context, before: Named, after: Named, wish: Wish): Promise<LinkChanges> {
  const { all, links, files } = await look(cx, before)
  const pm = cx.view.needPm(before.pm).name
  if (wish.autostart === 'no') {
    if (files[0]) throw refused(`${before.name} starts with its PM: ${whyStays(files[0], all, pm)}`)
    return { removes: copies(links), makes: [] }
  }
  const target = before.configPath
  const isWished = wish.autostart === 'yes' || wish.order !== undefined
  const isStarted = links.length + files.length > 0
  if (!isStarted && !isWished) return NO_LINKS
  if (!isStarted && wish.autostart === undefined)
    throw refused(`${before.name} does not start with its PM: an order is of one that does (--autostart yes)`)
  if (target === undefined) throw refused(`${before.name} has no configuration file that could be started`)
  if (wish.order !== undefined && files[0])
    throw refused(`the order of ${before.name} is what the file’s own name says: ${whyStays(files[0], all, pm)}`)
  if (isWished && !all.enabled)
    cx.notice(`nothing starts it yet: the service xendomains is not enabled on ${pm} (systemctl enable xendomains)`)
  const wanted = wish.order === undefined ? renamed(links, before, after) : [linkPath(after, wish.order)]
  if (!isStarted && wish.order === undefined) wanted.push(linkPath(after))
  for (const path of wanted) needFree(path, all, links, pm)
  const makes = wanted.filter((path) => links.every((link) => link.path !== path))
  if (makes.length > 0 && !(await hasConfig(cx, before.pm, target)))
    throw refused(`${target}, the configuration of ${before.name}, is not on ${pm}`)
  return {
    makes: makes.map((path) => ({ path, target })),
    removes: copies(links.filter(({ path }) => !wanted.includes(path))),
  }
}

/** Nothing changes. */
export const NO_LINKS: LinkChanges = { removes: [], makes: [] }

function copies(links: readonly AutostartLink[]): LinkChanges['removes'] {
  return links.map(({ path, target }) => ({ path, target }))
}

/** Where the links are when the VM is called otherwise. */
function renamed(links: readonly AutostartLink[], before: Named, after: Named): string[] {
  return links.map(({ path }) => (isNamedAfter(path, before) ? linkPath(after, orderOf(path, before)) : path))
}

/** What has to go so that nothing starts a VM that is deleted; the files of its owner stay, and are named. */
export async function gatherGone(
  cx: Context,
  vm: Named,
): Promise<{ readonly links: LinkChanges; readonly stays: readonly string[] }> {
  const { links, files } = await look(cx, vm)
  return { links: { removes: copies(links), makes: [] }, stays: files.map(({ path }) => path) }
}

/**
 * What has to be done on both PMs so that a VM starts with the one that it goes to, as it did with the one that it leaves,
 * and with that no more: of the file itself, where that stands in the directory, the migration rids it. Throws `refused`
 * where its name is taken over there.
 */
export async function gatherMoved(
  cx: Context,
  vm: Named,
  to: { readonly pm: string; readonly configPath: string },
): Promise<{ readonly source: LinkChanges; readonly target: LinkChanges }> {
  const { links, files } = await look(cx, vm)
  const first = [...links, ...files][0]
  if (!first) return { source: NO_LINKS, target: NO_LINKS }
  const path = linkPath(vm, placeOf(first.path, vm))
  const [other, there] = [await cx.hypervisor.autostart(cx.host(to.pm), [], cx.signal), cx.view.needPm(to.pm).name]
  needFree(path, other, [], there)
  if (!other.enabled) cx.notice(`nothing starts it with ${there}: the service xendomains is not enabled there`)
  return {
    source: { removes: copies(links), makes: [] },
    target: { removes: [], makes: [{ path, target: to.configPath }] },
  }
}

/** An order that a name of pengx's can have. */
function placeOf(path: string, vm: Named): number | undefined {
  const order = orderOf(path, vm)
  return order === undefined ? undefined : Math.min(order, 99)
}

/** Makes links first, and takes others away then: what starts two times is skipped, what starts not at all is missed. */
export function linkSteps(changes: LinkChanges, vm: Pick<Vm, 'uuid' | 'pm'>, on = ''): Step[] {
  return [
    ...changes.makes.map((link) => makeLinkStep(link, vm, { on })),
    ...changes.removes.map((link) => removeLinkStep(link, vm, on)),
  ]
}

function showsLink({ path, target }: AutostartLink): string[] {
  return [`ln -s ${target} ${path}`]
}

/** `late`: behind the pivot a name that has been taken since is said, and the VM is there without its link. */
export function makeLinkStep(
  link: AutostartLink,
  { uuid, pm }: Pick<Vm, 'uuid' | 'pm'>,
  { on = '', late }: { readonly on?: string; readonly late?: true } = {},
): ChangingStep {
  return {
    name: `start it with its PM by ${link.path}${on}`,
    shows: showsLink(link),
    async do(cx) {
      try {
        await cx.hypervisor.addAutostartLink(cx.host(pm), link, cx.tag)
      } catch (error) {
        if (!late || !(error instanceof PengxError) || error.code !== 'conflict') throw error
        cx.notice(`it does not start with its PM any more: ${error.message}`)
      }
      await record(cx, uuid)
      return null
    },
    async isApplied(cx) {
      if (!(await cx.hypervisor.hasAutostartLink(cx.host(pm), link))) return 'again'
      await record(cx, uuid)
      return true
    },
    async undo(cx) {
      await cx.hypervisor.removeAutostartLink(cx.host(pm), link, cx.tag)
      await record(cx, uuid)
    },
  }
}

/**
 * The undo makes it again, unless something else has its name by then. What was cut off before it goes back: what was
 * found out before a VM is moved or deleted is old after a gap.
 */
function removeLinkStep(link: AutostartLink, { uuid, pm }: Pick<Vm, 'uuid' | 'pm'>, on: string): ChangingStep {
  return {
    name: `no longer start it by ${link.path}${on}`,
    shows: [`rm -f ${link.path}`],
    async do(cx) {
      await cx.hypervisor.removeAutostartLink(cx.host(pm), link, cx.tag)
      await record(cx, uuid)
      return null
    },
    async isApplied(cx) {
      if (await cx.hypervisor.hasAutostartLink(cx.host(pm), link)) return false
      await record(cx, uuid)
      return true
    },
    async undo(cx) {
      try {
        await cx.hypervisor.addAutostartLink(cx.host(pm), link, cx.tag)
      } catch (error) {
        if (!(error instanceof PengxError) || error.code !== 'conflict') throw error
        cx.notice(`it stays without ${link.path}: ${error.message}`)
      }
      await record(cx, uuid)
    },
  }
}

/** What is seen of it on the PM where the VM is by now. */
async function record(cx: Context, uuid: string): Promise<void> {
  const vm = cx.view.getVm(uuid)
  if (!vm?.configPath) return
  const all = await cx.hypervisor.autostart(cx.host(vm.pm), [vm.configPath])
  const autostart = autostartOf(all, vm)
  const row = cx.view.getVm(uuid)
  if (!row) return
  const { autostart: _before, ...seen } = row.seen
  await cx.inventory.recordSeen({ vms: [{ uuid, seen: autostart === undefined ? seen : { ...seen, autostart } }] })
}
