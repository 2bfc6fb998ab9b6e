#!/bin/busybox sh
# The whole system of a lab guest. It talks on its console, line by line:
#   READY name=N disks=D,D nics=E     all that the configuration promised is there
#   DISKS xvda:65536 …                name and KiB of each disk, at start and whenever they change
#   NICS eth0:00:16:3e:… …            name and MAC of each card, likewise
#   RESUME N                          the highest counter found at start (gmode=count, stream or prove)
#   COUNT N                           counter N is on its disks: the writes have been acknowledged
#   COUNT FAILED N …                  a write failed, or something was read that had not been written
#   LONGEST S                         from one counter to the next it took so many seconds, longer than ever before (gmode=prove)
#   ANSWER ID EXIT                    end of a command that was typed as `ID command…`
# Kernel command line: gname= gip= gmode=idle|quiet|count|stream|prove gignore=1 (shutdown requests are ignored)
# gpause=S (gmode=prove: so many seconds from one counter to the next).
# One that is quiet tells its disks and cards at no time, and sleeps.
/bin/mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
# As in dom0: what is at the same address again need not be translated again by the emulator.
echo 0 >/proc/sys/kernel/randomize_va_space
export PATH=/bin:/sbin HOME=/
stty -echo 2>/dev/null
gname=guest gip='' gmode=idle gpause=''
for word in $(cat /proc/cmdline); do
    case $word in gname=*|gip=*|gmode=*|gignore=*|gpause=*) eval "$word" ;; esac
done
hostname "$gname"
while read -r module; do insmod "/modules/$module" 2>/dev/null; done </modules/order

# What they give stands in `line`. Both are asked every second, and a process that is started is dear here: so they start none.
disks() {
    line=DISKS
    while read -r _ _ size name; do
        case $name in xvd*|sd*|sr*|vd*) line="$line $name:$size" ;; esac
    done </proc/partitions
}
nics() {
    line=NICS
    for card in /sys/class/net/eth*; do
        [ -e "$card/address" ] || continue
        read -r mac <"$card/address"
        line="$line ${card##*/}:$mac"
    done
}
# In the order of their names: the kernel lists disks as they connected.
sorted() { echo "$1" $(for word in $2; do echo "$word"; done | sort); }
names() { for path in "$@"; do [ -e "$path" ] && echo "${path##*/}"; done | tr '\n' ',' | sed 's/,$//'; }

# Waits so many seconds, for which it needs no program.
mkfifo /tmp/never
exec 3<>/tmp/never
pause() { read -r -t "$1" _ <&3; }

# The frontends connect in their own time; READY waits for them, but not for ever. (A CD drive of an HVM guest has a
# vbd too, but no frontend takes it: so those with a driver are counted.)
count_of() { for path in "$@"; do [ -e "$path" ] && echo .; done | wc -l; }
tries=0
while [ "$(count_of /sys/block/xvd*)" -lt "$(count_of /sys/bus/xen/drivers/vbd/vbd-*)" ] ||
    [ "$(count_of /sys/class/net/eth*)" -lt "$(count_of /sys/bus/xen/drivers/vif/vif-*)" ]; do
    tries=$((tries + 1))
    [ $tries -gt 50 ] && break
    sleep 0.1
done
ip link set lo up
[ -n "$gip" ] && ip addr add "$gip/24" dev eth0 2>/dev/null && ip link set eth0 up

# Block N mod 1024 of xvda holds the line `SEQ N NAME`: a reader of the image can tell which counters it has.
last_count() { dd if=/dev/xvda bs=1M count=4 2>/dev/null | grep -a -o '^SEQ [0-9]*' | sort -n -k2 | tail -n 1 | cut -d' ' -f2; }
count() {
    n=$(last_count)
    n=${n:-0}
    echo "RESUME $n"
    while :; do
        n=$((n + 1))
        if printf '%-4095s\n' "SEQ $n $gname" |
            dd of=/dev/xvda bs=4096 seek=$((n % 1024)) conv=notrunc,fsync 2>/dev/null; then
            echo "COUNT $n"
        else
            echo "COUNT FAILED $n"
            sleep 1
        fi
        [ -n "$1" ] && sleep "$1"
    done
}

# Block N mod 64 behind the first 8 MiB of xvda, and then of xvdb, holds the line `SEQ N`. What the disk gives is compared
# with what was written: all 64 at start, then one for each four that are written.
held() {
    dd if="/dev/$1" bs=4096 skip=2048 count=64 2>/dev/null | tr -d '\000' | grep -a -o '^SEQ [0-9]*' | cut -d' ' -f2 | sort -n |
        awk 'NR == 1 { first = $1 } { last = $1 } END { print NR, first + 0, last + 0 }'
}
is_whole() { [ "$1" -eq "$(($3 - $2 + ($3 > 0)))" ] && [ "$1" -eq "$(($3 < 64 ? $3 : 64))" ]; }
prove() {
    a=$(held xvda) b=$(held xvdb)
    is_whole $a && is_whole $b && [ $((${a##* } - ${b##* })) -ge 0 ] && [ $((${a##* } - ${b##* })) -le 1 ] ||
        echo "COUNT FAILED ${a##* } at start: $a, $b"
    n=${b##* } longest=0 before=''
    echo "RESUME $n"
    while :; do
        n=$((n + 1)) old=$((n > 31 ? n - 31 : n)) why=''
        for disk in xvda xvdb; do
            printf '%-4095s\n' "SEQ $n" |
                dd of=/dev/$disk bs=4096 seek=$((2048 + n % 64)) conv=notrunc,fsync 2>/dev/null || why="$why write $disk"
        done
        # A program that is started is dear here.
        if [ $((n % 4)) -eq 0 ]; then
            echo 1 >/proc/sys/vm/drop_caches
            for disk in xvda xvdb; do
                read -r word number _ <<EOF
$(dd if=/dev/$disk bs=4096 skip=$((2048 + old % 64)) count=1 2>/dev/null)
EOF
                [ "$word $number" = "SEQ $old" ] || why="$why read $disk $old: $word $number"
            done
        fi
        echo "COUNT ${why:+FAILED }$n$why"
        [ -n "$why" ] && sleep 1
        [ -n "$gpause" ] && pause "$gpause"
        read -r now _ </proc/uptime
        now=${now%.*} took=$((${now%.*} - ${before:-${now%.*}})) before=$now
        [ "$took" -gt "$longest" ] && longest=$took && echo "LONGEST $took"
    done
}
case $gmode in count) count 1 & ;; stream) count '' & ;; prove) prove & ;; esac

echo "READY name=$gname disks=$(names /sys/block/xvd*) nics=$(names /sys/class/net/eth*)"
# Told by a process of its own, so that a command is read without a bound: a read that gives up in the middle of a line,
# as one of a slow guest would, loses what it has read of it.
tell() {
    seen_disks='' seen_nics=''
    while :; do
        disks
        [ "$line" = "$seen_disks" ] || sorted DISKS "${line#DISKS}"
        seen_disks=$line
        nics
        [ "$line" = "$seen_nics" ] || echo "$line"
        seen_nics=$line
        pause 1
    done
}
[ "$gmode" = quiet ] || tell &
while :; do
    read -r id command || sleep 1
    [ -n "$id" ] && { (eval "$command") 2>&1 </dev/null; echo "ANSWER $id $?"; }
    id=''
done
