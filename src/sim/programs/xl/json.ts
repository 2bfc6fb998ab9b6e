/** `xl list -l`: libxl's own JSON, with its order of keys, its strings for booleans and its way of printing. */
import type { Domain, GuestConfig, PmState, SimDisk, SimNic } from '../../machine/state.ts'

type Value = string | number | readonly Value[] | { readonly [key: string]: Value | undefined }

export function formatDomains(pm: PmState, domains: readonly Domain[], dom0: boolean): string {
  const values: Value[] = dom0 ? [dom0Value(pm)] : []
  for (const domain of domains) values.push({ domid: domain.domid, config: configValue(domain.config) })
  return `${print(values)}\n`
}

/** What libxl keeps of one in a file. */
export function formatConfig({ config }: Domain): string {
  return print(configValue(config))
}

const SCHED = { sched: 'credit2', weight: 256, cap: 0 }

function dom0Value(pm: PmState): Value {
  return {
    domid: 0,
    config: {
      c_info: { type: 'pv', name: 'Domain-0' },
      b_info: {
        max_memkb: pm.dom0MemoryMib * 1024,
        target_memkb: pm.dom0MemoryMib * 1024 - 1,
        sched_params: SCHED,
        'type.pv': {},
        arch_arm: {},
        arch_x86: {},
      },
    },
  }
}

function configValue(config: GuestConfig): Value {
  const disks = config.disks.map(diskValue)
  const nics = config.nics.map((nic) => nicValue(nic, config.type))
  const frame = config.type !== 'hvm' && config.vnc !== undefined
  return {
    c_info: {
      type: config.type,
      name: config.name,
      domid: 4294967295,
      uuid: config.uuid,
      run_hotplug_scripts: 'True',
    },
    b_info: {
      max_vcpus: config.maxVcpus,
      avail_vcpus: Array.from({ length: config.vcpus }, (_, index) => index),
      max_memkb: config.maxmemMib * 1024,
      target_memkb: config.memoryMib * 1024,
      video_memkb: config.type === 'hvm' ? 8192 : 0,
      sched_params: SCHED,
      claim_mode: 'True',
      bootloader: config.bootloader,
      bootloader_args: config.bootloaderArgs,
      kernel: config.kernel,
      cmdline: config.cmdline,
      ramdisk: config.ramdisk,
      [`type.${config.type}`]: config.type === 'hvm' ? hvmValue(config) : {},
      arch_arm: {},
      arch_x86: { msr_relaxed: 'False' },
    },
    disks: disks.length > 0 ? disks : undefined,
    nics: nics.length > 0 ? nics : undefined,
    vfbs: frame ? [{ devid: 0, vnc: { enable: flag(config.vnc?.enable), ...vncValue(config) }, sdl: {} }] : undefined,
    vkbs: frame ? [{ devid: 0 }] : undefined,
    on_poweroff: config.onPoweroff === 'destroy' ? undefined : config.onPoweroff,
    on_reboot: config.onReboot === 'destroy' ? undefined : config.onReboot,
    on_crash: config.onCrash === 'destroy' ? undefined : config.onCrash,
    on_soft_reset: 'soft_reset',
  }
}

function hvmValue(config: GuestConfig): Value {
  return {
    bios: config.firmware,
    vga: {},
    vnc: config.vnc ? { enable: 'True', ...vncValue(config) } : { enable: 'False' },
    sdl: {},
    spice: {},
    serial: 'pty',
    boot: config.bootOrder,
    rdm: {},
  }
}

/** What a file does not say is not there. */
function flag(given: boolean | undefined): string | undefined {
  if (given === undefined) return undefined
  return given ? 'True' : 'False'
}

function vncValue(config: GuestConfig): { readonly [key: string]: Value | undefined } {
  return {
    listen: config.vnc?.listen,
    passwd: config.vnc?.password,
    display: config.vnc?.display,
    findunused: flag(config.vnc?.unused),
  }
}

function diskValue(disk: SimDisk): Value {
  return {
    pdev_path: disk.kept?.path ?? disk.path,
    vdev: disk.vdev,
    backend: disk.backend,
    format: disk.path === '' ? 'empty' : (disk.kept?.format ?? disk.format),
    removable: disk.cdrom ? 1 : undefined,
    readwrite: disk.readOnly ? undefined : 1,
    is_cdrom: disk.cdrom ? 1 : undefined,
    colo_restore_enable: disk.attached ? undefined : 'False',
  }
}

function nicValue(nic: SimNic, type: GuestConfig['type']): Value {
  return {
    devid: nic.devid,
    mac: nic.mac,
    backend_domname: nic.backend,
    bridge: nic.bridge,
    ip: nic.ip,
    model: nic.model,
    script: nic.script,
    nictype: type === 'hvm' ? 'vif_ioemu' : 'vif',
  }
}

/** yajl's beautifier: four blanks a level, and an empty line in what is empty. */
function print(value: Value): string {
  return JSON.stringify(value, null, 4).replace(
    /(?:\{\}|\[\])(?=,?$)/gm,
    ([open, close], at: number, whole: string) => {
      const line = whole.slice(whole.lastIndexOf('\n', at) + 1, at)
      return `${open}\n\n${line.slice(0, line.search(/[^ ]|$/))}${close}`
    },
  )
}
