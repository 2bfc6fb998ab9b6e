import type { AnyOperation } from '../jobs/operation.ts'
import { vmAdopt, vmForget } from './adopt.ts'
import { backupCreate } from './backupCreate.ts'
import { backupDelete, backupPrune } from './backupDelete.ts'
import { backupDrill } from './backupDrill.ts'
import { backupRestore } from './backupRestore.ts'
import { backupVerify } from './backupVerify.ts'
import { diskGrow } from './diskGrow.ts'
import { diskCreate, diskDelete } from './disks.ts'
import { isoEject, isoInsert } from './iso.ts'
import { nicCreate, nicDelete, nicUpdate } from './nics.ts'
import { pmSpreadKeys } from './pmKeys.ts'
import { pmAdd, pmRemove, pmTrust } from './pms.ts'
import { scheduleCreate, scheduleDelete, scheduleUpdate } from './schedules.ts'
import { snapshotCreate } from './snapshotCreate.ts'
import { snapshotDelete } from './snapshotDelete.ts'
import { snapshotUpdate } from './snapshotEdit.ts'
import { snapshotRestore, snapshotStart } from './snapshotRestore.ts'
import { storlinkCreate, storlinkDelete } from './storlinks.ts'
import { storlinkUpdate } from './storlinkUpdate.ts'
import { templateAdd, templateAddNew } from './templateAdd.ts'
import { templateDelete, templateUpdate } from './templateEdit.ts'
import { templateCreate } from './templateMake.ts'
import { templateShutdown, templateStart } from './templateUpkeep.ts'
import { vmCreate } from './vmCreate.ts'
import { vmDelete } from './vmDelete.ts'
import { vmEdit } from './vmEdit.ts'
import { vmMigrate } from './vmMigrate.ts'
import { vmPoweroff, vmReboot, vmReset, vmResume, vmShutdown, vmStart, vmSuspend } from './vmPower.ts'
import { vmResize } from './vmResize.ts'

/** Everything that can be done, in the order of menus. What is not here cannot be done anywhere. */
export const CATALOG: ReadonlyMap<string, AnyOperation> = new Map<string, AnyOperation>(
  (
    [
      vmStart,
      vmShutdown,
      vmPoweroff,
      vmReboot,
      vmReset,
      vmSuspend,
      vmResume,
      vmMigrate,
      vmEdit,
      vmResize,
      snapshotCreate,
      snapshotRestore,
      snapshotStart,
      snapshotUpdate,
      snapshotDelete,
      diskCreate,
      diskGrow,
      diskDelete,
      nicCreate,
      nicUpdate,
      nicDelete,
      isoInsert,
      isoEject,
      backupCreate,
      backupRestore,
      backupVerify,
      backupDrill,
      backupDelete,
      backupPrune,
      scheduleCreate,
      scheduleUpdate,
      scheduleDelete,
      vmCreate,
      vmAdopt,
      vmForget,
      vmDelete,
      templateCreate,
      templateAdd,
      templateAddNew,
      templateUpdate,
      templateStart,
      templateShutdown,
      templateDelete,
      storlinkCreate,
      storlinkUpdate,
      storlinkDelete,
      pmAdd,
      pmTrust,
      pmSpreadKeys,
      pmRemove,
    ] as readonly AnyOperation[]
  ).map((operation) => [operation.name, operation]),
)
