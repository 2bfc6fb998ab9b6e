import { z } from 'zod'
import { isUuid } from '../../lib/ids.ts'
import { PengxError } from '../../model/error.ts'
import type { Pm } from '../../model/pm.ts'
import type { Storlink } from '../../model/storlink.ts'
import { refuseName } from '../../model/vm.ts'
import { field } from '../jobs/params.ts'
import type { View } from '../store/view.ts'

/** What a new VM can be asked to be, and what of it cannot be, before anybody looks at a PM. */
export const createParams = z.object({
  name: field(z.string(), { title: 'Name' }),
  storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }),
  memory: field(z.number().int().min(1), { title: 'Memory', unit: 'MiB' }),
  maxmem: field(z.number().int().min(1).optional(), { title: 'Maximum memory', unit: 'MiB', advanced: true }),
  vcpus: field(z.number().int().min(1).max(512).default(1), { title: 'VCPUs' }),
  maxVcpus: field(z.number().int().min(1).max(512).optional(), { title: 'Maximum VCPUs', advanced: true }),
  type: field(z.enum(['hvm', 'pvh', 'pv']).default('hvm'), { title: 'Type', help: 'how the guest meets Xen' }),
  diskSize: field(z.number().int().min(1).optional(), {
    title: 'Disk size',
    unit: 'MiB',
    help: 'of the first disk; with an image: at least its size',
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
  pm: field(z.string().optional(), { title: 'PM', from: 'pm', help: 'none given: the storlink’s', advanced: true }),
  os: field(z.string().default(''), { title: 'OS', advanced: true }),
  osArch: field(z.string().default(''), { title: 'OS architecture', advanced: true }),
  desc: field(z.string().default(''), { title: 'Description', advanced: true }),
  uuid: field(z.string().refine(isUuid, 'is not a UUID').optional(), {
    title: 'UUID',
    help: 'none given: a new one',
    advanced: true,
  }),
})
export type CreateParams = z.infer<typeof createParams>

/** PMs that can run it, best first: the storlink's own, or, for a shared one, those up with the most free memory. */
export function candidatePms(storlink: Storlink, pm: string | undefined, view: View): readonly Pm[] {
  if (pm !== undefined) {
    const named = view.needPm(pm)
    if (named.uuid !== storlink.pm && !storlink.shared) {
      const owner = view.getPm(storlink.pm)?.name ?? storlink.pm
      throw new PengxError(
        'refused',
        `storlink ${storlink.id} (${storlink.name}) is on ${owner} alone; ${named.name} does not see it`,
      )
    }
    return [named]
  }
  if (!storlink.shared) return [view.needPm(storlink.pm)]
  const up = view.pms().filter((other) => other.seen.reach === 'up')
  return [...up].sort((a, b) => (b.seen.freeMib ?? 0) - (a.seen.freeMib ?? 0))
}

export function refuseCreate(p: CreateParams, view: View): string | undefined {
  const name = refuseName(p.name)
  if (name) return name
  const taken = view.vmsNamed(p.name)[0]
  if (taken)
    return `the name ${p.name} is taken by VM ${taken.uuid} on ${view.getPm(taken.pm)?.name ?? 'an unknown PM'}`
  if (p.uuid !== undefined && view.getVm(p.uuid)) return `there is a VM with UUID ${p.uuid}`
  const storlink = view.getStorlink(p.storlink)
  if (!storlink) return `storlink ${p.storlink} does not exist`
  if (p.diskSize === undefined && p.image === undefined)
    return 'diskSize is missing: a VM without an image starts with an empty disk of that size'
  if (p.maxmem !== undefined && p.maxmem < p.memory) return `maxmem ${p.maxmem} MiB is less than memory ${p.memory} MiB`
  if (p.maxVcpus !== undefined && p.maxVcpus < p.vcpus) return `maxVcpus ${p.maxVcpus} is less than vcpus ${p.vcpus}`
  if (p.type === 'pvh' && p.kernel === undefined)
    return 'kernel is missing: a PVH guest is booted from a kernel file on the PM'
  if (p.type !== 'hvm' && p.iso !== undefined) return `iso is for HVM guests, and this one is ${p.type.toUpperCase()}`
  const pm = candidatePms(storlink, p.pm, view)[0]
  if (!pm) return `no PM that is up sees storlink ${storlink.id} (${storlink.name})`
  if (pm.readOnly) return `PM ${pm.name} is read-only`
  if (pm.seen.reach === 'down') return `PM ${pm.name} cannot be reached: ${pm.seen.problem ?? 'it does not answer'}`
  if (pm.memoryMib > 0 && p.memory > pm.memoryMib)
    return `memory ${p.memory} MiB is more than PM ${pm.name} has: ${pm.memoryMib} MiB`
  return undefined
}
