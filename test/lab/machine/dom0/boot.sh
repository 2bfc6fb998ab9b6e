#!/bin/sh
# Second stage, run once by busybox init: what Xen's tools expect of a running Debian, and nothing else. Without a
# hypervisor below it the same but Xen.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
exec >/run/boot.log 2>&1
stage() { echo "LAB $1 $(cut -d' ' -f1 /proc/uptime)" >/dev/console; }
stage begin

# Without /dev/fd the hotplug script for disks spins until libxl kills it.
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin
ln -sf fd/1 /dev/stdout
ln -sf fd/2 /dev/stderr
mkdir -p /dev/pts /dev/shm /run/lock /run/sshd /run/xen /run/lvm /var/log/xen/console
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
chmod 1777 /dev/shm /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t configfs configfs /sys/kernel/config 2>/dev/null
hostname -F /etc/hostname
ulimit -n 65536
sysctl -q -w vm.panic_on_oom=0 kernel.panic=0

# Debian's rules scan a loop device that holds a PV whenever lvm has written to it: a second of emulated processor after
# each change of a volume, for an activation that was done long ago. Nobody waits for events of loop devices here.
mkdir -p /run/udev/rules.d
echo 'KERNEL=="loop[0-9]*", ENV{LVM_LOOP_PV_ACTIVATED}="1", OPTIONS:="nowatch"' >/run/udev/rules.d/59-lab.rules
/lib/systemd/systemd-udevd --daemon
modprobe -a virtio_net virtio_scsi sd_mod tun bridge loop dm-mod dm-snapshot
is_xen() { [ "$(cat /sys/hypervisor/type 2>/dev/null)" = xen ]; }
is_xen && modprobe -a xenfs xen-evtchn xen-gntdev xen-gntalloc xen-netback xen-blkback
udevadm trigger --action=add --subsystem-match=block --subsystem-match=scsi --subsystem-match=misc
stage modules

is_xen && /etc/init.d/xen start &
xen=$!
ifup -a
stage network
# what a Debian host has running for storage: mount.nfs and iscsiadm count on it
mkdir -p /run/rpc_pipefs /run/rpcbind
mount -t rpc_pipefs rpc_pipefs /run/rpc_pipefs
rpcbind -w
(modprobe iscsi_tcp && iscsid) &
vgchange -q -aay &
/usr/sbin/sshd
stage sshd
wait $xen
udevadm settle -t 30
stage xen
if ! is_xen || xl info >/run/xl-info 2>&1; then
    # As on any host where guests are busy: else dom0 has no more of the processors than one of them. With much more, guests
    # that write have none of them for a minute.
    ! is_xen || xl sched-credit2 -d 0 -w 1024
    : >/run/lab-ready
    stage READY
else
    stage "FAILED: xl does not answer"
    cat /run/boot.log /run/xl-info >/dev/console
fi
