import type { Subject } from '../../model/job.ts'
import type { AppContext } from '../app/context.ts'
import type { KeyRow } from '../screen.ts'

/** What is done with a backup by one key, the same in the list of all and on the screen of its VM. */
export function backupKeys(chosen: (app: AppContext) => readonly Subject[]): readonly KeyRow[] {
  const refuse = (app: AppContext) => (chosen(app).length === 0 ? 'there is no backup here' : undefined)
  const on = { subjects: chosen, refuse }
  return [
    {
      key: 'R',
      title: 'restore',
      help: 'onto its VM, as a new VM, or the VM again that is gone',
      operation: 'backup.restore',
      ...on,
    },
    {
      key: 'V',
      title: 'verify',
      help: 'reads it, and all that it lies on, and compares it with its digests',
      operation: 'backup.verify',
      ...on,
    },
    {
      key: 't',
      title: 'drill',
      help: 'boots a copy of it away from the network, and takes that away again',
      operation: 'backup.drill',
      ...on,
    },
    { key: 'D', title: 'delete backup', operation: 'backup.delete', ...on },
  ]
}
