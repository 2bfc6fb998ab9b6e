/**
 * The keys of xl.cfg(5) of Xen 4.17, in the order of that page, and those that tools/xl/xl_parse.c reads and the page does
 * not name.
 */
export const KEYS_OF_THE_PAGE = words(`
  name type builder pool vcpus maxvcpus cpus cpus_soft cpu_weight cap memory maxmem vnuma
  on_poweroff on_reboot on_watchdog on_crash on_soft_reset
  kernel ramdisk cmdline root extra firmware pvshim pvshim_path pvshim_cmdline pvshim_extra
  uuid seclabel init_seclabel max_grant_frames max_maptrack_frames max_grant_version nomigrate driver_domain device_tree
  passthrough xend_suspend_evtchn_compat vmtrace_buf_kb vpmu
  disk vif vtpm p9 pvcalls vfb channel rdm usbctrl usbdev
  pci pci_permissive pci_msitranslate pci_seize pci_power_mgmt gfx_passthru rdm_mem_boundary dtdev ioports iomem irqs
  max_event_channels vdispl dm_restrict device_model_user vsnd vkb tee
  bootloader bootloader_args e820_host boot hdtype hap oos shadow_memory bios bios_path_override
  pae acpi acpi_s3 acpi_s4 acpi_laptop_slate apic nx hpet altp2m altp2mhvm nestedhvm cpuid acpi_firmware smbios_firmware
  ms_vm_genid tsc_mode localtime rtc_timeoffset vpt_align timer_mode mmio_hole xen_platform_pci viridian
  videoram stdvga vga vnc vnclisten vncdisplay vncunused vncpasswd keymap sdl opengl nographic
  spice spicehost spiceport spicetls_port spicedisable_ticketing spicepasswd spiceagent_mouse spicevdagent
  spice_clipboard_sharing spiceusbredirection spice_image_compression spice_streaming_video
  serial soundhw vkb_device usb usbversion usbdevice vendor_device
  device_model_version device_model_override stubdomain_kernel stubdomain_cmdline stubdomain_ramdisk stubdomain_memory
  device_model_stubdomain_override device_model_stubdomain_seclabel
  device_model_args device_model_args_pv device_model_args_hvm
  gic_version vuart mca_caps msr_relaxed
`)

export const KEYS_OF_THE_PARSER = words(`
  firmware_override device_model vif2 vncviewer display xauthority period slice latency extratime
`)

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/)
}
