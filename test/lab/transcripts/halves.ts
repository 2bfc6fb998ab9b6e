// Domains that an xl has half built or half torn down, because it was killed at a moment of its work; and one whose QEMU was.
import { guestUuid } from '../machine/guest.ts'
import type { Step, Take } from './record.ts'

const xl = (subject: string, ...steps: readonly Step[]): Take => ({ program: 'xl', subject, steps })

/** What pengx looks at to tell such domains (src/engine/hypervisor/look.ts). */
const LOOK = [
  'xl list -v',
  'ls -1 /var/lib/xen /var/run/xen',
  "grep -o 'qmp-libxl-[0-9]*' /proc/net/unix",
  'ps -C xl -o pid=,ppid=,sid=,args=',
]
const CLOSE_LOOK = [...LOOK, 'xenstore-ls -f /libxl/DOMID', 'xenstore-ls -f /local/domain/DOMID']

const CREATE = `xl create /lab/cfg/pv1.cfg 'uuid="${guestUuid(1)}"'`
/** Under a shell that waits for it, as under sshd's: of an orphan nobody could tell whether it is at work. */
const WATCHED_CREATE = `(${CREATE} & echo $! >/tmp/xl.pid; wait) </dev/null >/dev/null 2>&1 &`
const killDestroyWhen = (isBegun: string) =>
  `xl destroy DOMID >/dev/null 2>&1 & xl=$!; ${isBegun}; kill -9 $xl; wait $xl; true`
const QEMU = 'qemu=$(xenstore-read /local/domain/DOMID/image/device-model-pid)'
const QEMU_ENDS = 'while kill -0 $qemu 2>/dev/null; do :; done'

const PHY_CONFIG = `losetup -f /tmp/phy.img; d=$(losetup -n -O NAME -j /tmp/phy.img)
sed -e '/^vfb/d' -e "s|^disk = .*|disk = [ \\"format=raw,vdev=xvda,access=rw,target=$d\\" ]|" /lab/cfg/pv1.cfg >/tmp/phy.cfg`

const STAMPS = "find /var/lib/xen -maxdepth 1 -name 'userdata-d.*.libxl-json' -printf '%f %T@\\n'"

/** `pv1` is the lab's own (machine/guest.ts) here. */
export const HALVES: readonly Take[] = [
  xl(
    'half-built',
    { unwritten: 'xl list | tail -n +3 | while read -r name domid rest; do xl destroy $domid; done; sleep 2' },
    { unwritten: 'mv /lab/cfg/own.cfg /lab/cfg/pv1.cfg' },
    {
      unwritten: `${WATCHED_CREATE} until xl list pv1 >/dev/null 2>&1; do :; done; kill -STOP $(cat /tmp/xl.pid)`,
    },
    ...LOOK,
    {
      unwritten:
        'kill -CONT $(cat /tmp/xl.pid); until grep -q qmp-libxl /proc/net/unix; do :; done; kill -9 $(cat /tmp/xl.pid)',
    },
    ...LOOK,
    'xl shutdown -F DOMID',
    'xl destroy DOMID',
  ),
  xl(
    'half-torn',
    { unwritten: `${CREATE} && xl pause pv1` },
    { unwritten: `${QEMU}; ${killDestroyWhen(QEMU_ENDS)}` },
    ...CLOSE_LOOK,
    'xl unpause DOMID',
    'xl list -v',
    'xl destroy DOMID',
    'xl list -v',
  ),
  xl(
    'half-torn-phy',
    { unwritten: `truncate -s 64M /tmp/phy.img; ${PHY_CONFIG}` },
    { unwritten: 'xl create -p /tmp/phy.cfg' },
    ...CLOSE_LOOK,
    {
      unwritten: killDestroyWhen('while xenstore-exists /local/domain/DOMID/device/vbd/51712; do :; done'),
    },
    ...CLOSE_LOOK,
    'xl destroy DOMID',
    { unwritten: 'losetup -D; true' },
  ),
  xl(
    'qemu-killed',
    { unwritten: `${CREATE} && sleep 5` },
    { unwritten: `${QEMU}; kill -9 $qemu; ${QEMU_ENDS}` },
    ...CLOSE_LOOK,
    'xl destroy DOMID',
  ),
  xl(
    'userdata-stamps',
    {
      unwritten: `${CREATE} && sleep 20 && xl block-detach pv1 xvdb && qemu-img create -q -f qcow2 /tmp/watch-b.qcow2 8M`,
    },
    ...[
      'block-attach DOMID format=qcow2,vdev=xvdb,access=rw,target=/tmp/watch-b.qcow2',
      'block-detach DOMID xvdb',
    ].flatMap((change) => [STAMPS, `xl ${change}`]),
    STAMPS,
    { unwritten: 'xl destroy DOMID' },
  ),
]
