import type { View } from '../../engine/store/view.ts'
import { type Template, templateMib } from '../../model/template.ts'
import type { Vm } from '../../model/vm.ts'
import type { Shape, ShapeField } from './shape.ts'
import { STATUS } from './vm.ts'

/** The VM as which a template is booted for upkeep: it has the template's own UUID. */
function upkeepOf(template: Template, view: View): Vm | undefined {
  return view.getVm(template.uuid)
}

const name: ShapeField<Template> = { kind: 'text', name: 'name', get: (template) => template.name }
const size: ShapeField<Template> = { kind: 'number', name: 'size', help: 'MiB, of all its disks', get: templateMib }
const desc: ShapeField<Template> = { kind: 'text', name: 'desc', get: (template) => template.desc }

const fields: readonly ShapeField<Template>[] = [
  name,
  size,
  { kind: 'text', name: 'os', get: (template) => template.os },
  { kind: 'text', name: 'os_arch', get: (template) => template.osArch },
  desc,
]

const fieldsV2: readonly ShapeField<Template>[] = [
  ...fields,
  {
    kind: 'flag',
    name: 'lock_status',
    help: 'its disks cannot be written to; not so while it is booted for upkeep',
    get: (template, view) => upkeepOf(template, view) === undefined,
  },
  {
    kind: 'text',
    name: 'pm',
    help: 'UUID of a PM',
    get: (template, view) => upkeepOf(template, view)?.pm ?? template.pm,
  },
  {
    kind: 'text',
    name: 'state',
    help: 'SHUTDOWN, or what it is while it is booted for upkeep: RUNNING, PAUSED, CRASHED or UNKNOWN',
    get: (template, view) => STATUS[upkeepOf(template, view)?.seen.state ?? 'shutdown'],
  },
  { kind: 'time', name: 'recent_booted_at', get: (template) => template.bootedAt },
]

function shapeWith(all: readonly ShapeField<Template>[]): Shape<Template> {
  return { name: 'template', id: (template) => template.uuid, fields: all }
}

/** A template among others. */
export const templateShape = shapeWith(fields)
export const templateShapeV2 = shapeWith(fieldsV2)

/** One that was just made from a VM. */
export const newTemplateShape = shapeWith([name, size, desc])

/** One asked for by itself. */
export const templateDetailShape = shapeWith([
  ...fieldsV2,
  { kind: 'number', name: 'vnc_port', get: (template, view) => upkeepOf(template, view)?.seen.vncPort },
  { kind: 'text', name: 'vnc_password', get: (template, view) => upkeepOf(template, view)?.vnc?.password },
])
