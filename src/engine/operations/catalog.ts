import type { AnyOperation } from '../jobs/operation.ts'
import { vmAdopt } from './adopt/adopt.ts'
import { vmConfig } from './adopt/chooseConfig.ts'
import { vmForget } from './adopt/forget.ts'
import { backupCreate } from './backup/create.ts'
import { backupDelete, backupPrune } from './backup/delete.ts'
import { backupDrill } from './backup/drill.ts'
import { backupRestore } from './backup/restore.ts'
import { scheduleCreate, scheduleDelete, scheduleUpdate } from './backup/schedule.ts'
import { backupVerify } from './backup/verify.ts'
import { vmCopy } from './copy/copy.ts'
import { diskCreate, diskDelete } from './disk/createDelete.ts'
import { diskGrow } from './disk/grow.ts'
import { isoEject, isoInsert } from './disk/iso.ts'
import { vmSmigrate } from './disk/move.ts'
import { vmMigrate } from './migrate/migrate.ts'
import { nicCreate, nicDelete, nicUpdate } from './nic/createUpdateDelete.ts'
import { pmSpreadKeys } from './pm/keys.ts'
import { pmAdd, pmRemove, pmTrust } from './pm/pms.ts'
import { snapshotCreate } from './snapshot/create.ts'
import { snapshotDelete } from './snapshot/delete.ts'
import { snapshotRestore, snapshotStart } from './snapshot/restore.ts'
import { snapshotUpdate } from './snapshot/update.ts'
import { storlinkClean } from './storlink/clean.ts'
import { storlinkCreate, storlinkDelete } from './storlink/createDelete.ts'
import { storlinkMark } from './storlink/mark.ts'
import { storlinkUpdate } from './storlink/update.ts'
import { templateAdd, templateAddNew } from './template/add.ts'
import { templateCreate } from './template/create.ts'
import { templateDelete, templateUpdate } from './template/updateDelete.ts'
import { templateShutdown, templateStart } from './template/upkeep.ts'
import { vmExport } from './transfer/export.ts'
import { vmImport } from './transfer/import.ts'
import { vmCreate } from './vm/create.ts'
import { vmDelete } from './vm/delete.ts'
import { vmEdit } from './vm/edit.ts'
import { vmPoweroff, vmReboot, vmReset, vmResume, vmShutdown, vmStart, vmSuspend } from './vm/power.ts'
import { vmRelease } from './vm/release.ts'
import { vmResize } from './vm/resize.ts'

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
      vmSmigrate,
      vmRelease,
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
      vmExport,
      scheduleCreate,
      scheduleUpdate,
      scheduleDelete,
      vmCreate,
      vmCopy,
      vmImport,
      vmAdopt,
      vmForget,
      vmConfig,
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
      storlinkMark,
      storlinkClean,
      storlinkDelete,
      pmAdd,
      pmTrust,
      pmSpreadKeys,
      pmRemove,
    ] as readonly AnyOperation[]
  ).map((operation) => [operation.name, operation]),
)
