import { findSelf, needSelf } from '../self.ts'
import { diskShape, disksOf, newDiskShape } from '../views/disk.ts'
import type { Form } from '../views/form.ts'
import {
  cdromForm,
  copyForm,
  diskForm,
  editForm,
  growForm,
  interfaceForm,
  interfaceUpdateForm,
  keysForm,
  migrateForm,
  resizeForm,
  smigrateForm,
  startForm,
  storlinkForm,
  storlinkUpdateForm,
  vmForm,
} from '../views/forms.ts'
import { interfaceShape, nicsOf } from '../views/nic.ts'
import { pmShape } from '../views/pm.ts'
import { pmPerf, pmPerfShape } from '../views/pmperf.ts'
import { storlinkShape, storlinkShapeV2 } from '../views/storlink.ts'
import { vmDetailShape, vmShape } from '../views/vm.ts'
import { ADDED } from './added.ts'
import { BACKUPS } from './backups.ts'
import { type Call, made, type Row, type RowAction, showMany, showOne } from './row.ts'
import { SCHEDULES } from './schedules.ts'
import { SNAPSHOTS } from './snapshots.ts'
import { TEMPLATES } from './templates.ts'
import { needVm, ofVm, onVm } from './vmRow.ts'

/**
 * The whole interface, a row each, in the document's order. Where the document spells a path in two ways, both
 * answer.
 */
const v1 = ['v1'] as const
const v2 = ['v2'] as const
const both = ['v1', 'v2'] as const

const needPm = ({ view, ids }: Call) => view.needPm(ids.pm_uuid ?? '')
const ownPm = ({ view, configuredSelf }: Call) => needSelf(view, configuredSelf)

/** An operation on a disk or an interface of the VM that the path names. */
function onPart(operation: string, part: 'disk' | 'nic', takes?: Form): RowAction {
  const params = ({ ids }: Call) => ({ vm: ids.vm_uuid, [part]: ids[part === 'disk' ? 'disk_uuid' : 'interface_id'] })
  return { kind: 'run', operation, params, ...(takes ? { takes } : {}) }
}

const makeDisk: RowAction = {
  kind: 'run',
  operation: 'disk.create',
  takes: diskForm,
  params: ({ ids }) => ({ vm: ids.vm_uuid }),
  made: made(newDiskShape, (call, { uuid }) => {
    const disks = disksOf(needVm(call))
    return disks.find(({ disk }) => disk.uuid === uuid) ?? disks.at(-1)!
  }),
}

const pms: readonly Row[] = [
  {
    method: 'GET',
    path: '/pms/all/',
    section: 'PMView.index',
    versions: v1,
    status: 200,
    action: showMany('pms', pmShape, ({ view }) => view.pms(), 'pure'),
  },
  {
    method: 'GET',
    path: '/pms/',
    section: 'PMView.read',
    versions: v1,
    status: 200,
    action: showOne(pmShape, ownPm),
  },
  {
    method: 'GET',
    path: '/pms/:pm_uuid/',
    section: 'PMView.read',
    versions: v1,
    status: 200,
    action: showOne(pmShape, needPm),
  },
  ...(['POST', 'PUT'] as const).map((method): Row => {
    const path = '/pms/update-authorized-keys/'
    const action: RowAction = { kind: 'run', operation: 'pm.spreadKeys', takes: keysForm, params: () => ({}) }
    return { method, path, section: 'PMView.update_authorized_keys', versions: v1, status: 201, action }
  }),
  {
    method: 'GET',
    path: '/pmpperf/',
    also: ['/pmperf/'],
    section: 'PerfView.index',
    versions: v1,
    status: 200,
    action: showOne(pmPerfShape, (call) => pmPerf(ownPm(call), call.view)),
  },
  {
    method: 'GET',
    path: '/pmpperf/:pm_uuid/',
    also: ['/pmperf/:pm_uuid/'],
    section: 'added',
    versions: v1,
    status: 200,
    action: showOne(pmPerfShape, (call) => pmPerf(needPm(call), call.view)),
  },
]

const storlinks: readonly Row[] = [
  {
    method: 'POST',
    path: '/storlinks/create/',
    section: 'StorlinkView.create',
    versions: v1,
    status: 201,
    action: {
      kind: 'run',
      operation: 'storlink.create',
      takes: storlinkForm,
      params: ({ view, configuredSelf }) => ({ pm: findSelf(view, configuredSelf)?.uuid }),
    },
  },
  {
    method: 'DELETE',
    path: '/storlinks/:storlink_id/',
    section: 'StorlinkView.delete',
    versions: v1,
    status: 204,
    action: { kind: 'run', operation: 'storlink.delete', params: ({ ids }) => ({ storlink: ids.storlink_id }) },
  },
  {
    method: 'GET',
    path: '/storlinks/',
    section: 'StorlinkView.read',
    versions: v1,
    status: 200,
    action: showMany('storlinks', storlinkShape, ({ view }) => view.storlinks(), 'pure'),
  },
  {
    method: 'PUT',
    path: '/storlinks/:storlink_id/',
    section: 'StorlinkView.update',
    versions: v1,
    status: 204,
    action: {
      kind: 'run',
      operation: 'storlink.update',
      takes: storlinkUpdateForm,
      params: ({ ids }) => ({ storlink: ids.storlink_id }),
    },
  },
  {
    method: 'GET',
    path: '/storlinks/all/',
    section: 'StorlinkViewV2.read_all',
    versions: v2,
    status: 200,
    action: showMany('storlinks', storlinkShapeV2, ({ view }) => view.storlinks()),
  },
]

const vms: readonly Row[] = [
  ofVm('POST', 'copy/', 'VMView.copy', 201, {
    ...onVm('vm.copy', {}, copyForm),
    location: ({ uuid }) => (typeof uuid === 'string' ? `/vms/${uuid}/` : undefined),
  }),
  {
    method: 'POST',
    path: '/vms/',
    section: 'VMView.create',
    versions: v1,
    status: 201,
    action: {
      kind: 'run',
      operation: 'vm.create',
      takes: vmForm,
      params: () => ({}),
      location: ({ uuid }) => (typeof uuid === 'string' ? `/vms/${uuid}/` : undefined),
    },
  },
  ofVm('DELETE', '', 'VMView.delete', 204, onVm('vm.delete', { disks: 'own' })),
  {
    method: 'GET',
    path: '/vms/',
    section: 'VMView.index',
    versions: v1,
    status: 200,
    action: showMany('vms', vmShape, ({ view }) => view.vms(), 'pure'),
  },
  ofVm('GET', '', 'VMView.retrieve', 200, showOne(vmDetailShape, needVm)),
  ofVm('POST', 'smigrate/', 'VMView.smigrate', 201, onVm('vm.smigrate', {}, smigrateForm)),
  ofVm('POST', 'resize/', 'VMView.update', 204, onVm('vm.resize', {}, resizeForm)),
  ofVm('PUT', 'update/', 'VMView.update', 204, onVm('vm.resize', {}, resizeForm)),
  ofVm('PUT', 'edit/', 'VMViewV2.edit', 204, onVm('vm.edit', {}, editForm), v2),
]

const control: readonly Row[] = [
  ofVm('POST', 'migrate/', 'VMControlView.migrate', 200, onVm('vm.migrate', {}, migrateForm)),
  ofVm('POST', 'poweroff/', 'VMControlView.poweroff', 200, onVm('vm.poweroff')),
  ofVm('POST', 'reboot/', 'VMControlView.reboot', 200, onVm('vm.reboot')),
  ofVm('POST', 'reset/', 'VMControlView.reset', 200, onVm('vm.reset')),
  ofVm('POST', 'resume/', 'VMControlView.resume', 200, onVm('vm.resume')),
  ofVm('POST', 'shutdown/', 'VMControlView.shutdown', 200, onVm('vm.shutdown')),
  ofVm('POST', 'start/', 'VMControlView.start', 200, onVm('vm.start', {}, startForm)),
  ofVm('POST', 'suspend/', 'VMControlView.suspend', 200, onVm('vm.suspend')),
]

/** The document has both `interface` and `interfaces`. */
function orSingular(row: Row): Row {
  return { ...row, also: [row.path.replace('/interfaces/', '/interface/')] }
}

const disksAndInterfaces: readonly Row[] = [
  ofVm('POST', 'disks/', 'DiskView.create', 201, makeDisk),
  ofVm('DELETE', 'disks/:disk_uuid/', 'DiskView.delete', 204, onPart('disk.delete', 'disk')),
  ofVm('PUT', 'disks/:disk_uuid/', 'added', 204, onPart('disk.grow', 'disk', growForm)),
  ofVm(
    'GET',
    'disks/',
    'DiskView.index',
    200,
    showMany('disks', diskShape, (call) => disksOf(needVm(call))),
  ),
  orSingular(ofVm('POST', 'interfaces/', 'InterfaceView.create', 201, onVm('nic.create', {}, interfaceForm), both)),
  orSingular(ofVm('DELETE', 'interfaces/:interface_id/', 'InterfaceView.delete', 204, onPart('nic.delete', 'nic'))),
  orSingular(
    ofVm(
      'GET',
      'interfaces/',
      'InterfaceView.index',
      200,
      showMany('interfaces', interfaceShape, (call) => nicsOf(needVm(call))),
    ),
  ),
  orSingular(
    ofVm(
      'PUT',
      'interfaces/:interface_id/update/',
      'InterfaceViewV2.update',
      204,
      onPart('nic.update', 'nic', interfaceUpdateForm),
      v2,
    ),
  ),
  ofVm('PUT', 'cdrom/', 'added', 204, onVm('iso.insert', {}, cdromForm)),
  ofVm('DELETE', 'cdrom/', 'added', 204, onVm('iso.eject')),
]

export const ROWS: readonly Row[] = [
  ...pms,
  ...storlinks,
  ...TEMPLATES,
  ...vms,
  ...control,
  ...SNAPSHOTS,
  ...BACKUPS,
  ...disksAndInterfaces,
  ...SCHEDULES,
  ...ADDED,
]
