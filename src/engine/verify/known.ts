import { type Backup, chainOf } from '../../model/backup.ts'
import { layersOf, stackOf } from '../../model/layer.ts'
import type { Storlink } from '../../model/storlink.ts'
import type { Template } from '../../model/template.ts'
import { isUpkeep } from '../../model/template.ts'
import type { Vm } from '../../model/vm.ts'
import { type KnownVolume, type SiteFacts, subjectOf } from './facts.ts'

type View = SiteFacts['view']

/** Pure. Every volume that is written down, whose it is, and what it should lie on. */
export function knownVolumes(view: View): KnownVolume[] {
  const storlinks = new Map(view.storlinks().map((one) => [one.id, one]))
  const pmOf = placer(view, storlinks)
  const bases = new Map(view.templates().flatMap(({ disks }) => disks.map((disk) => [disk.uuid, disk.path] as const)))
  const backups = byVm(view.backups())
  return [
    ...view.vms().flatMap((vm) => (vm.origin === 'found' || isUpkeep(vm) ? [] : ofVm(vm, bases))),
    ...view.templates().flatMap((template) => ofTemplate(template, pmOf)),
    ...view.backups().flatMap((backup) => {
      const storlink = storlinks.get(backup.storlink)
      return storlink ? ofBackup(backup, backups.get(backup.vm) ?? [], storlink, pmOf(storlink.id, storlink.pm)) : []
    }),
  ]
}

/** The PM from which a volume of a storlink is looked at: its own, or for a shared one another while that is away. */
function placer(view: View, storlinks: ReadonlyMap<number, Storlink>): (storlink: number, pm: string) => string {
  const isUp = (pm: string) => view.getPm(pm)?.seen.reach === 'up'
  return (id, pm) => {
    const storlink = storlinks.get(id)
    if (!storlink?.shared || isUp(pm)) return pm
    return view.pms().find(({ seen }) => seen.reach === 'up')?.uuid ?? pm
  }
}

function ofVm(vm: Vm, bases: ReadonlyMap<string, string>): KnownVolume[] {
  const owner = subjectOf('vm', vm)
  const number = new Map(layersOf(vm).flatMap((layer) => layer.volumes.map((one) => [one, layer.number] as const)))
  const disks = new Set([...vm.disks.map(({ uuid }) => uuid), ...[...number.keys()].map(({ disk }) => disk)])
  return [...disks].flatMap((disk) =>
    stackOf(vm, disk).flatMap(({ volume, below }): KnownVolume[] => {
      if (volume.path === '') return []
      const { path, format, sizeMib, storlink, base, owned } = volume
      const layer = 'disk' in volume ? number.get(volume) : undefined
      const lies = below?.path ?? (base === undefined ? undefined : bases.get(base))
      return [
        {
          path,
          pm: vm.pm,
          format,
          owner,
          role: layer === undefined ? 'disk' : 'layer',
          title: `disk ${volume.vdev} of ${layer === undefined ? '' : `layer ${layer} of `}VM ${vm.name}`,
          written: layer === undefined && !('readOnly' in volume && volume.readOnly),
          ...(storlink === undefined ? {} : { storlink }),
          ...(sizeMib === undefined ? {} : { sizeMib }),
          // what its owner has laid it on nobody has written down
          ...(lies !== undefined
            ? { below: lies }
            : owned && base === undefined && vm.origin === 'created'
              ? { below: null }
              : {}),
        },
      ]
    }),
  )
}

function ofTemplate(template: Template, pmOf: (storlink: number, pm: string) => string): KnownVolume[] {
  return template.disks.map(({ path, format, sizeMib, storlink }, at) => ({
    path,
    pm: pmOf(storlink, template.pm),
    storlink,
    format,
    sizeMib,
    role: 'template',
    owner: subjectOf('template', template),
    title: `disk ${at + 1} of template ${template.name}`,
    written: false,
  }))
}

function ofBackup(backup: Backup, all: readonly Backup[], storlink: Storlink, pm: string): KnownVolume[] {
  const owner = subjectOf('backup', backup)
  const title = `backup ${backup.name} of ${backup.vmName}`
  const [, parent] = chainOf(backup, all)
  const volumes = backup.volumes.map(({ path, sizeMib, disk, vdev }): KnownVolume => {
    const below = parent?.volumes.find((one) => one.disk === disk)?.path ?? null
    const where = { path, pm, storlink: storlink.id, format: 'qcow2', sizeMib } as const
    return { ...where, role: 'backup', owner, title: `disk ${vdev} of ${title}`, below, written: false }
  })
  const path =
    storlink.level === 'FL'
      ? `${storlink.link.replace(/\/$/, '')}/${backup.uuid}.backup.json`
      : manifestLv(backup, storlink)
  const manifest = { path, pm, storlink: storlink.id, format: 'raw', role: 'manifest', owner } as const
  return [...volumes, { ...manifest, title: `the manifest of ${title}`, written: false }]
}

function manifestLv({ uuid }: Backup, { link }: Storlink): string {
  return `/dev/${link.replace(/^\/dev\//, '').replace(/\/+$/, '')}/pengx-${uuid}`
}

function byVm(backups: readonly Backup[]): ReadonlyMap<string, readonly Backup[]> {
  const all = new Map<string, Backup[]>()
  for (const backup of backups) {
    const of = all.get(backup.vm)
    if (of) of.push(backup)
    else all.set(backup.vm, [backup])
  }
  return all
}
