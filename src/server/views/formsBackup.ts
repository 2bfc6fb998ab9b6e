import type { Form } from './form.ts'

/** The bodies of rows about backups, in the document's names; what is `added` is not in it. */
export const backupForm: Form = {
  root: 'vm',
  fields: [
    { name: 'backup_name', param: 'name', required: true },
    { name: 'storlink', param: 'storlink', required: true, names: 'storlink' },
    { name: 'desc', param: 'desc' },
    { name: 'incremental', param: 'incremental', added: true },
    { name: 'rate', param: 'rate', added: true },
    { name: 'scratch', param: 'scratch', names: 'storlink', added: true },
  ],
}

/** Not in the document at all. */
export const drillForm: Form = {
  root: 'vm',
  fields: [
    { name: 'seconds', param: 'seconds', added: true },
    { name: 'storlink', param: 'storlink', names: 'storlink', added: true },
  ],
}

/** The document has no body there. */
export const restoreBackupForm: Form = {
  root: 'vm',
  fields: [
    { name: 'as', param: 'as', added: true },
    { name: 'name', param: 'name', added: true },
    { name: 'disk', param: 'disk', added: true },
    { name: 'keep', param: 'keep', added: true },
    { name: 'storlink', param: 'storlink', names: 'storlink', added: true },
  ],
}
