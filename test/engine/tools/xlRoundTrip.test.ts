import { describe, expect, test } from 'bun:test'
import { parseStatements } from '../../../src/engine/tools/xl/syntax.ts'
import { differences, readTree, recorded, write } from '../../support/xl/roundTrip.ts'
import { TEXTS } from '../../support/xl/texts.ts'

/**
 * The real xl (4.17.7) has read each text, and what pengx writes of that reading alone: the two readings differ in what
 * is said to be lost, and in nothing else. `test/lab/suites/xlJson.shared.e2e.ts` asks it again.
 */
const trips = recorded()

/** What is said in other words that mean the same: a display behind its address, libxl's own video memory. */
const OTHER_WORDS: Readonly<Record<string, readonly string[]>> = {
  vnccolon: ['b_info.type.hvm.vnc.listen: "10.0.0.1:7" -> "10.0.0.1"', 'b_info.type.hvm.vnc.display: undefined -> 7'],
  w10: ['b_info.video_memkb: 16384 -> undefined'],
  stubold: ['b_info.video_memkb: 4096 -> undefined'],
}

/** What libxl itself has not taken in: a USB device whose item has no `type=hostdev`. */
const LOST: Readonly<Record<string, readonly string[]>> = { usb: ['usbdevs.0'], w10: ['usbdevs.0'] }

test('there is a reading of each text, and no other', () => {
  expect(trips.map(({ name }) => name)).toEqual(Object.keys(TEXTS))
})

describe('a domain without a file is written as it ran', () => {
  for (const { name, read, written, again } of trips) {
    test(name, () => {
      const found = readTree(read)
      // else the second reading is of another text
      expect(write(found)).toBe(written)
      const lost = found.lost.map(({ key }) => key)
      expect(lost).toEqual([...(LOST[name] ?? [])])
      expect(differences({ read, again }, lost)).toEqual([...(OTHER_WORDS[name] ?? [])])
      const statements = parseStatements(written).map(({ key }) => key)
      for (const parameter of found.kept) expect(statements).toContain(parameter)
    })
  }
})

/** Of tools/xl/xl_parse.c of Xen 4.17, all but what it only warns about: vncviewer, vif2, device_model. */
const PARAMETERS =
  'acpi acpi_firmware acpi_laptop_slate acpi_s3 acpi_s4 altp2m altp2mhvm apic bios bios_path_override boot bootloader ' +
  'bootloader_args builder cap channel cmdline cpu_weight cpuid cpus cpus_soft device_model_args device_model_args_hvm ' +
  'device_model_args_pv device_model_override device_model_stubdomain_override device_model_stubdomain_seclabel ' +
  'device_model_user device_model_version device_tree disk display dm_restrict driver_domain dtdev e820_host extra ' +
  'extratime firmware firmware_override gfx_passthru gic_version hap hdtype hpet init_seclabel iomem ioports irqs kernel ' +
  'keymap latency localtime max_event_channels max_grant_frames max_grant_version max_maptrack_frames maxmem maxvcpus ' +
  'mca_caps memory mmio_hole ms_vm_genid msr_relaxed name nestedhvm nographic nomigrate nx on_crash on_poweroff ' +
  'on_reboot on_soft_reset on_watchdog oos opengl p9 pae passthrough pci pci_msitranslate pci_permissive pci_power_mgmt ' +
  'pci_seize period pool pvcalls pvshim pvshim_cmdline pvshim_extra pvshim_path ramdisk rdm rdm_mem_boundary root ' +
  'rtc_timeoffset sdl seclabel serial shadow_memory slice smbios_firmware soundhw spice spice_clipboard_sharing ' +
  'spice_image_compression spice_streaming_video spiceagent_mouse spicedisable_ticketing spicehost spicepasswd spiceport ' +
  'spicetls_port spiceusbredirection spicevdagent stdvga stubdomain_cmdline stubdomain_kernel stubdomain_memory ' +
  'stubdomain_ramdisk tee timer_mode tsc_mode type usb usbctrl usbdev usbdevice usbversion uuid vcpus vdispl ' +
  'vendor_device vfb vga videoram vif viridian vkb vkb_device vmtrace_buf_kb vnc vncdisplay vnclisten vncpasswd vncunused ' +
  'vnuma vpmu vpt_align vsnd vtpm vuart xauthority xen_platform_pci xend_suspend_evtchn_compat'

test('each parameter has a text', () => {
  const there = new Set(Object.values(TEXTS).flatMap((text) => parseStatements(text).map(({ key }) => key)))
  expect(PARAMETERS.split(' ').filter((parameter) => !there.has(parameter))).toEqual([])
})
