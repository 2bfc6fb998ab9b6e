// What changes a running guest, in an order in which each finds what it needs.
import type { Take } from './record.ts'

const xl = (subject: string, ...steps: Take['steps']): Take => ({ program: 'xl', subject, steps })

/** On the three guests. */
export const CHANGES: readonly Take[] = [
  xl('pause', 'xl pause pv1; echo rc=$?; xl list pv1', 'xl pause nosuch'),
  xl('unpause', 'xl unpause pv1; echo rc=$?; xl unpause pv1; echo rc=$?'),
  xl(
    'mem-set',
    'xl mem-set pv1 160; echo rc=$?; sleep 2; xl list pv1',
    'xl mem-set pv1 250; echo rc=$?; sleep 3; xl list pv1',
    'xl mem-set pv1 400; echo rc=$?; sleep 1; xl list pv1',
    'xl mem-set pv1 192; echo rc=$?; sleep 1; xl list pv1',
  ),
  xl(
    'mem-max',
    'xl mem-max pv1 300; echo rc=$?; xl list pv1; xenstore-read /local/domain/2/memory/static-max /local/domain/2/memory/target',
    'xl mem-max pv1 100; echo rc=$?',
  ),
  xl(
    'vcpu-set',
    'xl vcpu-set pv1 2; echo rc=$?; sleep 1; xl vcpu-list pv1; xl list pv1',
    'xl vcpu-set pv1 5; echo rc=$?',
    'xl vcpu-set pv1 1; echo rc=$?; sleep 1; xl list pv1',
  ),
  xl('vcpu-set-i', 'xl vcpu-set -i pv1 5; echo rc=$?'),
  xl(
    'rename',
    'xl rename pv1 pvren; echo rc=$?; xl list; xl rename pvren pv1; echo rc=$?',
    'xl rename nosuch x; echo rc=$?',
    'xl rename pv1 Domain-0; echo rc=$?; xl list',
  ),
  xl(
    'block-attach',
    'xl block-attach pv1 format=qcow2,vdev=xvdc,access=rw,target=/lab/img/pv1-c.qcow2; echo rc=$?; xl block-list pv1',
    'xl block-attach pv1 format=qcow2,vdev=xvdc,access=rw,target=/lab/img/pv1-c.qcow2; echo rc=$?',
    'xl block-attach pv1 format=qcow2,vdev=xvdd,access=rw,target=/lab/img/none.qcow2; echo rc=$?; xl block-list pv1',
  ),
  xl('block-detach', 'xl block-detach pv1 xvdc; echo rc=$?; xl block-list pv1', 'xl block-detach pv1 xvdq; echo rc=$?'),
  xl(
    'network-attach',
    'xl network-attach pv1 mac=00:16:3e:00:00:77 bridge=xenbr0; echo rc=$?; xl network-list pv1',
    'xl network-attach pv1 mac=00:16:3e:00:00:78 bridge=nobr0; echo rc=$?; xl network-list pv1',
  ),
  xl(
    'network-detach',
    'xl network-detach pv1 1; echo rc=$?; xl network-list pv1',
    'xl network-detach pv1 9; echo rc=$?',
    // not written down: half attached, it would fail the restore below
    { unwritten: 'xl network-detach pv1 2' },
  ),
  xl(
    'cd',
    'xl cd-insert pv1 hdc /var/lib/xen/images/tiny.iso',
    'xl cd-eject pv1 hdc',
    'xl cd-insert hvm1 hdc /var/lib/xen/images/tiny.iso',
    'xl cd-eject hvm1 hdc',
  ),
  xl(
    'cd-drive',
    {
      unwritten:
        'sed -e "/^disk/,/]/d; s/^name.*/name = \\"hvm2\\"/; s/^uuid.*/uuid = \\"6c616200-0000-4000-8000-0000000000cd\\"/; s/mac=[^,]*/mac=00:16:3e:00:00:cd/" /lab/cfg/hvm1.cfg >/lab/cfg/hvm2.cfg; echo "disk = [ \\"format=raw,vdev=hdc,access=ro,devtype=cdrom,target=/var/lib/xen/images/tiny.iso\\" ]" >>/lab/cfg/hvm2.cfg',
    },
    'xl create -p /lab/cfg/hvm2.cfg; echo rc=$?',
    'xl cd-eject hvm2 hdc; echo rc=$?',
    'xl cd-insert hvm2 hdc /var/lib/xen/images/tiny.iso; echo rc=$?',
    'xl cd-insert hvm2 hdc /nothere; echo rc=$?',
    'xl cd-insert hvm2 hdd /var/lib/xen/images/tiny.iso; echo rc=$?',
    'xl block-list hvm2',
    'xl destroy hvm2; echo rc=$?',
  ),
  xl(
    'config-update',
    'sed "s/^memory.*/memory = 160/" /lab/cfg/pv1.cfg > /lab/cfg/pv1-new.cfg; xl config-update pv1 /lab/cfg/pv1-new.cfg; echo rc=$?; xl list -l pv1 | jq ".[0].config.b_info | {target_memkb, max_memkb}"; xl list pv1',
    'xl config-update nosuch /lab/cfg/pv1-new.cfg; echo rc=$?; xl config-update pv1 /lab/cfg/nothere.cfg; echo rc=$?',
    { unwritten: 'xl config-update pv1 /lab/cfg/pv1.cfg' },
  ),
]

/** What ends the guests of domids 1 and 4, and moves that of domid 2 to others. */
export const ENDS: readonly Take[] = [
  xl(
    'list-crashed',
    // typed at its console, as a kernel of Debian does not crash by xl sysrq
    { unwritten: 'echo "1 echo c >/proc/sysrq-trigger" >"$(xenstore-read /local/domain/1/console/tty)"' },
    { line: 'xl list; tail -3 /var/log/xen/xl-pvh1.log; ls /sys/class/net/xenbr0/brif', until: /--psc-/ },
  ),
  xl('shutdown', 'xl shutdown -w hvm1; echo rc=$?; xl list'),
  xl('save', 'xl save pv1 /lab/pv1.save; echo rc=$?; xl list'),
  xl('restore', 'xl restore /lab/pv1.save; echo rc=$?; xl list'),
  xl('reboot', {
    line: 'xl domid pv1; xl reboot pv1; echo rc=$?; for i in $(seq 60); do sleep 0.1; echo "$(xl domid pv1 2>/dev/null) $(xl list | tail -n +3 | tr "\\n" ";")"; done; cat /var/log/xen/xl-pv1.log',
    // seen all its ways: shut down, torn down, built anew and not begun
    until: /---sr-[\s\S]*--psr-[\s\S]* 0 {5}0 {5}--p---[\s\S]* 192 {5}1 {5}--p---/,
  }),
  // last: the xl that waits for the domain's end has ended then
  xl('save-checkpoint', 'xl save -c pv1 /dev/null; echo rc=$?; xl list pv1'),
  xl('destroy', 'xl destroy pv1; echo rc=$?; xl list'),
]
