import { DAMAGED, FULL, GONE_VM, INCREMENT, OF_GONE } from '../../support/sites/backupSite.ts'
import { DB, LOST, WEB } from '../site.ts'
import { ASYNC, type Exchanges, MISSING, WITH_BODY } from './exchange.ts'

/** What is asked of each row about backups; all of them are of the VM that is shut down, but one of a VM that is gone. */

const BACK_UP = `<vm>
  <backup_name>before the upgrade</backup_name>
  <storlink>1</storlink>
  <desc>backup of vm_uuid</desc>
</vm>`
const JSON_BODY = { 'Content-Type': 'application/json', Accept: 'application/json' }

const all = (vm: string) => `/vms/${vm}/backups/`
const of = (vm: string, backup: string) => `${all(vm)}${backup}/`
const disksOf = (vm: string, backup: string) => `/vms/${vm}/disks/backups/${backup}/`

export const BACKUP_EXCHANGES: Exchanges = {
  'POST /vms/:backed_vm_uuid/backups/': [
    { title: 'the document’s example', path: all(WEB), body: BACK_UP },
    {
      title: 'as JSON, a full one',
      path: all(DB),
      body: '{"backup_name":"x","storlink":1,"incremental":"no"}',
      headers: JSON_BODY,
    },
    { title: 'at once', path: all(WEB), body: BACK_UP.replace('upgrade', 'change'), headers: ASYNC },
    { title: 'a name that is taken', path: all(DB), body: BACK_UP.replace('before the upgrade', 'monday') },
    { title: 'no name', path: all(WEB), body: '<vm><storlink>1</storlink></vm>' },
    { title: 'no good name', path: all(WEB), body: BACK_UP.replace('before the upgrade', 'a/b') },
    { title: 'no such storlink', path: all(WEB), body: BACK_UP.replace('>1<', '>11<') },
    { title: 'a storlink of a PM that is down', path: all(WEB), body: BACK_UP.replace('>1<', '>2<') },
    { title: 'its PM is down', path: all(LOST), body: BACK_UP },
    { title: 'of a VM that is gone', path: all(GONE_VM), body: BACK_UP },
    { title: 'no such VM', path: all(MISSING), body: BACK_UP },
  ],
  'DELETE /vms/:backed_vm_uuid/backups/:backup_uuid/': [
    { title: 'another lies on it', path: of(DB, FULL) },
    { title: 'gone', path: of(DB, INCREMENT) },
    { title: 'it is gone', path: of(DB, INCREMENT) },
    { title: 'gone, with a body', path: of(GONE_VM, OF_GONE), headers: WITH_BODY },
    { title: 'another VM’s', path: of(WEB, FULL) },
  ],
  'GET /vms/:backed_vm_uuid/backups/': [
    { title: 'all, newest first', path: all(DB) },
    { title: 'as JSON', path: `/api/v2/vms/${DB}/backups?format=json` },
    { title: 'of a VM that is gone', path: all(GONE_VM) },
    { title: 'none', path: all(LOST) },
    { title: 'no such VM', path: all(MISSING) },
  ],
  'POST /vms/:backed_vm_uuid/backups/:backup_uuid/': [
    { title: 'restored', path: of(DB, INCREMENT) },
    { title: 'as a new VM', path: of(DB, FULL), body: '<vm><as>new</as><name>db again</name></vm>' },
    { title: 'under a name that is taken', path: of(DB, FULL), body: '<vm><as>new</as><name>web01</name></vm>' },
    { title: 'a disk that it has not', path: of(DB, FULL), body: '<vm><disk>xvdq</disk></vm>' },
    { title: 'a VM that is gone', path: of(GONE_VM, OF_GONE) },
    { title: 'damaged', path: of(DB, DAMAGED) },
    { title: 'none', path: of(DB, MISSING) },
  ],
  'POST /vms/:backed_vm_uuid/backups/:backup_uuid/verify/': [
    { title: 'read back', path: of(DB, INCREMENT).concat('verify/') },
    { title: 'of a VM that is gone', path: of(GONE_VM, OF_GONE).concat('verify/') },
    { title: 'none', path: of(DB, OF_GONE).concat('verify/') },
  ],
  'POST /vms/:backed_vm_uuid/backups/:backup_uuid/drill/': [
    { title: 'it comes up', path: of(DB, INCREMENT).concat('drill/') },
    {
      title: 'elsewhere, for a while',
      path: of(GONE_VM, OF_GONE).concat('drill/'),
      body: '<vm><seconds>5</seconds><storlink>3</storlink></vm>',
      headers: WITH_BODY,
    },
    { title: 'too short', path: of(DB, FULL).concat('drill/'), body: '<vm><seconds>0</seconds></vm>' },
    { title: 'damaged', path: of(DB, DAMAGED).concat('drill/') },
    { title: 'none', path: of(DB, OF_GONE).concat('drill/') },
  ],
  'GET /vms/:backed_vm_uuid/disks/backups/:backup_uuid/': [
    { title: 'all', path: disksOf(DB, FULL) },
    { title: 'as JSON', path: `${disksOf(DB, INCREMENT)}?format=json` },
    { title: 'of a VM that is gone', path: disksOf(GONE_VM, OF_GONE) },
    { title: 'malformed', path: disksOf(DB, '7') },
  ],
}
