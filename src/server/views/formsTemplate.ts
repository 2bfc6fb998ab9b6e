import type { Form, FormField } from './form.ts'
import { bootFields, unseenBridge } from './forms.ts'

/** The bodies of rows about templates, in the document's names; what is `added` is not in it. */

const described: readonly FormField[] = [
  { name: 'name', param: 'name', required: true },
  { name: 'os', param: 'os' },
  { name: 'os_arch', param: 'osArch' },
  { name: 'desc', param: 'desc' },
]
const storlink: FormField = {
  name: 'storlink',
  within: 'disk',
  param: 'storlink',
  required: true,
  names: 'storlink',
}
const format: FormField = { name: 'format', within: 'disk', param: 'format' }

/** What the disk is made from tells the two ways of adding a template apart. */
function addForm(from: Pick<FormField, 'name' | 'param'>): Form {
  const fields = [...described, storlink, { ...from, within: 'disk', required: true } as const, format, ...bootFields]
  return { root: 'template', fields }
}

export const templateAddForm = addForm({ name: 'uuid', param: 'uuid' })
export const templateNewForm = addForm({ name: 'size', param: 'size' })

export const templateOfVmForm: Form = {
  root: 'template',
  fields: [
    { name: 'name', param: 'name', required: true },
    { name: 'storlink', param: 'storlink', names: 'storlink' },
    { name: 'desc', param: 'desc' },
  ],
}

export const templateUpdateForm: Form = {
  root: 'template',
  fields: described.map(({ required: _required, ...field }) => field),
}

export const upkeepForm: Form = {
  root: 'template',
  fields: [
    { name: 'memory', param: 'memory', added: true },
    { name: 'cpu_core', param: 'vcpus', added: true },
    { name: 'network', param: 'bridges', list: true, added: true },
    unseenBridge,
    { name: 'iso', param: 'iso', added: true },
    { name: 'vnc_password', param: 'vncPassword', added: true },
  ],
}

export const upkeepEndForm: Form = { root: 'template', fields: [{ name: 'timeout', param: 'timeout', added: true }] }
