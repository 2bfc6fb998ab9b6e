/** Lays out a site: machines, guests with their disks, configuration files of guests that do not run. */
import { writeText } from '../machine/files.ts'
import { createPm, GIB, macFrom, putImage, uuidFrom } from '../machine/machine.ts'
import { createRandom, NO_COUNTERS } from '../machine/noise.ts'
import type { Domain, GuestConfig, GuestType, PmState, SimDisk, SimNic, SiteState } from '../machine/state.ts'
import { isShared, joinMachines, SHARED } from './joined.ts'
import { type Fate, fateOf, KINDS, type Kind, SPECIAL } from './kinds.ts'

export interface Layout {
  vmCount: number
  pmCount: number
  seed: number
  now: number
  /** The machines see directories in common and log in to each other: guests can migrate. */
  joined: boolean
}

export function populate({ vmCount, pmCount, seed, now, joined }: Layout): SiteState {
  const random = createRandom(seed)
  const perPm = Math.ceil(vmCount / pmCount)
  const pms = Array.from({ length: pmCount }, (_, index) => createPm(index, perPm, random, now))
  const state: SiteState = { version: 1, seed, pms }
  if (joined) joinMachines(state, now)
  const counts = new Map<string, number>()
  for (let index = 0; index < vmCount; index++) {
    const pm = pms[index % pmCount]!
    const kind = SPECIAL[index] ?? KINDS[Math.floor(random() * KINDS.length)]!
    const number = (counts.get(kind.name) ?? 0) + 1
    counts.set(kind.name, number)
    const name = SPECIAL[index] ? kind.name : `${kind.name}${String(number).padStart(2, '0')}`
    const shared = joined && isShared(index) ? SHARED : undefined
    addGuest({ pm, kind, name, fate: fateOf(index), shared }, random, now)
  }
  return state
}

interface Guest {
  pm: PmState
  kind: Kind
  name: string
  fate: Fate
  /** Where all of its disks lie, beside those of other machines' guests. */
  shared: string | undefined
}

function addGuest({ pm, kind, name, fate, shared }: Guest, random: () => number, now: number): void {
  const createdAt = pm.bootedAt + Math.floor(random() * (now - pm.bootedAt) * 0.9)
  const own = random() < 0.5 ? '/data/images' : '/var/lib/xen/images'
  const format = random() < 0.85 ? 'qcow2' : 'raw'
  const disks: SimDisk[] = [
    diskOf(pm, `${shared ?? own}/${name}.${format}`, 'xvda', format, kind.diskGib, random, createdAt),
  ]
  if (kind.data)
    disks.push(
      diskOf(
        pm,
        `${shared ?? '/data/images'}/${name}-data.qcow2`,
        'xvdb',
        'qcow2',
        kind.diskGib * 4,
        random,
        createdAt,
      ),
    )
  if (kind.type === 'hvm') {
    disks[0]!.vdev = 'hda'
    disks.push({ vdev: 'hdc', path: '/data/iso/virtio-win.iso', format: 'raw', readOnly: true, cdrom: true })
  }
  const nics: SimNic[] = [nicOf(0, 'xenbr0', kind.type, random)]
  if (random() < 0.3) nics.push(nicOf(1, 'xenbr1', kind.type, random))
  const config: GuestConfig = {
    name,
    uuid: uuidFrom(random),
    type: kind.type,
    vcpus: kind.vcpus,
    maxVcpus: random() < 0.3 ? kind.vcpus * 2 : kind.vcpus,
    memoryMib: kind.memoryMib,
    maxmemMib: random() < 0.3 ? kind.memoryMib * 2 : kind.memoryMib,
    ...(kind.type === 'hvm'
      ? { bootOrder: 'dc' }
      : kind.type === 'pv' && random() < 0.4
        ? { bootloader: 'pygrub' }
        : {
            kernel: '/boot/vmlinuz-guest',
            ramdisk: '/boot/initrd-guest.img',
            cmdline: 'root=/dev/xvda1 ro console=hvc0',
          }),
    disks,
    nics,
    ...(kind.type === 'hvm' ? { vnc: { listen: '127.0.0.1' } } : {}),
    onPoweroff: fate === 'shutdown' ? 'preserve' : 'destroy',
    onReboot: 'restart',
    onCrash: fate === 'crashed' ? 'preserve' : 'destroy',
  }
  // A file of its owner's stays where it was when a guest migrates, and then it cannot come back.
  if (fate === 'stopped' || (random() < 0.4 && shared === undefined)) {
    writeText(pm, `/etc/xen/${name}.cfg`, cfgText(config), createdAt, 0o600)
  }
  if (fate === 'stopped') return
  const builtAt = Math.min(now - 60_000, createdAt + Math.floor(random() * (now - createdAt)))
  const over = fate === 'crashed' || fate === 'shutdown'
  const domain: Domain = {
    domid: pm.nextDomid,
    name,
    uuid: config.uuid,
    config,
    phase: over ? 'shutdown' : 'up',
    paused: fate === 'paused',
    ...(over ? { shutdownReason: fate === 'crashed' ? 3 : 0 } : {}),
    memoryMib: config.memoryMib,
    maxmemMib: config.maxmemMib,
    vcpusOnline: config.vcpus,
    builtAt,
    populatedAt: builtAt,
    bootedAt: builtAt + 5000,
    paravirt: !name.includes('win'),
    counters:
      over || fate === 'paused'
        ? { cpu: 4000 * random(), rx: 1e8, tx: 1e8, read: 1e8, written: 1e8 }
        : { ...NO_COUNTERS },
    ...(over || fate === 'paused' ? {} : { countsSince: builtAt }),
    ...(name.startsWith('stubborn') ? { stubborn: true as const } : {}),
    ...(config.vnc ? { vncPort: (pm.domains.findLast((one) => one.vncPort)?.vncPort ?? 5899) + 1 } : {}),
  }
  // Domids of guests that came and went lie between.
  pm.nextDomid += 1 + Math.floor(random() * 3)
  pm.domains.push(domain)
}

function diskOf(
  pm: PmState,
  path: string,
  vdev: string,
  format: string,
  gib: number,
  random: () => number,
  now: number,
): SimDisk {
  putImage(pm, path, format, gib * GIB, gib * GIB * (0.05 + 0.4 * random()), now)
  return { vdev, path, format, readOnly: false, cdrom: false }
}

function nicOf(devid: number, bridge: string, type: GuestType, random: () => number): SimNic {
  return { devid, mac: macFrom(random), bridge, ...(type === 'hvm' ? { model: 'e1000' } : {}) }
}

/** A configuration file as an administrator would have written it. */
function cfgText(config: GuestConfig): string {
  const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  const lines = [`name = ${quoted(config.name)}`, `uuid = ${quoted(config.uuid)}`, `type = ${quoted(config.type)}`]
  lines.push(`vcpus = ${config.vcpus}`)
  if (config.maxVcpus !== config.vcpus) lines.push(`maxvcpus = ${config.maxVcpus}`)
  lines.push(`memory = ${config.memoryMib}`)
  if (config.maxmemMib !== config.memoryMib) lines.push(`maxmem = ${config.maxmemMib}`)
  for (const key of ['kernel', 'ramdisk', 'cmdline', 'bootloader'] as const) {
    const value = config[key]
    if (value !== undefined) lines.push(`${key} = ${quoted(value)}`)
  }
  if (config.bootOrder) lines.push(`boot = ${quoted(config.bootOrder)}`)
  const disks = config.disks.map((disk) => {
    const kind = disk.cdrom ? ',devtype=cdrom' : ''
    return `  "format=${disk.format},vdev=${disk.vdev},access=${disk.readOnly ? 'ro' : 'rw'}${kind},target=${disk.path}",`
  })
  lines.push('disk = [', ...disks, ']')
  const nics = config.nics.map(
    (nic) => `"mac=${nic.mac},bridge=${nic.bridge}${nic.model ? `,model=${nic.model}` : ''}"`,
  )
  lines.push(`vif = [ ${nics.join(', ')} ]`)
  if (config.vnc && config.type === 'hvm') lines.push('vnc = 1', `vnclisten = ${quoted(config.vnc.listen)}`)
  if (config.onPoweroff !== 'destroy') lines.push(`on_poweroff = ${quoted(config.onPoweroff)}`)
  if (config.onCrash !== 'destroy') lines.push(`on_crash = ${quoted(config.onCrash)}`)
  return `${lines.join('\n')}\n`
}
