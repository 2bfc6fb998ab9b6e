import type { Disk } from '../../../model/disk.ts'
import { toPengxError } from '../../../model/error.ts'
import type { DomainSeen } from '../../hypervisor/domain.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { formatDisk, toDiskSpec } from '../../tools/xl/disk.ts'
import { findDomain, isPresent, lives, receivingDomain } from '../vm/domain.ts'
import { claimVolumes, releaseVolumes } from '../volume/claims.ts'

/**
 * A disk comes to a running guest and goes from it. The domain is looked up by the VM's UUID at the moment of acting:
 * a guest that has rebooted meanwhile has another domid, and one that has shut down has nothing to attach to.
 */
type VmRef = { readonly uuid: string; readonly pm: string; readonly name: string }

/** Beyond the ten seconds that libxl itself waits for a guest to let go. */
const DETACH_TIMEOUT_MS = 20_000
const CONNECT_TIMEOUT_MS = 15_000

async function attach(cx: Context, vm: VmRef, disk: Disk, domain: DomainSeen | undefined): Promise<void> {
  if (!lives(domain)) return
  const host = cx.host(vm.pm)
  // It may come from a step that is undone, when the row has it no more: whose it is the volume says then.
  if (!disk.readOnly) await claimVolumes(cx, cx.view.needVm(vm.uuid), { domid: domain.domid, paths: [disk.path] })
  await cx.hypervisor.attachDisk(host, domain.domid, disk, cx.tag).catch(async (error: unknown) => {
    if (toPengxError(error).code === 'conflict') await releaseVolumes(cx, vm, { paths: [disk.path], passing: true })
    throw error
  })
  if (domain.state !== 'paused' && !(await connects(cx, vm, domain.domid, disk.vdev)))
    cx.notice(`the guest has not taken ${disk.vdev} yet: does it have drivers for it?`)
}

async function connects(cx: Context, vm: VmRef, domid: number, vdev: string): Promise<boolean> {
  const until = cx.clock.now() + CONNECT_TIMEOUT_MS
  for (;;) {
    if (await cx.hypervisor.isConnected(cx.host(vm.pm), domid, vdev, cx.signal)) return true
    if (cx.clock.now() >= until) return false
    await cx.clock.sleep(500, cx.signal)
  }
}

async function detach(cx: Context, vm: VmRef, disk: Disk): Promise<void> {
  const domain = await findDomain(cx, vm)
  if (!domain) return await releaseVolumes(cx, vm, { paths: [disk.path] })
  const patience = { clock: cx.clock, timeoutMs: DETACH_TIMEOUT_MS, signal: cx.signal }
  await cx.hypervisor.detachDisk(cx.host(vm.pm), domain.domid, disk, cx.tag, patience)
  await releaseVolumes(cx, vm, { paths: [disk.path] })
}

/** The domain of the VM, and whether it has the disk; undefined where there is none any more. */
async function attachment(
  cx: Context,
  vm: VmRef,
  { vdev, path }: Disk,
): Promise<{ readonly domid: number; readonly isThere: boolean } | undefined> {
  const domain = await findDomain(cx, vm)
  if (!isPresent(domain)) return undefined
  const device = await cx.hypervisor.device(cx.host(vm.pm), domain.domid, vdev, cx.signal)
  return { domid: domain.domid, isThere: device?.path === path }
}

export function attachStep(vm: VmRef, disk: Disk, domid: number): Step {
  return {
    name: `attach ${disk.vdev}`,
    weight: 3,
    onward: true,
    shows: [`xl block-attach ${domid} ${formatDisk(toDiskSpec(disk))}`],
    async do(cx) {
      await attach(cx, vm, disk, await receivingDomain(cx, vm))
      return null
    },
    /** A guest that has gone away meanwhile finds it in its configuration. */
    async isApplied(cx) {
      return (await attachment(cx, vm, disk))?.isThere !== false || 'again'
    },
    async mayBeUsed(cx) {
      const at = await attachment(cx, vm, disk)
      return at?.isThere ? `${disk.vdev} is attached to domain ${at.domid} of ${vm.name}` : undefined
    },
    undo: (cx) => detach(cx, vm, disk),
  }
}

export function detachStep(vm: VmRef, disk: Disk, domid: number): Step {
  return {
    name: `detach ${disk.vdev}`,
    weight: 5,
    shows: [`xl block-detach ${domid} ${disk.vdev}`],
    async do(cx) {
      await detach(cx, vm, disk)
      return null
    },
    /** Where its QEMU has the volume open, or does not say, nobody else may touch it, though the guest has it no more. */
    async isApplied(cx) {
      const at = await attachment(cx, vm, disk)
      if (!at) return true
      if (at.isThere) return false
      return (await cx.hypervisor.hasOpen(cx.host(vm.pm), at.domid, disk.path).catch(() => true)) ? 'again' : true
    },
    undo: async (cx) => attach(cx, vm, disk, await findDomain(cx, vm)),
  }
}
