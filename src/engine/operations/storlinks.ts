import { z } from 'zod'
import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Pm } from '../../model/pm.ts'
import { isProvisional } from '../../model/provisional.ts'
import { LEVELS_OF, type Level, type Storlink, type StorlinkType } from '../../model/storlink.ts'
import type { Operation } from '../jobs/operation.ts'
import { field } from '../jobs/params.ts'
import type { View } from '../store/view.ts'

/** Storage links: places on PMs where disks lie. */

const createParams = z.object({
  name: field(z.string().min(1).max(100), { title: 'Name' }),
  link: field(z.string().min(1), { title: 'Link', help: 'a directory on the PM (/data), or a volume group (/dev/vg)' }),
  type: field(z.enum(['LO', 'FC', 'ISC', 'NFS', 'CEP']), {
    title: 'Type',
    help: 'what carries it: local, FC, iSCSI, NFS, Ceph',
  }),
  level: field(z.enum(['FL', 'BL', 'OB']), { title: 'Level', help: 'how disks lie there: file, block, object' }),
  shared: field(z.boolean().default(false), { title: 'Shared', help: 'other PMs see it under the same link' }),
  desc: field(z.string().default(''), { title: 'Description' }),
  pm: field(z.string().optional(), { title: 'PM', from: 'pm' }),
})
type CreateParams = z.infer<typeof createParams>
type CreateFacts = { readonly pm: string; readonly sizeMib: number; readonly freeMib: number }

/** The PM that is meant: the one named, this machine, the one that is configured, or the only one there is. */
export function choosePm(pm: string | undefined, view: View): string {
  const chosen = pm === undefined ? defaultPm(view) : view.needPm(pm)
  if (isProvisional(chosen)) {
    throw new PengxError(
      'unreachable',
      `PM ${chosen.name} has not answered yet${chosen.seen.problem ? `: ${chosen.seen.problem}` : ''}`,
    )
  }
  return chosen.uuid
}

function defaultPm(view: View): Pm {
  const pms = view.pms()
  const self = view.setting('self')
  const meant = pms.find((pm) => pm.destination === 'local') ?? pms.find((pm) => pm.uuid === self || pm.name === self)
  if (meant) return meant
  if (pms.length === 1) return pms[0]!
  throw new PengxError(
    'invalid',
    pms.length > 1 ? 'pm is missing: there is more than one' : 'there is no PM yet: add one first',
  )
}

/** `/data/` and `/data` are one place. */
function normalLink(link: string): string {
  return link.length > 1 ? link.replace(/\/+$/, '') : link
}

function refuseCreate({ name, link, type, level, pm }: CreateParams, view: View): string | undefined {
  if (!LEVELS_OF[type as StorlinkType].includes(level as Level)) {
    return `a storlink of type ${type} has level ${LEVELS_OF[type as StorlinkType].join(' or ')}, not ${level}`
  }
  if (level !== 'FL') return `level ${level} is not available yet: this version keeps disks in files (FL)`
  if (!link.startsWith('/')) return `link "${link}" is not an absolute path`
  for (const other of view.storlinks()) {
    if (other.name === name) return `storlink ${other.id} already has the name "${name}"`
    const same = other.link === normalLink(link) && (other.pm === choosePm(pm, view) || other.shared)
    if (same) return `${link} is already storlink ${other.id} (${other.name})`
  }
  const row = view.getPm(choosePm(pm, view))
  if (row?.readOnly) return `PM ${row.name} is read-only`
  return undefined
}

export const storlinkCreate: Operation<CreateParams, CreateFacts> = {
  name: 'storlink.create',
  title: 'create storlink',
  help: 'Makes a directory of a PM a place where disks of VMs lie.',
  danger: 'safe',
  subjectKind: 'storlink',
  target: { param: 'name', kind: 'text' },
  params: createParams,
  subject: ({ name }) => ({ kind: 'storlink', id: name, name }),
  locks: ({ pm, name }, view) => [
    { key: `pm:${choosePm(pm, view)}`, mode: 'shared' },
    { key: `name:storlink:${name}`, mode: 'exclusive' },
  ],
  refuse: refuseCreate,
  async gather({ link, level, pm }, cx) {
    const owner = choosePm(pm, cx.view)
    const space = await cx.volumes(level as Level).inspect(cx.host(owner), normalLink(link))
    return { pm: owner, ...space }
  },
  plan: ({ name, link, type, level, shared, desc }, facts) => [
    {
      name: 'record',
      async do(cx) {
        const there = cx.view.storlinks().find((other) => other.name === name)
        return cx.inventory.putStorlink({
          id: there?.id ?? 0,
          name,
          link: normalLink(link),
          type: type as StorlinkType,
          level: level as Level,
          shared,
          desc,
          ...facts,
          createdAt: cx.clock.now(),
        })
      },
      async undo(cx) {
        const made = cx.view.storlinks().find((other) => other.name === name)
        if (made) await cx.inventory.dropStorlink(made.id)
      },
    },
  ],
  result: ({ name }, _facts, view) => ({ id: view.storlinks().find((other) => other.name === name)?.id ?? null }),
  touches: () => [],
}

const deleteParams = z.object({ storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }) })
type DeleteParams = z.infer<typeof deleteParams>

export const storlinkDelete: Operation<DeleteParams, Storlink & Json> = {
  name: 'storlink.delete',
  title: 'delete storlink',
  help: 'Forgets a storlink on which nothing lies; what is in the directory stays there.',
  danger: 'disrupts',
  subjectKind: 'storlink',
  target: { param: 'storlink', kind: 'storlink' },
  params: deleteParams,
  subject: ({ storlink }, view) => ({ kind: 'storlink', id: String(storlink), name: view.needStorlink(storlink).name }),
  locks: ({ storlink }) => [{ key: `storlink:${storlink}`, mode: 'exclusive' }],
  refuse({ storlink }, view) {
    view.needStorlink(storlink)
    const users = view.vms().filter((vm) => vm.disks.some((disk) => disk.storlink === storlink))
    if (users.length === 0) return undefined
    const names = users.slice(0, 3).map((vm) => vm.name)
    return `disks of ${users.length} VMs lie on it: ${names.join(', ')}${users.length > 3 ? ', …' : ''}`
  },
  gather: async ({ storlink }, cx) => ({ ...cx.view.needStorlink(storlink) }),
  plan: ({ storlink }, facts) => [
    {
      name: 'forget',
      async do(cx) {
        await cx.inventory.dropStorlink(storlink)
        return null
      },
      async undo(cx) {
        if (!cx.view.getStorlink(storlink)) await cx.inventory.putStorlink(facts)
      },
    },
  ],
  touches: () => [],
}
