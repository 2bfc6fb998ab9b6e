// The host as it is when its transcripts are made: three guests with the names, UUIDs and domids that the tests know, the
// same that test/support/sites/simLab.ts puts on a simulated PM.
import { LAB_UUIDS, labConfig } from '../../support/sites/simLab.ts'
import { booting } from '../machine/console.ts'
import { type LabHost, sh } from '../machine/ssh.ts'
import type { Take } from './record.ts'

const GUESTS = [
  ['pvh1', 'pvh', 3],
  ['pv1', 'pv', 1],
  ['hvm1', 'hvm', 4],
] as const

/** Configurations and disks; nothing is started. */
export async function prepare(host: LabHost): Promise<void> {
  await sh(
    host,
    // its QEMU is read from the disk and translated here, and not while libxl waits 10 s for its first answer
    `for qemu in /usr/libexec/xen-qemu-system-i386 /usr/bin/qemu-system-i386; do ! test -x $qemu || $qemu -M help >/dev/null; done
    xl sched-credit2 -d 0 -w 256 # as on a host that nobody has tuned
    mkdir -p /lab/img && ln -sf guest/vmlinuz /lab/guest-vmlinuz && ln -sf guest/initrd /lab/guest-initrd.gz
    mv /lab/cfg/pv1.cfg /lab/cfg/own.cfg`,
  )
  for (const [name, type, last] of GUESTS) {
    const disks = ['a', 'b', 'c'].map((disk) => `qemu-img create -q -f qcow2 /lab/img/${name}-${disk}.qcow2 64M`)
    const text = labConfig(name, type, LAB_UUIDS[name], last)
    await sh(host, `cat >/lab/cfg/${name}.cfg && ${disks.join(' && ')}`, { stdin: text })
  }
}

/** Domids 1 and 2. Only the one whose devices are looked at is waited for: an emulated PVH guest boots for minutes. */
export async function startFirst(host: LabHost): Promise<void> {
  await sh(host, 'xl create /lab/cfg/pvh1.cfg')
  await booting(host, 'pv1', () => sh(host, 'xl create /lab/cfg/pv1.cfg'))
  // One that crashes while it boots is started anew, as another domain.
  const domids = await sh(host, 'xl domid pvh1; xl domid pv1')
  if (domids !== '1\n2\n') throw new Error(`the first guests are not domains 1 and 2: ${domids}`)
}

/** Domid 4, as its first try fails where that QEMU cannot have a password for VNC (of Debian's, 7.2 cannot). */
export const HVM: readonly Take[] = [
  {
    program: 'xl',
    subject: 'error-device-model',
    steps: [
      { unwritten: `cp /lab/cfg/hvm1.cfg /lab/cfg/hvm1.open && echo 'vncpasswd = "secret"' >>/lab/cfg/hvm1.cfg` },
      'xl create /lab/cfg/hvm1.cfg',
    ],
  },
  {
    program: 'qemu',
    subject: 'dm-log-no-des',
    steps: [
      'tail -n 5 /var/log/xen/qemu-dm-hvm1.log',
      { unwritten: 'mv /lab/cfg/hvm1.open /lab/cfg/hvm1.cfg; xl destroy hvm1 2>/dev/null; true' },
    ],
  },
  { program: 'xl', subject: 'create', steps: ['xl create /lab/cfg/hvm1.cfg'] },
]
