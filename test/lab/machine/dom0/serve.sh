#!/bin/sh
# /lab/serve.sh nfs | iscsi: makes this host a storage server too, for itself and for the others on the wire.
#   nfs     exports /srv/nfs (NFS 3 and 4; 4 has it at / too)
#   iscsi   target iqn.2020-01.lab:disk with one LUN of 256 MiB, /srv/iscsi.img
set -e
case ${1-} in
nfs)
    mkdir -p /srv/nfs
    modprobe nfsd
    mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
    echo '/srv/nfs *(rw,sync,no_root_squash,no_subtree_check,insecure,fsid=0)' >/etc/exports
    exportfs -ra
    # remembers who had files open: where nobody had, the first lock need not wait for 10 s of grace
    mkdir -p /var/lib/nfs/nfsdcld
    pidof nfsdcld >/dev/null || nfsdcld
    rpc.nfsd --grace-time 10 --lease-time 10 4
    pidof rpc.mountd >/dev/null || rpc.mountd
    ;;
iscsi)
    admin() { tgtadm --lld iscsi "$@"; }
    pidof tgtd >/dev/null || tgtd
    tries=0
    until admin --op show --mode sys >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -gt 100 ] && exit 1
        sleep 0.1
    done
    [ -e /srv/iscsi.img ] || truncate -s 256M /srv/iscsi.img
    admin --op new --mode target --tid 1 --targetname iqn.2020-01.lab:disk
    admin --op new --mode logicalunit --tid 1 --lun 1 --backing-store /srv/iscsi.img
    admin --op bind --mode target --tid 1 --initiator-address ALL
    ;;
*)
    echo "usage: $0 nfs | iscsi" >&2
    exit 2
    ;;
esac
