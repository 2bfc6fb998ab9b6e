import { z } from 'zod'
import type { Disk } from '../../../model/disk.ts'
import type { Json } from '../../../model/json.ts'
import { layersOf, snapshotsOf, volumesOf } from '../../../model/layer.ts'
import { canonicalPath } from '../../../model/storage/volumePath.ts'
import type { Level } from '../../../model/storlink.ts'
import { isUpkeep } from '../../../model/template.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { removeAside, setAside } from '../storlink/asideVolume.ts'
import { changing } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { gatherGone, type LinkChanges, linkSteps } from './autostart.ts'
import { hasConfig } from './configFile.ts'
import { needNoDomain, refuseState, refuseVolumes } from './domain.ts'
import { isForgotten, putBack, splitSecret, type VmSecrets } from './secrets.ts'
import { vmField, vmOperation } from './target.ts'

/**
 * Deleting sets the disks aside first, so that everything can still come back; then the VM is forgotten, which
 * is the point of no return; only then is anything removed.
 */
const params = z.object({
  vm: vmField,
  disks: field(z.enum(['own', 'all', 'none']).default('own'), {
    title: 'Disks',
    help: 'own: those that pengx made; all: those it adopted too; none: keep every disk',
  }),
  force: forceField,
})
type Params = z.infer<typeof params>

type Removal = { readonly vdev: string; readonly path: string; readonly level: Level; readonly sizeMib: number }
type Facts = {
  readonly vm: Vm & Json
  readonly secrets: VmSecrets
  readonly doomed: readonly Removal[]
  readonly keptPaths: readonly string[]
  readonly configPath?: string
  readonly links: LinkChanges
  /** Files of its owner's that its PM goes on to start. */
  readonly started: readonly string[]
}

function isDoomed(disk: Pick<Disk, 'owned'>, which: Params['disks']): boolean {
  return which === 'all' || (which === 'own' && disk.owned)
}

function refuse({ vm, disks }: Params, view: View): string | undefined {
  const row = view.needVm(vm)
  if (row.origin === 'found') return 'it is not adopted: pengx does not delete what it does not know; adopt it first'
  if (isUpkeep(row)) return 'it is the upkeep of a template, and its disks are that’s: template.shutdown ends it'
  const state =
    refuseState(row, view, ['shutdown'], { running: 'shut it down first', paused: 'power it off first' }) ??
    (disks === 'none' ? undefined : refuseVolumes(row))
  if (state) return state
  if (disks === 'none' && layersOf(row).length > 0)
    return `its ${snapshotsOf(row).length} snapshots would be kept, and nobody would know of them: delete them first`
  for (const disk of volumesOf(row).filter((one) => isDoomed(one, disks))) {
    const isSame = (its: { readonly path: string }) => canonicalPath(its.path) === canonicalPath(disk.path)
    const others = view.vms().filter((one) => one.uuid !== vm && (one.pm === row.pm || disk.storlink !== undefined))
    const other = others.find((one) => volumesOf(one).some(isSame))
    if (other) return `disk ${disk.vdev} (${disk.path}) is also a disk of ${other.name}`
    const template = view.templates().find((one) => one.pm === row.pm && one.disks.some(isSame))
    if (template) return `disk ${disk.vdev} (${disk.path}) is a disk of template ${template.name}`
    if (disk.path.startsWith('/dev/') && disk.storlink === undefined)
      return `disk ${disk.vdev} is the device ${disk.path}: pengx did not make it and does not remove devices`
  }
  return undefined
}

function asideStep({ vdev, path, level, sizeMib }: Removal, { pm, uuid }: Pick<Vm, 'pm' | 'uuid'>): Step {
  return {
    name: `set disk ${vdev} aside`,
    shows: [`set aside ${path} (${sizeMib} MiB)`],
    ...setAside(pm, { path, level }, uuid),
  }
}

function removeStep({ vdev, path, level }: Removal, pm: string): Step {
  return {
    name: `remove disk ${vdev}`,
    shows: [`remove ${path}`],
    ...removeAside(pm, { path, level }),
  }
}

export const vmDelete = vmOperation<Params, Facts>({
  name: 'vm.delete',
  title: 'delete',
  help: 'Forgets a VM that is shut down, with its snapshots, and removes the disks that pengx made for it.',
  danger: 'destroys',
  params,
  refuse,
  async gather({ vm, disks, force }, cx) {
    const row = cx.view.needVm(vm)
    await needNoDomain(cx, row)
    const level = (disk: Pick<Disk, 'storlink'>): Level =>
      disk.storlink === undefined ? 'FL' : cx.view.needStorlink(disk.storlink).level
    const frozen = layersOf(row).flatMap((layer) =>
      layer.volumes.map((volume) => ({ ...volume, vdev: `${volume.vdev} of layer ${layer.number}` })),
    )
    const all = [...row.disks, ...frozen]
    const doomed = all
      .filter((disk) => isDoomed(disk, disks))
      .map((disk) => ({ vdev: disk.vdev, path: disk.path, level: level(disk), sizeMib: disk.sizeMib ?? 0 }))
    const going = volumesOf(row).filter((disk) => isDoomed(disk, disks))
    await needSoleUse(cx, row, changing(going), { use: 'remove', force })
    const keptPaths = all.filter((disk) => !isDoomed(disk, disks)).map((disk) => disk.path)
    const config = row.configPath !== undefined && !row.configForeign ? { configPath: row.configPath } : {}
    const { links, stays } = await gatherGone(cx, row)
    return { ...splitSecret(row), doomed, keptPaths, ...config, links, started: stays }
  },
  plan: (_params, { vm, secrets, doomed, configPath, links }) => [
    ...linkSteps(links, vm),
    ...doomed.map((disk) => asideStep(disk, vm)),
    {
      name: `forget ${vm.name}`,
      pivot: true,
      async do(cx) {
        await cx.inventory.dropVm(vm.uuid)
        return null
      },
      isApplied: async (cx) => isForgotten(cx.view.getVm(vm.uuid)),
      undo: (cx) => putBack(cx, vm, secrets),
    },
    ...doomed.map((disk) => removeStep(disk, vm.pm)),
    ...(configPath === undefined
      ? []
      : [
          {
            name: 'remove the configuration',
            shows: [`remove ${configPath}`],
            async do(cx) {
              await cx.hypervisor.removeConfig(cx.host(vm.pm), configPath, cx.tag)
              return null
            },
            isApplied: async (cx) => !(await hasConfig(cx, vm.pm, configPath)) || 'again',
          } satisfies Step,
        ]),
  ],
  effects: (_params, { vm, doomed, keptPaths, started }) => ({
    notices: started.map((path) => `${path} is its owner’s and stays: its PM starts it when it boots`),
    frees: doomed.map((disk) => `${disk.vdev} ${disk.path} (${disk.sizeMib} MiB)`),
    keeps: [...keptPaths, ...(vm.configForeign && vm.configPath ? [vm.configPath] : [])],
  }),
})
