import { disksOf, templateDiskShape } from '../views/disk.ts'
import type { Form } from '../views/form.ts'
import {
  templateAddForm,
  templateNewForm,
  templateOfVmForm,
  templateUpdateForm,
  upkeepEndForm,
  upkeepForm,
} from '../views/formsTemplate.ts'
import { newTemplateShape, templateDetailShape, templateShape, templateShapeV2 } from '../views/template.ts'
import { type Call, made, type Row, type RowAction, showMany, showManyByVersion, showOne } from './row.ts'

/** The rows about templates (the document: GVM), in its order; each also answers in the singular. */

const needTemplate = ({ view, ids }: Call) => view.needTemplate(ids.gvm_uuid ?? '')

function template(
  method: Row['method'],
  rest: string,
  section: string,
  status: number,
  action: RowAction,
  versions: Row['versions'] = ['v1'],
): Row {
  return { method, path: `/templates/${rest}`, also: [`/template/${rest}`], section, versions, status, action }
}

/** An operation on the template that the path names. */
function onTemplate(operation: string, takes?: Form): RowAction {
  const params = ({ ids }: Call) => ({ template: ids.gvm_uuid })
  return { kind: 'run', operation, params, ...(takes ? { takes } : {}) }
}

/** An operation that makes a template, and where that is found then. */
function makeTemplate(operation: string, takes: Form, params: (call: Call) => Readonly<Record<string, unknown>>) {
  const location = ({ uuid }: Readonly<Record<string, unknown>>) =>
    typeof uuid === 'string' ? `/templates/${uuid}/` : undefined
  return { kind: 'run', operation, takes, params, location } as const
}

const ofVm: RowAction = {
  ...makeTemplate('template.create', templateOfVmForm, ({ view, ids }) => {
    const disk = view.getVm(ids.vm_uuid ?? '')?.disks.find((one) => !one.readOnly && one.storlink !== undefined)
    return { vm: ids.vm_uuid, storlink: disk?.storlink }
  }),
  made: made(newTemplateShape, ({ view }, { uuid }) => view.needTemplate(String(uuid))),
}

export const TEMPLATES: readonly Row[] = [
  template(
    'POST',
    'add/',
    'GVMView.add',
    201,
    makeTemplate('template.add', templateAddForm, () => ({})),
  ),
  template('POST', 'create/vms/:vm_uuid/', 'GVMView.create', 201, ofVm),
  template('DELETE', ':gvm_uuid/', 'GVMView.delete', 204, onTemplate('template.delete')),
  template(
    'GET',
    ':gvm_uuid/disks/',
    'GVMView.disk_index',
    200,
    showMany('disks', templateDiskShape, (call) => disksOf(needTemplate(call))),
  ),
  template(
    'GET',
    '',
    'GVMView.index',
    200,
    showManyByVersion('templates', { v1: templateShape, v2: templateShapeV2 }, ({ view }) => view.templates()),
    ['v1', 'v2'],
  ),
  template('PUT', ':gvm_uuid/', 'GVMView.update', 204, onTemplate('template.update', templateUpdateForm)),
  template(
    'POST',
    'add_new/',
    'GVMViewV2.add_with_new_image',
    201,
    makeTemplate('template.addNew', templateNewForm, () => ({})),
    ['v2'],
  ),
  template('GET', ':gvm_uuid/', 'GVMViewV2.retrieve', 200, showOne(templateDetailShape, needTemplate), ['v2']),
  template('POST', ':gvm_uuid/start/', 'added', 200, onTemplate('template.start', upkeepForm)),
  template('POST', ':gvm_uuid/shutdown/', 'added', 200, onTemplate('template.shutdown', upkeepEndForm)),
]
