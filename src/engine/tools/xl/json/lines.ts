import { quoteString } from '../syntax.ts'

/** What the defaults of a guest hang on. */
export interface Guest {
  readonly type: 'pv' | 'pvh' | 'hvm'
  readonly maxKib: number
  readonly maxVcpuCount: number
  /** Of an HVM guest: `cirrus`, `std`, `none`, `qxl`. */
  readonly vga: string
  /** Its QEMU is Xen's own old one. */
  readonly traditional: boolean
}

/** A key of the JSON and the parameter of xl.cfg(5) that says it (tools/xl/xl_parse.c). */
export interface Line {
  readonly under: 'config' | 'create' | 'build' | 'own' | 'sched' | 'x86' | 'arm'
  /** A dot leads into a tree. */
  readonly json: string
  readonly parameter: string
  /** The text behind the `=`: `''` where libxl does it by itself, undefined where no text says it. */
  say(value: unknown, guest: Guest): string | undefined
  /** What the absence of the key means, where that is not what the absence of the parameter means. */
  readonly absent?: string
}

type Under = Line['under']
type IsDefault = (value: number, guest: Guest) => boolean

/** A list of a configuration, of strings in quotes. */
export function listOf(items: readonly string[]): string {
  return items.length === 0 ? '[]' : `[ ${items.map(quoteString).join(', ')} ]`
}

const action = (json: string, standard: string, absent: string): Line => ({
  under: 'config',
  json,
  parameter: json,
  say(value) {
    if (value === standard) return ''
    // libxl and xl have this one the other way round
    const name = value === 'restart_rename' ? 'rename_restart' : value
    return typeof name === 'string' ? quoteString(name.replaceAll('_', '-')) : undefined
  },
  // libxl leaves out what is `destroy`, which is not what xl takes of a file that says nothing
  ...(standard === absent ? {} : { absent: quoteString(absent) }),
})

/** `standard`: what libxl itself writes there. */
const flag = (under: Under, json: string, parameter = json, standard?: string): Line => ({
  under,
  json,
  parameter,
  say(value) {
    if (value === standard) return ''
    return value === 'True' || value === 'False' ? (value === 'True' ? '1' : '0') : undefined
  },
})

const text = (under: Under, json: string, parameter = json): Line => ({
  under,
  json,
  parameter,
  say: (value) => (typeof value === 'string' ? quoteString(value) : undefined),
})

/** Texts that xl has other words for. */
const words = (
  under: Under,
  json: string,
  parameter: string,
  known: Readonly<Record<string, string | undefined>>,
): Line => ({
  under,
  json,
  parameter,
  say(value) {
    const word = typeof value === 'string' ? known[value] : undefined
    return word === undefined ? undefined : quoteString(word)
  },
})

const texts = (under: Under, json: string, parameter: string): Line => ({
  under,
  json,
  parameter,
  say: (value) => (Array.isArray(value) && value.every((item) => typeof item === 'string') ? listOf(value) : undefined),
})

/** A bare number of the grammar has no sign. */
const sayNumber = (value: number) => (value < 0 ? quoteString(String(value)) : String(value))

const number = (under: Under, json: string, parameter = json, isDefault: IsDefault = () => false): Line => ({
  under,
  json,
  parameter,
  say: (value, guest) => (typeof value !== 'number' ? undefined : isDefault(value, guest) ? '' : sayNumber(value)),
})

/** KiB there, MiB in a file. */
const mebibytes = (under: Under, json: string, parameter: string, isDefault: IsDefault = () => false): Line => ({
  under,
  json,
  parameter,
  say(value, guest) {
    if (typeof value !== 'number') return undefined
    if (isDefault(value, guest)) return ''
    return value % 1024 === 0 ? sayNumber(value / 1024) : undefined
  },
})

/** What libxl__domain_build_info_setdefault gives (libxl_create.c), and writes into the JSON of a domain. */
const videoDefault: IsDefault = (kib, { type, vga, traditional }) => {
  if (type !== 'hvm') return kib === 0
  const qemu: Record<string, number> = { none: 0, std: 16384, qxl: 131072 }
  const old: Record<string, number> = { none: 0, std: 8192 }
  return kib === (traditional ? (old[vga] ?? 4096) : (qemu[vga] ?? 8192))
}

/** libxl_get_required_shadow_memory, which xl wrote down for every guest before Xen 4.13. */
const shadowDefault: IsDefault = (kib, { type, maxKib, maxVcpuCount }) =>
  (kib === 0 && type === 'pv') || kib === 4 * (256 * maxVcpuCount + 2 * Math.floor(maxKib / 1024))

const hex = (value: number) => value.toString(16)

type Numbers = Readonly<Record<string, number | undefined>>
const numbersOf = (value: unknown): readonly Numbers[] => (Array.isArray(value) ? value : [])

const RANGES: readonly Line[] = [
  {
    under: 'build',
    json: 'ioports',
    parameter: 'ioports',
    say: (value) =>
      listOf(
        numbersOf(value).map(({ first = 0, number: count = 1 }) =>
          count === 1 ? hex(first) : `${hex(first)}-${hex(first + count - 1)}`,
        ),
      ),
  },
  {
    under: 'build',
    json: 'irqs',
    parameter: 'irqs',
    say: (value) => (Array.isArray(value) ? listOf(value.map(String)) : undefined),
  },
  {
    under: 'build',
    json: 'iomem',
    parameter: 'iomem',
    say: (value) =>
      listOf(
        numbersOf(value).map(({ start = 0, number: count = 0, gfn }) => {
          const at = gfn === undefined || gfn >= Number.MAX_SAFE_INTEGER ? '' : `@${hex(gfn)}`
          return `${hex(start)},${hex(count)}${at}`
        }),
      ),
  },
]

const HVM: readonly Line[] = [
  text('own', 'system_firmware', 'bios_path_override'),
  text('own', 'smbios_firmware'),
  text('own', 'acpi_firmware'),
  flag('own', 'pae'),
  flag('own', 'acpi'),
  flag('own', 'apic'),
  flag('own', 'acpi_s3'),
  flag('own', 'acpi_s4'),
  flag('own', 'acpi_laptop_slate'),
  flag('own', 'nx'),
  flag('own', 'hpet'),
  flag('own', 'vpt_align'),
  text('own', 'timer_mode'),
  flag('own', 'nested_hvm', 'nestedhvm'),
  mebibytes('own', 'mmio_hole_memkb', 'mmio_hole', (kib) => kib === 0),
  flag('own', 'altp2m', 'altp2mhvm'),
  // since Xen 4.19
  flag('own', 'pirq', 'hvm_pirq', 'False'),
  text('own', 'hdtype'),
  words('own', 'vga.kind', 'vga', { cirrus: 'cirrus', std: 'stdvga', none: 'none', qxl: 'qxl' }),
  flag('own', 'nographic'),
  text('own', 'keymap'),
  flag('own', 'sdl.enable', 'sdl'),
  flag('own', 'sdl.opengl', 'opengl'),
  text('own', 'sdl.display', 'display'),
  text('own', 'sdl.xauthority', 'xauthority'),
  flag('own', 'spice.enable', 'spice'),
  number('own', 'spice.port', 'spiceport'),
  number('own', 'spice.tls_port', 'spicetls_port'),
  text('own', 'spice.host', 'spicehost'),
  flag('own', 'spice.disable_ticketing', 'spicedisable_ticketing'),
  text('own', 'spice.passwd', 'spicepasswd'),
  flag('own', 'spice.agent_mouse', 'spiceagent_mouse'),
  flag('own', 'spice.vdagent', 'spicevdagent'),
  flag('own', 'spice.clipboard_sharing', 'spice_clipboard_sharing'),
  number('own', 'spice.usbredirection', 'spiceusbredirection'),
  text('own', 'spice.image_compression', 'spice_image_compression'),
  text('own', 'spice.streaming_video', 'spice_streaming_video'),
  text('own', 'serial'),
  texts('own', 'serial_list', 'serial'),
  flag('own', 'usb'),
  number('own', 'usbversion'),
  text('own', 'usbdevice'),
  texts('own', 'usbdevice_list', 'usbdevice'),
  flag('own', 'vkb_device'),
  text('own', 'soundhw'),
  flag('own', 'xen_platform_pci'),
  words('own', 'vendor_device', 'vendor_device', { none: 'none', xenserver: 'xenserver' }),
  // each start makes a new one: what the file says is that there is one
  { under: 'own', json: 'ms_vm_genid', parameter: 'ms_vm_genid', say: () => quoteString('generate') },
  mebibytes('own', 'rdm_mem_boundary_memkb', 'rdm_mem_boundary'),
  words('own', 'rdm.strategy', 'rdm', { host: 'strategy=host' }),
  // XEN_HVM_MCA_CAP_LMCE is the only one that has a name
  { under: 'own', json: 'mca_caps', parameter: 'mca_caps', say: (v) => (v === 1 ? listOf(['lmce']) : undefined) },
]

export const LINES: readonly Line[] = [
  flag('create', 'hap'),
  flag('create', 'oos'),
  text('create', 'pool_name', 'pool'),
  flag('create', 'driver_domain'),
  text('create', 'passthrough'),
  flag('create', 'xend_suspend_evtchn_compat'),
  number('sched', 'weight', 'cpu_weight', (value) => value === 256),
  number('sched', 'cap', 'cap', (value) => value === 0),
  number('sched', 'period', 'period', (value) => value === 10000),
  number('sched', 'slice'),
  number('sched', 'latency'),
  number('sched', 'extratime'),
  text('build', 'tsc_mode'),
  mebibytes('build', 'video_memkb', 'videoram', videoDefault),
  mebibytes('build', 'shadow_memkb', 'shadow_memory', shadowDefault),
  number('build', 'rtc_timeoffset'),
  flag('build', 'localtime'),
  flag('build', 'disable_migrate', 'nomigrate'),
  number('build', 'max_grant_frames'),
  number('build', 'max_maptrack_frames'),
  number('build', 'max_grant_version'),
  words('build', 'device_model_version', 'device_model_version', {
    qemu_xen: 'qemu-xen',
    qemu_xen_traditional: 'qemu-xen-traditional',
  }),
  flag('build', 'device_model_stubdomain', 'device_model_stubdomain_override'),
  mebibytes('build', 'stubdomain_memkb', 'stubdomain_memory', (kib) => kib === 0),
  text('build', 'stubdomain_kernel'),
  text('build', 'stubdomain_cmdline'),
  text('build', 'stubdomain_ramdisk'),
  text('build', 'device_model', 'device_model_override'),
  text('build', 'device_model_ssid_label', 'device_model_stubdomain_seclabel'),
  text('build', 'device_model_user'),
  texts('build', 'extra', 'device_model_args'),
  texts('build', 'extra_pv', 'device_model_args_pv'),
  texts('build', 'extra_hvm', 'device_model_args_hvm'),
  ...RANGES,
  number('build', 'event_channels', 'max_event_channels', (value) => value === 1023),
  text('build', 'device_tree'),
  flag('build', 'acpi'),
  flag('build', 'apic'),
  texts('build', 'bootloader_args', 'bootloader_args'),
  text('build', 'timer_mode'),
  flag('build', 'nested_hvm', 'nestedhvm'),
  flag('build', 'dm_restrict'),
  text('build', 'tee'),
  text('build', 'altp2m'),
  number('build', 'vmtrace_buf_kb'),
  flag('build', 'vpmu'),
  flag('own', 'e820_host'),
  flag('own', 'pvshim'),
  text('own', 'pvshim_path'),
  text('own', 'pvshim_cmdline'),
  text('own', 'pvshim_extra'),
  ...HVM,
  flag('x86', 'msr_relaxed', 'msr_relaxed', 'False'),
  text('arm', 'gic_version'),
  text('arm', 'vuart'),
  action('on_poweroff', 'destroy', 'destroy'),
  action('on_reboot', 'restart', 'destroy'),
  action('on_watchdog', 'destroy', 'destroy'),
  action('on_crash', 'destroy', 'destroy'),
  action('on_soft_reset', 'soft_reset', 'destroy'),
]
