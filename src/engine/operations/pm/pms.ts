import { z } from 'zod'
import { uuidOfMachineId } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { emptyPmSeen, type Pm } from '../../../model/pm.ts'
import { judgeTwin } from '../../../model/twin.ts'
import type { ShownKey } from '../../host/hosts.ts'
import type { Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { destinationField, normalDestination } from './target.ts'

/** Physical machines: known, forgotten, trusted. Nothing is installed on them. */

const addParams = z.object({
  destination: destinationField,
  name: field(z.string().min(1).max(100).optional(), { title: 'Name', help: 'none given: its host name' }),
  readOnly: field(z.boolean().default(false), { title: 'Read-only', help: 'pengx only looks at it' }),
})
type AddParams = z.infer<typeof addParams>

/** Another name where a PM has it already: `xen1 (2)`. */
function freePmName(name: string, view: View): string {
  const taken = new Set(view.pms().map((pm) => pm.name))
  if (!taken.has(name)) return name
  let number = 2
  while (taken.has(`${name} (${number})`)) number++
  return `${name} (${number})`
}

export const pmAdd: Operation<AddParams, Pm & Json> = {
  name: 'pm.add',
  title: 'add PM',
  help: 'Makes a Xen host known; it is reached over SSH and nothing is installed there.',
  danger: 'safe',
  subjectKind: 'pm',
  target: { param: 'destination', kind: 'text' },
  params: addParams,
  subject: ({ destination, name }) => ({ kind: 'pm', id: destination, name: name ?? destination }),
  locks: ({ destination }) => [{ key: `destination:${normalDestination(destination)}`, mode: 'exclusive' }],
  refuse({ destination, name }, view) {
    const same = view.pms().find((pm) => pm.destination === normalDestination(destination))
    if (same) return `${destination} is PM ${same.name} already`
    if (name !== undefined && view.pms().some((pm) => pm.name === name)) return `there is a PM named ${name}`
    return undefined
  },
  async gather({ destination, name, readOnly }, cx) {
    const reached = normalDestination(destination)
    const look = await cx.hypervisor.look(cx.hostAt(reached), cx.signal)
    const uuid = uuidOfMachineId(look.machineId)
    const same = cx.view.getPm(uuid)
    if (same) {
      const twin = await judgeTwin(same, look, () => cx.hypervisor.look(cx.hostAt(same.destination), cx.signal))
      const why = twin === 'same' ? `it is PM ${same.name} (${same.destination}) already` : twin.problem
      throw new PengxError('refused', `${destination} is not added: ${why}`)
    }
    const now = cx.clock.now()
    const pm: Pm = {
      uuid,
      name: name ?? freePmName(look.hostname, cx.view),
      destination: reached,
      cpuCount: look.cpuCount,
      memoryMib: look.totalMib,
      readOnly,
      createdAt: now,
      seen: emptyPmSeen(now),
    }
    return pm as Pm & Json
  },
  plan: (_params, pm) => [
    {
      name: 'record',
      async do(cx) {
        await cx.inventory.putPm(pm)
        return null
      },
      isApplied: async (cx) => cx.view.getPm(pm.uuid) !== undefined || 'again',
      undo: (cx) => cx.inventory.dropPm(pm.uuid),
    },
  ],
  result: (_params, pm) => ({ uuid: pm.uuid, name: pm.name }),
  touches: ({ destination }, view) =>
    view
      .pms()
      .filter((pm) => pm.destination === normalDestination(destination))
      .map((pm) => pm.uuid),
}

const pmParams = z.object({ pm: field(z.string(), { title: 'PM', from: 'pm' }) })
type PmParams = z.infer<typeof pmParams>

export const pmRemove: Operation<PmParams, Pm & Json> = {
  name: 'pm.remove',
  title: 'remove PM',
  help: 'Forgets a PM on which no VM is under care; nothing on it changes.',
  danger: 'disrupts',
  subjectKind: 'pm',
  target: { param: 'pm', kind: 'pm' },
  params: pmParams,
  subject: ({ pm }, view) => ({ kind: 'pm', id: pm, name: view.needPm(pm).name }),
  locks: ({ pm }) => [{ key: `pm:${pm}`, mode: 'exclusive' }],
  refuse({ pm }, view) {
    view.needPm(pm)
    const cared = view.vmsOn(pm).filter((vm) => vm.origin !== 'found')
    if (cared.length > 0) {
      const names = cared.slice(0, 3).map((vm) => vm.name)
      return `${cared.length} VMs on it are under care (${names.join(', ')}${cared.length > 3 ? ', …' : ''}): delete or forget them first`
    }
    const storlink = view.storlinks().find((one) => one.pm === pm)
    return storlink ? `storlink ${storlink.id} (${storlink.name}) is on it: delete that first` : undefined
  },
  gather: async ({ pm }, cx) => ({ ...cx.view.needPm(pm) }) as Pm & Json,
  plan: (_params, row) => [
    {
      name: 'forget',
      async do(cx) {
        for (const vm of cx.view.vmsOn(row.uuid)) await cx.inventory.dropVm(vm.uuid)
        await cx.inventory.dropPm(row.uuid)
        return null
      },
      /** Started anew with its destination on the command line, pengx has made it known again: then it is wanted. */
      isApplied: async (cx) => !cx.view.pms().some((pm) => pm.uuid === row.uuid || pm.destination === row.destination),
      async undo(cx) {
        if (cx.view.getPm(row.uuid)) return
        // Known again by its destination alone, without its identity.
        const stand = cx.view.pms().find((pm) => pm.destination === row.destination)
        if (stand) await cx.inventory.dropPm(stand.uuid)
        await cx.inventory.putPm(row)
      },
    },
  ],
  touches: () => [],
}

const trustParams = z.object({
  destination: destinationField,
  fingerprint: field(z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, 'is not of the form SHA256:…'), {
    title: 'Fingerprint',
    help: 'as ssh-keygen -l prints it on the machine itself',
  }),
})
type TrustParams = z.infer<typeof trustParams>

export const pmTrust: Operation<TrustParams, ShownKey & Json> = {
  name: 'pm.trust',
  title: 'trust the key of',
  help: 'Writes the SSH key that a machine shows into known_hosts, if its fingerprint is the one given.',
  danger: 'safe',
  subjectKind: 'pm',
  target: { param: 'destination', kind: 'text' },
  params: trustParams,
  subject: ({ destination }) => ({ kind: 'pm', id: destination, name: destination }),
  locks: ({ destination }) => [{ key: `destination:${normalDestination(destination)}`, mode: 'exclusive' }],
  refuse: ({ destination }) =>
    /^(local$|sim:)/.test(destination) ? `${destination} is not reached over SSH` : undefined,
  async gather({ destination, fingerprint }, cx) {
    const key = await cx.hostKey(normalDestination(destination))
    if (key.fingerprint.replace(/=$/, '') !== fingerprint.replace(/=$/, '')) {
      throw new PengxError(
        'refused',
        `${destination} shows the key ${key.fingerprint} (${key.keyType}), not ${fingerprint}: it was not trusted`,
      )
    }
    if (key.known) throw new PengxError('refused', `the key of ${destination} is trusted already`)
    return { ...key }
  },
  plan: ({ destination }, key) => [
    {
      name: 'write known_hosts',
      shows: [`known_hosts: ${destination} ${key.keyType} ${key.fingerprint}`],
      async do(cx) {
        await cx.trustKey(normalDestination(destination), key.fingerprint)
        return null
      },
      /** A machine that does not answer now tells nothing: to be trusted it has to be asked again anyhow. */
      async isApplied(cx) {
        const now = await cx.hostKey(normalDestination(destination)).catch(() => undefined)
        return (now?.known === true && now.fingerprint === key.fingerprint) || 'again'
      },
      undo: (cx) => cx.distrustKey(normalDestination(destination), key.fingerprint),
    },
  ],
  touches: () => [],
}
