#!/bin/busybox sh
# dom0, first stage: finds the disk, unpacks the seed on it the first time, and hands over to busybox init there.
/bin/mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order

tries=0
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do
    tries=$((tries + 1))
    [ $tries -gt 300 ] && { echo 'LAB FAILED: no root disk'; exec sh; }
    sleep 0.1
done
mount -t ext4 -o noatime /dev/vda /mnt || { echo 'LAB FAILED: cannot mount the root disk'; exec sh; }

# Only once in the life of an overlay: a host that is switched off and on keeps its guests' disks and its own files.
if [ ! -e /mnt/lab/seeded ]; then
    tar -x -f /dev/vdb -C /mnt && : >/mnt/lab/seeded || echo 'LAB FAILED: cannot unpack the seed'
fi
mount -t tmpfs -o mode=755 run /mnt/run
for dir in proc sys dev; do mount --move /$dir /mnt/$dir; done
exec switch_root /mnt /sbin/init
