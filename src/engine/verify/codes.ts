import type { FindingCode } from '../../model/finding.ts'

/** Every kind of drift that is looked for, the worst first: what it means, what to do, and what repairs it where that is safe. */
export const CODES = [
  {
    code: 'VM_ON_FROZEN_LAYER',
    severity: 'danger',
    means:
      'A domain or a configuration writes to a volume that others lie on: a layer of a snapshot, a disk of a template, or a backup.',
    help: 'Power the domain off now: what it writes is in none of the VM’s disks and harms all that lies on the volume. Then start the VM with pengx, which uses its own disks. A configuration is put right by vm.config, which writes the VM’s volumes into it.',
    repair: 'vm.poweroff',
  },
  {
    code: 'VOLUME_TWO_USERS',
    severity: 'danger',
    means:
      'Two VMs, domains or configurations have one volume for writing, by whatever path or link each of them names it.',
    help: 'Power one of them off, or see to it that only one is ever started: two guests that write one disk ruin it. Then give one of them another disk.',
    repair: 'vm.poweroff',
  },
  {
    code: 'IMAGE_CORRUPT',
    severity: 'danger',
    means: 'QEMU has marked an image as damaged, or qemu-img check finds damage in it (--deep).',
    help: 'Shut the VM down, copy the image away, and let qemu-img check -r all mend the copy; or restore the VM from a backup.',
  },
  {
    code: 'VOLUME_MISSING',
    severity: 'danger',
    means:
      'A disk, a frozen layer, a template’s disk or a part of a backup that is written down is not where it should be.',
    help: 'Look whether its storage is mounted, and whether the volume was renamed or set aside (.aside beside it): bring it back under its name. A backup that has lost a part is told to be bad by backup.verify.',
    repair: 'backup.verify',
  },
  {
    code: 'CHAIN_DIFFERS',
    severity: 'danger',
    means: 'The header of an image names another backing file than the one that is written down.',
    help: 'Do not start the VM, and delete nothing that its images lie on: qemu-img info --backing-chain shows what it really lies on. Restore it from a backup, or put the header right by qemu-img rebase -u where you are certain.',
  },
  {
    code: 'STORLINK_OTHER_DISK',
    severity: 'danger',
    means:
      'What lies under a storlink’s link is not the storage that the storlink was made on: its marker is another’s.',
    help: 'Mount the right storage there. Nothing is written to it as long as the marker is not the storlink’s. Where this one is to take its place, storlink.mark says so.',
  },
  {
    code: 'FORMAT_DIFFERS',
    severity: 'danger',
    means: 'An image is not of the format that is written down.',
    help: 'Find out who has written to it: qemu-img info shows what it is now. Do not start the VM; restore it from a backup.',
  },
  {
    code: 'CLAIM_FOREIGN',
    severity: 'danger',
    means:
      'A volume of a VM carries the claim of another VM that runs, or of a VM of another pengx’s, or of the VM itself on another PM.',
    help: 'Ask whoever the claim names whether the VM runs there, before it is started here.',
  },
  {
    code: 'BACKUP_FAILED',
    severity: 'danger',
    means: 'A backup was read back and is not what it was.',
    help: 'Make a new one (backup.create) and look at the storage that it lies on. What lies on a bad backup is bad too.',
  },
  {
    code: 'STORLINK_AWAY',
    severity: 'wrong',
    means:
      'The directory or volume group of a storlink is not there on a PM: the directory is missing, or holds neither its marker nor any of its volumes.',
    help: 'Mount the directory, or make the volume group visible (vgs). Until then nothing of it can be compared.',
  },
  {
    code: 'PM_AWAY',
    severity: 'wrong',
    means: 'A PM does not answer, so nothing on it was compared; VMs may run there that nobody sees.',
    help: 'See to it that it can be reached, and compare again.',
  },
  {
    code: 'JOB_STUCK',
    severity: 'wrong',
    means: 'A job can neither be finished nor taken back by itself; what it works on is locked until somebody decides.',
    help: 'Look at its message in Jobs, mend the cause, and try it again; or keep things as they are.',
  },
  {
    code: 'SIZE_DIFFERS',
    severity: 'wrong',
    means: 'An image has another virtual size than the one that is written down.',
    help: 'Find out who has resized it: pengx goes by what is written down when it copies, backs up and restores.',
  },
  {
    code: 'IMAGE_UNREADABLE',
    severity: 'wrong',
    means: 'An image is there, and its header cannot be read.',
    help: 'Look at it with qemu-img info on its PM: permissions, an input/output error, a file of length 0.',
  },
  {
    code: 'CONFIG_MISSING',
    severity: 'wrong',
    means: 'The file that describes a VM is not on its PM, or xl would not take it.',
    help: 'Bring it back or put it right, or name another file by vm.config. One that pengx keeps itself is written anew at the next start.',
  },
  {
    code: 'CONFIG_DIFFERS',
    severity: 'wrong',
    means: 'The file that describes a VM says something else than what is written down.',
    help: 'If its owner has changed it on purpose nothing need be done: it is taken in at the next start or change. Other disks than those that snapshots lie under are put right by vm.config.',
    repair: 'vm.config',
  },
  {
    code: 'DOMAIN_BROKEN',
    severity: 'wrong',
    means:
      'A domain is half built or half torn down, or its QEMU is gone: its guest does not work and its disks may be held.',
    help: 'Power it off, which clears it, and start it again.',
    repair: 'vm.poweroff',
  },
  {
    code: 'DOMAIN_DIFFERS',
    severity: 'wrong',
    means:
      'What runs is not what is written down: other values than its configuration has, other volumes, or a domain that no VM stands for.',
    help: 'Read what differs. What was changed on the domain alone is gone after its next start; a volume that is none of the VM’s disks is in no snapshot and no backup.',
  },
  {
    code: 'CLAIM_STALE',
    severity: 'wrong',
    means: 'A volume carries a claim of a domain that does not run any more.',
    help: 'It is taken over at the next start, once the PM that it names says that nothing runs there; vm.release takes it away now.',
    repair: 'vm.release',
  },
  {
    code: 'CLAIM_MISSING',
    severity: 'wrong',
    means: 'A VM runs, and its volumes carry no claim that would tell others so.',
    help: 'A pengx that watches (the terminal interface, pengx --serve) puts it at its next look, and every start does. Until then an administrator on another host could start it a second time. Where it does not come, the storage takes none: read-only, or full.',
  },
  {
    code: 'STORLINK_UNMARKED',
    severity: 'wrong',
    means: 'A storlink has no marker on its storage, so nobody can tell whether the right one is mounted.',
    help: 'Write it (storlink.mark) while the right storage is mounted: where all that is written down of it is there, it is the right one.',
    repair: 'storlink.mark',
  },
  {
    code: 'LEFTOVER',
    severity: 'note',
    means:
      'A job that is over has left something behind that nobody needs: an unfinished volume, one that was set aside.',
    help: 'pengx gc shows what lies in storlinks, and pengx gc --yes takes it away; the draft of a configuration is removed by hand.',
    repair: 'storlink.clean',
  },
  {
    code: 'VOLUME_UNKNOWN',
    severity: 'note',
    means:
      'A volume has a name as pengx gives them, and nobody here knows it: it may be another pengx’s, or of a store that was lost.',
    help: 'Find out whose it is (qemu-img info, the .backup.json beside it) before it is touched; nothing here ever removes it.',
  },
  {
    code: 'BACKUP_UNVERIFIED',
    severity: 'note',
    means: 'A backup was never read back, so it does not count as one.',
    help: 'Verify it.',
    repair: 'backup.verify',
  },
] as const satisfies readonly FindingCode[]

export type CodeName = (typeof CODES)[number]['code']

/** Pure. The row of a code. */
export function codeOf(name: CodeName): FindingCode {
  return CODES.find(({ code }) => code === name)!
}
