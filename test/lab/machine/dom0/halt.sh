#!/bin/sh
# Run by busybox init on poweroff and reboot, before it stops what is left.
sync
umount -a -r -t ext4,nfs,nfs4 2>/dev/null
