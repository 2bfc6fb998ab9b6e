import { z } from 'zod'
import { isUuid } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Storlink } from '../../../model/storlink.ts'
import { type Template, templateMib } from '../../../model/template.ts'
import { refuseName, type VmType } from '../../../model/vm.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { isHostname, isUserName, parseSeedAddress } from '../../tools/cloudInit.ts'
import { isPublicKey } from '../../tools/sshKeys.ts'
import { isReached } from '../storlink/access.ts'
import { unseenBridgeField } from './bridges.ts'

/** What a new VM can be asked to be, and what of it cannot be, before anybody looks at a PM. */
export const createParams = z.object({
  name: field(z.string(), { title: 'Name' }),
  template: field(z.string().refine(isUuid, 'is not a UUID').optional(), {
    title: 'Template',
    from: 'template',
    help: 'its disks are copied; system, type and boot are its own where they are not given',
  }),
  storlink: field(z.number().int().optional(), {
    title: 'Storlink',
    from: 'storlink',
    help: 'none given: the template’s',
  }),
  memory: field(z.number().int().min(1), { title: 'Memory', unit: 'MiB' }),
  maxmem: field(z.number().int().min(1).optional(), { title: 'Maximum memory', unit: 'MiB', advanced: true }),
  vcpus: field(z.number().int().min(1).max(512).default(1), { title: 'VCPUs' }),
  maxVcpus: field(z.number().int().min(1).max(512).optional(), { title: 'Maximum VCPUs', advanced: true }),
  type: field(z.enum(['hvm', 'pvh', 'pv']).optional(), {
    title: 'Type',
    help: 'how the guest meets Xen; none given: as the template’s, else hvm',
  }),
  diskSize: field(z.number().int().min(1).optional(), {
    title: 'Disk size',
    unit: 'MiB',
    help: 'of the first disk; with a template or image: at least its size',
  }),
  overlay: field(z.boolean().default(false), {
    title: 'Overlay',
    help: 'the disks lie on the template’s and hold only what differs: made at once, on the same storlink alone',
    advanced: true,
    unfoldedBy: ['template'],
  }),
  image: field(z.string().optional(), { title: 'Image', help: 'an image file on the PM to fill the first disk from' }),
  copyImage: field(z.boolean().default(true), {
    title: 'Copy the image',
    help: 'no: the VM runs on the image itself, which is then never removed',
    advanced: true,
  }),
  diskFormat: field(z.enum(['qcow2', 'raw']).default('qcow2'), { title: 'Disk format' }),
  extraDiskSize: field(z.number().int().min(1).optional(), { title: 'Extra disk', unit: 'MiB', advanced: true }),
  kernel: field(z.string().optional(), { title: 'Kernel', help: 'on the PM, for PV and PVH' }),
  ramdisk: field(z.string().optional(), { title: 'Ramdisk', advanced: true }),
  cmdline: field(z.string().optional(), { title: 'Kernel command line', advanced: true }),
  bootloader: field(z.string().optional(), {
    title: 'Boot loader',
    help: 'pygrub, for a PV guest that brings its kernel',
    advanced: true,
  }),
  firmware: field(z.string().optional(), { title: 'Firmware', help: 'bios or uefi, for HVM', advanced: true }),
  iso: field(z.string().optional(), {
    title: 'ISO image',
    from: 'iso',
    help: 'on the PM, in the CD drive of an HVM guest',
  }),
  vnc: field(z.boolean().default(true), { title: 'VNC', help: 'HVM: a screen over VNC, on the PM’s loopback' }),
  vncPassword: field(z.string().min(1).max(8).optional(), {
    title: 'VNC password',
    help: 'none given: none is asked for; some builds of QEMU refuse to start with one',
    secret: true,
    advanced: true,
  }),
  bridges: field(z.array(z.string()).default([]), {
    title: 'Bridges',
    from: 'bridge',
    help: 'one interface on each; a number N means xenbrN',
  }),
  unseenBridge: unseenBridgeField,
  pm: field(z.string().optional(), {
    title: 'PM',
    from: 'pm',
    help: 'none given: the storlink’s; of a shared one, the PM with the most free memory',
    advanced: true,
  }),
  os: field(z.string().default(''), { title: 'OS', advanced: true }),
  osArch: field(z.string().default(''), { title: 'OS architecture', advanced: true }),
  desc: field(z.string().default(''), { title: 'Description', advanced: true }),
  seedUser: field(z.string().refine(isUserName, 'is not a user name').optional(), {
    title: 'First user',
    help: 'cloud-init makes it at the first boot, and it may use sudo',
    advanced: true,
    unfoldedBy: ['template', 'image'],
  }),
  seedKey: field(z.string().refine(isPublicKey, 'is not one public SSH key').optional(), {
    title: 'SSH key',
    help: 'a public key that may log in as the first user, else as the image’s own (cloud-init)',
    advanced: true,
    unfoldedBy: ['template', 'image'],
  }),
  seedHostname: field(z.string().refine(isHostname, 'is not a host name').optional(), {
    title: 'Host name',
    help: 'for cloud-init; none given: the VM’s name',
    advanced: true,
    unfoldedBy: ['template', 'image'],
  }),
  seedAddress: field(
    z
      .string()
      .refine((text) => parseSeedAddress(text) !== undefined, 'is not ADDRESS/PREFIX[,GATEWAY[,DNS…]]')
      .optional(),
    {
      title: 'IP address',
      help: 'ADDRESS/PREFIX[,GATEWAY[,DNS…]] of the first interface (cloud-init)',
      advanced: true,
      unfoldedBy: ['template', 'image'],
    },
  ),
  uuid: field(z.string().refine(isUuid, 'is not a UUID').optional(), {
    title: 'UUID',
    help: 'none given: a new one',
    advanced: true,
  }),
})
export type CreateParams = z.infer<typeof createParams>

/** The storlink that its disks come to lie on: the one named, else the template's. */
export function storlinkFor({ storlink, template }: CreateParams, view: View): Storlink | undefined {
  if (storlink !== undefined) return view.getStorlink(storlink)
  const [disk] = (template === undefined ? undefined : view.getTemplate(template))?.disks ?? []
  return disk && view.getStorlink(disk.storlink)
}

export function typeFor({ type, template }: CreateParams, view: View): VmType {
  return type ?? (template === undefined ? undefined : view.getTemplate(template)?.type) ?? 'hvm'
}

export function isSeeded({ seedUser, seedKey, seedHostname, seedAddress }: CreateParams): boolean {
  return [seedUser, seedKey, seedHostname, seedAddress].some((value) => value !== undefined)
}

/** PMs that can run it, best first: the storlink's own, or, for a shared one, those up with the most free memory. */
export function candidatePms(p: CreateParams, view: View): readonly Pm[] {
  const storlink = storlinkFor(p, view)
  if (!storlink) return []
  const template = p.template === undefined ? undefined : view.getTemplate(p.template)
  const sources = (template?.disks ?? []).map((disk) => view.needStorlink(disk.storlink))
  if (p.pm !== undefined) {
    const named = view.needPm(p.pm)
    const unseen = [storlink, ...sources].find((one) => !isReached(one, named.uuid))
    if (!unseen) return [named]
    const owner = view.getPm(unseen.pm)?.name ?? unseen.pm
    throw new PengxError(
      'refused',
      `storlink ${unseen.id} (${unseen.name}) is on ${owner} alone; ${named.name} does not see it`,
    )
  }
  const own = view.needPm(storlink.pm)
  const all = storlink.shared ? view.pms().filter((other) => other.seen.reach === 'up') : [own]
  const seeing = all.filter((pm) => sources.every((one) => isReached(one, pm.uuid)))
  return [...seeing].sort((a, b) => (b.seen.freeMib ?? 0) - (a.seen.freeMib ?? 0))
}

export function refuseCreate(p: CreateParams, view: View): string | undefined {
  const name = refuseName(p.name)
  if (name) return name
  const taken = view.vmsNamed(p.name)[0]
  if (taken)
    return `the name ${p.name} is taken by VM ${taken.uuid} on ${view.getPm(taken.pm)?.name ?? 'an unknown PM'}`
  if (p.uuid !== undefined && view.getVm(p.uuid)) return `there is a VM with UUID ${p.uuid}`
  const template = p.template === undefined ? undefined : view.getTemplate(p.template)
  if (p.template !== undefined && !template) return `template ${p.template} does not exist`
  const wrong = template ? refuseFrom(template, p, view) : refuseWithout(p)
  if (wrong) return wrong
  const storlink = storlinkFor(p, view)
  if (!storlink) return p.storlink === undefined ? 'storlink is missing' : `storlink ${p.storlink} does not exist`
  if (p.maxmem !== undefined && p.maxmem < p.memory) return `maxmem ${p.maxmem} MiB is less than memory ${p.memory} MiB`
  if (p.maxVcpus !== undefined && p.maxVcpus < p.vcpus) return `maxVcpus ${p.maxVcpus} is less than vcpus ${p.vcpus}`
  const type = typeFor(p, view)
  const kernel = p.kernel ?? (template?.type === type ? template.boot.kernel : undefined)
  if (type === 'pvh' && kernel === undefined)
    return 'kernel is missing: a PVH guest is booted from a kernel file on the PM'
  if (type !== 'hvm' && p.iso !== undefined) return `iso is for HVM guests, and this one is ${type.toUpperCase()}`
  if (p.seedAddress !== undefined && p.bridges.length === 0)
    return 'bridges is missing: seedAddress is for the first interface, and there is none'
  return refusePlace(p, storlink, template, view)
}

function refusePlace(
  p: CreateParams,
  storlink: Storlink,
  template: Template | undefined,
  view: View,
): string | undefined {
  const pm = candidatePms(p, view)[0]
  const there = `storlink ${storlink.id} (${storlink.name})`
  if (!pm) return `no PM that is up sees ${there}${template ? ` and what template ${template.name} lies on` : ''}`
  if (pm.readOnly) return `PM ${pm.name} is read-only`
  if (pm.seen.reach === 'down') return `PM ${pm.name} cannot be reached: ${pm.seen.problem ?? 'it does not answer'}`
  if (pm.memoryMib > 0 && p.memory > pm.memoryMib)
    return `memory ${p.memory} MiB is more than PM ${pm.name} has: ${pm.memoryMib} MiB`
  return undefined
}

function refuseWithout(p: CreateParams): string | undefined {
  if (p.overlay) return 'overlay is for a VM from a template, and none is given'
  if (p.diskSize === undefined && p.image === undefined)
    return 'diskSize is missing: a VM without an image starts with an empty disk of that size'
  return undefined
}

function refuseFrom(template: Template, p: CreateParams, view: View): string | undefined {
  if (p.image !== undefined) return 'image and template are both given: the first disk is filled from one of them'
  const [first] = template.disks
  if (!first || templateMib(template) === 0) return `template ${template.name} has no disk`
  const upkeep = view.getVm(template.uuid)
  if (upkeep)
    return `template ${template.name} is booted for upkeep (VM ${upkeep.name}): what it is to be is not settled`
  if (p.diskSize !== undefined && p.diskSize < first.sizeMib)
    return `diskSize ${p.diskSize} MiB is less than the template has: ${first.sizeMib} MiB`
  if (!p.overlay) return undefined
  if (p.diskFormat === 'raw') return 'an overlay is qcow2, and diskFormat is raw'
  const elsewhere = template.disks.find((disk) => disk.storlink !== storlinkFor(p, view)?.id)
  return elsewhere && `an overlay lies on the template’s own storlink, which is ${elsewhere.storlink}`
}
