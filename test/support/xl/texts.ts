/**
 * Configurations, one or more for every parameter of xl.cfg(5) that ends in libxl's JSON, and words of every list. What
 * the real xl reads in each is in `test/golden/xl/xl-4.17-create-n.jsonl`, a line each.
 */
const HEAD = 'name = "a"\nuuid = "11111111-1111-4111-8111-111111111111"\n'

const hvm = (...lines: string[]) => text('hvm', lines)
const pv = (...lines: string[]) => text('pv', ['kernel = "/k"', ...lines])
const pvh = (...lines: string[]) => text('pvh', ['kernel = "/k"', ...lines])
const text = (type: string, lines: readonly string[]) =>
  `${HEAD}type = "${type}"\n${lines.map((line) => `${line}\n`).join('')}`

export const TEXTS: Readonly<Record<string, string>> = {
  'pv-minimal': pv(),
  'pvh-minimal': pvh(),
  'hvm-minimal': hvm(),
  memory: pv('memory = 512', 'maxmem = 1024', 'vcpus = 2', 'maxvcpus = 4'),
  maxvcpus: pv('maxvcpus = 4'),
  maxmem: pvh('maxmem = 300'),
  create: pvh(
    'hap = 1',
    'oos = 0',
    'pool = "Pool-0"',
    'driver_domain = 1',
    'passthrough = "enabled"',
    'xend_suspend_evtchn_compat = 1',
    'seclabel = "system_u:system_r:domU_t"',
  ),
  labels: pv('init_seclabel = "a:b:c"', 'seclabel = "d:e:f"'),
  sched: pv('cpu_weight = 512', 'cap = 50', 'period = 20000', 'slice = 3', 'latency = 4', 'extratime = 1'),
  cpus: pv('vcpus = 3', 'cpus = "0-1"'),
  cpuslist: pv('vcpus = 3', 'cpus = ["0", "1", "0-1"]'),
  cpusshort: pv('vcpus = 3', 'cpus = ["1"]'),
  cpusall: pv('vcpus = 2', 'cpus = "all,^0"'),
  cpussoft: pv('vcpus = 2', 'cpus_soft = "1"'),
  cpusboth: pv('vcpus = 2', 'cpus = ["0","0"]', 'cpus_soft = ["1","0"]'),
  cpusequal: pv('vcpus = 2', 'cpus = ["1","1"]'),
  cpusempty: pv('vcpus = 2', 'cpus = []'),
  vnuma: pv(
    'memory = 256',
    'maxvcpus = 2',
    'vcpus = 2',
    'vnuma = [ ["pnode=0","size=128","vcpus=0","vdistances=10,20"], ["pnode=0","size=128","vcpus=1","vdistances=20,10"] ]',
  ),
  vnumafree: pv(
    'memory = 256',
    'maxvcpus = 2',
    'vnuma = [ ["size=128","vcpus=0","vdistances=10,20"], ["size=128","vcpus=1","vdistances=20,10"] ]',
  ),
  grants: pv('max_grant_frames = 64', 'max_maptrack_frames = 0', 'max_grant_version = 1', 'max_event_channels = 2047'),
  numbers: pv('shadow_memory = 64', 'rtc_timeoffset = 3600', 'videoram = 16', 'vmtrace_buf_kb = 64'),
  flags: pvh('nomigrate = 1', 'localtime = 1', 'acpi = 0', 'nestedhvm = 1', 'dm_restrict = 0', 'vpmu = 1', 'apic = 1'),
  tsc: hvm('tsc_mode = "native"', 'timer_mode = "one_missed_tick_pending"'),
  tscnum: hvm('tsc_mode = 1', 'timer_mode = 0', 'altp2m = 2'),
  dm: hvm(
    'device_model_version = "qemu-xen"',
    'device_model_override = "/usr/bin/q"',
    'device_model_stubdomain_override = 1',
    'stubdomain_memory = 64',
    'stubdomain_kernel = "/sk"',
    'stubdomain_cmdline = "a b"',
    'stubdomain_ramdisk = "/sr"',
    'device_model_stubdomain_seclabel = "x:y:z"',
    'device_model_user = "qemu"',
    'device_model_args = ["-a", "b c"]',
    'device_model_args_pv = ["-p"]',
    'device_model_args_hvm = ["-h", "q\\"uote"]',
  ),
  dmold: hvm('device_model_version = "qemu-xen-traditional"'),
  io: hvm('ioports = ["2f8-2ff", "3f8", "60"]', 'irqs = [3, 5]', 'iomem = ["fc000,10", "fd000,1@200"]'),
  pvboot: pv(
    'bootloader = "pygrub"',
    'bootloader_args = ["--offset=1", "-q"]',
    'ramdisk = "/r"',
    'cmdline = "a \\"b\\""',
  ),
  e820: pv('e820_host = 1'),
  pvshim: pvh('pvshim = 1', 'pvshim_path = "/shim"', 'pvshim_cmdline = "x y"', 'pvshim_extra = "z"'),
  arm: pv(
    'device_tree = "/d.dtb"',
    'gic_version = "v3"',
    'vuart = "sbsa_uart"',
    'tee = "optee"',
    'dtdev = ["/soc/a", "/soc/b"]',
    'msr_relaxed = 1',
  ),
  bios: hvm('bios = "ovmf"', 'bios_path_override = "/b"', 'boot = "dc"'),
  biosboth: hvm('firmware_override = "/f"', 'bios = "seabios"'),
  firmware: hvm('firmware = "uefi"', 'smbios_firmware = "/s"', 'acpi_firmware = "/a"'),
  hvmflags: hvm(
    'pae = 0',
    'acpi = 1',
    'acpi_s3 = 0',
    'acpi_s4 = 1',
    'acpi_laptop_slate = 1',
    'apic = 0',
    'nx = 1',
    'hpet = 0',
    'vpt_align = 1',
    'nestedhvm = 1',
    'xen_platform_pci = 0',
    'vkb_device = 0',
    'nographic = 1',
    'usb = 1',
  ),
  hvmrest: hvm(
    'mmio_hole = 1024',
    'altp2mhvm = 1',
    'hdtype = "ahci"',
    'keymap = "de"',
    'soundhw = "hda"',
    'vendor_device = "xenserver"',
    'rdm_mem_boundary = 1024',
    'mca_caps = ["lmce"]',
    'altp2m = "mixed"',
  ),
  vga: hvm('vga = "qxl"', 'videoram = 256'),
  stdvga: hvm('stdvga = 1'),
  stdvganot: hvm('stdvga = 0'),
  viridian: hvm('viridian = 1'),
  viridian0: hvm('viridian = 0'),
  viridianlist: hvm('viridian = ["defaults", "synic", "!time_ref_count"]'),
  viridianall: hvm('viridian = ["all"]'),
  viridianone: hvm('viridian = ["base"]'),
  gfx: hvm('gfx_passthru = "igd"'),
  gfx1: hvm('gfx_passthru = 1'),
  gfx0: hvm('gfx_passthru = 0'),
  gfxdefault: hvm('gfx_passthru = "default"'),
  genid: hvm('ms_vm_genid = "generate"'),
  spice: hvm(
    'spice = 1',
    'spiceport = 6000',
    'spicetls_port = 6001',
    'spicehost = "0.0.0.0"',
    'spicedisable_ticketing = 0',
    'spicepasswd = "geheim"',
    'spiceagent_mouse = 0',
    'spicevdagent = 1',
    'spice_clipboard_sharing = 1',
    'spiceusbredirection = 4',
    'spice_image_compression = "off"',
    'spice_streaming_video = "all"',
  ),
  sdl: hvm('sdl = 1', 'opengl = 1', 'display = ":0"', 'xauthority = "/x"', 'vnc = 0'),
  vncoff: hvm('vnc = 0', 'vnclisten = "10.0.0.1"', 'vncpasswd = "geheim"', 'vncdisplay = 3', 'vncunused = 0'),
  vncon: hvm('vnc = 1', 'vnclisten = "10.0.0.1"', 'vncpasswd = "geheim"', 'vncdisplay = 3', 'vncunused = 0'),
  vncopen: hvm('vnclisten = ""'),
  vnccolon: hvm('vnclisten = "10.0.0.1:7"'),
  vncsix: hvm('vnclisten = "[::1]:7"'),
  pvvncopen: pv('vnc = 1', 'vnclisten = ""'),
  pvvncunused: pv('vnc = 1', 'vncunused = 0', 'vncpasswd = "a,b"'),
  pvkeymap: pv('vnc = 1', 'keymap = "de"'),
  pvsdl: pv('vnc = 1', 'sdl = 1', 'opengl = 0', 'display = ":1"', 'xauthority = "/x"'),
  vfb: pv('vfb = ["vnc=1,vnclisten=0.0.0.0,vncpasswd=ab,vncdisplay=4"]'),
  vfbopen: pvh('vfb = ["vnc=1,vnclisten="]'),
  vfbtwo: pv('vfb = ["vnc=1", "vnc=0,sdl=1,display=:2,xauthority=/x,opengl=1,keymap=fr"]'),
  vfboff: pv('vfb = ["vnc=0"]'),
  vfbhvm: hvm('vfb = ["vnc=1,vncunused=1"]'),
  vfbempty: pv('vfb = [""]'),
  vkb: pv(
    'vkb = ["backend-type=linux,unique-id=T1,feature-disable-keyboard=1,feature-abs-pointer=1,feature-raw-pointer=1,feature-multi-touch=1,feature-disable-pointer=0,width=10,height=20,multi-touch-width=30,multi-touch-height=40,multi-touch-num-contacts=5", "backend-type=qemu,backend=d1"]',
  ),
  vkbvfb: pv('vfb = ["vnc=1"]', 'vkb = ["backend-type=qemu", "backend-type=linux,unique-id=b"]'),
  serial: hvm('serial = "pty"', 'usbdevice = "tablet"'),
  serials: hvm('serial = ["pty", "file:/tmp/x"]', 'usbdevice = ["tablet", "host:1.2"]'),
  usbversion: hvm('usbversion = 3'),
  actions: pv(
    'on_poweroff = "preserve"',
    'on_reboot = "destroy"',
    'on_watchdog = "restart"',
    'on_crash = "coredump-restart"',
    'on_soft_reset = "destroy"',
  ),
  actions2: pv(
    'on_poweroff = "restart"',
    'on_reboot = "rename-restart"',
    'on_watchdog = "coredump-destroy"',
    'on_crash = "rename-restart"',
    'on_soft_reset = "preserve"',
  ),
  pci: hvm(
    'pci = ["01:00.0", "0001:02:1f.7@5,permissive=1,msitranslate=1,power_mgmt=1,seize=1,rdm_policy=strict", "03:04.*", "bdf=04:00.1,vslot=6"]',
  ),
  pciname: hvm('pci = ["name=nic0,permissive=1"]'),
  pciglobal: pv(
    'pci_permissive = 1',
    'pci_msitranslate = 1',
    'pci_power_mgmt = 1',
    'pci_seize = 1',
    'pci = ["01:00.0"]',
  ),
  rdm: hvm('rdm = "strategy=host"', 'pci = ["01:00.0,rdm_policy=relaxed"]'),
  rdmpolicy: hvm('rdm = "strategy=host,policy=strict"', 'pci = ["01:00.0"]'),
  usb: hvm(
    'usbctrl = ["version=2,ports=4", "type=pv,version=1,ports=8", "type=devicemodel", "type=qusb"]',
    'usbdev = ["hostbus=1,hostaddr=3", "type=hostdev,hostbus=2,hostaddr=4,controller=1,port=2"]',
  ),
  vtpm: pv('vtpm = ["backend=tpm,uuid=22222222-2222-4222-8222-222222222222", "backend=0"]'),
  p9: pv('p9 = ["tag=t,path=/p,security_model=none", "tag=u,path=/q,security_model=mapped,backend=d"]'),
  pvcalls: pv('pvcalls = ["backend=0", ""]'),
  channel: pv('channel = ["connection=pty,name=a", "backend=d,connection=socket,path=/tmp/s,name=b"]'),
  vdispl: pv('vdispl = ["backend=d,be-alloc=1,connectors=a:800x600;b:1024x768", "connectors=c:1x2"]'),
  vsnd2: pv(
    'vsnd = [ ["CARD, backend=d, buffer-size=65536, short-name=s, long-name=l, sample-rates=8000;44100, sample-formats=s16_le;u8, channels-min=1, channels-max=2", "PCM, name=p, buffer-size=1", "STREAM, unique-id=x, type=P, channels-max=6", "STREAM, unique-id=y, type=C", "PCM, name=q", "STREAM, unique-id=z, type=P"], ["CARD, short-name=t"] ]',
  ),
  cpuid: hvm('cpuid = "host,tm=0,sse3=0,family=15"'),
  cpuidlist: hvm(
    'cpuid = ["0x1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0,eax=xxxxxxxxxx0xxxxxxxxxx0xxxxxxxxxx", "7,0:ebx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1", "0x80000001:edx=kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"]',
  ),
  disks: hvm(
    'disk = ["/a,raw,xvda,w", "/b,qcow2,hdb,r", "/c.iso,,hdc,cdrom", ",,hdd,cdrom", "vdev=sda,format=vhd,access=rw,backendtype=qdisk,target=/d,e", "vdev=xvde,format=qcow,target=/q", "vdev=xvdf,format=qed,target=/q2"]',
  ),
  diskwords: pv(
    'disk = ["vdev=xvda,script=block-drbd,backend=d1,discard,direct-io-safe,target=r0", "vdev=xvdb,no-discard,target=/b", "vdev=xvdc,specification=virtio,backendtype=standalone,target=/c", "vdev=xvdd,specification=xen,backendtype=phy,target=/dev/x", "vdev=xvde,backendtype=tap,target=/y"]',
  ),
  diskcolo: pv(
    'disk = ["vdev=xvda,colo,colo-host=1.2.3.4,colo-port=99,colo-export=e,active-disk=/a,hidden-disk=/h,target=/t"]',
  ),
  nics: hvm(
    'vif = ["", "mac=00:16:3e:00:00:01,bridge=br0,ip=10.0.0.1,model=e1000,script=vif-openvswitch,vifname=v,rate=10Mb/s,mtu=9000,type=vif", "backend=d,gatewaydev=eth1,trusted,devid=7,type=ioemu,bridge=b.10:20", "rate=100KB/s@20ms,untrusted,bridge=x", "rate=1GB/s@1s"]',
  ),
  nicspv: pv('vif = ["bridge=a,type=ioemu", "bridge=b,type=vif", "rate=7B/s@3us", "rate=33Kb/s@77777us"]'),
  nicrate: pv('vif = ["rate=1B/s@3s", "rate=10GB/s@50ms"]'),
  niccolo: pv(
    'vif = ["bridge=a,forwarddev=eth9,colo_sock_mirror_id=m,colo_filter_mirror_queue=tx,colo_compare_pri_in=c,colo_checkpoint_port=1"]',
  ),
  dmstub: hvm('device_model_stubdomain_override = 0', 'vncunused = 1', 'sdl = 0', 'spice = 0', 'usb = 0'),
  access: pv('disk = ["/a,,xvda", "/b,raw,xvdb,r"]', 'root = "/dev/xvda ro"', 'extra = "quiet"'),
  'vnuma-one': pv('memory = 256', 'maxvcpus = 2', 'vcpus = 1', 'vnuma = [ ["size=256","vcpus=0-1"] ]'),
  stubold: hvm('videoram = 4', 'device_model_version = "qemu-xen-traditional"'),
  passthrough: pv('passthrough = "sync_pt"'),
  'acpi-name': pv('ramdisk = "/tmp/ä\\\\ö\\t"'),
  // as they were reported
  w10: `name = "win10"
uuid = "11111111-1111-4111-8111-111111111111"
builder = "hvm"
memory = 8192
maxmem = 8192
vcpus = 4
cpus = "4-7"
cpu_weight = 512
viridian = 1
stdvga = 1
videoram = 16
pci = [ '01:00.0,permissive=1', '01:00.1' ]
rdm = "strategy=host,policy=relaxed"
usbctrl = [ 'version=2,ports=4' ]
usbdev = [ 'hostbus=1,hostaddr=3' ]
usb = 1
usbdevice = [ "tablet", "host:046d:c52b" ]
disk = [ 'phy:/dev/vg0/win10,hda,w', 'file:/srv/iso/w10.iso,hdc:cdrom,r', 'file:/srv/iso/pv.iso,hdd:cdrom,r' ]
vif = [ 'mac=00:16:3e:11:22:44,bridge=xenbr0,model=e1000,rate=10Mb/s,vifname=win10-lan' ]
boot = "dc"
vnc = 1
vnclisten = "0.0.0.0"
vncpasswd = "abc"
localtime = 1
nestedhvm = 1
altp2m = "mixed"
shadow_memory = 64
on_crash = "preserve"
timer_mode = "one_missed_tick_pending"
ioports = [ "2f8-2ff" ]
irqs = [ 3 ]
device_model_version = "qemu-xen"
device_model_args_hvm = [ "-device", "qxl" ]
gfx_passthru = "igd"
ms_vm_genid = "generate"
cpuid = "host,tm=0,sse3=0"
`,
  virtio: `name = "g0"
uuid = "11111111-1111-4111-8111-111111111111"
memory = 1024
vcpus = 1
kernel = "Image"
ramdisk = "core-image-minimal.cpio.gz"
extra = "root=/dev/ram0 console=ttyAMA0"
vif = [ 'model=virtio-net,type=ioemu,bridge=xenbr0' ]
disk = [ '/etc/xen/file.img,,xvda,backendtype=qdisk,specification=virtio' ]
`,
}
