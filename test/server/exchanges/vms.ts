import { DB, diskOf, LOST, PM_A, PM_B, WEB } from '../site.ts'
import { TEMPLATE } from '../siteTemplates.ts'
import { ASYNC, type Exchange, type Exchanges, MISSING, WITH_BODY } from './exchange.ts'

/** What is asked of each row about VMs, their disks and their interfaces. */

const NEW_VM = `<vm>
  <name>new01</name>
  <storlink>1</storlink>
  <cpu_core>2</cpu_core>
  <memory>512</memory>
  <maxmem>1024</maxmem>
  <os_disk_size>10240</os_disk_size>
  <extra_disk_size></extra_disk_size>
  <disk_format>qcow2</disk_format>
  <network>
    <list-item>0</list-item>
    <list-item>xenbr1</list-item>
  </network>
  <desc>VM for something</desc>
</vm>`

/** Its storlink is the template's. */
const OF_TEMPLATE = `<vm>
  <name>test_vm</name>
  <template>${TEMPLATE}</template>
  <memory>512</memory>
  <os_disk_size>40960</os_disk_size>
</vm>`

const COPY = `<vm>
  <name>copied_vm</name>
  <storlink>2</storlink>
</vm>`

const ADDRESS = '  <seed_address>192.0.2.10/24</seed_address>\n'
const SEEDED = `  <overlay>True</overlay>
  <network><list-item>0</list-item></network>
  <seed_user>admin</seed_user>
${ADDRESS}`

const NEW_SIZE = `<vm>
  <cpu_core>2</cpu_core>
  <memory>1024</memory>
  <maxmem>2048</maxmem>
</vm>`

const NEW_DISK = `<disk>
  <size>1024</size>
  <storlink>1</storlink>
  <desc>logs</desc>
</disk>`

const NEW_NIC = `<vms>
  <interface_name>xenbr0</interface_name>
</vms>`

const NEW_ADDRESS = `<vms>
  <ipaddress>192.168.0.1</ipaddress>
</vms>`

const toPm = (pm: string): string => `<vm>
  <pm_id>${pm}</pm_id>
</vm>`

const toStorlink = (id: number, more = ''): string => `<vm>
  <storlink>${id}</storlink>${more}
</vm>`

/** A row of VM control on a VM that may, on one that may not, and on one that nobody can reach. */
function controls(verb: string, allowed: string, refused: string): Exchange[] {
  return [
    { title: 'done', path: `/vms/${allowed}/${verb}/` },
    { title: 'refused', path: `/vms/${refused}/${verb}/` },
    { title: 'its PM is down', path: `/vms/${LOST}/${verb}/` },
    { title: 'no such VM', path: `/vms/${MISSING}/${verb}/` },
  ]
}

export const VM_EXCHANGES: Exchanges = {
  'POST /vms/': [
    { title: 'made', path: '/vms/', body: NEW_VM },
    { title: 'at once', path: '/vms/', body: NEW_VM.replace('new01', 'new02'), headers: ASYNC },
    { title: 'no such storlink', path: '/vms/', body: NEW_VM.replace('<storlink>1', '<storlink>11') },
    { title: 'name taken', path: '/vms/', body: NEW_VM.replace('new01', 'web01') },
    { title: 'of a template', path: '/vms/', body: OF_TEMPLATE },
    { title: 'laid on it, with a seed', path: '/vms/', body: OF_TEMPLATE.replace('  <memory>', `${SEEDED}  <memory>`) },
    { title: 'less than it has', path: '/vms/', body: OF_TEMPLATE.replace('40960', '512') },
    { title: 'no such template', path: '/vms/', body: OF_TEMPLATE.replace(TEMPLATE, MISSING) },
    {
      title: 'no bridge for its address',
      path: '/vms/',
      body: OF_TEMPLATE.replace('  <memory>', `${ADDRESS}  <memory>`),
    },
  ],
  'DELETE /vms/:vm_uuid/': [
    { title: 'running', path: `/vms/${WEB}/` },
    { title: 'gone', path: `/vms/${DB}/` },
    { title: 'gone, with a body', path: `/vms/${DB}/`, headers: WITH_BODY },
  ],
  'GET /vms/': [
    { title: 'all', path: '/vms/' },
    { title: 'as JSON', path: '/api/v1/vms?format=json' },
  ],
  'GET /vms/:vm_uuid/': [
    { title: 'one', path: `/vms/${WEB}/` },
    { title: 'as JSON', path: `/vms/${DB}/`, headers: { Accept: 'application/json' } },
    { title: 'none', path: `/vms/${MISSING}/` },
  ],
  'POST /vms/:vm_uuid/copy/': [
    { title: 'the document’s example', path: `/vms/${DB}/copy/`, body: COPY },
    { title: 'three of them', path: `/vms/${DB}/copy/`, body: COPY.replace('</name>', '</name><count>3</count>') },
    { title: 'name taken', path: `/vms/${DB}/copy/`, body: COPY.replace('copied_vm', 'web01') },
    { title: 'no name', path: `/vms/${DB}/copy/`, body: '<vm><storlink>2</storlink></vm>' },
    { title: 'no such storlink', path: `/vms/${DB}/copy/`, body: COPY.replace('>2<', '>77<') },
    { title: 'no such VM', path: `/vms/${MISSING}/copy/`, body: COPY },
  ],
  'POST /vms/:vm_uuid/migrate/': [
    { title: 'the document’s example', path: `/vms/${WEB}/migrate/`, body: toPm(PM_B) },
    { title: 'at once', path: `/vms/${DB}/migrate/`, body: toPm(PM_B), headers: ASYNC },
    { title: 'it is there', path: `/vms/${WEB}/migrate/`, body: toPm(PM_A) },
    { title: 'nobody can reach it', path: `/vms/${LOST}/migrate/`, body: toPm(PM_A) },
    { title: 'no such PM', path: `/vms/${WEB}/migrate/`, body: toPm(MISSING) },
    { title: 'no PM', path: `/vms/${WEB}/migrate/`, body: '<vm></vm>' },
    { title: 'no such VM', path: `/vms/${MISSING}/migrate/`, body: toPm(PM_B) },
  ],
  'POST /vms/:vm_uuid/smigrate/': [
    { title: 'the document’s example', path: `/vms/${WEB}/smigrate/`, body: toStorlink(3) },
    { title: 'at once', path: `/vms/${DB}/smigrate/`, body: toStorlink(3), headers: ASYNC },
    { title: 'one disk', path: `/vms/${DB}/smigrate/`, body: toStorlink(3, '<disk>xvda</disk><speed>0</speed>') },
    { title: 'they lie there', path: `/vms/${WEB}/smigrate/`, body: toStorlink(1) },
    { title: 'its PM does not see it', path: `/vms/${WEB}/smigrate/`, body: toStorlink(2) },
    { title: 'no such storlink', path: `/vms/${WEB}/smigrate/`, body: toStorlink(11) },
    { title: 'no storlink', path: `/vms/${WEB}/smigrate/`, body: '<vm></vm>' },
    { title: 'no such VM', path: `/vms/${MISSING}/smigrate/`, body: toStorlink(3) },
  ],
  'POST /vms/:vm_uuid/poweroff/': controls('poweroff', WEB, DB),
  'POST /vms/:vm_uuid/reboot/': controls('reboot', WEB, DB),
  'POST /vms/:vm_uuid/reset/': controls('reset', WEB, DB),
  'POST /vms/:vm_uuid/resume/': controls('resume', WEB, DB),
  'POST /vms/:vm_uuid/shutdown/': controls('shutdown', WEB, DB),
  'POST /vms/:vm_uuid/start/': controls('start', DB, WEB),
  'POST /vms/:vm_uuid/suspend/': controls('suspend', WEB, DB),
  'POST /vms/:vm_uuid/resize/': [
    { title: 'the document’s example', path: `/vms/${WEB}/resize/`, body: NEW_SIZE },
    { title: 'more than it was started with', path: `/vms/${WEB}/resize/`, body: '<vm><memory>4096</memory></vm>' },
  ],
  'PUT /vms/:vm_uuid/update/': [
    { title: 'shut down', path: `/vms/${DB}/update/`, body: NEW_SIZE, headers: WITH_BODY },
    { title: 'nothing given', path: `/vms/${DB}/update/`, body: '<vm><cpu_core></cpu_core></vm>' },
    { title: 'no number', path: `/vms/${DB}/update/`, body: '<vm><cpu_core>two</cpu_core></vm>' },
  ],
  'PUT /vms/:vm_uuid/edit/': [
    { title: 'renamed', path: `/v2/vms/${WEB}/edit/`, body: '<vm><name>shop01</name><desc>the shop</desc></vm>' },
    { title: 'name taken', path: `/vms/${DB}/edit/`, body: '<vm><name>web01</name></vm>' },
    { title: 'its PM is down', path: `/vms/${LOST}/edit/`, body: '<vm><name>found</name></vm>' },
  ],
  'POST /vms/:vm_uuid/disks/': [
    { title: 'the document’s example', path: `/vms/${WEB}/disks/`, body: NEW_DISK },
    { title: 'as JSON', path: `/vms/${DB}/disks/?format=json`, body: '<disk><size>64</size></disk>' },
    { title: 'no size', path: `/vms/${WEB}/disks/`, body: '<disk><storlink>1</storlink></disk>' },
    { title: 'another PM’s storlink', path: `/vms/${WEB}/disks/`, body: NEW_DISK.replace('>1<', '>2<') },
  ],
  'DELETE /vms/:vm_uuid/disks/:disk_uuid/': [
    { title: 'what it runs from', path: `/vms/${WEB}/disks/${diskOf(WEB)}/` },
    { title: 'gone', path: `/vms/${DB}/disks/${diskOf(DB)}/` },
    { title: 'another VM’s', path: `/vms/${DB}/disks/${diskOf(WEB)}/` },
  ],
  'PUT /vms/:vm_uuid/disks/:disk_uuid/': [
    { title: 'grown', path: `/vms/${WEB}/disks/${diskOf(WEB)}/`, body: '<disk><size>20480</size></disk>' },
    { title: 'less', path: `/vms/${WEB}/disks/${diskOf(WEB)}/`, body: '<disk><size>512</size></disk>' },
  ],
  'POST /vms/:vm_uuid/interfaces/': [
    { title: 'the document’s example', path: `/vms/${WEB}/interfaces/`, body: NEW_NIC },
    {
      title: 'the document’s example of v2',
      path: `/v2/vms/${DB}/interfaces/`,
      body: NEW_NIC.replace('</vms>', '  <ipaddress>192.168.0.1</ipaddress>\n</vms>'),
    },
    { title: 'no such bridge', path: `/vms/${WEB}/interfaces/`, body: NEW_NIC.replace('xenbr0', 'xenbr9') },
    { title: 'no bridge', path: `/vms/${WEB}/interfaces/`, body: '<vms></vms>' },
  ],
  'DELETE /vms/:vm_uuid/interfaces/:interface_id/': [
    { title: 'running', path: `/vms/${WEB}/interface/7/` },
    { title: 'gone', path: `/vms/${WEB}/interface/7/`, after: `/vms/${WEB}/shutdown/` },
    { title: 'none', path: `/vms/${WEB}/interfaces/8/` },
  ],
  'PUT /vms/:vm_uuid/interfaces/:interface_id/update/': [
    { title: 'running', path: `/vms/${WEB}/interfaces/7/update/`, body: NEW_ADDRESS },
    { title: 'paused', path: `/v2/vms/${WEB}/interface/7/update/`, body: NEW_ADDRESS, after: `/vms/${WEB}/suspend/` },
    {
      title: 'the document’s example',
      path: `/v2/vms/${WEB}/interface/7/update/`,
      body: NEW_ADDRESS,
      after: `/vms/${WEB}/poweroff/`,
    },
    { title: 'no address', path: `/vms/${WEB}/interfaces/7/update/`, body: NEW_ADDRESS.replace('.1<', '.256<') },
  ],
  'PUT /vms/:vm_uuid/cdrom/': [
    { title: 'inserted', path: `/vms/${DB}/cdrom/`, body: '<cdrom><path>/data/iso/debian-12.iso</path></cdrom>' },
    { title: 'no path', path: `/vms/${DB}/cdrom/`, body: '<cdrom><path>debian-12.iso</path></cdrom>' },
  ],
  'DELETE /vms/:vm_uuid/cdrom/': [{ title: 'empty', path: `/vms/${DB}/cdrom/` }],
  'GET /vms/:vm_uuid/disks/': [{ title: 'all', path: `/vms/${WEB}/disks/` }],
  'GET /vms/:vm_uuid/interfaces/': [
    { title: 'one', path: `/vms/${WEB}/interface/` },
    { title: 'none', path: `/vms/${DB}/interfaces/` },
  ],
}
