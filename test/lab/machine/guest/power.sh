#!/bin/busybox sh
# What the kernel runs when the toolstack asks for a shutdown or a reboot (control/shutdown in xenstore).
case " $(cat /proc/cmdline) " in
*' gignore=1 '*) echo "IGNORED ${0##*/}" >/dev/console; exit 0 ;;
esac
echo "BYE ${0##*/}" >/dev/console
sync
exec busybox "${0##*/}" -f
