import { backupKind } from './backup.ts'
import { jobKind } from './job.ts'
import type { Kind, Kinds, RowKind } from './kind.ts'
import { pmKind } from './pm.ts'
import { scheduleKind } from './schedule.ts'
import { settingKind } from './setting.ts'
import { storlinkKind } from './storlink.ts'
import { templateKind } from './template.ts'
import { vmKind } from './vm.ts'

/**
 * All that is held in memory, a line a kind, in the order in which it is read: what refers to another comes after it.
 * Reading, writing, forgetting, the view and its notices follow from these lines.
 */
export const ROW_KINDS: { readonly [K in Kind]: RowKind<Kinds[K]> } = {
  pm: pmKind,
  storlink: storlinkKind,
  template: templateKind,
  vm: vmKind,
  backup: backupKind,
  schedule: scheduleKind,
  job: jobKind,
  setting: settingKind,
}

export const KINDS = Object.keys(ROW_KINDS) as readonly Kind[]
