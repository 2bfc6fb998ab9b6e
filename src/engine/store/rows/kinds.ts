import { backupKind } from './backup.ts'
import { jobKind } from './job.ts'
import type { Kind, Kinds, RowKind, WritableKind } from './kind.ts'
import { pmKind } from './pm.ts'
import { scheduleKind } from './schedule.ts'
import { settingKind } from './setting.ts'
import { storlinkKind } from './storlink.ts'
import { templateKind } from './template.ts'
import { vmKind } from './vm.ts'

/** Jobs are made and changed by writes of their own. */
export type WritableKindName = Exclude<Kind, 'job'>

/**
 * All that is put as a whole, a line a kind, in the order in which it is read: what refers to another comes after it.
 * Reading, writing, forgetting, the view and its notices follow from these lines.
 */
export const WRITABLE_KINDS: { readonly [K in WritableKindName]: WritableKind<Kinds[K]> } = {
  pm: pmKind,
  storlink: storlinkKind,
  template: templateKind,
  vm: vmKind,
  backup: backupKind,
  schedule: scheduleKind,
  setting: settingKind,
}

/** All that is held in memory. */
export const ROW_KINDS: { readonly [K in Kind]: RowKind<Kinds[K]> } = { ...WRITABLE_KINDS, job: jobKind }

export const KINDS = Object.keys(ROW_KINDS) as readonly Kind[]
