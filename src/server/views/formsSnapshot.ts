import type { Form, FormField } from './form.ts'

/** The bodies of rows about snapshots, in the document's names; what is `added` is not in it. */

const desc: FormField = { name: 'desc', param: 'desc' }

export const snapshotForm: Form = {
  root: 'snapshot',
  fields: [
    { name: 'name', param: 'name', required: true },
    { name: 'storlink', param: 'storlink', names: 'storlink' },
    desc,
    { name: 'deep', param: 'deep', added: true },
  ],
}

export const snapshotUpdateForm: Form = { root: 'snapshot', fields: [{ name: 'name', param: 'name' }, desc] }

/** The document has no body there. */
export const restoreForm: Form = { root: 'snapshot', fields: [{ name: 'keep', param: 'keep', added: true }] }
