import { newUuid, newXenMac } from '../../lib/ids.ts'
import type { Disk, DiskFormat } from '../../model/disk.ts'
import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Nic } from '../../model/nic.ts'
import type { Pm } from '../../model/pm.ts'
import type { Level } from '../../model/storlink.ts'
import { type Boot, domainNameFor, type Vm, type VmType } from '../../model/vm.ts'
import { batch } from '../host/batch.ts'
import { runBatch } from '../host/run.ts'
import type { Context, Operation, Step } from '../jobs/operation.ts'
import type { View } from '../store/view.ts'
import { type CreateParams, candidatePms, createParams, refuseCreate } from './vmCreateParams.ts'
import { configPathFor } from './vmSubject.ts'

/**
 * A new VM: its row first, so that its name and addresses are taken; then its disks under UUIDs picked before;
 * then its configuration. It is left shut down.
 */
type Facts = {
  readonly uuid: string
  readonly pm: string
  readonly level: Level
  readonly disks: readonly (Disk & Json)[]
  readonly nics: readonly (Nic & Json)[]
  /** Present when the first disk is filled from it. */
  readonly image?: { readonly path: string; readonly format: DiskFormat; readonly sizeMib: number }
  readonly createdAt: number
}

function bridgeNames(given: readonly string[]): string[] {
  return given.map((name) => (/^\d+$/.test(name) ? `xenbr${name}` : name))
}

/** The files that the configuration names have to be there before anything is made. */
async function needFiles(cx: Context, pm: Pm, p: CreateParams): Promise<void> {
  const named = Object.entries({ kernel: p.kernel, ramdisk: p.ramdisk, iso: p.iso, image: p.image }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  if (named.length === 0) return
  const parts = named.map(([, path]) => ({
    argv: ['test', '-r', path] as const,
    effect: 'read' as const,
    okExits: [0, 1],
  }))
  const outputs = await runBatch(cx.host(pm.uuid), batch(parts), cx.signal)
  named.forEach(([what, path], index) => {
    if (outputs[index]?.exit !== 0) throw new PengxError('invalid', `${what}: there is no file ${path} on ${pm.name}`)
  })
}

function needBridges(pm: Pm, bridges: readonly string[]): void {
  const there = pm.seen.bridges
  for (const bridge of bridges) {
    if (there && !there.includes(bridge)) {
      throw new PengxError(
        'invalid',
        `bridges: ${bridge} is not on ${pm.name}, which has ${there.join(', ') || 'none'}`,
      )
    }
  }
}

function pickNics(bridges: readonly string[], view: View): (Nic & Json)[] {
  const taken = new Set(view.vms().flatMap((vm) => vm.nics.map((nic) => nic.mac.toLowerCase())))
  return bridges.map((bridge, index) => {
    let mac = newXenMac()
    while (taken.has(mac)) mac = newXenMac()
    taken.add(mac)
    return { id: 0, name: `eth${index}`, mac, bridge, ip: '' }
  })
}

async function gather(p: CreateParams, cx: Context): Promise<Facts> {
  const storlink = cx.view.needStorlink(p.storlink)
  const pm = candidatePms(storlink, p.pm, cx.view)[0]!
  const bridges = bridgeNames(p.bridges)
  needBridges(pm, bridges)
  await needFiles(cx, pm, p)
  const driver = cx.volumes(storlink.level)
  const host = cx.host(pm.uuid)
  const info = p.image === undefined ? undefined : await driver.stat(host, p.image)
  if (p.image !== undefined && !info)
    throw new PengxError('invalid', `image: ${p.image} on ${pm.name} is not a disk image`)
  if (info && p.diskSize !== undefined && p.diskSize < info.sizeMib) {
    throw new PengxError('invalid', `diskSize: ${p.diskSize} MiB is less than the image has: ${info.sizeMib} MiB`)
  }
  const sizes = [p.diskSize ?? info!.sizeMib, ...(p.extraDiskSize === undefined ? [] : [p.extraDiskSize])]
  const space = await driver.inspect(host, storlink.link)
  const needed = p.diskFormat === 'raw' ? 0 : sizes.length
  if (space.freeMib < needed) {
    throw new PengxError(
      'noSpace',
      `cannot create disks on ${storlink.name} (${storlink.link} on ${pm.name}): ${space.freeMib} MiB free`,
    )
  }
  const createdAt = cx.clock.now()
  const disks = sizes.map((sizeMib, index): Disk & Json => {
    const uuid = newUuid()
    const inPlace = index === 0 && p.image !== undefined && !p.copyImage
    const format = inPlace ? info!.format : p.diskFormat
    return {
      uuid,
      vdev: `xvd${String.fromCharCode(97 + index)}`,
      format,
      sizeMib,
      path: inPlace ? p.image! : driver.locate({ storlink, uuid, format }),
      ...(inPlace ? {} : { storlink: storlink.id }),
      readOnly: false,
      owned: !inPlace,
      desc: '',
      createdAt,
    }
  })
  const image = info && p.copyImage ? { image: { path: p.image!, format: info.format, sizeMib: info.sizeMib } } : {}
  return {
    uuid: p.uuid!,
    pm: pm.uuid,
    level: storlink.level,
    disks,
    nics: pickNics(bridges, cx.view),
    createdAt,
    ...image,
  }
}

function bootOf(p: CreateParams): Boot {
  const { kernel, ramdisk, cmdline, firmware } = p
  const bootloader = p.bootloader ?? (p.type === 'pv' && kernel === undefined ? 'pygrub' : undefined)
  const order = p.type === 'hvm' ? { order: p.iso === undefined ? 'c' : 'dc' } : {}
  const given = { kernel, ramdisk, cmdline, firmware, bootloader }
  return { ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)), ...order }
}

function rowOf(p: CreateParams, facts: Facts): Vm {
  const password = p.vncPassword === undefined ? {} : { password: p.vncPassword }
  const vnc = p.vnc && p.type === 'hvm' ? { vnc: { listen: '127.0.0.1', ...password } } : {}
  return {
    uuid: facts.uuid,
    pm: facts.pm,
    origin: 'created',
    name: p.name,
    domainName: domainNameFor(p.name, facts.uuid),
    type: p.type as VmType,
    vcpuCount: p.vcpus,
    maxVcpuCount: p.maxVcpus ?? p.vcpus,
    memoryMib: p.memory,
    maxmemMib: p.maxmem ?? p.memory,
    boot: bootOf(p),
    ...vnc,
    ...(p.iso === undefined ? {} : { iso: p.iso }),
    disks: facts.disks,
    nics: facts.nics,
    extraConfig: '',
    desc: p.desc,
    os: p.os,
    osArch: p.osArch,
    createdAt: facts.createdAt,
    configPath: configPathFor(facts.uuid),
    configForeign: false,
    seen: { state: 'shutdown', since: facts.createdAt, drift: [] },
  }
}

function diskStep(disk: Disk, facts: Facts, first: boolean): Step {
  const image = first ? facts.image : undefined
  return {
    name: `make disk ${disk.vdev}`,
    weight: image ? 20 : 2,
    shows: [
      image
        ? `qemu-img convert -O ${disk.format} ${image.path} ${disk.path}`
        : `qemu-img create -f ${disk.format} ${disk.path} ${disk.sizeMib}M`,
    ],
    async do(cx) {
      const driver = cx.volumes(facts.level)
      const host = cx.host(facts.pm)
      if (!image) {
        await driver.create(host, disk.path, disk.format, disk.sizeMib!, cx.tag)
        return null
      }
      const say = (done: number) => cx.progress(done, `${Math.floor(done * image.sizeMib)} of ${image.sizeMib} MiB`)
      await driver.importImage(host, image, disk, cx.tag, say, cx.signal)
      if (disk.sizeMib! > image.sizeMib) await driver.resize(host, disk.path, disk.format, disk.sizeMib!, cx.tag)
      return null
    },
    undo: (cx) => cx.volumes(facts.level).remove(cx.host(facts.pm), disk.path, cx.tag),
  }
}

export const vmCreate: Operation<CreateParams, Facts> = {
  name: 'vm.create',
  title: 'create VM',
  help: 'Makes a VM with an empty disk or one filled from an image; it is left shut down.',
  danger: 'safe',
  subjectKind: 'vm',
  target: { param: 'name', kind: 'text' },
  params: createParams,
  complete: (p) => ({ ...p, uuid: p.uuid ?? newUuid() }),
  subject: ({ uuid, name }) => ({ kind: 'vm', id: uuid ?? name, name }),
  locks: ({ uuid, name, storlink }, view) => [
    { key: `vm:${uuid}`, mode: 'exclusive' },
    { key: `name:vm:${name}`, mode: 'exclusive' },
    { key: `storlink:${storlink}`, mode: 'shared' },
    { key: `pm:${view.getStorlink(storlink)?.pm}`, mode: 'shared' },
  ],
  refuse: refuseCreate,
  gather,
  plan(p, facts) {
    const made = facts.disks.filter((disk) => disk.owned)
    return [
      {
        name: 'take the name',
        async do(cx) {
          await cx.inventory.putVm(rowOf(p, facts))
          return null
        },
        undo: (cx) => cx.inventory.dropVm(facts.uuid),
      },
      ...made.map((disk) => diskStep(disk, facts, disk === facts.disks[0])),
      {
        name: 'write the configuration',
        shows: [`write ${configPathFor(facts.uuid)}`],
        async do(cx) {
          const vm = cx.view.needVm(facts.uuid)
          await cx.hypervisor.writeConfig(
            cx.host(facts.pm),
            vm.configPath!,
            cx.hypervisor.formatConfig(vm.uuid, vm),
            cx.tag,
          )
          return null
        },
        undo: (cx) => cx.hypervisor.removeConfig(cx.host(facts.pm), configPathFor(facts.uuid), cx.tag),
      },
    ]
  },
  result: (_p, facts, view) => ({ uuid: facts.uuid, name: view.getVm(facts.uuid)?.name ?? '' }),
  touches: ({ uuid }, view) => {
    const pm = view.getVm(uuid ?? '')?.pm
    return pm === undefined ? [] : [pm]
  },
}
