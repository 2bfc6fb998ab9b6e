import { quoteString } from './syntax.ts'

/** A key of the JSON and its line in xl.cfg(5): `''` where libxl's own default says it, undefined where it does not fit. */
export interface Line {
  readonly under: 'config' | 'build' | 'own'
  readonly json: string
  line(value: unknown): string | undefined
}

const action = (key: string, standard: string): Line => ({
  under: 'config',
  json: key,
  line: (value) =>
    value === standard
      ? ''
      : typeof value === 'string'
        ? `${key} = ${quoteString(value.replaceAll('_', '-'))}`
        : undefined,
})
const flag = (under: Line['under'], json: string, key = json): Line => ({
  under,
  json,
  line: (value) => (value === 'True' || value === 'False' ? `${key} = ${value === 'True' ? 1 : 0}` : undefined),
})
const text = (under: Line['under'], json: string, key = json): Line => ({
  under,
  json,
  line: (value) => (typeof value === 'string' ? `${key} = ${quoteString(value)}` : undefined),
})
const texts = (under: Line['under'], json: string, key: string): Line => ({
  under,
  json,
  line: (value) =>
    Array.isArray(value) && value.every((item) => typeof item === 'string')
      ? `${key} = [ ${value.map(quoteString).join(', ')} ]`
      : undefined,
})

export const LINES: readonly Line[] = [
  action('on_poweroff', 'destroy'),
  action('on_reboot', 'restart'),
  action('on_watchdog', 'destroy'),
  action('on_crash', 'destroy'),
  action('on_soft_reset', 'soft_reset'),
  flag('build', 'localtime'),
  flag('build', 'nested_hvm', 'nestedhvm'),
  flag('build', 'acpi'),
  flag('build', 'apic'),
  flag('build', 'disable_migrate', 'nomigrate'),
  text('build', 'device_model', 'device_model_override'),
  texts('build', 'bootloader_args', 'bootloader_args'),
  texts('build', 'extra', 'device_model_args'),
  texts('build', 'extra_pv', 'device_model_args_pv'),
  texts('build', 'extra_hvm', 'device_model_args_hvm'),
  text('own', 'serial'),
  texts('own', 'serial_list', 'serial'),
  text('own', 'usbdevice'),
  texts('own', 'usbdevice_list', 'usbdevice'),
  text('own', 'keymap'),
  text('own', 'soundhw'),
  text('own', 'acpi_firmware'),
  text('own', 'smbios_firmware'),
  flag('own', 'usb'),
  flag('own', 'pae'),
  flag('own', 'acpi'),
  flag('own', 'viridian'),
  flag('own', 'hpet'),
  flag('own', 'nographic'),
  flag('own', 'xen_platform_pci'),
  flag('own', 'pvshim'),
]
