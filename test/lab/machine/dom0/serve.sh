#!/bin/sh
# /lab/serve.sh nfs | iscsi | ceph: makes this host a storage server too, for itself and for the others on the wire.
#   nfs     exports /srv/nfs (NFS 3 and 4; 4 has it at / too)
#   ceph    a cluster of one monitor and one OSD, which has its objects in memory; pool vms; /etc/ceph/ceph.conf is for all
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
ceph)
    [ ! -e /var/lib/ceph/lab ] || exit 0
    address=$(getent hosts "$(hostname)" | cut -d ' ' -f 1)
    fsid=$(cat /proc/sys/kernel/random/uuid)
    osd=$(cat /proc/sys/kernel/random/uuid)
    mkdir -p /etc/ceph /var/lib/ceph/lab/mon /var/lib/ceph/lab/osd
    cat >/etc/ceph/ceph.conf <<CONF
[global]
fsid = $fsid
mon_host = v1:$address:6789
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
ms_bind_msgr2 = false
[mon]
mon_data = /var/lib/ceph/lab/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 1
[osd]
osd_data = /var/lib/ceph/lab/osd
osd_objectstore = memstore
memstore_device_bytes = 134217728
CONF
    monmaptool --create --addv a "[v1:$address:6789]" --fsid "$fsid" /var/lib/ceph/lab/monmap >/dev/null
    ceph-mon --mkfs -i a --monmap /var/lib/ceph/lab/monmap
    ceph-mon -i a
    ceph osd new "$osd" >/dev/null
    ceph-osd --mkfs -i 0 --osd-uuid "$osd"
    # with the monitor's map, and asking for no settings, for which it would forget that: without the map it knows its
    # cluster's fsid only once the monitor has told it, and ends over a wrong one where it asks something before that
    ceph-osd -i 0 --no-mon-config --monmap /var/lib/ceph/lab/monmap
    ceph osd pool create vms 8 >/dev/null
    # the first write waits until the OSD is up
    rbd create vms/first --size 1
    rbd rm --no-progress vms/first
    ;;
*)
    echo "usage: $0 nfs | iscsi | ceph" >&2
    exit 2
    ;;
esac
