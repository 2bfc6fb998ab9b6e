import type { Body } from '../body.ts'
import type { Form, FormField } from './form.ts'

/** The bodies that the document describes, in its names; what is `added` is not in it. */

/** The way past a bridge that is not among those of Linux. */
export const unseenBridge: FormField = { name: 'unseen_bridge', param: 'unseenBridge', added: true }

/** How a guest is booted. */
export const bootFields: readonly FormField[] = [
  { name: 'type', param: 'type', added: true },
  { name: 'kernel', param: 'kernel', added: true },
  { name: 'ramdisk', param: 'ramdisk', added: true },
  { name: 'cmdline', param: 'cmdline', added: true },
  { name: 'bootloader', param: 'bootloader', added: true },
  { name: 'firmware', param: 'firmware', added: true },
]

export const storlinkForm: Form = {
  root: 'storlink',
  fields: [
    { name: 'name', param: 'name', required: true },
    { name: 'link', param: 'link', required: true },
    { name: 'desc', param: 'desc' },
    // The document's own example has `IO` where its table has `LO`.
    { name: 'type', param: 'type', required: true, read: (text) => (text.toUpperCase() === 'IO' ? 'LO' : text) },
    { name: 'level', param: 'level', required: true },
    { name: 'shared', param: 'shared' },
    { name: 'pm', param: 'pm', names: 'pm', added: true },
  ],
}

/** In a PUT nothing is required: what is not given stays. */
export const storlinkUpdateForm: Form = {
  root: 'storlink',
  fields: storlinkForm.fields.filter((field) => field.name !== 'pm').map(({ required: _required, ...field }) => field),
}

const isGiven = (name: string) => (body: Body) => body.text(name) !== undefined
const isFromTemplate = isGiven('template')
const isFromImage = isGiven('image')

export const vmForm: Form = {
  root: 'vm',
  fields: [
    { name: 'name', param: 'name', required: true },
    { name: 'template', param: 'template', names: 'template' },
    { name: 'storlink', param: 'storlink', required: (body) => !isFromTemplate(body), names: 'storlink' },
    { name: 'cpu_core', param: 'vcpus' },
    { name: 'memory', param: 'memory', required: true },
    { name: 'maxmem', param: 'maxmem' },
    { name: 'os_disk_size', param: 'diskSize', required: (body) => !isFromTemplate(body) && !isFromImage(body) },
    { name: 'extra_disk_size', param: 'extraDiskSize' },
    { name: 'disk_format', param: 'diskFormat' },
    { name: 'network', param: 'bridges', list: true },
    unseenBridge,
    { name: 'desc', param: 'desc' },
    { name: 'pm', param: 'pm', names: 'pm', added: true },
    { name: 'overlay', param: 'overlay', added: true },
    { name: 'image', param: 'image', added: true },
    { name: 'iso', param: 'iso', added: true },
    { name: 'vnc_password', param: 'vncPassword', added: true },
    ...bootFields,
    { name: 'os', param: 'os', added: true },
    { name: 'os_arch', param: 'osArch', added: true },
    { name: 'seed_user', param: 'seedUser', added: true },
    { name: 'seed_key', param: 'seedKey', added: true },
    { name: 'seed_hostname', param: 'seedHostname', added: true },
    { name: 'seed_address', param: 'seedAddress', added: true },
  ],
}

export const resizeForm: Form = {
  root: 'vm',
  fields: [
    { name: 'cpu_core', param: 'vcpus' },
    { name: 'memory', param: 'memory' },
    { name: 'maxmem', param: 'maxmem' },
  ],
}

/** As it is shown, and as a command line has it. */
const YES_NO: ReadonlyMap<string, string> = new Map([
  ['true', 'yes'],
  ['false', 'no'],
])

export const editForm: Form = {
  root: 'vm',
  fields: [
    { name: 'name', param: 'name' },
    { name: 'desc', param: 'desc' },
    { name: 'os', param: 'os', added: true },
    { name: 'os_arch', param: 'osArch', added: true },
    { name: 'autostart', param: 'autostart', added: true, read: (text) => YES_NO.get(text.toLowerCase()) ?? text },
    { name: 'autostart_order', param: 'order', added: true },
  ],
}

/** The document has no body there. */
export const startForm: Form = { root: 'vm', fields: [unseenBridge] }

export const migrateForm: Form = {
  root: 'vm',
  fields: [
    { name: 'pm_id', param: 'pm', required: true, names: 'pm' },
    { name: 'address', param: 'address', added: true },
    unseenBridge,
  ],
}

export const copyForm: Form = {
  root: 'vm',
  fields: [
    { name: 'name', param: 'name', required: true },
    { name: 'storlink', param: 'storlink', required: true, names: 'storlink' },
    { name: 'count', param: 'count', added: true },
    { name: 'pm', param: 'pm', names: 'pm', added: true },
    { name: 'rate', param: 'rate', added: true },
    { name: 'scratch', param: 'scratch', names: 'storlink', added: true },
    { name: 'seed_address', param: 'seedAddress', added: true },
  ],
}

export const smigrateForm: Form = {
  root: 'vm',
  fields: [
    { name: 'storlink', param: 'storlink', required: true, names: 'storlink' },
    { name: 'disk', param: 'disk', added: true },
    { name: 'speed', param: 'speed', added: true },
  ],
}

export const diskForm: Form = {
  root: 'disk',
  fields: [
    { name: 'size', param: 'size', required: true },
    { name: 'storlink', param: 'storlink', names: 'storlink' },
    { name: 'desc', param: 'desc' },
    { name: 'format', param: 'format', added: true },
  ],
}

export const growForm: Form = { root: 'disk', fields: [{ name: 'size', param: 'size', required: true }] }

export const interfaceForm: Form = {
  root: 'vms',
  fields: [
    { name: 'interface_name', param: 'bridge', required: true },
    { name: 'ipaddress', param: 'ip' },
    { name: 'mac', param: 'mac', added: true },
    unseenBridge,
  ],
}

export const interfaceUpdateForm: Form = {
  root: 'vms',
  fields: [{ name: 'ipaddress', param: 'ip' }, { name: 'interface_name', param: 'bridge', added: true }, unseenBridge],
}

export const cdromForm: Form = { root: 'cdrom', fields: [{ name: 'path', param: 'path', required: true }] }

/** The document has no body there. */
export const keysForm: Form = { root: 'pms', fields: [{ name: 'create', param: 'create', added: true }] }
