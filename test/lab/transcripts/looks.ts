// What only looks.
import type { Take } from './record.ts'

/** Before there is any guest. */
export const FIRST_LOOKS: readonly Take[] = [
  { program: 'ip', subject: 'addr', steps: ['ip -j -d addr'] },
  { program: 'xl', subject: 'help', steps: ['xl help'] },
  {
    program: 'xl',
    subject: 'help-options',
    steps: [
      'xl help create',
      'xl help list',
      'xl help shutdown',
      'xl help save',
      'xl help restore',
      'xl help migrate',
      'xl help vcpu-set',
      'xl help config-update',
    ],
  },
]

/** While three guests run. */
export const LOOKS: readonly Take[] = [
  { program: 'xl', subject: 'list', steps: ['xl list'] },
  { program: 'xl', subject: 'list-v', steps: ['xl list -v'] },
  { program: 'xl', subject: 'list-l', steps: ['xl list -l'] },
  { program: 'xl', subject: 'info', steps: ['xl info'] },
  { program: 'xl', subject: 'info-n', steps: ['xl info -n'] },
  { program: 'xl', subject: 'domid', steps: ['xl domid pv1', 'xl domname 2', 'xl domid nosuch', 'xl domname 999'] },
  { program: 'xl', subject: 'vcpu-list', steps: ['xl vcpu-list', 'xl vcpu-list pv1'] },
  { program: 'xl', subject: 'uptime', steps: ['xl uptime', 'xl uptime pv1', 'xl uptime -s pv1'] },
  { program: 'xl', subject: 'block-list', steps: ['xl block-list pv1'] },
  { program: 'xl', subject: 'network-list', steps: ['xl network-list pv1'] },
  { program: 'xentop', subject: '', steps: ['xentop -b -i 2 -d 1', 'TERM=xterm xentop -b -i 2 -d 1 -n -x -v -f'] },
  { program: 'xenstore', subject: 'ls-domain', steps: ['xenstore-ls -f /local/domain/2'] },
  { program: 'xenstore', subject: 'ls-vm', steps: ['xenstore-ls -f /vm'] },
  {
    program: 'xenstore',
    subject: 'words',
    steps: [
      'xenstore-read /local/domain/2/name',
      'xenstore-read /local/domain/2/name /local/domain/2/memory/target',
      'xenstore-read /local/domain/2/nosuch',
      'xenstore-exists /local/domain/2/name',
      'xenstore-exists /local/domain/2/nosuch',
      'xenstore-write /local/domain/2/pengx one; echo rc=$?; xenstore-read /local/domain/2/pengx',
      'xenstore-ls -f /local/domain/2/memory',
      'xenstore-ls /local/domain/2/memory',
      'xenstore-ls -f /local/domain/999',
    ],
  },
]
